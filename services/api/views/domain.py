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
    FileDetected,
    FileGone,
    FileIgnored,
    FileRejected,
    FileSuperseded,
    FileValidated,
    KpiAnomalyDetected,
    KpiAnomalyResolved,
    KpisPublished,
    QuarantineDismissed,
)
from services.api.views.batch import batch_view, file_views, source_name
from services.api.views.models import AnomalyView, BatchView, LeftOutFile

SOURCES, SPAN, ANOMALIES = "sources", "span", "anomalies"
BATCHES, QUARANTINE, IGNORED = "batches", "quarantine", "ignored"
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
    """The batch that an event belongs to; None when it is of none."""
    named = getattr(message.data, "batch_id", None) or message.correlation_id
    return named if isinstance(named, str) and _BATCH_ID.fullmatch(named) else None


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
        case KpisPublished(last_day=str(last_day)):
            return [ViewItem(SPAN, "last-day", last_day, {"last_day": last_day})]
        case KpiAnomalyDetected() | KpiAnomalyResolved() as event:
            return [_anomaly(event, message)]
    return []


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


def batch_items(
    batch_id: str, messages: Sequence[Message], touched: Iterable[Message]
) -> list[ViewItem]:
    """The views of a batch by all its events that are known; of its files those touched."""
    batch, files = batch_view(batch_id, messages), file_views(batch_id, messages)
    rank = f"{len(messages):08d}"
    pk, at = partition_of(batch_id), batch.sealed_at or batch.last_event_at
    found = [ViewItem(pk, "view", rank, batch.model_dump(), BATCHES, f"{at}#{batch_id}")]
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
