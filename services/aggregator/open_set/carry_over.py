"""What is left waiting when a set is sealed, and the events that open the next set with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.identities import FileIdentity
from contracts.messages import (
    AwaitedFile,
    DetectedFile,
    FilesCarriedOver,
    HeldBatch,
    ObjectRef,
    PendingManifest,
)
from services.aggregator.open_set.completeness import Selection
from services.aggregator.open_set.domain import FileSet, PendingFile, WaitingManifest
from services.aggregator.open_set.waiting import Group, classify_pending

T = TypeVar("T", bound=BaseModel)

MAX_EVENT_FILES = 400
MAX_EVENT_BYTES = 150_000
"""Events stay under 200 KB with their envelope (docs/design.md, Messages)."""
MAX_OPENING_BYTES = 2_000_000
MAX_OPENING_EVENTS = 50
"""Of one transaction that opens a set, which closes another and begins a batch as well: DynamoDB
takes 4 MB and 100 items."""
MAX_HELD_KEYS = 100
"""Keys that one entry of a held batch names: a key may have 1,024 bytes."""


def chunks(items: Iterable[T], limit: int = MAX_EVENT_FILES) -> list[list[T]]:
    """The items in lists that fit into one event each: at most `limit`, and 150 KB."""
    lists: list[list[T]] = [[]]
    size = 0
    for item in items:
        own = len(item.model_dump_json().encode())
        if lists[-1] and (len(lists[-1]) == limit or size + own > MAX_EVENT_BYTES):
            lists.append([])
            size = 0
        lists[-1].append(item)
        size += own
    return lists


def fits_at_once(events: Sequence[BaseModel]) -> bool:
    """Whether one transaction holds all events that open a set."""
    return len(_first_that_fit(events)) == len(events)


def next_to_open(
    events: Sequence[FilesCarriedOver], after: int, ref: ObjectRef
) -> list[FilesCarriedOver]:
    """What one transaction holds of the events after the first `after`; all lie under `ref`."""
    chosen = _first_that_fit(events[after:])
    last = after + len(chosen) == len(events)
    return [
        event.model_copy(update={"continued_in": None if last and event is chosen[-1] else ref})
        for event in chosen
    ]


def _first_that_fit(events: Sequence[T]) -> list[T]:
    chosen: list[T] = []
    size = 0
    for event in events[:MAX_OPENING_EVENTS]:
        size += len(event.model_dump_json().encode())
        if chosen and size > MAX_OPENING_BYTES:
            break
        chosen.append(event)
    return chosen


def carry_over(
    file_set: FileSet, selection: Selection, *, products_known: bool
) -> list[FilesCarriedOver]:
    """The events that open the next set with all that this selection leaves waiting."""
    chosen = {pending.identity for pending in selection.files}
    left = [one for identity, one in file_set.files.items() if identity not in chosen]
    files = _cut_off(file_set, selection, left)
    manifests: list[WaitingManifest] = [
        waiting
        for key, waiting in file_set.manifests.items()
        if key not in selection.spent and not _spent(waiting, chosen)
    ]
    held = _still_held(file_set, selection, files)
    arrivals = [one.arrived_at for one in files] + [one.arrived_at for one in manifests]
    since = min(arrivals, default=None)
    reported = file_set.overdue_reported and since == file_set.waiting_since

    def event(
        files: Sequence[DetectedFile] = (),
        manifests: Sequence[PendingManifest] = (),
        held: Sequence[HeldBatch] = (),
    ) -> FilesCarriedOver:
        return FilesCarriedOver(
            bucket=file_set.bucket,
            from_set=file_set.number,
            files=list(files),
            awaiting_kinds=[],
            products_known=products_known,
            manifests=list(manifests),
            waiting_since=to_rfc3339(since) if since else None,
            overdue_reported=reported,
            held=list(held),
        )

    events = [event(chunk) for chunk in chunks(one.file for one in files)]
    if manifests:
        events += [event([], chunk) for chunk in chunks(one.manifest for one in manifests)]
    if held:
        events += [event([], [], chunk) for chunk in chunks(held)]
    return events


def _cut_off(
    file_set: FileSet, selection: Selection, left: Sequence[PendingFile]
) -> list[PendingFile]:
    """What is left, where files beyond the largest batch go on as complete by themselves.

    Their set was complete with them; without its other half none of them would be complete again.
    """
    waiting = classify_pending(file_set)
    if selection.holds:
        group = next(one for one in waiting.groups if _is_of(one, selection))
        over = {pending.identity for pending in group.files}
        place = {"returned": True, "manifest_key": None, "held_by": min(selection.holds)}
    elif selection.trigger == "SETTLED":
        over = {pending.identity for pending in waiting.pool}
        place = {"returned": True}
    else:
        return list(left)
    return [
        replace(one, file=one.file.model_copy(update=place)) if one.identity in over else one
        for one in left
    ]


def _is_of(group: Group, selection: Selection) -> bool:
    return any(hold.batch_id in selection.holds for hold in group.holds)


def _still_held(
    file_set: FileSet, selection: Selection, left: Sequence[PendingFile]
) -> list[HeldBatch]:
    """The rejected batches with which files still wait, in pieces that fit into events.

    A batch whose waiting is over leaves files only beyond the largest batch: nothing is awaited.
    """
    waiting = {pending.file.held_by for pending in left}
    held = []
    for batch_id, hold in file_set.holds.items():
        if batch_id not in waiting:
            continue
        over = batch_id in selection.holds
        awaiting = [] if over else hold.awaiting and list(hold.awaiting.values())
        if awaiting is None or not awaiting:
            pieces: list[list[AwaitedFile] | None] = [None if awaiting is None else []]
        else:
            pieces = list(chunks(awaiting, MAX_HELD_KEYS))
        held += [
            HeldBatch(batch_id=batch_id, awaiting=piece, answers=hold.answers) for piece in pieces
        ]
    return held


def _spent(waiting: WaitingManifest, chosen: set[FileIdentity]) -> bool:
    """A manifest one of whose pinned files was sealed by hand can never be complete again."""
    sealed = {(key, version_id) for _, key, version_id in chosen}
    return any((entry.key, entry.version_id) in sealed for entry in waiting.manifest.files)
