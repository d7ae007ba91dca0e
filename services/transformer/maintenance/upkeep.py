"""Looking after the facts tables: small files, old snapshots, files that nothing refers to.

It works between two batches under an epoch of its own (exclusive_writer.py), so it never races with
a writer: every commit requires that main is where this epoch found it, and only files are deleted
that no snapshot refers to and that are too old to belong to a writer at work.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyarrow.fs import FileSelector, FileType
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    SetPropertiesUpdate,
)

from contracts.errors import StaleWriter
from contracts.messages import FactsMaintained, MaintainFacts, TableUpkeep
from services.transformer.batch.state import Ports
from services.transformer.facts.catalog import updates_of
from services.transformer.facts.compaction import RATIO, Merge, next_turn, outgrown
from services.transformer.facts.data_files import data_files, sizes_of
from services.transformer.facts.retention import Expiry, Kept, kept_tags, overdue
from services.transformer.facts.tables import FACTS, PROPERTIES, TABLES
from services.transformer.maintenance.compaction import (
    IsOver,
    Look,
    compact,
    crowding,
    looking,
    while_looking,
)
from services.transformer.maintenance.exclusive_writer import ExclusiveWriter, exclusive_epoch

UNUSED_FOR = timedelta(days=3)
"""A writer that began so long ago is stale: its files will never be referred to."""


@dataclass(frozen=True)
class StoredFile:
    """One file under a table's location."""

    location: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class Plan:
    """What is to be done to one table."""

    outgrown: Sequence[Merge]
    expiry: Expiry
    unused: list[StoredFile]


def plan_upkeep(table: Table, head: int, kept: Kept, now: datetime) -> Plan:
    """Look, and change nothing: what an upkeep at `now` would do, by today's metadata.

    Files that only an expired snapshot refers to are found by the upkeep itself.
    """
    name = table.name()[-1]
    files = data_files(table, head) if name in FACTS else []
    merges = outgrown(name, sizes_of(name, files), RATIO)
    return Plan(merges, overdue(table.metadata, kept), unused(table, now))


def maintain_facts(command: MaintainFacts, ports: Ports, is_over: IsOver = lambda: False) -> None:
    """Compact, expire and delete; FactsMaintained says what was done.

    A batch that is in work, or begins meanwhile, wins: then UpkeepRefused says so. So does whoever
    comes meanwhile, of whom `is_over` tells. What was done by then stays.
    """
    began_at, look = ports.clock(), looking(is_over)
    with exclusive_epoch(command.request_id, ports) as writer:
        if writer is None:
            return
        compacted = _compact(writer, look)
        kept = kept_tags(ports.facts.table("orders").metadata, ports.clock())
        tables = [_clean(name, writer, kept, compacted.get(name, ()), look) for name in TABLES]
        ports.facts.forget()
        elapsed = ports.clock() - began_at
        writer.record(
            FactsMaintained(
                request_id=command.request_id,
                epoch=writer.epoch,
                tables=tables,
                duration_seconds=round(elapsed.total_seconds(), 3),
            )
        )


def unused(table: Table, now: datetime) -> list[StoredFile]:
    """Files under the table's location that no snapshot refers to, and no writer at work wrote."""
    referred = {path_of(location) for location in referred_files(table)}
    return [
        file
        for file in stored_files(table)
        if path_of(file.location) not in referred and file.modified_at < now - UNUSED_FOR
    ]


def _compact(writer: ExclusiveWriter, look: Look) -> Mapping[str, Sequence[Merge]]:
    """Turn after turn, until nothing has outgrown its tiers; what was merged, by table."""
    facts = writer.ports.facts
    done: dict[str, list[Merge]] = defaultdict(list)
    fewer = 1
    while fewer > 0 and (merges := next_turn(crowding(facts, writer.heads).waiting)):
        fewer = compact(merges, writer, look)
        for merge in merges:
            done[merge.table].append(merge)
    return done


def _clean(
    name: str, writer: ExclusiveWriter, kept: Kept, compacted: Sequence[Merge], look: Look
) -> TableUpkeep:
    now = writer.ports.clock()
    table = writer.ports.facts.table(name)
    look()
    expiry = overdue(table.metadata, kept)
    table = expired(table, expiry)
    deletable = while_looking(lambda: unused(table, now), look)
    for file in deletable:
        look()
        table.io.delete(file.location)
    return TableUpkeep(
        table=name,
        compacted_partitions=len({merge.partition for merge in compacted}),
        compacted_files=sum(len(merge.files) for merge in compacted),
        expired_snapshots=len(expiry.snapshot_ids),
        dropped_tags=len(expiry.tags),
        deleted_files=len(deletable),
        deleted_bytes=sum(file.size_bytes for file in deletable),
        kept_snapshots=len(table.metadata.snapshots),
    )


def expired(table: Table, expiry: Expiry) -> Table:
    """Drop tags and snapshots, and give an older table today's properties, in one commit."""
    settings = {
        name: value
        for name, value in PROPERTIES.items()
        if name != "format-version" and table.properties.get(name) != value
    }
    updates = updates_of(expiry)
    if settings:
        updates.append(SetPropertiesUpdate(updates=settings))
    if not updates:
        return table
    requirements = (
        AssertTableUUID(uuid=table.metadata.table_uuid),
        AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=table.metadata.current_snapshot_id),
    )
    try:
        table.catalog.commit_table(table, requirements, tuple(updates))
    except CommitFailedException as error:
        raise StaleWriter(f"facts table {'.'.join(table.name())}: {error}") from error
    return table.catalog.load_table(table.name())


def referred_files(table: Table) -> Iterator[str]:
    """Every file that the table's metadata leads to."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    seen: set[str] = set()
    for snapshot in table.metadata.snapshots:
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file.file_path


def stored_files(table: Table) -> Iterator[StoredFile]:
    """Every file under the table's location."""
    scheme, netloc, path = PyArrowFileIO.parse_location(table.location())
    files = table.io.fs_by_scheme(scheme, netloc)
    for found in files.get_file_info(FileSelector(path, recursive=True, allow_not_found=True)):
        if found.type == FileType.File:
            modified_at = found.mtime or datetime.now(UTC)
            yield StoredFile(f"{scheme}://{found.path}", found.size, modified_at)


def path_of(location: str) -> str:
    """The path on its file system: the same file may be spelled as two locations."""
    return str(PyArrowFileIO.parse_location(location)[2])
