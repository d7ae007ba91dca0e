"""When an open file set is complete, what to seal then, and what is missing until then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.identities import FileIdentity
from contracts.messages import ObjectRef, UploadManifestFile
from services.aggregator.domain import (
    MAX_BATCH_FILES,
    FileSet,
    Kind,
    PendingFile,
    Trigger,
    WaitingManifest,
)

REQUIRED_KINDS: tuple[Kind, ...] = ("orders", "order_items")


@dataclass(frozen=True)
class Selection:
    """Files that make a batch, in order of statement: a later row replaces an earlier one."""

    trigger: Trigger
    files: tuple[PendingFile, ...]
    manifest_key: str | None = None
    answers: ObjectRef | None = None
    """The quarantined rows that the files answer, when their manifest says so."""


@dataclass(frozen=True)
class Claim:
    """The pending files that a manifest names, in its order, and the keys that have not come."""

    waiting: WaitingManifest
    files: tuple[PendingFile, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """The open set, sorted by what each file waits for."""

    claims: tuple[Claim, ...]
    pool: tuple[PendingFile, ...]
    """Files that no manifest claims: the oldest version of each key, oldest first."""
    unnamed: tuple[PendingFile, ...]
    """Files sent with the name of a manifest that has not come, or does not name them."""


def survey(file_set: FileSet) -> Waiting:
    """Who waits for what. Manifests claim in the order of their upload."""
    by_age = sorted(file_set.files.values(), key=lambda pending: pending.age)
    free = {pending.identity: pending for pending in by_age}
    claims = []
    for waiting in sorted(file_set.manifests.values(), key=lambda waiting: waiting.age):
        claim = _claim(waiting, free)
        for pending in claim.files:
            del free[pending.identity]
        claims.append(claim)
    pool: dict[str, PendingFile] = {}
    for pending in free.values():
        if pending.file.manifest_key is None:
            pool.setdefault(pending.file.key, pending)
    unnamed = tuple(pending for pending in free.values() if pending.file.manifest_key is not None)
    return Waiting(tuple(claims), tuple(pool.values()), unnamed)


def complete_selection(
    file_set: FileSet, *, products_known: bool, now: datetime, settle: timedelta
) -> Selection | None:
    """What is complete at this moment (DESIGN 3, Aggregation, a and b); None: nothing is."""
    waiting = survey(file_set)
    for claim in waiting.claims:
        if not claim.missing:
            manifest = claim.waiting.manifest
            return Selection("MANIFEST", claim.files, manifest.key, manifest.answers)
    settles = _settles_at(file_set, waiting, products_known=products_known, settle=settle)
    if settles is None or now < settles:
        return None
    return Selection("SETTLED", waiting.pool[:MAX_BATCH_FILES])


def settles_at(file_set: FileSet, *, products_known: bool, settle: timedelta) -> datetime | None:
    """When the unclaimed files will be complete if nothing more comes; None: never, by itself."""
    return _settles_at(file_set, survey(file_set), products_known=products_known, settle=settle)


def manual_selection(file_set: FileSet, file_key: str) -> Selection | None:
    """What a person's start seals; None: nothing is pending, or not that file.

    Without a key: all files that no manifest claims, else everything. With a key: the files of
    the manifest that it is, or that claims it, else the unclaimed files with it among them.
    """
    waiting = survey(file_set)
    if not file_key:
        chosen = waiting.pool or _one_version_each(file_set.files.values())
        return _manual(chosen)
    for claim in waiting.claims:
        key = claim.waiting.manifest.key
        if file_key == key or any(pending.file.key == file_key for pending in claim.files):
            return _manual(claim.files, key, claim.waiting.manifest.answers)
    for pending in waiting.unnamed:
        key = str(pending.file.manifest_key)
        if file_key in (key, pending.file.key):
            together = (one for one in waiting.unnamed if one.file.manifest_key == key)
            return _manual(_one_version_each(together), key)
    if any(pending.file.key == file_key for pending in waiting.pool):
        asked = [pending for pending in waiting.pool if pending.file.key == file_key]
        others = [pending for pending in waiting.pool if pending.file.key != file_key]
        return _manual(sorted(asked + others[: MAX_BATCH_FILES - 1], key=lambda one: one.age))
    return None


def awaited(file_set: FileSet) -> list[UploadManifestFile]:
    """The files that manifests name and that have not come, older manifests first."""
    return [
        entry
        for claim in survey(file_set).claims
        for absent in [set(claim.missing)]
        for entry in claim.waiting.manifest.files
        if entry.key in absent
    ]


def missing(file_set: FileSet, *, products_known: bool, settle: timedelta) -> list[str]:
    """What the open set waits for, in words that a person can act on; empty: for nothing."""
    waiting = survey(file_set)
    wanted = [
        f"{claim.waiting.manifest.key}: {key}" for claim in waiting.claims for key in claim.missing
    ]
    received = {claim.waiting.manifest.key for claim in waiting.claims}
    for name in sorted({str(pending.file.manifest_key) for pending in waiting.unnamed}):
        verb = "does not name all files sent with it" if name in received else "has not come"
        wanted.append(f"{name} {verb}")
    if waiting.pool:
        kinds = _missing_kinds(file_set, waiting.pool, products_known=products_known)
        awaited = _unmet(file_set, waiting.pool)
        wanted += [kind for kind in kinds if kind not in awaited]
        wanted += [f"{kind} (a corrected file)" for kind in sorted(awaited)]
        if not kinds and not awaited:
            wanted.append(f"{settle.total_seconds():g} seconds without a new file")
    return wanted


def _claim(waiting: WaitingManifest, free: Mapping[FileIdentity, PendingFile]) -> Claim:
    name = waiting.manifest.key
    newest: dict[str, PendingFile] = {}
    labelled: dict[str, PendingFile] = {}
    pinned: dict[tuple[str, str], PendingFile] = {}
    for pending in free.values():  # oldest first, so the newest stays
        file = pending.file
        pinned[file.key, file.version_id] = pending
        if file.manifest_key == name:
            labelled[file.key] = pending
        elif file.manifest_key is None:
            newest[file.key] = pending
    found: list[PendingFile] = []
    absent: list[str] = []
    for entry in waiting.manifest.files:
        if entry.version_id is None:
            match = labelled.get(entry.key) or newest.get(entry.key)
        else:
            match = pinned.get((entry.key, entry.version_id))
        if match is None:
            absent.append(entry.key)
        else:
            found.append(match)
    return Claim(waiting, tuple(found), tuple(absent))


def _settles_at(
    file_set: FileSet, waiting: Waiting, *, products_known: bool, settle: timedelta
) -> datetime | None:
    pool = waiting.pool
    if not pool or _missing_kinds(file_set, pool, products_known=products_known):
        return None
    if _unmet(file_set, pool):
        return None
    return max(pending.arrived_at for pending in pool) + settle


def _missing_kinds(
    file_set: FileSet, pool: Iterable[PendingFile], *, products_known: bool
) -> list[Kind]:
    """Kinds that a settled set needs and does not have.

    Healthy files of a rejected batch need no more than its corrected file: when that one came
    by a manifest of its own (nothing is awaited any more), they are complete.
    """
    pool = list(pool)
    if not file_set.awaiting_kinds and any(pending.file.returned for pending in pool):
        return []
    present = {pending.file.kind for pending in pool}
    wanted: tuple[Kind, ...] = REQUIRED_KINDS if products_known else (*REQUIRED_KINDS, "products")
    return [kind for kind in wanted if kind not in present]


def _unmet(file_set: FileSet, pool: Iterable[PendingFile]) -> frozenset[Kind]:
    """Awaited kinds of which nothing new has come since the rejection."""
    fresh = {pending.file.kind for pending in pool if not pending.file.returned}
    if not any(pending.file.returned for pending in file_set.files.values()):
        return frozenset()
    return file_set.awaiting_kinds - fresh


def _one_version_each(files: Iterable[PendingFile]) -> tuple[PendingFile, ...]:
    oldest: dict[str, PendingFile] = {}
    for pending in sorted(files, key=lambda one: one.age):
        oldest.setdefault(pending.file.key, pending)
    return tuple(oldest.values())


def _manual(
    files: Iterable[PendingFile],
    manifest_key: str | None = None,
    answers: ObjectRef | None = None,
) -> Selection | None:
    chosen = tuple(files)[:MAX_BATCH_FILES]
    return Selection("MANUAL", chosen, manifest_key, answers) if chosen else None
