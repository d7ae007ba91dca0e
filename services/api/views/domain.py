"""Which items of PipelineViews an event changes (docs/design.md, Read side); pure.

Three kinds of items, and each comes to the same however often and in whatever order events come:
an event is kept under its own place, a register keeps what has the highest rank, and a view is
folded anew from all events of its batch, so that who has read more of them stands.
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from contracts.messages import (
    BatchSealed,
    FileDetected,
    FileGone,
    FileIgnored,
    FileRejected,
    FileSuperseded,
    FileValidated,
    KpiAnomalyDetected,
    KpiAnomalyResolved,
    KpisPublished,
    LeaseExtended,
    LockGranted,
    LockRecovered,
    LockReleased,
    QuarantineDismissed,
)
from services.api.views.batch import batch_view, file_views, source_name
from services.api.views.models import AnomalyView, BatchView, LeftOutFile

SOURCES, SPAN, LOCK, SIGNS, ANOMALIES = "sources", "span", "lock", "signs", "anomalies"
VIEW = "view"
"""The sort key of a batch's own view."""
BATCHES, QUARANTINE, IGNORED, REPLAYS = "batches", "quarantine", "ignored", "replays"
"""Lists, newest first, of the index by-time."""
LEFT_OUT_DAYS = 90
"""As long as the aggregator remembers what it left out."""
_BATCH_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class ViewItem:
    """An item under (pk, sk); of two for one key, that of the higher rank stands.

    `listed`, `at`: its list, if any, and its place there. `expires_at`: epoch seconds.
    """

    pk: str
    sk: str
    rank: str
    body: Mapping[str, Any]
    listed: str | None = None
    at: str | None = None
    expires_at: int | None = None


def batch_id_of(message: Message) -> str | None:
    """The batch that an event belongs to; None when it is of none.

    A lease is extended once a minute for as long as a batch runs: that is no part of its story.
    """
    if isinstance(message.data, LeaseExtended):
        return None
    named = getattr(message.data, "batch_id", None) or message.correlation_id
    return named if isinstance(named, str) and is_batch_id(named) else None


def is_batch_id(text: str) -> bool:
    """Whether a batch may be called so."""
    return _BATCH_ID.fullmatch(text) is not None


def partition_of(batch_id: str) -> str:
    """Where a batch's events and views are."""
    return f"batch#{batch_id}"


def file_key(file_index: int) -> str:
    """The sort key of a file's view, beside its batch's."""
    return f"file#{file_index:05d}"


def event_item(batch_id: str, message: Message) -> ViewItem:
    """An event of a batch, under its own place in its stream; in order of time."""
    place = f"event#{message.occurred_at}#{message.stream_id}#{message.stream_version:08d}"
    return ViewItem(partition_of(batch_id), place, "event", json.loads(message.to_json()))


def registers(message: Message) -> list[ViewItem]:
    """What an event by itself says of files, sources and days."""
    match message.data:
        case FileDetected() as file:
            return [_arrival(file, message), _version(file, message)]
        case FileIgnored() | FileSuperseded() | FileGone() as file:
            return [_version(file, message)]
        case KpisPublished() as event:
            return _publications_of(event, message.occurred_at)
        case LockGranted() | LockReleased() | LockRecovered() as event:
            return [_lock_register("holder", message, _holder_after(event, message.occurred_at))]
        case LeaseExtended() as event:
            lease = {"fence": event.fence, "lease_until": event.lease_until}
            return [_lock_register("lease", message, lease | {"at": message.occurred_at})]
        case KpiAnomalyDetected() | KpiAnomalyResolved() as event:
            return [_anomaly(event, message)]
    return []


def _publications_of(event: KpisPublished, at: str) -> list[ViewItem]:
    body = {"batch_id": event.batch_id, "epoch": event.epoch, "at": at}
    found = [ViewItem(SPAN, "newest-publication", f"{event.epoch:012d}#{at}", body)]
    if event.last_day is not None:
        last = {"last_day": event.last_day}
        found.append(ViewItem(SPAN, "last-day", event.last_day, last))
    return found


def _lock_register(name: str, message: Message, body: Mapping[str, Any]) -> ViewItem:
    """All events of the lock are of one stream, so the latest is that of the highest version."""
    return ViewItem(LOCK, name, f"{message.stream_version:012d}", body)


def _holder_after(event: LockGranted | LockReleased | LockRecovered, at: str) -> dict[str, Any]:
    """Who has the lock after an event, since when; a lock that is free says how it became so."""
    body = {"is_held": isinstance(event, LockGranted), "at": at, "fence": event.fence}
    if isinstance(event, LockGranted):
        return body | {"batch_id": event.batch_id, "lease_until": event.lease_until}
    if isinstance(event, LockRecovered):
        return body | {"taken_away": event.reason, "detail": event.detail}
    return body


def _anomaly(event: KpiAnomalyDetected | KpiAnomalyResolved, message: Message) -> ViewItem:
    """What stands of a number; all that was said of a day is in one stream."""
    is_odd = isinstance(event, KpiAnomalyDetected)
    view = AnomalyView(
        **event.model_dump(), status="odd" if is_odd else "resolved", told_at=message.occurred_at
    )
    sk = f"{event.order_date}#{event.series}#{_place_of(event.category or '')}"
    return ViewItem(ANOMALIES, sk, f"{message.stream_version:08d}", view.model_dump())


def _place_of(category: str) -> str:
    """A category may be longer than a sort key (1,024 bytes): its beginning, and a hash of it."""
    return f"{category[:100]}#{hashlib.sha256(category.encode()).hexdigest()[:16]}"


def newest_event(messages: Sequence[Message]) -> ViewItem:
    """How far the views have come."""
    newest = max(message.occurred_at for message in messages)
    return ViewItem("health", "newest-event", newest, {"newest_event_at": newest})


def signs_of_life(messages: Iterable[Message]) -> list[ViewItem]:
    """The last event of each service that the views have."""
    last = {one.source: one for one in sorted(messages, key=lambda one: one.occurred_at)}
    found = []
    for source, one in sorted(last.items()):
        service = source.rpartition("/")[2]
        body = {"service": service, "at": one.occurred_at, "said": one.event_type}
        found.append(ViewItem(SIGNS, service, one.occurred_at, body))
    return found


def batch_items(
    batch_id: str, messages: Sequence[Message], touched: Iterable[Message]
) -> list[ViewItem]:
    """The views of a batch by all its events that are known; of its files those touched."""
    batch, files = batch_view(batch_id, messages), file_views(batch_id, messages)
    rank = f"{len(messages):08d}"
    pk, at = partition_of(batch_id), batch.sealed_at or batch.last_event_at
    found = [ViewItem(pk, VIEW, rank, batch.model_dump(), BATCHES, f"{at}#{batch_id}")]
    found += _replay(batch, messages, rank)
    changed, told = _told_of(touched), _told_of(messages)
    for file in files:
        if not changed[file.file_index] + changed[file.key]:
            continue
        in_quarantine = file.status == "rejected" or bool(file.quarantined)
        found.append(
            ViewItem(
                pk,
                file_key(file.file_index),
                f"{told[file.file_index] + told[file.key]:08d}",
                file.model_dump(),
                QUARANTINE if in_quarantine else None,
                f"{file.validated_at}#{batch_id}#{file.file_index:05d}" if in_quarantine else None,
            )
        )
    if batch.status == "COMPLETED":
        found += _publications(batch, {file.source for file in files})
    return found


def _told_of(messages: Iterable[Message]) -> Counter[int | str]:
    """How many events tell of each file: a verdict names its index, a dismissal its key."""
    distinct = {(one.stream_id, one.stream_version): one.data for one in messages}
    found: Counter[int | str] = Counter()
    for event in distinct.values():
        match event:
            case FileValidated() | FileRejected():
                found[event.file_index] += 1
            case QuarantineDismissed():
                found[event.key] += 1
    return found


def _replay(batch: BatchView, messages: Iterable[Message], rank: str) -> list[ViewItem]:
    """Of a batch that answers quarantined rows, where it says which."""
    refs = [one.data.answers for one in messages if isinstance(one.data, BatchSealed)]
    ref = next((ref for ref in refs if ref is not None), None)
    if ref is None or batch.sealed_at is None:
        return []
    body = {
        "batch_id": batch.batch_id,
        "status": batch.status,
        "sealed_at": batch.sealed_at,
        "answers": ref.model_dump(),
    }
    at = f"{batch.sealed_at}#{batch.batch_id}"
    return [ViewItem(partition_of(batch.batch_id), "answers", rank, body, REPLAYS, at)]


def _publications(batch: BatchView, sources: set[str]) -> list[ViewItem]:
    at = batch.closed_at or batch.last_event_at
    return [
        ViewItem(
            SOURCES,
            f"{source}#published",
            f"{at}#{batch.batch_id}",
            {"source": source, "published_at": at, "published_batch": batch.batch_id},
        )
        for source in sorted(sources)
    ]


def _arrival(file: FileDetected, message: Message) -> ViewItem:
    source = source_name(file.key)
    at = file.last_modified or message.occurred_at
    body = {"source": source, "arrived_at": at, "arrived_key": file.key}
    return ViewItem(SOURCES, f"{source}#arrived", f"{at}#{file.key}#{file.version_id}", body)


def _version(
    file: FileDetected | FileIgnored | FileSuperseded | FileGone, message: Message
) -> ViewItem:
    """What is known last of a version; one that was taken in after all leaves the list."""
    pk, sk = f"version#{file.bucket}#{file.key}", file.version_id or "-"
    rank = f"{_set_number(message.stream_id):012d}#{message.stream_version:012d}"
    expires = from_rfc3339(message.occurred_at) + timedelta(days=LEFT_OUT_DAYS)
    expires_at = int(expires.timestamp())
    if isinstance(file, FileDetected):
        return ViewItem(pk, sk, rank, {"what": "detected"}, expires_at=expires_at)
    left_out = LeftOutFile(
        what=_WHAT[type(file).__name__],
        bucket=file.bucket,
        key=file.key,
        version_id=file.version_id,
        reason=file.reason,
        did_you_mean=getattr(file, "did_you_mean", None),
        by_version_id=getattr(file, "by_version_id", None),
        at=message.occurred_at,
    )
    at = f"{message.occurred_at}#{message.event_id}"
    return ViewItem(pk, sk, rank, left_out.model_dump(), IGNORED, at, expires_at)


def _set_number(stream_id: str) -> int:
    """Of `file-set/<bucket>/<number>`: sets of a bucket follow each other."""
    number = stream_id.rpartition("/")[2]
    return int(number) if number.isdigit() else 0


_WHAT = {"FileIgnored": "ignored", "FileSuperseded": "superseded", "FileGone": "gone"}


def sources_from(bodies: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The registers of sources, put together by source."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for body in bodies:
        found[body["source"]] |= body
    return [found[source] for source in sorted(found)]
