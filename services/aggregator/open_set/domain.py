"""The open file set of a bucket: what waits, folded from the stream `file-set/<bucket>/<n>`.

What an upload is: detection.py. Who waits for what: waiting.py. When a set is complete:
completeness.py. How it becomes a batch: sealing.py. A batch's life: batch.py. All of them are pure:
no clock, no ids, no I/O.
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
    AwaitedFile,
    BatchOverdue,
    DetectedFile,
    FileDetected,
    FileGone,
    FileIgnored,
    FilesCarriedOver,
    FileSetSealed,
    FilesReturned,
    FileSuperseded,
    ManifestReceived,
    ObjectRef,
    PendingManifest,
    RejectionAnswered,
    SupersededVersion,
)
from services.aggregator.sources.catalogue import NOTHING_KNOWN, Catalogue

Kind: TypeAlias = Literal["orders", "order_items", "products"]
Trigger: TypeAlias = Literal["SETTLED", "MANIFEST", "MANUAL"]

MAX_BATCH_FILES = 1000
"""docs/design.md, Aggregation."""


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
class Hold:
    """A rejected batch whose healthy files (`held_by`) wait for corrections of these keys.

    `awaiting` empty: nothing has to come, they are sealed next. None: the keys are not known (a
    return told by the code of before), so only ReleaseBatch lets them go.
    """

    batch_id: str
    awaiting: Mapping[str, AwaitedFile] | None = field(default_factory=dict)
    answers: ObjectRef | None = None
    """The quarantined rows that the batch answered, and that its files still do."""

    def __or__(self, more: Hold) -> Hold:
        """Both parts of what several events say of one batch."""
        known = self.awaiting is not None and more.awaiting is not None
        awaiting = {**(self.awaiting or {}), **(more.awaiting or {})} if known else None
        return Hold(self.batch_id, awaiting, self.answers or more.answers)

    def without(self, keys: Sequence[str]) -> Hold:
        """The same after these keys were corrected."""
        if self.awaiting is None:
            return self
        left = {key: one for key, one in self.awaiting.items() if key not in keys}
        return replace(self, awaiting=left)


@dataclass(frozen=True)
class FileSet:
    """Set `number` of a bucket after `version` events; sealed sets take no more files."""

    bucket: str
    number: int
    version: int = 0
    files: Mapping[FileIdentity, PendingFile] = field(default_factory=dict)
    manifests: Mapping[str, WaitingManifest] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    """Rejected batches whose healthy files are here, by batch id."""
    missed: frozenset[tuple[str, str]] = frozenset()
    """(key, version_id) of versions that manifests wait for no longer: gone, or superseded."""
    superseded: tuple[SupersededVersion, ...] = ()
    overdue_reported: bool = False
    sealed_as: str | None = None
    continued_in: ObjectRef | None = None
    """Where the events lie that open the set and are not in its stream yet."""
    catalogue: Catalogue = NOTHING_KNOWN
    """The sources and lookups that are known at this moment: gathered, not folded."""

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
            holds=MappingProxyType(fold.holds),
            missed=frozenset(fold.missed),
            superseded=tuple(fold.superseded),
            overdue_reported=fold.overdue_reported,
            sealed_as=fold.sealed_as,
            continued_in=fold.continued_in,
        )


def stream_of(bucket: str, number: int) -> str:
    """The stream of a bucket's file set."""
    return f"file-set/{bucket}/{number}"


class _Fold:
    """The mutable middle of `FileSet.evolve`: one copy per call, not one per event."""

    def __init__(self, start: FileSet) -> None:
        self.files = dict(start.files)
        self.manifests = dict(start.manifests)
        self.holds = dict(start.holds)
        self.missed = set(start.missed)
        self.superseded = list(start.superseded)
        self.overdue_reported = start.overdue_reported
        self.sealed_as = start.sealed_as
        self.continued_in = start.continued_in

    def apply(self, message: Message) -> None:
        now = from_rfc3339(message.occurred_at)
        match message.data:
            case FileDetected() as event:
                self._add(DetectedFile(**event.model_dump()), now)
            case FileIgnored(version_id=version_id) as event if version_id is not None:
                self._drop(event.bucket, event.key, version_id)
            case FileGone(version_id=version_id) as event if version_id is not None:
                self._drop(event.bucket, event.key, version_id)
                self.missed.add((event.key, version_id))
            case FileSuperseded() as event:
                self._supersede(event)
            case ManifestReceived() as event:
                received = PendingManifest(**event.model_dump(exclude={"bucket"}))
                self._count_after_all(received)
                self._expect(WaitingManifest(received, now))
            case FilesCarriedOver() as event:
                self._carry_over(event, now)
            case FilesReturned() as event:
                for file in event.files:
                    self._add(file, now)
                self._hold(_hold_of(event.batch_id, event.awaiting, event.answers))
            case RejectionAnswered() as event if event.batch_id in self.holds:
                self.holds[event.batch_id] = self.holds[event.batch_id].without(event.keys)
            case BatchOverdue():
                self.overdue_reported = True
            case FileSetSealed() as event:
                self.sealed_as = event.batch_id

    def _add(self, file: DetectedFile, arrived_at: datetime) -> None:
        pending = PendingFile(file, arrived_at)
        self.files.setdefault(pending.identity, pending)

    def _drop(self, bucket: str, key: str, version_id: str) -> None:
        """It waits no longer; a batch of which nothing waits any more holds nothing."""
        pending = self.files.pop(FileIdentity(bucket, key, version_id), None)
        known = self.manifests.get(key)
        if known is not None and known.manifest.version_id == version_id:
            del self.manifests[key]
        batch_id = pending.file.held_by if pending else None
        if batch_id and not any(one.file.held_by == batch_id for one in self.files.values()):
            self.holds.pop(batch_id, None)

    def _supersede(self, event: FileSuperseded) -> None:
        """The newer version takes the older one's place with a rejected batch, if it is free."""
        older = self.files.get(FileIdentity(event.bucket, event.key, event.version_id))
        newer_identity = FileIdentity(event.bucket, event.key, event.by_version_id)
        newer = self.files.get(newer_identity) if event.by_key is None else None
        if older and older.file.held_by and newer and not newer.file.manifest_key:
            place = {name: getattr(older.file, name) for name in ("held_by", "statement")}
            if newer.file.held_by is None:
                file = newer.file.model_copy(update=place | {"returned": True})
                self.files[newer_identity] = replace(newer, file=file)
        self._drop(event.bucket, event.key, event.version_id)
        self.missed.add((event.key, event.version_id))
        self.superseded.append(
            SupersededVersion(
                key=event.key,
                version_id=event.version_id,
                by_version_id=event.by_version_id,
                by_key=event.by_key,
            )
        )

    def _count_after_all(self, manifest: PendingManifest) -> None:
        """A manifest that comes later and names a superseded version wants it."""
        superseded = {(one.key, one.version_id) for one in self.superseded}
        named = {(entry.key, str(entry.version_id)) for entry in manifest.files}
        self.missed -= superseded & named

    def _hold(self, hold: Hold) -> None:
        known = self.holds.get(hold.batch_id)
        self.holds[hold.batch_id] = known | hold if known else hold

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
        for held in event.held:
            self._hold(_hold_of(held.batch_id, held.awaiting, held.answers))
        self.overdue_reported = self.overdue_reported or event.overdue_reported
        self.continued_in = event.continued_in


def _hold_of(
    batch_id: str, awaiting: Sequence[AwaitedFile] | None, answers: ObjectRef | None
) -> Hold:
    by_key = None if awaiting is None else {one.key: one for one in awaiting}
    return Hold(batch_id, by_key, answers)
