"""What a closed batch came to, in a few figures: its time, its rows and days, what is live."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from contracts.envelope import Message
from contracts.messages import BatchResult, ObjectRef
from infra.ecp.batches.file_sources import read_sources
from infra.ecp.batches.progress import publication
from infra.ecp.batches.queries import newest_batches
from services.runtime.event_store import EventStore
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired

Batch = dict[str, Any]
READ_AT_ONCE = 8


def read_summaries(
    dynamodb: Any, store: EventStore, objects: ObjectStore, limit: int
) -> list[Batch]:
    """The newest batches with what they came to, newest first, read several at once."""
    with ThreadPoolExecutor(READ_AT_ONCE) as readers:
        newest = newest_batches(dynamodb, limit)
        return list(readers.map(lambda batch: summary(batch, store, objects), newest))


def summary(batch: Batch, store: EventStore, objects: ObjectStore) -> Batch:
    """A batch of the read model with what it came to: its time, rows, days and publication.

    `rows` and `days` are those of its result, None without one. `published`: whether KPIs of it are
    live; one that FAILED after its publication has True, and a redrive finishes it. `publication`:
    none, begun or done; one that has begun is not undone. `sources`: what its files were read by
    (`shopify-orders v1`), each once; empty where all are plain, or nothing tells any more.
    """
    result = _result(batch, objects)
    return batch | {
        "duration_seconds": duration_seconds(batch),
        "rows": result and sum(file.rows_in for file in result.files),
        "days": result and len(result.affected_days),
        "sources": _sources(batch, result, objects),
        **_published(batch, store),
    }


def duration_seconds(batch: Batch) -> float | None:
    """From seal to close, None while it runs."""
    if not batch.get("closed_at"):
        return None
    began, ended = (datetime.fromisoformat(batch[name]) for name in ("sealed_at", "closed_at"))
    return round((ended - began).total_seconds(), 1)


def is_published(events: Iterable[Message]) -> bool:
    """Whether KPIs of a batch are live, by its events: publication is never undone."""
    return any(event.event_type == "KpisPublished" for event in events)


def _published(batch: Batch, store: EventStore) -> dict[str, Any]:
    if batch["status"] != "FAILED":
        is_done = batch["status"] == "COMPLETED"
        return {"published": is_done, "publication": "done" if is_done else "none"}
    events = store.read_correlated(batch["batch_id"])
    return {"published": is_published(events), "publication": publication(events)}


def _sources(batch: Batch, result: BatchResult | None, objects: ObjectStore) -> list[str]:
    """By its result, which says them; else by its manifest."""
    if result is not None:
        return list(dict.fromkeys(file.source for file in result.files if file.source))
    ref = batch.get("manifest")
    found = read_sources(ObjectRef.model_validate(ref), objects) if ref else {}
    return list(dict.fromkeys(found.values()))


def _result(batch: Batch, objects: ObjectStore) -> BatchResult | None:
    ref = batch.get("result")
    if not ref:
        return None
    document = read_unless_expired(objects, ObjectRef.model_validate(ref))
    return document and BatchResult.model_validate(document)
