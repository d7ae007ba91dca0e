"""Giving every user in the facts the pseudonym of the next generation, without knowing any id.

A pseudonym of the next generation is a keyed hash of the one before
(services/runtime/privacy/pseudonyms.py), so equal users stay equal, in old rows and in new ones,
and every KPI is what it was. It works between two batches (exclusive_writer.py). `TransformerState`
says which keys made the pseudonyms of the facts at its heads, and both change in one write: a batch
that was staged with other keys is refused, whatever dies here.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from contracts.messages import FactsRekeyed, RekeyFacts
from services.runtime.privacy.pseudonyms import Keyed
from services.transformer.batch.state import Ports
from services.transformer.facts.data_files import data_files, partition_of
from services.transformer.maintenance.erasure import PARQUET, Trace, delete_unused, expire_since
from services.transformer.maintenance.exclusive_writer import ExclusiveWriter, exclusive_epoch
from services.transformer.maintenance.rewriting import TABLE, publish_with
from services.transformer.maintenance.upkeep import StoredFile, path_of, stored_files

KeyOf = Callable[[int], bytes]
"""The key that makes a generation of the one before; raises PipelineError when it is not there."""


def rekey_facts(command: RekeyFacts, ports: Ports, key_of: KeyOf) -> None:
    """Rewrite all orders, drop every older snapshot, delete the files at once.

    Facts that are rekeyed already only lose what is older. A batch that is in work, or
    begins meanwhile, wins: then UpkeepRefused says so.
    """
    began_at = ports.clock()
    with exclusive_epoch(command.request_id, ports) as writer:
        if writer is None:
            return
        held = writer.state().pseudonym_check
        if held not in (None, command.check_before, command.check_after):
            writer.refuse(
                "the pseudonyms of the facts are made by other keys than those that the rotation "
                f"starts from: generation {command.generation} cannot be made of them"
            )
            return
        is_due = held != command.check_after
        if is_due:
            keyed = Keyed(key_of(command.generation))
            if keyed.of(command.check_before.encode()) != command.check_after:
                writer.refuse(f"the key of generation {command.generation} is not the one expected")
                return
            _replace(writer, keyed, command.check_after)
        tags, snapshots, deleted = _drop_older(writer)
        files = data_files(ports.facts.table(TABLE), writer.heads[TABLE])
        ports.facts.forget()
        writer.record(
            FactsRekeyed(
                request_id=command.request_id,
                epoch=writer.epoch,
                generation=command.generation,
                rekeyed=is_due,
                days=len({partition_of(file) for file in files}),
                rows=sum(file.record_count for file in files),
                expired_snapshots=snapshots,
                dropped_tags=tags,
                deleted_files=len(deleted),
                deleted_bytes=sum(file.size_bytes for file in deleted),
                duration_seconds=round((ports.clock() - began_at).total_seconds(), 3),
            )
        )


def _replace(writer: ExclusiveWriter, keyed: Keyed, check_after: str) -> None:
    """Publish all orders anew; then the state says by which keys."""

    def rekeyed(users: pa.ChunkedArray) -> pa.Array:
        distinct = pc.dictionary_encode(users.combine_chunks())
        made = [keyed.of(pseudonym.encode()) for pseudonym in distinct.dictionary.to_pylist()]
        return pc.take(pa.array(made, users.type), distinct.indices)

    removed = data_files(writer.ports.facts.table(TABLE), writer.heads[TABLE])
    publish_with(rekeyed, removed, writer, lambda state, heads: state.rekeyed(heads, check_after))


def _drop_older(writer: ExclusiveWriter) -> tuple[int, int, list[StoredFile]]:
    """Every snapshot but main's: all hold pseudonyms of the generation before."""
    orders, head = writer.ports.facts.table(TABLE), writer.heads[TABLE]
    standing = {path_of(file.file_path) for file in data_files(orders, head)}
    files = [path_of(file.location) for file in stored_files(orders)]
    older = Trace({path: 1 for path in files if path.endswith(PARQUET) and path not in standing})
    snapshots = {each.snapshot_id for each in orders.metadata.snapshots} - {head}
    orders, dropped_tags, expired_snapshots = expire_since(writer, snapshots)
    return dropped_tags, expired_snapshots, delete_unused(writer, orders, older)
