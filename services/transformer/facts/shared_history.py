"""Copies of table metadata share its history and schemas: what pyiceberg copies never changes.

pyiceberg 0.12 copies the whole metadata some two hundred times for each batch, snapshot by
snapshot, so that a batch on top of 300 others took ten times the CPU of the first. Snapshots,
refs, log entries, schemas and partition specs are frozen models: a copy has lists of its own, and
may hold the very same ones. And a transaction works its metadata out anew each time that it is
looked at; here once for what was staged so far.
"""

from typing import Any, TypeVar

from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from pyiceberg.table.refs import SnapshotRef
from pyiceberg.table.snapshots import MetadataLogEntry, Snapshot, SnapshotLogEntry
from pyiceberg.table.update import update_table_metadata

T = TypeVar("T")
FROZEN = (Snapshot, SnapshotRef, SnapshotLogEntry, MetadataLogEntry, Schema, PartitionSpec)


def share_history() -> None:
    """From now on, in this process, a deep copy of one of these models is the model itself."""
    for model in FROZEN:
        model.__deepcopy__ = _itself
    TableMetadataV2.__deepcopy__ = _with_own_lists
    Transaction.table_metadata = property(_as_staged)


def _itself(model: T, _memo: dict[int, Any] | None = None) -> T:
    return model


def _with_own_lists(
    metadata: TableMetadataV2, _memo: dict[int, Any] | None = None
) -> TableMetadataV2:
    copied: TableMetadataV2 = metadata.__copy__()
    for name, value in copied.__dict__.items():
        if isinstance(value, list | dict):
            copied.__dict__[name] = value.copy()
    return copied


def _as_staged(transaction: Transaction) -> TableMetadata:
    """The table's metadata with the updates so far; nobody changes what they are given."""
    table, updates = transaction._table.metadata, transaction._updates
    known = transaction.__dict__.get("_known_metadata")
    if known is None or known[0] is not table or known[1] is not updates:
        known = (table, updates, update_table_metadata(table, updates))
        transaction.__dict__["_known_metadata"] = known
    found: TableMetadata = known[2]
    return found
