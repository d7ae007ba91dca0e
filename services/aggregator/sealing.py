"""How a selection becomes a batch: its pinned manifest, and the events that close and open sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.identities import batch_id_of
from contracts.messages import (
    BatchManifest,
    BatchOverdue,
    BatchSealed,
    BatchStarted,
    DetectedFile,
    FileIgnored,
    FileSetSealed,
    ManifestFile,
    ObjectRef,
)
from services.aggregator.carry_over import MAX_EVENT_BYTES, carry_over
from services.aggregator.completeness import Selection, missing, survey
from services.aggregator.domain import FileSet, Kind, PendingFile


@dataclass(frozen=True)
class Sealing:
    """All that one sealing writes, in one transaction."""

    batch_id: str
    closing: list[BaseModel]
    """Ends the stream of the open set."""
    opening: list[BaseModel]
    """Begins the stream of the next set."""
    batch: list[BaseModel]
    """Begins the stream of the batch."""


def pin(selection: Selection, now: datetime) -> BatchManifest:
    """The batch's manifest: every file with its version; equal content is marked as duplicate."""
    files: list[ManifestFile] = []
    originals = _Contents()
    for index, pending in enumerate(selection.files):
        file = pending.file
        original = originals.find(file)
        if original is None:
            originals.add(index, file)
        files.append(
            ManifestFile(
                index=index,
                kind=file.kind,
                key=file.key,
                version_id=file.version_id,
                size_bytes=file.size_bytes,
                etag=file.etag,
                sha256=file.sha256,
                duplicate_of=original,
            )
        )
    return BatchManifest(
        batch_id=batch_id_of(pending.identity for pending in selection.files),
        bucket=selection.files[0].file.bucket,
        sealed_at=to_rfc3339(now),
        trigger=selection.trigger,
        manifest_key=selection.manifest_key,
        answers=selection.answers,
        files=files,
    )


def superseded(file_set: FileSet, selection: Selection) -> list[FileIgnored]:
    """Waiting files that this batch overtakes, and that would undo its rows if they came later.

    That is an older version of a key in it, and a healthy file of a rejected batch that was sent
    again with equal content. Files that a manifest claims or waits for are left to it.
    """
    kept = {pending.identity for claim in survey(file_set).claims for pending in claim.files}
    kept |= {pending.identity for pending in selection.files}
    by_key = {pending.file.key: pending for pending in selection.files}
    by_content = _Contents()
    for index, pending in enumerate(selection.files):
        by_content.add(index, pending.file)
    overtaken: dict[str, list[PendingFile]] = {}
    reasons = []
    for pending in sorted(file_set.files.values(), key=lambda one: one.age):
        if by_key.get(pending.file.key) == pending:
            reasons += [
                (older, f"version {pending.file.version_id} of it was sent after it")
                for older in overtaken.pop(pending.file.key, [])
            ]
        if pending.identity in kept or pending.file.manifest_key is not None:
            continue
        if pending.file.key in by_key:
            overtaken.setdefault(pending.file.key, []).append(pending)
        elif pending.file.returned and (original := by_content.find(pending.file)) is not None:
            again = selection.files[original].file.key
            reasons.append((pending, f"{again} was sent with equal content"))
    return [
        FileIgnored(
            bucket=pending.file.bucket,
            key=pending.file.key,
            version_id=pending.file.version_id,
            reason=f"{reason} and goes first; upload this one again if it is still wanted",
        )
        for pending, reason in reasons
    ]


def seal(
    file_set: FileSet,
    selection: Selection,
    manifest: BatchManifest,
    ref: ObjectRef,
    *,
    products_known: bool,
    execution_id: str | None = None,
) -> Sealing:
    """Close the set into a batch and open the next one with what is left.

    With `execution_id` (a manual start) the batch is started at once by that execution.
    """
    batch_id = manifest.batch_id
    closing = FileSetSealed(
        bucket=file_set.bucket,
        set_number=file_set.number,
        batch_id=batch_id,
        file_count=len(manifest.files),
    )
    sealed = BatchSealed(
        batch_id=batch_id,
        bucket=file_set.bucket,
        manifest=ref,
        file_count=len(manifest.files),
        size_bytes=sum(file.size_bytes for file in manifest.files),
        trigger=manifest.trigger,
        execution_id=execution_id,
        attempt=0,
        answers=manifest.answers,
    )
    batch: list[BaseModel] = [sealed]
    if execution_id is not None:
        batch.append(BatchStarted(batch_id=batch_id, execution_id=execution_id, attempt=0))
    opening = carry_over(file_set, selection, products_known=products_known)
    return Sealing(batch_id, [closing], opening, batch)


def overdue(
    file_set: FileSet, *, products_known: bool, now: datetime, settle: timedelta, limit: timedelta
) -> list[BatchOverdue]:
    """BatchOverdue, once per set, when something has waited longer than `limit`."""
    since = file_set.waiting_since
    if file_set.overdue_reported or since is None or now - since <= limit:
        return []
    wanted = missing(file_set, products_known=products_known, settle=settle)
    if not wanted:
        return []
    return [
        BatchOverdue(
            bucket=file_set.bucket,
            set_number=file_set.number,
            missing=_within_bytes(wanted),
            file_count=len(file_set.files),
            waiting_since=to_rfc3339(since),
        )
    ]


class _Contents:
    """Finds a file with equal content: kind and size, and SHA-256 where S3 has both, else ETag."""

    def __init__(self) -> None:
        self._files: dict[tuple[Kind, int], list[tuple[int, DetectedFile]]] = {}

    def add(self, index: int, file: DetectedFile) -> None:
        self._files.setdefault((file.kind, file.size_bytes), []).append((index, file))

    def find(self, file: DetectedFile) -> int | None:
        for index, other in self._files.get((file.kind, file.size_bytes), []):
            both = file.sha256 is not None and other.sha256 is not None
            if file.sha256 == other.sha256 if both else file.etag == other.etag:
                return index
        return None


def _within_bytes(words: Sequence[str], limit: int = MAX_EVENT_BYTES) -> list[str]:
    """As many words as fit into an event, and how many more there are."""
    kept: list[str] = []
    size = 0
    for word in words:
        size += len(word.encode()) + 4
        if size > limit:
            return [*kept, f"and {len(words) - len(kept)} more"]
        kept.append(word)
    return kept
