"""What is left waiting when a set is sealed, and the events that open the next set with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.identities import FileIdentity
from contracts.messages import DetectedFile, FilesCarriedOver, PendingManifest
from services.aggregator.completeness import Selection, survey
from services.aggregator.domain import FileSet, Kind, PendingFile, WaitingManifest

T = TypeVar("T", bound=BaseModel)

MAX_EVENT_FILES = 400
MAX_EVENT_BYTES = 150_000
"""Events stay under 200 KB with their envelope (DESIGN 2, Messages)."""


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


def carry_over(file_set: FileSet, selection: Selection, *, products_known: bool) -> list[BaseModel]:
    """The events that open the next set with all that this selection leaves waiting."""
    chosen = {pending.identity for pending in selection.files}
    left = [one for identity, one in file_set.files.items() if identity not in chosen]
    files = _complete_before(file_set, selection, left)
    manifests: list[WaitingManifest] = [
        waiting
        for key, waiting in file_set.manifests.items()
        if key != selection.manifest_key and not _spent(waiting, chosen)
    ]
    awaiting = _still_awaited(file_set, selection, files)
    arrivals = [one.arrived_at for one in files] + [one.arrived_at for one in manifests]
    since = min(arrivals, default=None)
    reported = file_set.overdue_reported and since == file_set.waiting_since

    def event(files: list[DetectedFile], manifests: list[PendingManifest]) -> FilesCarriedOver:
        return FilesCarriedOver(
            bucket=file_set.bucket,
            from_set=file_set.number,
            files=files,
            awaiting_kinds=awaiting,
            products_known=products_known,
            manifests=manifests,
            waiting_since=to_rfc3339(since) if since else None,
            overdue_reported=reported,
        )

    events: list[BaseModel] = [event(chunk, []) for chunk in chunks(one.file for one in files)]
    if manifests:
        events += [event([], chunk) for chunk in chunks(one.manifest for one in manifests)]
    return events


def _complete_before(
    file_set: FileSet, selection: Selection, left: Sequence[PendingFile]
) -> list[PendingFile]:
    """What is left, where files beyond the largest batch go on as returned ones.

    Their set was complete with them; without its other half none of them would be complete again.
    """
    if selection.trigger != "SETTLED":
        return list(left)
    cut_off = {pending.identity for pending in survey(file_set).pool}
    return [_as_returned(one) if one.identity in cut_off else one for one in left]


def _as_returned(pending: PendingFile) -> PendingFile:
    return replace(pending, file=pending.file.model_copy(update={"returned": True}))


def _spent(waiting: WaitingManifest, chosen: set[FileIdentity]) -> bool:
    """A manifest one of whose pinned files was sealed by hand can never be complete again."""
    sealed = {(key, version_id) for _, key, version_id in chosen}
    return any((entry.key, entry.version_id) in sealed for entry in waiting.manifest.files)


def _still_awaited(
    file_set: FileSet, selection: Selection, left: Sequence[PendingFile]
) -> list[Kind]:
    """A manifest that brings an awaited kind brings the correction: no other one is awaited.

    A set settles only when nothing is awaited any more.
    """
    if selection.trigger == "SETTLED":
        return []
    if not any(pending.file.returned for pending in left):
        return []
    brought = {pending.file.kind for pending in selection.files if not pending.file.returned}
    return sorted(file_set.awaiting_kinds - brought)
