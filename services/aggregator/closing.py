"""What a rejected batch leaves behind: the files at fault, and the healthy ones that wait again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import BaseModel

from contracts.errors import ContractViolation
from contracts.identities import FileIdentity
from contracts.messages import (
    BatchManifest,
    BatchRejected,
    FileIgnored,
    FileReport,
    FilesReturned,
    RejectedFile,
)
from services.aggregator.carry_over import MAX_EVENT_BYTES, chunks
from services.aggregator.completeness import Selection
from services.aggregator.domain import FileSet, Kind, PendingFile
from services.aggregator.sealing import superseded

MAX_REASON_CHARACTERS = 500
MAX_EXPLAINED_FILES = 60
"""Overtaken files with an event of their own: one transaction takes 100 writes."""


@dataclass(frozen=True)
class Rejection:
    """How a batch is rejected: its end, and the events for the open set."""

    end: BatchRejected
    returned: list[BaseModel]


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
) -> Rejection:
    """Reject the batch and return its healthy files, unless newer ones have overtaken them.

    `reports` are those of the named files. `sets_since` are the bucket's sets from the one that
    became this batch to the open one, in order.
    """
    at_fault = rejected_indexes(manifest, named)
    end = BatchRejected(
        batch_id=manifest.batch_id,
        execution_id=execution_id,
        rejected_files=_explained(manifest, sorted(at_fault), reports, reason),
        reason=reason or f"{len(at_fault)} of {len(manifest.files)} files rejected",
    )
    healthy = {
        FileIdentity(manifest.bucket, file.key, file.version_id)
        for file in manifest.files
        if file.index not in at_fault
    }
    waiting = [pending for identity, pending in sets_since[0].files.items() if identity in healthy]
    again = {pending.identity: _as_returned(pending) for pending in waiting}
    overtaken = _overtaken(again, sets_since)
    files = [
        pending.file
        for pending in again.values()
        if (pending.file.key, pending.file.version_id)
        not in {(ignored.key, ignored.version_id) for ignored in overtaken}
    ]
    if not files:
        return Rejection(end, list(overtaken[:MAX_EXPLAINED_FILES]))
    awaiting: list[Kind] = sorted({file.kind for file in manifest.files if file.index in at_fault})
    returned: list[BaseModel] = [
        FilesReturned(batch_id=manifest.batch_id, files=chunk, awaiting_kinds=awaiting)
        for chunk in chunks(files)
    ]
    return Rejection(end, returned + list(overtaken[:MAX_EXPLAINED_FILES]))


def _overtaken(
    again: Mapping[FileIdentity, PendingFile], sets_since: Sequence[FileSet]
) -> list[FileIgnored]:
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


def _as_returned(pending: PendingFile) -> PendingFile:
    """The file as one of the open set that belongs to no manifest any more."""
    file = pending.file.model_copy(update={"returned": True, "manifest_key": None})
    return PendingFile(file, pending.arrived_at)


def _original(manifest: BatchManifest, index: int) -> int:
    duplicate_of = manifest.files[index].duplicate_of
    return index if duplicate_of is None else duplicate_of


def _explained(
    manifest: BatchManifest,
    indexes: Iterable[int],
    reports: Mapping[int, FileReport],
    reason: str,
) -> list[RejectedFile]:
    """Each file with its reason, as many as fit into one event."""
    explained: list[RejectedFile] = []
    size = 0
    for index in indexes:
        file = RejectedFile(
            key=manifest.files[index].key,
            reason=_why(manifest, index, reports, reason)[:MAX_REASON_CHARACTERS],
        )
        size += len(file.model_dump_json().encode())
        if size > MAX_EVENT_BYTES:
            break
        explained.append(file)
    return explained


def _why(
    manifest: BatchManifest, index: int, reports: Mapping[int, FileReport], reason: str
) -> str:
    if index in reports:
        report = reports[index]
        why = report.reason or "its report gives no reason"
        return f"{why} (rule {report.rule}, {report.contract})" if report.rule else why
    original = _original(manifest, index)
    equal = next((other for other in reports if _original(manifest, other) == original), None)
    if equal is not None:
        return f"its content equals {manifest.files[equal].key}, which was rejected"
    return reason or "no reason was reported; see `ecp quarantine list`"
