"""How a selection becomes a batch: its pinned manifest, and the events that close and open sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.identities import FileIdentity, batch_id_of
from contracts.messages import (
    BatchManifest,
    BatchOverdue,
    BatchSealed,
    BatchStarted,
    DetectedFile,
    FileGone,
    FileIgnored,
    FilesCarriedOver,
    FileSetSealed,
    FileSuperseded,
    ManifestFile,
    ObjectRef,
)
from services.aggregator.open_set.carry_over import MAX_EVENT_BYTES, carry_over, chunks
from services.aggregator.open_set.completeness import Selection, missing
from services.aggregator.open_set.domain import FileSet, PendingFile, WaitingManifest
from services.aggregator.open_set.waiting import classify_pending
from services.aggregator.sources.catalogue import NOTHING_KNOWN, Catalogue

MAX_TOLD_SUPERSEDED = 100
"""Superseded versions that the seal names, if they fit into it; each has its own event as well."""


@dataclass(frozen=True)
class Sealing:
    """All that one sealing writes, in one transaction."""

    batch_id: str
    closing: list[BaseModel]
    """Ends the stream of the open set."""
    opening: list[FilesCarriedOver]
    """Begins the stream of the next set."""
    batch: list[BaseModel]
    """Begins the stream of the batch."""


def pin(
    selection: Selection,
    now: datetime,
    seen_before: Mapping[FileIdentity, str] | None = None,
    known: Catalogue = NOTHING_KNOWN,
) -> BatchManifest:
    """The batch's manifest: every file with its version, the newest statement last.

    A file with equal content to an earlier one of the batch is marked as its duplicate;
    `seen_before` names the completed batches that had the content of a file already. A file of a
    source is pinned with the newest version of that, and with the newest of its lookups.
    """
    files: list[ManifestFile] = []
    originals = _Contents()
    for index, pending in enumerate(sorted(selection.files, key=lambda one: one.age)):
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
                statement=file.statement,
                seen_before=(seen_before or {}).get(pending.identity),
                source=known.pinned(file),
                lookups=known.lookups_of(file.source.name) if file.source else [],
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


def superseded(file_set: FileSet, selection: Selection) -> list[FileSuperseded]:
    """Waiting files that this batch overtakes, and that would undo its rows if they came later.

    That is an older version of a key in it, and a healthy file of a rejected batch that was sent
    again with equal content. Files that a manifest claims or waits for are left to it, unless the
    manifest is done with: no other one will claim them.
    """
    claims = classify_pending(file_set).every_claim
    spent = {
        one.identity for claim in claims if claim.key in selection.spent for one in claim.files
    }
    kept = {one.identity for claim in claims for one in claim.files} - spent
    kept |= {pending.identity for pending in selection.files}
    by_key = {pending.file.key: pending for pending in selection.files}
    by_content = _Contents()
    for index, pending in enumerate(selection.files):
        by_content.add(index, pending.file)
    found = []
    for pending in sorted(file_set.files.values(), key=lambda one: one.age):
        is_labelled = pending.file.manifest_key is not None and pending.identity not in spent
        if pending.identity in kept or is_labelled:
            continue
        newer = by_key.get(pending.file.key)
        if newer is not None and pending.age <= newer.age:
            found.append(_by(newer, pending, "a newer version of it came before it was sealed"))
        elif newer is None and pending.file.returned:
            original = by_content.find(pending.file)
            if original is not None:
                again = selection.files[original]
                reason = f"{again.file.key} was sent with equal content and goes first"
                found.append(_by(again, pending, reason))
    return found


def _by(newer: PendingFile, older: PendingFile, reason: str) -> FileSuperseded:
    file, by = older.file, newer.file
    return FileSuperseded(
        bucket=file.bucket,
        key=file.key,
        version_id=file.version_id,
        by_version_id=by.version_id,
        by_key=by.key if by.key != file.key else None,
        reason=f"{reason}; upload this one again if it is still wanted",
    )


def gone(pending: PendingFile) -> FileGone:
    """The event for a file that was noticed and is deleted now, before it was sealed."""
    file = pending.file
    return FileGone(
        bucket=file.bucket,
        key=file.key,
        version_id=file.version_id,
        reason="it was deleted before its set was sealed; upload it again if it is wanted",
    )


def without_files(bucket: str, waiting: WaitingManifest) -> FileIgnored:
    """The event for an upload manifest of which nothing is left to wait for."""
    return FileIgnored(
        bucket=bucket,
        key=waiting.manifest.key,
        version_id=waiting.manifest.version_id,
        reason="every version that it names is deleted, or superseded by a newer one; upload the "
        "files again, with a manifest of their own, if they are wanted",
    )


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
    sealed_files = {(file.key, file.version_id) for file in manifest.files}
    closing = FileSetSealed(
        bucket=file_set.bucket,
        set_number=file_set.number,
        batch_id=batch_id,
        file_count=len(manifest.files),
        superseded=chunks(
            (
                one
                for one in file_set.superseded
                if (one.by_key or one.key, one.by_version_id) in sealed_files
            ),
            MAX_TOLD_SUPERSEDED,
        )[0],
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
    """Finds a file with equal content: read alike, of one size, and SHA-256 where S3 has both,
    else ETag.
    """

    def __init__(self) -> None:
        self._files: dict[tuple[str, int], list[tuple[int, DetectedFile]]] = {}

    def add(self, index: int, file: DetectedFile) -> None:
        self._files.setdefault(self._place(file), []).append((index, file))

    def find(self, file: DetectedFile) -> int | None:
        for index, other in self._files.get(self._place(file), []):
            both = file.sha256 is not None and other.sha256 is not None
            if file.sha256 == other.sha256 if both else file.etag == other.etag:
                return index
        return None

    @staticmethod
    def _place(file: DetectedFile) -> tuple[str, int]:
        return file.source.name if file.source else file.kind, file.size_bytes


def _within_bytes(words: Sequence[str], limit: int = MAX_EVENT_BYTES) -> list[str]:
    """As many words as fit into an event, and how many more there are."""
    kept: list[str] = []
    size = 0
    for word in words:
        size += len(word.encode()) + 4
        if size > limit:
            return [*kept, f"and {len(words) - len(kept):,} more"]
        kept.append(word)
    return kept
