"""What is moved where, and when a copy counts as the same: pure, for one batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from contracts.layout import (
    archive_prefix,
    archived_difference_key,
    audit_prefix,
    file_report_key,
)
from contracts.messages import ArchiveBatch, BatchArchived, BatchManifest, ObjectRef

MULTIPART_MARK = "-"
MAX_NAMED_GONE = 100
FROM_VERSION = "source-version-id"
FROM_ETAG = "source-etag"


class Recorded(Protocol):
    """What replay needs of a stored message."""

    @property
    def data(self) -> object: ...


@dataclass(frozen=True)
class Pinned:
    """One version of one object, as the manifest (or a HEAD) states it.

    `etag` without quotes; `sha256` hex, None when nobody computed it.
    """

    bucket: str
    key: str
    version_id: str
    size_bytes: int
    etag: str
    sha256: str | None = None


@dataclass(frozen=True)
class Stored:
    """What a HEAD says of an object that exists; `metadata` is the user metadata."""

    version_id: str
    size_bytes: int
    etag: str
    content_type: str = "binary/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """A pinned input and its key in the archive bucket."""

    source: Pinned
    archive_key: str


@dataclass(frozen=True)
class AuditCopy:
    """A document that is kept beside the inputs; without a `version_id`, the one that stands."""

    bucket: str
    key: str
    version_id: str | None
    sha256: str | None
    archive_key: str


Verdict = Literal["SAME", "DIFFERENT", "COMPARE_BYTES"]


def moves(manifest: BatchManifest) -> tuple[Move, ...]:
    """Every input of the batch, duplicates too, under its own key in the batch's archive."""
    return tuple(
        Move(
            source=Pinned(
                bucket=manifest.bucket,
                key=file.key,
                version_id=file.version_id,
                size_bytes=file.size_bytes,
                etag=file.etag,
                sha256=file.sha256,
            ),
            archive_key=archive_prefix(manifest.batch_id) + file.key,
        )
        for file in manifest.files
    )


def audit_copies(
    command: ArchiveBatch, manifest: BatchManifest, difference: ObjectRef | None = None
) -> tuple[AuditCopy, ...]:
    """The manifest, the KPI result, what the batch changed and a report for every validated file.

    The report keys follow from the manifest, nothing is listed; a duplicate has no report.
    """
    audit = audit_prefix(command.batch_id)
    documents = [
        (command.manifest, f"{audit}manifest.json"),
        (command.result, f"{audit}result.json"),
    ]
    if difference is not None:
        documents.append((difference, archived_difference_key(command.batch_id)))
    pinned = tuple(
        AuditCopy(ref.bucket, ref.key, ref.version_id, ref.sha256, archive_key)
        for ref, archive_key in documents
    )
    reports = tuple(
        AuditCopy(
            bucket=manifest.bucket,
            key=file_report_key(command.batch_id, file.index),
            version_id=None,
            sha256=None,
            archive_key=f"{audit}reports/{file.index:04d}.json",
        )
        for file in manifest.files
        if file.duplicate_of is None
    )
    return pinned + reports


def judge(source: Pinned, copy: Stored) -> Verdict:
    """Whether HEAD alone can tell that the copy has the source's bytes.

    Equal ETags of single-part uploads are equal MD5s. An ETag with a dash depends on how the
    object was cut into parts, and one under SSE-KMS is no hash: those need the bytes compared.
    """
    if copy.size_bytes != source.size_bytes:
        return "DIFFERENT"
    if source.etag == copy.etag and MULTIPART_MARK not in source.etag:
        return "SAME"
    return "COMPARE_BYTES"


def provenance(source: Pinned) -> dict[str, str]:
    """What a copy says of its origin in its user metadata."""
    return {FROM_VERSION: source.version_id, FROM_ETAG: source.etag}


def was_copied_from(source: Pinned, copy: Stored) -> bool:
    """Whether the archiver wrote this copy from exactly this version.

    Decides only for a multipart source that is gone and whose SHA-256 nobody knows: S3 makes a
    copy whole or not at all, so the size and the origin in its metadata are what is left.
    """
    return copy.size_bytes == source.size_bytes and provenance(source).items() <= (
        copy.metadata.items()
    )


def archived(recorded: Iterable[Recorded]) -> BatchArchived | None:
    """The BatchArchived of the stream, if the batch was archived before."""
    return next((m.data for m in recorded if isinstance(m.data, BatchArchived)), None)


def batch_archived(
    command: ArchiveBatch, manifest: BatchManifest, gone: Collection[str] = ()
) -> BatchArchived:
    """The event that says the inputs are in the archive and no longer in the data bucket.

    `gone`: keys of those that somebody had deleted before they could be copied; their rows are
    published, their bytes are lost, and they are not counted.
    """
    kept = [file for file in manifest.files if file.key not in gone]
    return BatchArchived(
        batch_id=command.batch_id,
        file_count=len(kept),
        size_bytes=sum(file.size_bytes for file in kept),
        gone=sorted(gone)[:MAX_NAMED_GONE],
        archive_prefix=archive_prefix(command.batch_id),
        attempt=command.attempt,
        fence=command.fence,
    )
