"""A batch and its files as their events tell of them; pure, and the same in any order of coming."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from contracts.envelope import Message
from contracts.layout import source_of
from contracts.messages import (
    BatchArchived,
    BatchCompleted,
    BatchFailed,
    BatchRedriven,
    BatchRejected,
    BatchReleased,
    BatchSealed,
    BatchStarted,
    FileRejected,
    FileValidated,
    KpisPublished,
    LockGranted,
    LockQueued,
    QuarantineDismissed,
    TransformStarted,
)
from services.api.views.models import BatchView, FileView

Fields = dict[str, Any]
SEALED = ("attempt", "trigger", "bucket", "file_count", "size_bytes")
PUBLISHED = (
    *("engine", "epoch", "affected_days", "first_day", "last_day"),
    *("order_kpis", "category_kpis", "deleted", "waiting_order_items"),
)
COUNTS = ("rows_in", "accepted", "quarantined", "duplicates", "left_out", "guests")


def in_order(messages: Iterable[Message]) -> list[Message]:
    """Each event once: those of a stream by their version, streams beside each other by time.

    The clocks of two writers of one stream may differ; a later version is never the earlier event.
    """
    streams: dict[str, dict[int, Message]] = defaultdict(dict)
    for message in messages:
        streams[message.stream_id][message.stream_version] = message
    placed: list[tuple[str, str, int]] = []
    for stream_id, versions in streams.items():
        latest = ""
        for version in sorted(versions):
            latest = max(latest, versions[version].occurred_at)
            placed.append((latest, stream_id, version))
    return [streams[stream_id][version] for _, stream_id, version in sorted(placed)]


def batch_view(batch_id: str, messages: Sequence[Message]) -> BatchView:
    """The batch after these events, of which there is at least one."""
    ordered = in_order(messages)
    fields: Fields = {"batch_id": batch_id, "status": "UNSEALED"}
    for message in ordered:
        fields |= _after(message.data, message.occurred_at)
    files = file_views(batch_id, ordered)
    fields |= {name: sum(getattr(file, name) or 0 for file in files) for name in COUNTS}
    return BatchView(
        **fields,
        files_validated=sum(file.status == "accepted" for file in files),
        files_rejected=sum(file.status == "rejected" for file in files),
        events=len(ordered),
        last_event=ordered[-1].event_type,
        last_event_at=ordered[-1].occurred_at,
    )


def _after(event: Any, at: str) -> Fields:
    """What an event at `at` makes of the batch."""
    match event:
        case BatchSealed():
            return {"status": "SEALED", "sealed_at": at, **_told(event, SEALED)}
        case BatchStarted():
            return {"status": "RUNNING", "started_at": at, "execution_id": event.execution_id}
        case BatchCompleted():
            return _closed("COMPLETED", at, event) | {"reason": event.remark}
        case BatchRejected():
            return _closed("REJECTED", at, event) | {"reason": event.reason}
        case BatchFailed():
            return _closed("FAILED", at, event) | {"reason": event.reason}
        case BatchRedriven():
            again = {"status": "SEALED", "attempt": event.attempt, "waits_for_lock": None}
            return again | dict.fromkeys(("started_at", "closed_at", "execution_id", "reason"))
        case BatchReleased():
            return {"released_by": event.requested_by}
        case LockQueued():
            return {"waits_for_lock": event.position}
        case LockGranted():
            return {"waits_for_lock": None}
        case TransformStarted():
            return {"engine": event.engine, "epoch": event.epoch}
        case KpisPublished():
            return {"published_at": at, **_told(event, PUBLISHED)}
        case BatchArchived():
            return {"archived_at": at}
    return {}


def source_name(key: str) -> str:
    """`my-shop` for a file of a source, else the folder: `orders`."""
    return source_of(key) or key.partition("/")[0]


def _told(event: Any, names: Iterable[str]) -> Fields:
    return {name: getattr(event, name) for name in names}


def _closed(status: str, at: str, event: Any) -> Fields:
    return {"status": status, "closed_at": at, "execution_id": event.execution_id}


def file_views(batch_id: str, messages: Iterable[Message]) -> list[FileView]:
    """The batch's files that have a verdict, by index; of several attempts the newest counts."""
    verdicts: dict[int, tuple[Any, str]] = {}
    dismissed: dict[str, set[int] | None] = {}
    for message in in_order(messages):
        match message.data:
            case FileValidated() | FileRejected() as verdict:
                verdicts[verdict.file_index] = verdict, message.occurred_at
            case QuarantineDismissed(key=key, lines=None):
                dismissed[key] = None
            case QuarantineDismissed(key=key, lines=list(lines)):
                earlier = dismissed.get(key, set())
                dismissed[key] = None if earlier is None else earlier | set(lines)
    return [
        _file(batch_id, *verdicts[index], dismissed.get(verdicts[index][0].key, set()))
        for index in sorted(verdicts)
    ]


def _file(
    batch_id: str, verdict: FileValidated | FileRejected, at: str, dismissed: set[int] | None
) -> FileView:
    known = {
        "batch_id": batch_id,
        "file_index": verdict.file_index,
        "key": verdict.key,
        "kind": verdict.kind,
        "source": source_name(verdict.key),
        "validated_at": at,
        "is_dismissed": dismissed is None,
    }
    if isinstance(verdict, FileRejected):
        rejection = {"rule": verdict.rule, "reason": verdict.reason}
        return FileView(status="rejected", dismissed=len(dismissed or ()), **known, **rejection)
    counted = verdict.accepted + verdict.quarantined + verdict.duplicates
    return FileView(
        status="accepted",
        rows_in=verdict.rows_in,
        accepted=verdict.accepted,
        quarantined=verdict.quarantined,
        duplicates=verdict.duplicates,
        left_out=verdict.rows_in - counted,
        guests=verdict.guests,
        unknown_columns=verdict.unknown_columns,
        dismissed=verdict.quarantined if dismissed is None else len(dismissed),
        **known,
    )
