"""Who waits for what in an open set: files of a manifest, of a rejected batch, of nobody.

Manifests claim the files that they name. A rejected batch holds its healthy files until corrected
versions of exactly the rejected keys have come; those join it, however they were uploaded. All
other files are the pool, which settles by itself (completeness.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.identities import FileIdentity
from contracts.messages import ObjectRef
from services.aggregator.open_set.domain import FileSet, Hold, PendingFile, WaitingManifest


@dataclass(frozen=True)
class Claim:
    """The pending files that a manifest names, in its order, and the keys that have not come."""

    waiting: WaitingManifest
    files: tuple[PendingFile, ...]
    missing: tuple[str, ...]

    @property
    def key(self) -> str:
        """The manifest's key."""
        return self.waiting.manifest.key


@dataclass(frozen=True)
class Group:
    """Rejected batches that the same corrections answer, with all that goes with them.

    `held`: their healthy files. `fresh`: loose files that correct a rejected key, or are newer
    versions of held ones. `claims`: manifests that bring such files; all of theirs come along.
    """

    holds: tuple[Hold, ...]
    held: tuple[PendingFile, ...]
    fresh: tuple[PendingFile, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def files(self) -> tuple[PendingFile, ...]:
        """The newest version of each key, oldest first, each in the statement of its place."""
        claimed = (pending for claim in self.claims for pending in claim.files)
        newest = newest_of_each_key((*self.held, *self.fresh, *claimed))
        statements = self._statements()
        return tuple(_stated(pending, statements.get(pending.file.key)) for pending in newest)

    @property
    def answers(self) -> ObjectRef | None:
        """The quarantined rows that the files answer, by the newest word."""
        said = [hold.answers for hold in self.holds]
        said += [claim.waiting.manifest.answers for claim in self.claims]
        return next((one for one in reversed(said) if one is not None), None)

    def missing_of(self, hold: Hold) -> tuple[str, ...] | None:
        """The rejected keys that have not come corrected; None when nobody knows them."""
        if hold.awaiting is None:
            return None
        here = [*self.fresh, *(one for claim in self.claims for one in claim.files)]
        answered = {one.file.key for one in here if corrects(one, hold)}
        return tuple(key for key in hold.awaiting if key not in answered)

    @property
    def is_complete(self) -> bool:
        """Whether all corrections are here, and all that came with them."""
        return all(self.missing_of(hold) == () for hold in self.holds) and not any(
            claim.missing for claim in self.claims
        )

    def only(self, hold: Hold) -> Group:
        """The part of the group that goes on when this batch is released, and no other one."""
        held = tuple(one for one in self.held if one.file.held_by == hold.batch_id)
        return Group(
            (hold,),
            held,
            tuple(one for one in self.fresh if corrects(one, hold) or _renews(one, held)),
            tuple(one for one in self.claims if _belongs(one, hold) and not one.missing),
        )

    def _statements(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for hold in self.holds:
            found |= {key: one.statement for key, one in (hold.awaiting or {}).items()}
        return found | {one.file.key: one.file.statement for one in self.held}


@dataclass(frozen=True)
class Waiting:
    """The open set, sorted by what each file waits for."""

    claims: tuple[Claim, ...]
    """Of manifests that have nothing to do with a rejected batch."""
    groups: tuple[Group, ...]
    pool: tuple[PendingFile, ...]
    """Files that nobody claims: the newest version of each key, oldest first."""
    unnamed: tuple[PendingFile, ...]
    """Files sent with the name of a manifest that has not come, or does not name them."""

    @property
    def every_claim(self) -> tuple[Claim, ...]:
        """Of all manifests."""
        return (*self.claims, *(claim for group in self.groups for claim in group.claims))


def classify_pending(file_set: FileSet) -> Waiting:
    """Who waits for what. Manifests claim in the order of their upload."""
    by_age = sorted(file_set.files.values(), key=lambda pending: pending.age)
    free = {pending.identity: pending for pending in by_age}
    claims = []
    for waiting in sorted(file_set.manifests.values(), key=lambda waiting: waiting.age):
        claim = _claim(waiting, free, file_set.missed)
        for pending in claim.files:
            del free[pending.identity]
        claims.append(claim)
    loose = [one for one in free.values() if one.file.manifest_key is None]
    groups = _groups(file_set, claims, loose)
    grouped = {one.identity for group in groups for one in (*group.held, *group.fresh)}
    joined = {claim.key for group in groups for claim in group.claims}
    pool = newest_of_each_key(one for one in loose if one.identity not in grouped)
    unnamed = tuple(one for one in free.values() if one.file.manifest_key is not None)
    alone = tuple(claim for claim in claims if claim.key not in joined)
    return Waiting(alone, groups, pool, unnamed)


def corrects(pending: PendingFile, hold: Hold) -> bool:
    """Whether the file is a corrected version of a key that the batch waits for."""
    awaited = (hold.awaiting or {}).get(pending.file.key)
    if awaited is None or pending.file.held_by == hold.batch_id:
        return False
    return awaited.newer_than is None or pending.age[0] >= awaited.newer_than


def newest_of_each_key(files: Iterable[PendingFile]) -> tuple[PendingFile, ...]:
    """The newest version of each key, oldest first."""
    by_key = {one.file.key: one for one in sorted(files, key=lambda one: one.age)}
    return tuple(sorted(by_key.values(), key=lambda one: one.age))


def _groups(
    file_set: FileSet, claims: Sequence[Claim], loose: Sequence[PendingFile]
) -> tuple[Group, ...]:
    """Each hold with what belongs to it; those that share anything are one group."""
    held: dict[str, list[PendingFile]] = {batch_id: [] for batch_id in file_set.holds}
    for pending in loose:
        if pending.file.held_by in held:
            held[pending.file.held_by].append(pending)
    free = [one for one in loose if one.file.held_by not in held]
    groups: list[Group] = []
    for batch_id, hold in file_set.holds.items():
        if not held[batch_id]:
            continue
        own = Group(
            (hold,),
            tuple(held[batch_id]),
            tuple(one for one in free if corrects(one, hold) or _renews(one, held[batch_id])),
            tuple(claim for claim in claims if _belongs(claim, hold)),
        )
        for other in [one for one in groups if _share(one, own)]:
            groups.remove(other)
            own = _joined(other, own)
        groups.append(own)
    return tuple(groups)


def _renews(pending: PendingFile, held: Iterable[PendingFile]) -> bool:
    return any(one.file.key == pending.file.key and one.age <= pending.age for one in held)


def _belongs(claim: Claim, hold: Hold) -> bool:
    return any(corrects(one, hold) or one.file.held_by == hold.batch_id for one in claim.files)


def _share(one: Group, other: Group) -> bool:
    files = {pending.identity for pending in one.fresh}
    keys = {claim.key for claim in one.claims}
    return any(pending.identity in files for pending in other.fresh) or any(
        claim.key in keys for claim in other.claims
    )


def _joined(one: Group, other: Group) -> Group:
    fresh = {pending.identity: pending for pending in (*one.fresh, *other.fresh)}
    claims = {claim.key: claim for claim in (*one.claims, *other.claims)}
    return Group(
        one.holds + other.holds,
        one.held + other.held,
        tuple(fresh.values()),
        tuple(claims.values()),
    )


def _claim(
    waiting: WaitingManifest,
    free: Mapping[FileIdentity, PendingFile],
    missed: frozenset[tuple[str, str]],
) -> Claim:
    name = waiting.manifest.key
    statement = name if waiting.manifest.one_statement else None
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
        if match is not None:
            found.append(_stated(match, statement))
        elif entry.version_id is None or (entry.key, entry.version_id) not in missed:
            absent.append(entry.key)
    return Claim(waiting, tuple(found), tuple(absent))


def _stated(pending: PendingFile, statement: str | None) -> PendingFile:
    """The file as part of a statement; it keeps its own where none is given."""
    if statement is None or pending.file.statement == statement:
        return pending
    return replace(pending, file=pending.file.model_copy(update={"statement": statement}))
