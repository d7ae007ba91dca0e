"""When an open file set is complete, what to seal then, and what is missing until then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.messages import ObjectRef, UploadManifestFile
from services.aggregator.open_set.domain import MAX_BATCH_FILES, FileSet, Kind, PendingFile, Trigger
from services.aggregator.open_set.waiting import (
    Claim,
    Group,
    Waiting,
    classify_pending,
    newest_of_each_key,
)
from services.aggregator.sources.catalogue import Catalogue

REQUIRED_KINDS: tuple[Kind, ...] = ("orders", "order_items")


@dataclass(frozen=True)
class Selection:
    """Files that make a batch, in order of statement: a later row replaces an earlier one."""

    trigger: Trigger
    files: tuple[PendingFile, ...]
    manifest_key: str | None = None
    answers: ObjectRef | None = None
    """The quarantined rows that the files answer, when their manifest says so."""
    spent: frozenset[str] = frozenset()
    """Upload manifests that are done with, by key."""
    holds: frozenset[str] = frozenset()
    """Rejected batches whose waiting is over, by batch id."""


def complete_selection(
    file_set: FileSet, *, products_known: bool, now: datetime, settle: timedelta
) -> Selection | None:
    """What is complete at this moment (docs/design.md, Aggregation, a and b); None: nothing is."""
    waiting, known = classify_pending(file_set), file_set.catalogue
    for claim in waiting.claims:
        if claim.files and not claim.missing and not _unreadable(claim.files, known):
            return _of_claim("MANIFEST", claim)
    for group in waiting.groups:
        moment = _group_settles_at(group, known, settle)
        if moment is not None and moment <= now:
            return _of_group("MANIFEST" if group.claims else "SETTLED", group)
    settles = _pool_settles_at(waiting, known, products_known=products_known, settle=settle)
    if settles is None or now < settles:
        return None
    return Selection("SETTLED", waiting.pool[:MAX_BATCH_FILES])


def settles_at(file_set: FileSet, *, products_known: bool, settle: timedelta) -> datetime | None:
    """When something will be complete if nothing more comes; None: never, by itself."""
    waiting, known = classify_pending(file_set), file_set.catalogue
    moments = [_group_settles_at(group, known, settle) for group in waiting.groups]
    moments.append(_pool_settles_at(waiting, known, products_known=products_known, settle=settle))
    return min((moment for moment in moments if moment is not None), default=None)


def manual_selection(file_set: FileSet, file_key: str) -> Selection | None:
    """What a person's start seals; None: nothing is pending, or not that file.

    Without a key: all files that no manifest claims, else everything. With a key: the files of
    the manifest that it is, or that claims it, else the unclaimed files with it among them. What
    waits with a rejected batch is left alone: only its corrections or ReleaseBatch let it go. So
    is a file whose source or lookup is not there.
    """
    return _readable(_manual_selection(file_set, file_key), file_set.catalogue)


def _manual_selection(file_set: FileSet, file_key: str) -> Selection | None:
    waiting = classify_pending(file_set)
    if not file_key:
        claimed = (pending for claim in waiting.claims for pending in claim.files)
        return _manual(waiting.pool or newest_of_each_key((*claimed, *waiting.unnamed)))
    for claim in waiting.claims:
        if file_key == claim.key or any(one.file.key == file_key for one in claim.files):
            return _of_claim("MANUAL", claim) if claim.files else None
    for pending in waiting.unnamed:
        key = str(pending.file.manifest_key)
        if file_key in (key, pending.file.key):
            together = (one for one in waiting.unnamed if one.file.manifest_key == key)
            return _manual(newest_of_each_key(together), key)
    if any(pending.file.key == file_key for pending in waiting.pool):
        asked = [pending for pending in waiting.pool if pending.file.key == file_key]
        others = [pending for pending in waiting.pool if pending.file.key != file_key]
        return _manual(sorted(asked + others[: MAX_BATCH_FILES - 1], key=lambda one: one.age))
    return None


def released_selection(file_set: FileSet, batch_id: str) -> Selection | None:
    """What goes on when a person releases a rejected batch: its healthy files, and corrections.

    Manifests that bring some of the corrections come along if nothing of them is missing. None
    when nothing waits with that batch.
    """
    for group in classify_pending(file_set).groups:
        for hold in group.holds:
            if hold.batch_id == batch_id:
                return _readable(_of_group("MANUAL", group.only(hold)), file_set.catalogue)
    return None


def blocked_by(file_set: FileSet, file_key: str) -> list[str]:
    """What is not there and files of that key (all, if empty) cannot be read without, in words."""
    return _unreadable(
        (one for one in file_set.files.values() if file_key in ("", one.file.key)),
        file_set.catalogue,
    )


def held_with(file_set: FileSet, file_key: str) -> list[str]:
    """The rejected batches with which files of that key (any, if empty) wait."""
    return [
        hold.batch_id
        for group in classify_pending(file_set).groups
        if not file_key or any(one.file.key == file_key for one in group.files)
        for hold in group.holds
    ]


def spent_manifests(file_set: FileSet) -> list[Claim]:
    """Manifests of which nothing is left: every version that they pin is gone or superseded."""
    return [one for one in classify_pending(file_set).claims if not one.files and not one.missing]


def awaited(file_set: FileSet) -> list[UploadManifestFile]:
    """The files that manifests name, or rejected batches wait for, and that have not come."""
    waiting = classify_pending(file_set)
    wanted = [
        entry
        for claim in waiting.every_claim
        for absent in [set(claim.missing)]
        for entry in claim.waiting.manifest.files
        if entry.key in absent
    ]
    corrections = (
        key
        for group in waiting.groups
        for hold in group.holds
        for key in group.missing_of(hold) or ()
    )
    return wanted + [UploadManifestFile(key=key) for key in dict.fromkeys(corrections)]


def missing(file_set: FileSet, *, products_known: bool, settle: timedelta) -> list[str]:
    """What the open set waits for, in words that a person can act on; empty: for nothing."""
    waiting, known = classify_pending(file_set), file_set.catalogue
    wanted = [f"{claim.key}: {key}" for claim in waiting.every_claim for key in claim.missing]
    wanted += _unreadable(file_set.files.values(), known)
    wanted += [line for group in waiting.groups for line in _missing_of(group, settle)]
    received = {claim.key for claim in waiting.every_claim}
    for name in sorted({str(pending.file.manifest_key) for pending in waiting.unnamed}):
        verb = "does not name all files sent with it" if name in received else "has not come"
        wanted.append(f"{name} {verb}")
    if waiting.pool:
        kinds = _missing_kinds(waiting.pool, known, products_known=products_known)
        wanted += kinds or [_quiet(settle)]
    return wanted


def of_rejected(batch_id: str) -> str:
    """How a line of `missing` begins that is about the files of a rejected batch."""
    return f"rejected batch {batch_id}: "


def _missing_of(group: Group, settle: timedelta) -> list[str]:
    lines = []
    for hold in group.holds:
        keys = group.missing_of(hold)
        if keys is None:
            lines.append(f"{of_rejected(hold.batch_id)}`ecp release {hold.batch_id} --reason WHY`")
        lines += [f"{of_rejected(hold.batch_id)}a corrected {key}" for key in keys or ()]
    return lines or [_quiet(settle)]


def _quiet(settle: timedelta) -> str:
    return f"{settle.total_seconds():g} seconds without a new file"


def _unreadable(files: Iterable[PendingFile], known: Catalogue) -> list[str]:
    """What is not there and these files cannot be read without: sources, lookups."""
    return [*dict.fromkeys(line for one in files for line in known.missing_for(one.file))]


def _readable(selection: Selection | None, known: Catalogue) -> Selection | None:
    """The selection without files that cannot be read yet: they wait on."""
    if selection is None:
        return None
    files = tuple(one for one in selection.files if not _unreadable([one], known))
    return replace(selection, files=files) if files else None


def _group_settles_at(group: Group, known: Catalogue, settle: timedelta) -> datetime | None:
    """At once, but for loose corrections: more of them may come."""
    if not group.is_complete or _unreadable(group.files, known):
        return None
    if group.fresh:
        return max(one.arrived_at for one in group.fresh) + settle
    return max(one.arrived_at for one in group.files)


def _pool_settles_at(
    waiting: Waiting, known: Catalogue, *, products_known: bool, settle: timedelta
) -> datetime | None:
    pool = waiting.pool
    is_short = _missing_kinds(pool, known, products_known=products_known)
    if not pool or is_short or _unreadable(pool, known):
        return None
    return max(pending.arrived_at for pending in pool) + settle


def _missing_kinds(
    pool: Iterable[PendingFile], known: Catalogue, *, products_known: bool
) -> list[Kind]:
    """Kinds that a settled set needs and does not have; a file of a source may give several.

    Files that were complete once, and beyond the largest batch then (`returned`), still are.
    """
    pool = list(pool)
    if any(pending.file.returned for pending in pool):
        return []
    present = {kind for pending in pool for kind in known.gives(pending.file)}
    wanted: tuple[Kind, ...] = REQUIRED_KINDS if products_known else (*REQUIRED_KINDS, "products")
    return [kind for kind in wanted if kind not in present]


def _of_group(trigger: Trigger, group: Group) -> Selection:
    newest = group.claims[-1].key if group.claims else None
    return Selection(
        trigger,
        group.files[:MAX_BATCH_FILES],
        newest,
        group.answers,
        frozenset(claim.key for claim in group.claims),
        frozenset(hold.batch_id for hold in group.holds),
    )


def _of_claim(trigger: Trigger, claim: Claim) -> Selection:
    manifest = claim.waiting.manifest
    files = claim.files[:MAX_BATCH_FILES]
    return Selection(trigger, files, manifest.key, manifest.answers, frozenset({manifest.key}))


def _manual(files: Iterable[PendingFile], manifest_key: str | None = None) -> Selection | None:
    chosen = tuple(files)[:MAX_BATCH_FILES]
    spent = frozenset({manifest_key} if manifest_key else ())
    return Selection("MANUAL", chosen, manifest_key, spent=spent) if chosen else None
