"""Rejected files whose corrected versions are published: they count as answered from then on."""

from __future__ import annotations

from functools import partial

from contracts.envelope import MessageContext
from contracts.messages import BatchManifest, RejectionAnswered
from services.aggregator import read_model
from services.aggregator.batch.domain import Batch, stream_of
from services.aggregator.open_set.loading import load
from services.aggregator.ports import SOURCE, Ports
from services.runtime.event_store import (
    DeleteItem,
    PutItem,
    StateWrite,
    StreamAppend,
    retry_on_conflict,
)


def answer_rejections(
    batch: Batch, manifest: BatchManifest, row: read_model.Row, ports: Ports
) -> None:
    """Tell every older rejected batch which of its keys this completed one has published.

    One transaction for each, safe to repeat: a crash in between is finished when CloseBatch comes
    again. Healthy files that waited for nothing else are free then. A healthy file that went on
    has its bad rows in the quarantine of this batch now: those of the rejected one are answered,
    without an event, for its seal tells where it went.
    """
    published = {file.key for file in manifest.files}
    while (refused := _next(published, row, ports)) is not None:
        retry_on_conflict(partial(_answer, refused["sk"], published, batch, ports))


def answered_keys(refused: read_model.Row, published: set[str]) -> list[str]:
    """The keys of a row of refused files that are answered now."""
    return [key for key in refused["keys"] if key in published and key not in refused["answered"]]


def _next(published: set[str], row: read_model.Row, ports: Ports) -> read_model.Row | None:
    """A row of files that were refused before this batch was sealed, and are answered by it."""
    return next(
        (
            refused
            for refused in ports.store.query(ports.table, read_model.REFUSED)
            if refused["bucket"] == row["bucket"]
            and refused["set_number"] < row["set_number"]
            and answered_keys(refused, published)
        ),
        None,
    )


def _answer(name: str, published: set[str], batch: Batch, ports: Ports) -> None:
    refused = ports.store.get_item(ports.table, read_model.REFUSED | {"sk": name})
    keys = answered_keys(refused, published) if refused else []
    if refused is None or not keys:
        return
    stream = stream_of(refused["batch_id"])
    event = RejectionAnswered(batch_id=refused["batch_id"], keys=keys, answered_by=batch.batch_id)
    told = [event] if refused["is_rejected"] else []
    appends = [StreamAppend(stream, len(ports.store.read(stream)), told)]
    open_set = load(batch.sealed.bucket, ports).files
    if told and event.batch_id in open_set.holds:
        appends.append(StreamAppend(open_set.stream_id, open_set.version, told))
    answered = refused | {"answered": refused["answered"] | dict.fromkeys(keys, batch.batch_id)}
    ports.store.append(
        *appends,
        context=MessageContext(SOURCE, batch.batch_id),
        writes=_writes(answered, ports),
    )


def _writes(answered: read_model.Row, ports: Ports) -> list[StateWrite]:
    """A row without an open key is kept apart: every completed batch reads the others."""
    if any(key not in answered["answered"] for key in answered["keys"]):
        return [PutItem(ports.table, answered)]
    return [
        PutItem(ports.table, answered | read_model.ANSWERED),
        DeleteItem(ports.table, read_model.REFUSED | {"sk": answered["sk"]}),
    ]
