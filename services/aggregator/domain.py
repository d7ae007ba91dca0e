"""The open file set of a bucket: what waits, folded from the stream `file-set/<bucket>/<n>`.

What an upload is: detection.py. When a set is complete: completeness.py. How it becomes a batch:
sealing.py. A batch's life: batch.py. All of them are pure: no clock, no ids, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from contracts.clock import from_rfc3339, to_rfc3339
from contracts.envelope import Message
from contracts.identities import FileIdentity
from contracts.messages import (
    BatchOverdue,
    DetectedFile,
    FileDetected,
    FileIgnored,
    FilesCarriedOver,
    FileSetSealed,
    FilesReturned,
    ManifestReceived,
    PendingManifest,
)

Kind: TypeAlias = Literal["orders", "order_items", "products"]
Trigger: TypeAlias = Literal["SETTLED", "MANIFEST", "MANUAL"]

MAX_BATCH_FILES = 1000
"""DESIGN 3, Aggregation."""


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file version that waits; `arrived_at` is when the pipeline first knew of it."""

    file: DetectedFile
    arrived_at: datetime

    @property
    def identity(self) -> FileIdentity:
        return FileIdentity(self.file.bucket, self.file.key, self.file.version_id)

    @property
    def age(self) -> tuple[str, str]:
        """Sorts older uploads first: S3's own time, so that late notifications change nothing."""
        return (self.file.last_modified or to_rfc3339(self.arrived_at), self.file.key)


@dataclass(frozen=True, slots=True)
class WaitingManifest:
    """An upload manifest whose files have not all been sealed yet."""

    manifest: PendingManifest
    arrived_at: datetime

    @property
    def age(self) -> tuple[str, str]:
        """Sorts older manifests first, by S3's own time."""
        return (self.manifest.last_modified or to_rfc3339(self.arrived_at), self.manifest.key)


@dataclass(frozen=True)
class FileSet:
    """Set `number` of a bucket after `version` events; sealed sets take no more files.

    `awaiting_kinds`: kinds that a rejected batch needs anew before its healthy files, which
    are back here (`returned`), can settle.
    """

    bucket: str
    number: int
    version: int = 0
    files: Mapping[FileIdentity, PendingFile] = field(default_factory=dict)
    manifests: Mapping[str, WaitingManifest] = field(default_factory=dict)
    awaiting_kinds: frozenset[Kind] = frozenset()
    overdue_reported: bool = False
    sealed_as: str | None = None

    @property
    def stream_id(self) -> str:
        return stream_of(self.bucket, self.number)

    @property
    def waiting_since(self) -> datetime | None:
        """When the first of all that waits came; None when nothing does."""
        arrivals = [waiting.arrived_at for waiting in self.files.values()]
        arrivals += [waiting.arrived_at for waiting in self.manifests.values()]
        return min(arrivals, default=None)

    def evolve(self, messages: Sequence[Message]) -> FileSet:
        """The set after these events of its stream, which follow `version`."""
        if not messages:
            return self
        fold = _Fold(self)
        for message in messages:
            fold.apply(message)
        return replace(
            self,
            version=messages[-1].stream_version,
            files=MappingProxyType(fold.files),
            manifests=MappingProxyType(fold.manifests),
            awaiting_kinds=fold.awaiting_kinds,
            overdue_reported=fold.overdue_reported,
            sealed_as=fold.sealed_as,
        )


def stream_of(bucket: str, number: int) -> str:
    """The stream of a bucket's file set."""
    return f"file-set/{bucket}/{number}"


class _Fold:
    """The mutable middle of `FileSet.evolve`: one copy per call, not one per event."""

    def __init__(self, start: FileSet) -> None:
        self.files = dict(start.files)
        self.manifests = dict(start.manifests)
        self.awaiting_kinds = start.awaiting_kinds
        self.overdue_reported = start.overdue_reported
        self.sealed_as = start.sealed_as

    def apply(self, message: Message) -> None:
        now = from_rfc3339(message.occurred_at)
        match message.data:
            case FileDetected() as event:
                self._add(DetectedFile(**event.model_dump()), now)
            case FileIgnored(version_id=version_id) as event if version_id is not None:
                self.files.pop(FileIdentity(event.bucket, event.key, version_id), None)
            case ManifestReceived() as event:
                received = PendingManifest(**event.model_dump(exclude={"bucket"}))
                self._expect(WaitingManifest(received, now))
            case FilesCarriedOver() as event:
                self._carry_over(event, now)
            case FilesReturned() as event:
                for file in event.files:
                    self._add(file, now)
                self.awaiting_kinds |= set(event.awaiting_kinds)
            case BatchOverdue():
                self.overdue_reported = True
            case FileSetSealed() as event:
                self.sealed_as = event.batch_id

    def _add(self, file: DetectedFile, arrived_at: datetime) -> None:
        pending = PendingFile(file, arrived_at)
        self.files.setdefault(pending.identity, pending)

    def _expect(self, received: WaitingManifest) -> None:
        """A manifest uploaded again under its name replaces the older one."""
        known = self.manifests.get(received.manifest.key)
        if known is None or known.age <= received.age:
            self.manifests[received.manifest.key] = received

    def _carry_over(self, event: FilesCarriedOver, now: datetime) -> None:
        earliest = from_rfc3339(event.waiting_since) if event.waiting_since else now

        def arrival(last_modified: str | None) -> datetime:
            return max(earliest, from_rfc3339(last_modified)) if last_modified else now

        for file in event.files:
            self._add(file, arrival(file.last_modified))
        for manifest in event.manifests:
            self._expect(WaitingManifest(manifest, arrival(manifest.last_modified)))
        self.awaiting_kinds |= set(event.awaiting_kinds)
        self.overdue_reported = self.overdue_reported or event.overdue_reported
