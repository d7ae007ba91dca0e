"""Copies of table metadata share its history and schemas: what pyiceberg copies never changes.

pyiceberg 0.12 copies the whole metadata some fifty times for each batch and table, snapshot by
snapshot, so that a batch on top of 300 others took ten times the CPU of the first. Snapshots, refs,
log entries, schemas and partition specs are frozen models: a copy may hold the very same ones.
"""

from typing import Any, TypeVar

from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.refs import SnapshotRef
from pyiceberg.table.snapshots import MetadataLogEntry, Snapshot, SnapshotLogEntry

T = TypeVar("T")
FROZEN = (Snapshot, SnapshotRef, SnapshotLogEntry, MetadataLogEntry, Schema, PartitionSpec)


def share_history() -> None:
    """From now on, in this process, a deep copy of one of these models is the model itself."""
    for model in FROZEN:
        model.__deepcopy__ = _itself


def _itself(model: T, _memo: dict[int, Any] | None = None) -> T:
    return model
