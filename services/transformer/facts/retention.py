"""Which snapshots of a facts table are kept, and for how long; decided from metadata alone.

Kept: what any ref points at (main, branches, tags), so every published batch of the last 90 days;
and the published snapshot before the oldest of them, for `ecp diff`. All else goes: fences, what
unfinished writers left, and older batches with their tags.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot

KEPT_FOR = timedelta(days=90)
TAG_PREFIX = "batch-"


@dataclass(frozen=True)
class Expiry:
    """Snapshots and tags that go."""

    snapshot_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()


def overdue(metadata: TableMetadata, now: datetime, kept_for: timedelta = KEPT_FOR) -> Expiry:
    """What goes at `now`; heads in use are safe as long as they are tagged or on a branch."""
    oldest_ms = int((now - kept_for).timestamp() * 1000)
    published = [(name, snapshot) for name, snapshot in tagged(metadata) if _is_ours(name)]
    aged = [name for name, snapshot in published if snapshot.timestamp_ms < oldest_ms]
    tags = tuple(aged[:-1])
    return Expiry(unreferenced(metadata, without=tags), tags)


def published_since(metadata: TableMetadata, holding: Collection[int]) -> Expiry:
    """The tags from the first of these snapshots on, but for main's own; and what they named.

    The batches in between go too: what was published before one of them would be mistaken.
    """
    main = metadata.refs[MAIN_BRANCH].snapshot_id
    order = [(name, snapshot.snapshot_id) for name, snapshot in tagged(metadata)]
    first = next((n for n, (_, snapshot) in enumerate(order) if snapshot in holding), len(order))
    tags = tuple(name for name, snapshot_id in order[first:] if snapshot_id != main)
    return without_tags(metadata, tags, holding)


def without_tags(
    metadata: TableMetadata, tags: tuple[str, ...], holding: Collection[int] = ()
) -> Expiry:
    """These tags, where the table has them, and the snapshots that nothing points at then.

    The first snapshot of all stays as long as the first batch does.
    """
    ours = tuple(tag for tag in tags if tag in metadata.refs)
    kept = {ref.snapshot_id for name, ref in metadata.refs.items() if name not in ours}
    oldest = next((name for name, _ in tagged(metadata)), None)
    without = ours if oldest in ours else ()
    gone = {*unreferenced(metadata, without), *holding}
    gone |= {metadata.refs[tag].snapshot_id for tag in ours}
    gone -= kept
    return Expiry(tuple(sorted(gone)), ours)


def unreferenced(metadata: TableMetadata, without: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Snapshots that no ref points at, once the tags `without` are gone.

    The first snapshot of all stays until a published batch has aged: it is what the first batch
    is compared with.
    """
    kept = {ref.snapshot_id for name, ref in metadata.refs.items() if name not in without}
    snapshots = sorted(metadata.snapshots, key=_age)
    if snapshots and not without:
        kept.add(snapshots[0].snapshot_id)
    return tuple(each.snapshot_id for each in snapshots if each.snapshot_id not in kept)


def superseded(metadata: TableMetadata, published: int, branch: str) -> tuple[int, ...]:
    """Snapshots that go when main moves to `published` and `branch` with it: fences, leftovers.

    Without this every batch would leave two snapshots for later batches to read and write again.
    What the fence was put on stays for one batch more: an epoch that has to finish the publication
    compares with it.
    """
    moving = (MAIN_BRANCH, branch)
    kept = {ref.snapshot_id for name, ref in metadata.refs.items() if name not in moving}
    snapshots = sorted(metadata.snapshots, key=_age)
    fence = metadata.snapshot_by_id(metadata.refs[MAIN_BRANCH].snapshot_id)
    kept |= {published, snapshots[0].snapshot_id, fence and fence.parent_snapshot_id}
    return tuple(each.snapshot_id for each in snapshots if each.snapshot_id not in kept)


def tagged(metadata: TableMetadata) -> list[tuple[str, Snapshot]]:
    """Every tag with its snapshot, in the order of publication."""
    by_id = {snapshot.snapshot_id: snapshot for snapshot in metadata.snapshots}
    found = [
        (name, by_id[ref.snapshot_id])
        for name, ref in metadata.refs.items()
        if ref.snapshot_ref_type == SnapshotRefType.TAG
    ]
    return sorted(found, key=lambda each: _age(each[1]))


def published_before(metadata: TableMetadata, tag: str) -> int | None:
    """The snapshot that was published before a tagged one; None when it is kept no longer."""
    order = [(name, snapshot.snapshot_id) for name, snapshot in tagged(metadata) if _is_ours(name)]
    position = [name for name, _ in order].index(tag)
    if position:
        return int(order[position - 1][1])
    first = min(metadata.snapshots, key=_age)
    return int(first.snapshot_id) if first.snapshot_id != order[0][1] else None


def _is_ours(tag: str) -> bool:
    return tag.startswith(TAG_PREFIX)


def _age(snapshot: Snapshot) -> int:
    return int(snapshot.sequence_number or 0)
