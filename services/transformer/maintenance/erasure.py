"""Erasing one user from the facts: from what stands, and from every snapshot before it.

The rows stay, with a token for the pseudonym, so every KPI is what it was. It works between two
batches (exclusive_writer.py). Every step finds out by itself what is left to do, so that one that
died is finished by asking again: the files that hold the user are deleted last.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from contracts.errors import PipelineError
from contracts.messages import EraseFromFacts, PseudonymErasure, UserErasedFromFacts
from services.runtime.privacy.erasure import erasure_request
from services.transformer.batch.state import Ports
from services.transformer.facts.data_files import data_files
from services.transformer.facts.retention import published_since, without_tags
from services.transformer.facts.tables import TABLES
from services.transformer.maintenance.exclusive_writer import ExclusiveWriter, exclusive_epoch
from services.transformer.maintenance.rewriting import COLUMN, TABLE, publish_with
from services.transformer.maintenance.upkeep import (
    StoredFile,
    expired,
    path_of,
    referred_files,
    stored_files,
)

READS_AT_ONCE = 8
PARQUET = ".parquet"


@dataclass(frozen=True)
class Trace:
    """Where a pseudonym is: rows by file path, of all files under the table's location."""

    rows: Mapping[str, int]

    def is_in(self, file: DataFile) -> bool:
        """Whether a data file holds it."""
        return path_of(file.file_path) in self.rows


def trace(table: Table, files: Sequence[StoredFile], pseudonym: str) -> Trace:
    """Read the user_id column of every data file; nothing else of it."""
    paths = [file for file in files if file.location.endswith(PARQUET)]
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="trace") as threads:
        counts = threads.map(lambda file: _rows_in(table, file, pseudonym), paths)
    return Trace({path_of(f.location): n for f, n in zip(paths, counts, strict=True) if n})


def holding_snapshots(table: Table, found: Trace) -> set[int]:
    """The snapshots of a table that still lead to a file that holds the pseudonym."""
    by_manifest: dict[str, bool] = {}
    holding: set[int] = set()
    for snapshot in table.metadata.snapshots:
        for manifest in snapshot.manifests(table.io):
            path = manifest.manifest_path
            if path not in by_manifest:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                by_manifest[path] = any(found.is_in(entry.data_file) for entry in entries)
            if by_manifest[path]:
                holding.add(snapshot.snapshot_id)
    return holding


def erase_from_facts(command: EraseFromFacts, ports: Ports) -> None:
    """Rewrite the user's files, drop what older snapshots hold, delete the files at once.

    A batch that is in work, or begins meanwhile, wins: then UpkeepRefused says so.
    """
    began_at = ports.clock()
    with exclusive_epoch(command.request_id, ports) as writer:
        if writer is None:
            return
        wanted = erasure_request(command.request, ports.objects).pseudonyms[-1]
        if writer.state().pseudonym_check not in (None, wanted.check):
            writer.refuse(
                "the pseudonyms of the facts are made by other keys: `ecp privacy rotate-key` "
                "finishes what it began; ask again then"
            )
            return
        tags, snapshots, deleted = _erase(writer, wanted)
        days = _days_of(ports.facts.table(TABLE), writer.heads[TABLE], wanted.token)
        ports.facts.forget()
        writer.record(
            UserErasedFromFacts(
                request_id=command.request_id,
                epoch=writer.epoch,
                days=len(set(days)),
                rows=len(days),
                expired_snapshots=snapshots,
                dropped_tags=tags,
                deleted_files=len(deleted),
                deleted_bytes=sum(file.size_bytes for file in deleted),
                duration_seconds=round((ports.clock() - began_at).total_seconds(), 3),
            )
        )


def _erase(
    writer: ExclusiveWriter, wanted: PseudonymErasure
) -> tuple[int, int, Sequence[StoredFile]]:
    """How many tags and snapshots are gone, and the files that are."""
    table = writer.ports.facts.table(TABLE)
    found = trace(table, list(stored_files(table)), wanted.pseudonym)
    if not found.rows:
        return 0, 0, ()
    _replace(writer, found, wanted)
    holding = holding_snapshots(writer.ports.facts.table(TABLE), found)
    orders, tags, snapshots = expire_since(writer, holding)
    return tags, snapshots, delete_unused(writer, orders, found)


def _replace(writer: ExclusiveWriter, found: Trace, wanted: PseudonymErasure) -> None:
    """Publish the files that hold the user with the token."""

    def with_token(users: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.if_else(pc.equal(users, wanted.pseudonym), wanted.token, users)

    standing = data_files(writer.ports.facts.table(TABLE), writer.heads[TABLE])
    removed = [file for file in standing if found.is_in(file)]
    publish_with(with_token, removed, writer)


def expire_since(writer: ExclusiveWriter, holding: Collection[int]) -> tuple[Table, int, int]:
    """Drop the tags from the first of these snapshots of orders on, in every table.

    Gives the orders table afterwards, and how many tags and snapshots are gone.
    """
    facts = writer.ports.facts
    orders = facts.table(TABLE)
    ours = published_since(orders.metadata, holding)
    orders = expired(orders, ours)
    snapshots = len(ours.snapshot_ids)
    for name in TABLES:
        if name != TABLE:
            theirs = without_tags(facts.table(name).metadata, ours.tags)
            expired(facts.table(name), theirs)
            snapshots += len(theirs.snapshot_ids)
    return orders, len(ours.tags), snapshots


def delete_unused(writer: ExclusiveWriter, table: Table, found: Trace) -> list[StoredFile]:
    """Every file that nothing leads to: what older writers left may hold the user too.

    No newer writer has a file among them, or the epoch would not be ours after they were listed.
    """
    kept = {path_of(location) for location in referred_files(table)}
    if left := found.rows.keys() & kept:
        raise PipelineError(f"{len(left)} files of {TABLE} that hold the user are still in use")
    deletable = [file for file in stored_files(table) if path_of(file.location) not in kept]
    writer.state()
    for file in sorted(deletable, key=lambda file: path_of(file.location) in found.rows):
        table.io.delete(file.location)
    return deletable


def _days_of(table: Table, head: int, pseudonym: str) -> list[date]:
    """The day of each order of a user."""
    theirs = table.scan(EqualTo(COLUMN, pseudonym), ("order_date",), snapshot_id=head)
    days: list[date] = theirs.to_arrow()["order_date"].to_pylist()
    return days


def _rows_in(table: Table, file: StoredFile, pseudonym: str) -> int:
    with table.io.new_input(file.location).open() as content:
        users = pq.read_table(content, columns=[COLUMN])[COLUMN]
    return int(pc.sum(pc.equal(users, pseudonym)).as_py() or 0)
