"""A batch's life after sealing: started, closed, redriven; folded from `batch/<batch_id>`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from contracts.envelope import Message
from contracts.errors import StaleWriter
from contracts.identities import execution_name, name_of
from contracts.messages import (
    BatchCompleted,
    BatchFailed,
    BatchRedriven,
    BatchRejected,
    BatchSealed,
    BatchStarted,
    ObjectRef,
)

Status: TypeAlias = Literal["SEALED", "RUNNING", "COMPLETED", "REJECTED", "FAILED"]
CLOSED: frozenset[str] = frozenset({"COMPLETED", "REJECTED", "FAILED"})

BatchEnd: TypeAlias = BatchCompleted | BatchRejected | BatchFailed


@dataclass(frozen=True)
class Batch:
    """A sealed batch after `version` events. `execution_id` is that of the current attempt."""

    batch_id: str
    version: int
    sealed: BatchSealed
    status: Status = "SEALED"
    attempt: int = 0
    execution_id: str | None = None
    end: BatchEnd | None = None

    @property
    def manifest(self) -> ObjectRef:
        return self.sealed.manifest

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    @property
    def awaits_start(self) -> bool:
        """Whether an execution has yet to be started for the current attempt."""
        return self.status == "SEALED" and self.execution_id is None

    @property
    def execution_name(self) -> str:
        """The name of the execution that the pipeline starts for the current attempt."""
        return execution_name(self.batch_id, self.attempt)

    def is_run_by(self, execution_id: str) -> bool:
        """Whether this execution is the one of the current attempt."""
        if self.execution_id is not None:
            return execution_id == self.execution_id
        return name_of(execution_id) == self.execution_name

    def evolve(self, messages: Sequence[Message]) -> Batch:
        """The batch after these events of its stream, which follow `version`."""
        batch = self
        for message in messages:
            batch = replace(_after(batch, message.data), version=message.stream_version)
        return batch


def stream_of(batch_id: str) -> str:
    """The stream of a batch."""
    return f"batch/{batch_id}"


def replay(batch_id: str, messages: Sequence[Message]) -> Batch | None:
    """The batch that these events tell of; None when it was never sealed."""
    if not messages:
        return None
    first, *rest = messages
    return Batch(batch_id, first.stream_version, first.data).evolve(rest)


def start(batch: Batch, execution_id: str) -> list[BatchStarted]:
    """BatchStarted, unless the batch was started or closed meanwhile."""
    if not batch.awaits_start:
        return []
    return [BatchStarted(batch_id=batch.batch_id, execution_id=execution_id, attempt=batch.attempt)]


def close(batch: Batch, execution_id: str, end: BatchEnd) -> list[BatchEnd]:
    """The end of the batch, unless it has one already.

    Raises StaleWriter when another execution runs the batch now.
    """
    if not batch.is_run_by(execution_id):
        raise StaleWriter(
            f"batch {batch.batch_id} is run by {batch.execution_id or 'its next execution'}, "
            f"not by {execution_id}: that one must not close it"
        )
    return [] if batch.is_closed else [end]


def fail_dead_execution(batch: Batch, execution_id: str, cause: str) -> list[BatchEnd]:
    """BatchFailed when the execution of the current attempt ended and left the batch open."""
    if batch.is_closed or not batch.is_run_by(execution_id):
        return []
    return [BatchFailed(batch_id=batch.batch_id, execution_id=execution_id, reason=cause)]


def redrive(batch: Batch, requested_by: str) -> list[BatchRedriven]:
    """BatchRedriven for the next attempt; empty when the batch is not FAILED."""
    if batch.status != "FAILED":
        return []
    return [
        BatchRedriven(
            batch_id=batch.batch_id,
            attempt=batch.attempt + 1,
            requested_by=requested_by,
            manifest=batch.manifest,
            file_count=batch.sealed.file_count,
            bucket=batch.sealed.bucket,
        )
    ]


def _after(batch: Batch, event: object) -> Batch:
    match event:
        case BatchStarted():
            return replace(batch, status="RUNNING", execution_id=event.execution_id)
        case BatchCompleted():
            return replace(batch, status="COMPLETED", end=event, execution_id=event.execution_id)
        case BatchRejected():
            return replace(batch, status="REJECTED", end=event, execution_id=event.execution_id)
        case BatchFailed():
            return replace(batch, status="FAILED", end=event, execution_id=event.execution_id)
        case BatchRedriven():
            return replace(
                batch, status="SEALED", end=None, attempt=event.attempt, execution_id=None
            )
    return batch
