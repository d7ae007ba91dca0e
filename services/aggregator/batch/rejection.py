"""What a rejected batch leaves behind: the files at fault, and the healthy ones that wait again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import BaseModel

from contracts.errors import ContractViolation
from contracts.identities import FileIdentity
from contracts.layout import FILE_GONE
from contracts.messages import (
    AwaitedFile,
    BatchManifest,
    BatchRejected,
    DetectedFile,
    FileGone,
    FileReport,
    FilesReturned,
    FileSuperseded,
    ManifestFile,
    RejectedFile,
)
from services.aggregator.notifications import plural
from services.aggregator.open_set.carry_over import MAX_EVENT_BYTES, MAX_HELD_KEYS, chunks
from services.aggregator.open_set.completeness import Selection
from services.aggregator.open_set.domain import FileSet, PendingFile
from services.aggregator.open_set.sealing import superseded
from services.runtime.csv_files.rule_names import rule_named

MAX_REASON_CHARACTERS = 500
FEW_KEYS = 20
"""They fit into an event beside its files, a key having at most 1,024 bytes."""
MAX_EXPLAINED_FILES = 30
"""Overtaken and gone files with an event of their own: one transaction takes 100 writes."""


@dataclass(frozen=True)
class Rejection:
    """How a batch is rejected: its end, and the events for the open set."""

    end: BatchRejected
    returned: list[BaseModel]
    refused: tuple[str, ...]
    """The keys that are at fault, and not merely gone; of equal files the first."""
    healthy: tuple[str, ...]
    """The keys that go on, with corrections or without."""


def rejected_indexes(manifest: BatchManifest, named: Sequence[int]) -> set[int]:
    """Files at fault: those named and all with equal content; every file when none is named.

    Raises ContractViolation for an index that the manifest does not have.
    """
    unknown = sorted(set(named) - {file.index for file in manifest.files})
    if unknown:
        raise ContractViolation(
            f"CloseBatch of {manifest.batch_id} rejects files {unknown}, "
            f"and its manifest has {len(manifest.files)}"
        )
    if not named:
        return {file.index for file in manifest.files}
    originals = {_original(manifest, index) for index in named}
    return {file.index for file in manifest.files if _original(manifest, file.index) in originals}


def reject(
    manifest: BatchManifest,
    execution_id: str,
    named: Sequence[int],
    reason: str,
    reports: Mapping[int, FileReport],
    sets_since: Sequence[FileSet],
    completed: Collection[str] = (),
) -> Rejection:
    """Reject the batch and return its healthy files, unless newer ones have overtaken them.

    They wait for corrections of the rejected keys: not of those that a batch in `completed` has
    published meanwhile, nor of files whose version is merely gone, whose copies are healthy.
    `reports` are those of the named files. `sets_since` are the bucket's sets from the one that
    became this batch to the open one, in order.
    """
    missed = {index for index in named if index in reports and reports[index].rule == FILE_GONE}
    blamed = [index for index in named if index not in missed]
    at_fault = rejected_indexes(manifest, blamed) if blamed or not named else set()
    rejected_indexes(manifest, named)
    out = at_fault | missed
    waiting = sets_since[0].files
    end = BatchRejected(
        batch_id=manifest.batch_id,
        execution_id=execution_id,
        rejected_files=_explained(manifest, sorted(out), missed, reports, reason, named),
        reason=_summary(manifest, at_fault, missed, reason),
    )
    healthy = {_identity(manifest, file): file for file in manifest.files if file.index not in out}
    again = {
        identity: _as_held(waiting[identity], manifest.batch_id, file.statement)
        for identity, file in healthy.items()
        if identity in waiting
    }
    overtaken = _overtaken(again, sets_since)
    told = [*(_gone(manifest, index) for index in sorted(missed)), *overtaken][:MAX_EXPLAINED_FILES]
    for ignored in overtaken:
        del again[FileIdentity(manifest.bucket, ignored.key, ignored.version_id)]
    published = _published_since(sets_since, completed)
    awaiting = [
        AwaitedFile(
            key=file.key,
            newer_than=waiting[identity].age[0] if identity in waiting else None,
            statement=file.statement,
        )
        for file in manifest.files
        for identity in [_identity(manifest, file)]
        if file.index in at_fault and file.duplicate_of is None and file.key not in published
    ]
    returned = _returned(manifest, [one.file for one in again.values()], awaiting)
    refused = tuple(
        file.key for file in manifest.files if file.index in at_fault and file.duplicate_of is None
    )
    kept = tuple(pending.file.key for pending in again.values())
    return Rejection(end, [*returned, *told], refused, kept)


def _returned(
    manifest: BatchManifest, files: Sequence[DetectedFile], awaiting: Sequence[AwaitedFile]
) -> list[FilesReturned]:
    """The files, and what they wait for, in events that stay under their size."""
    if not files:
        return []
    awaited = {one.key for one in awaiting}
    kinds = sorted({file.kind for file in manifest.files if file.key in awaited})

    def event(files: list[DetectedFile], awaiting: list[AwaitedFile]) -> FilesReturned:
        return FilesReturned(
            batch_id=manifest.batch_id,
            files=files,
            awaiting_kinds=kinds,
            awaiting=awaiting,
            answers=manifest.answers,
        )

    if len(awaiting) <= FEW_KEYS:
        *first, last = chunks(files)
        return [*(event(chunk, []) for chunk in first), event(last, list(awaiting))]
    keys = [event([], chunk) for chunk in chunks(awaiting, MAX_HELD_KEYS)]
    return [*(event(chunk, []) for chunk in chunks(files)), *keys]


def _published_since(sets_since: Sequence[FileSet], completed: Collection[str]) -> set[str]:
    """The keys of batches that were sealed after this one and are completed."""
    return {
        identity.key
        for earlier, later in pairwise(sets_since[1:])
        if earlier.sealed_as in completed
        for identity in earlier.files
        if identity not in later.files
    }


def _gone(manifest: BatchManifest, index: int) -> FileGone:
    file = manifest.files[index]
    return FileGone(
        bucket=manifest.bucket,
        key=file.key,
        version_id=file.version_id,
        reason="it was deleted before its batch was validated; upload it again if it is wanted",
        batch_id=manifest.batch_id,
    )


def _summary(manifest: BatchManifest, at_fault: set[int], missed: set[int], reason: str) -> str:
    count = len(manifest.files)
    if not missed:
        return reason or f"{len(at_fault)} of {plural(count, 'file')} rejected"
    rejected = f"{len(at_fault)} of {plural(count, 'file')} rejected, " if at_fault else ""
    they_were = "it was" if len(missed) == 1 else "they were"
    return f"{rejected}{len(missed)} of {count} deleted before {they_were} read"


def _identity(manifest: BatchManifest, file: ManifestFile) -> FileIdentity:
    return FileIdentity(manifest.bucket, file.key, file.version_id)


def _overtaken(
    again: Mapping[FileIdentity, PendingFile], sets_since: Sequence[FileSet]
) -> list[FileSuperseded]:
    """Healthy files that batches sealed meanwhile have restated: they must not come after them."""
    sealed_since = [
        pending
        for earlier, later in pairwise(sets_since[1:])
        for identity, pending in earlier.files.items()
        if identity not in later.files
    ]
    both = dict(again) | {pending.identity: pending for pending in sealed_since}
    meeting = FileSet(sets_since[0].bucket, sets_since[0].number, files=both)
    return superseded(meeting, Selection("SETTLED", tuple(sealed_since)))


def _as_held(pending: PendingFile, batch_id: str, statement: str | None) -> PendingFile:
    """The file as one of the open set that belongs to no manifest any more."""
    place = {
        "returned": True,
        "manifest_key": None,
        "held_by": batch_id,
        "statement": statement,
    }
    return PendingFile(pending.file.model_copy(update=place), pending.arrived_at)


def _original(manifest: BatchManifest, index: int) -> int:
    duplicate_of = manifest.files[index].duplicate_of
    return index if duplicate_of is None else duplicate_of


def _explained(
    manifest: BatchManifest,
    indexes: Iterable[int],
    missed: Collection[int],
    reports: Mapping[int, FileReport],
    reason: str,
    named: Sequence[int],
) -> list[RejectedFile]:
    """Each file with its reason, as many as fit into one event."""
    explained: list[RejectedFile] = []
    size = 0
    for index in indexes:
        file = RejectedFile(
            key=manifest.files[index].key,
            reason=_why(manifest, index, reports, reason)[:MAX_REASON_CHARACTERS],
            gone=index in missed,
            valid=_was_valid(manifest, index, reports, named),
        )
        size += len(file.model_dump_json().encode())
        if size > MAX_EVENT_BYTES:
            break
        explained.append(file)
    return explained


def _was_valid(
    manifest: BatchManifest, index: int, reports: Mapping[int, FileReport], named: Sequence[int]
) -> bool:
    """Whether the validator had accepted it; it always names what it rejects."""
    report = reports.get(index) or reports.get(_original(manifest, index))
    return not named or (report is not None and report.status == "accepted")


def _why(
    manifest: BatchManifest, index: int, reports: Mapping[int, FileReport], reason: str
) -> str:
    if index in reports:
        report = reports[index]
        why = report.reason or reason or "its report gives no reason"
        return f"{why}{rule_named(report.rule, report.contract)}" if report.rule else why
    original = _original(manifest, index)
    equal = next((other for other in reports if _original(manifest, other) == original), None)
    if equal is not None:
        return f"its content equals {manifest.files[equal].key}, which was rejected"
    return reason or "no reason was reported; see `ecp quarantine list`"
