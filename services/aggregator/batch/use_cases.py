"""Batches: starting their executions, recording how they end, running failed ones again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel

from contracts.clock import from_rfc3339, to_rfc3339
from contracts.envelope import Message, MessageContext
from contracts.errors import ContractViolation
from contracts.identities import attempt_of
from contracts.messages import (
    BatchCompleted,
    BatchFailed,
    BatchManifest,
    BatchRejected,
    BatchResult,
    CloseBatch,
    FileGone,
    FileSuperseded,
    RedriveBatch,
)
from services.aggregator import notifications as notices
from services.aggregator import read_model
from services.aggregator.batch import domain as batches
from services.aggregator.batch.answered_files import answer_rejections
from services.aggregator.batch.domain import Batch
from services.aggregator.batch.rejection import Rejection, reject
from services.aggregator.open_set.domain import FileSet
from services.aggregator.open_set.loading import load, load_since, products_became_known
from services.aggregator.open_set.seen_contents import remember_contents
from services.aggregator.open_set.use_cases import check_when_settled
from services.aggregator.ports import SOURCE, Ports
from services.runtime.event_store import PutItem, StateWrite, StreamAppend, retry_on_conflict
from services.runtime.observability.logs import about, logger

SWEPT_AFTER_SECONDS = 900
"""A batch open for so long has its execution looked up: status events are best effort."""
STARTED_AFTER_SECONDS = 60
"""A batch without an execution for so long is started: its BatchSealed was lost on the way."""


def start_batch(message: Message, ports: Ports) -> None:
    """Run the saga for a batch that was sealed or redriven; starting twice is starting once.

    The bus keeps no order among batches, and a newer batch must not run before an older one whose
    rows it replaces: batches of the bucket that were sealed before and still wait go first.
    """
    batch = _load(message.data.batch_id, ports)
    if not batch.awaits_start:
        return
    number = int(_row(batch, ports)["set_number"])
    for waiting in _unfinished(ports):
        is_earlier = waiting["bucket"] == batch.sealed.bucket and waiting["set_number"] < number
        if waiting["execution_id"] is None and is_earlier:
            with about(batch_id=waiting["sk"]):
                _start(waiting["sk"], message.event_id, ports)
    _start(batch.batch_id, message.event_id, ports)


def close_batch(message: Message, ports: Ports) -> dict[str, Any]:
    """Record how a batch ended, once; the answer is the text for people, the same every time."""
    command: CloseBatch = message.data
    batch = retry_on_conflict(partial(_close, command, message.event_id, ports))
    if batch.status == "COMPLETED":
        manifest = _manifest(batch, ports)
        remember_contents(manifest, ports)
        answer_rejections(batch, manifest, _row(batch, ports), ports)
    check_when_settled(batch.sealed.bucket, ports)
    notice = _notification_of(batch, ports)
    return {
        "outcome": "CLOSED",
        "status": batch.status,
        "subject": notice.subject,
        "message": notice.message,
    }


def redrive_batch(message: Message, ports: Ports) -> None:
    """Run a FAILED batch again; for any other the refusal is said in the log."""
    command: RedriveBatch = message.data
    retry_on_conflict(partial(_redrive, command, message.event_id, ports))


def execution_ended(execution_id: str, status: str, cause: str, ports: Ports) -> None:
    """An execution is over: if it left its batch open, the batch has failed."""
    reason = f"its execution ended as {status} before the batch was closed"
    retry_on_conflict(
        partial(_fail, execution_id, f"{reason}: {cause}" if cause else reason, ports)
    )


def sweep(ports: Ports, *, after_restart: bool = False) -> int:
    """Find batches that are open for long: start those without an execution, fail dead ones.

    `after_restart`: executions are looked up however short their batches are open. Returns how
    many were open.
    """
    unfinished = _unfinished(ports)
    swept_after = 0 if after_restart else SWEPT_AFTER_SECONDS
    for open_batch in unfinished:
        with about(batch_id=open_batch["sk"]):
            _look_after(open_batch, swept_after, ports)
    return len(unfinished)


def _look_after(open_batch: read_model.Row, swept_after: float, ports: Ports) -> None:
    waited = ports.clock() - from_rfc3339(open_batch["since"])
    execution_id = open_batch["execution_id"]
    patience = STARTED_AFTER_SECONDS if execution_id is None else swept_after
    if waited.total_seconds() < patience:
        return
    if execution_id is None:
        _start(open_batch["sk"], None, ports)
        return
    status = ports.executions.ended(execution_id)
    if status is not None:
        execution_ended(execution_id, status, "", ports)


def _unfinished(ports: Ports) -> list[read_model.Row]:
    """The batches that are not closed, in order of sealing."""
    rows = ports.store.query(ports.table, read_model.UNFINISHED)
    return sorted(rows, key=lambda row: (row["bucket"], row["set_number"]))


def _start(batch_id: str, causation_id: str | None, ports: Ports) -> None:
    batch = _load(batch_id, ports)
    if not batch.awaits_start:
        return
    execution_id = ports.executions.start(
        batch.execution_name,
        {
            "fileKey": "",
            "bucket": batch.sealed.bucket,
            "batch_id": batch_id,
            "manifest": batch.manifest.model_dump(),
            "file_count": batch.sealed.file_count,
            "attempt": batch.attempt,
        },
    )

    def record() -> None:
        current = _load(batch_id, ports)
        if current.attempt == batch.attempt:
            _apply(current, batches.start(current, execution_id), causation_id, ports)

    retry_on_conflict(record)


def _close(command: CloseBatch, causation_id: str, ports: Ports) -> Batch:
    batch = _load(command.batch_id, ports)
    if batch.is_closed:
        batches.close(batch, command.execution_id, _failure(command))
        return batch
    match command.outcome:
        case "COMPLETED":
            return _complete(batch, command, causation_id, ports)
        case "REJECTED":
            return _reject(batch, command, causation_id, ports)
        case "FAILED":
            end = batches.close(batch, command.execution_id, _failure(command))
            return _apply(batch, end, causation_id, ports)


def _complete(batch: Batch, command: CloseBatch, causation_id: str, ports: Ports) -> Batch:
    if command.result is None:
        raise ContractViolation(
            f"CloseBatch COMPLETED of {batch.batch_id} names no result; send the ObjectRef that "
            "TransformBatch answered"
        )
    completed = BatchCompleted(
        batch_id=batch.batch_id,
        execution_id=command.execution_id,
        result=command.result,
        remark=command.reason or None,
    )
    end = batches.close(batch, command.execution_id, completed)
    open_set = load(batch.sealed.bucket, ports)
    also: list[StateWrite] = []
    if not open_set.products_known and _brought_products(batch, ports):
        also.append(products_became_known(open_set, ports))
    return _apply(batch, end, causation_id, ports, also=also)


def _reject(batch: Batch, command: CloseBatch, causation_id: str, ports: Ports) -> Batch:
    manifest = _manifest(batch, ports)
    row = _row(batch, ports)
    sets_since = load_since(batch.sealed.bucket, int(row["set_number"]), ports)
    reports = ports.reports.read(batch.sealed.bucket, batch.batch_id, command.rejected_files)
    rejection: Rejection = reject(
        manifest,
        command.execution_id,
        command.rejected_files,
        command.reason,
        reports,
        sets_since,
        _completed(sets_since, ports),
    )
    end = batches.close(batch, command.execution_id, rejection.end)
    refused_rows = read_model.refused_rows(row, rejection.refused, rejection.healthy, ports.clock())
    left_out = [
        read_model.left_out_row(event, ports.clock())
        for event in rejection.returned
        if isinstance(event, FileGone | FileSuperseded)
    ]
    current = sets_since[-1]
    returned = [StreamAppend(current.stream_id, current.version, rejection.returned)]
    return _apply(
        batch,
        end,
        causation_id,
        ports,
        appends=returned if rejection.returned else (),
        also=[PutItem(ports.table, each) for each in (*refused_rows, *left_out)],
    )


def _completed(sets_since: Sequence[FileSet], ports: Ports) -> set[str]:
    """The batches that were sealed after the first of these sets and are completed."""
    sealed = [one.sealed_as for one in sets_since[1:] if one.sealed_as]
    rows = (ports.store.get_item(ports.table, read_model.batch_key(one)) for one in sealed)
    return {row["batch_id"] for row in rows if row and row["status"] == "COMPLETED"}


def _redrive(command: RedriveBatch, causation_id: str, ports: Ports) -> None:
    batch = _find(command.batch_id, ports)
    events = batches.redrive(batch, command.requested_by) if batch else []
    if batch is None or not events:
        logger.warning(
            "redrive of batch %s asked for by %s is refused: only a FAILED batch can be redriven, "
            "and this one is %s",
            command.batch_id,
            command.requested_by,
            batch.status if batch else "unknown",
            batch_id=command.batch_id,
        )
        return
    _apply(batch, events, causation_id, ports)


def _fail(execution_id: str, cause: str, ports: Ports) -> None:
    batch_id = _batch_run_by(execution_id, ports)
    batch = _find(batch_id, ports) if batch_id else None
    if batch is None:
        logger.info("execution %s ended; no batch of ours was run by it", execution_id)
        return
    _apply(batch, batches.fail_dead_execution(batch, execution_id, cause), None, ports)


def _apply(
    batch: Batch,
    events: Sequence[BaseModel],
    causation_id: str | None,
    ports: Ports,
    appends: Sequence[StreamAppend] = (),
    also: Sequence[StateWrite] = (),
) -> Batch:
    """Append to the batch's stream, with its rows and whatever belongs to the same decision."""
    if not events:
        return batch
    row = _row(batch, ports)
    for event in events:
        row = read_model.after(row, event, to_rfc3339(ports.clock()))
    stored = ports.store.append(
        StreamAppend(batches.stream_of(batch.batch_id), batch.version, events),
        *appends,
        context=MessageContext(SOURCE, batch.batch_id, causation_id),
        writes=[*read_model.batch_writes(ports.table, row), *also],
    )
    for event in events:
        logger.info("%s", type(event).__name__, batch_id=batch.batch_id)
    return batch.evolve(stored[: len(events)])


def _notification_of(batch: Batch, ports: Ports) -> notices.SnsNotification:
    match batch.end:
        case BatchCompleted() as end:
            result = BatchResult.model_validate(ports.documents.get_json(end.result))
            return notices.completed(batch, result, end.remark)
        case BatchRejected() as end:
            return notices.rejected(batch, end)
        case BatchFailed() as end:
            return notices.failed(batch, end)
        case None:
            raise ContractViolation(f"batch {batch.batch_id} is not closed")


def _batch_run_by(execution_id: str, ports: Ports) -> str | None:
    known = ports.store.get_item(ports.table, read_model.execution_key(execution_id))
    if known is not None:
        return str(known["batch_id"])
    named = attempt_of(execution_id)
    return named[0] if named else None


def _failure(command: CloseBatch) -> BatchFailed:
    return BatchFailed(
        batch_id=command.batch_id,
        execution_id=command.execution_id,
        reason=command.reason or "no reason was given",
    )


def _brought_products(batch: Batch, ports: Ports) -> bool:
    return any(
        "products" in (file.source.gives if file.source else [file.kind])
        for file in _manifest(batch, ports).files
    )


def _manifest(batch: Batch, ports: Ports) -> BatchManifest:
    return BatchManifest.model_validate(ports.documents.get_json(batch.manifest))


def _row(batch: Batch, ports: Ports) -> read_model.Row:
    row = ports.store.get_item(ports.table, read_model.batch_key(batch.batch_id))
    if row is None:
        raise ContractViolation(
            f"batch {batch.batch_id} has events and no row in {ports.table}; restore the table"
        )
    return row


def _find(batch_id: str, ports: Ports) -> Batch | None:
    return batches.replay(batch_id, ports.store.read(batches.stream_of(batch_id)))


def _load(batch_id: str, ports: Ports) -> Batch:
    batch = _find(batch_id, ports)
    if batch is None:
        raise ContractViolation(f"there is no batch {batch_id}; see `ecp batches`")
    return batch
