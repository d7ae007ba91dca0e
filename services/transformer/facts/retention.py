"""Which snapshots of a facts table are kept, and for how long; decided from metadata alone.

Kept: what any ref points at. Of published batches that is each of the last hundred (a tag
`batch-<batch_id>`), of older ones the last of each day (a tag `day-<day>`, UTC), nothing older than
90 days; so a table holds some two hundred snapshots at most, however many batches there are. All
else goes: fences, what unfinished writers left, and the batches in between. The table of orders
decides for all tables, so that a tag names one state of the facts in each of them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot

KEPT_FOR = timedelta(days=90)
KEPT_BATCHES = 100
"""Beside the one that is being published: each has the one before it beside it."""
TAG_PREFIX, DAY_PREFIX = "batch-", "day-"
Kept = Mapping[str, str]
"""Tags that stay, each with the batch's tag that it was, or is."""


@dataclass(frozen=True)
class Expiry:
    """Snapshots and tags that go, and tags that are set in the place of others."""

    snapshot_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    named: Mapping[str, int] = field(default_factory=dict)


def tag_of(batch_id: str) -> str:
    """The tag of a published batch's snapshots."""
    return f"{TAG_PREFIX}{batch_id}"


def kept_tags(orders: TableMetadata, now: datetime, publishing: str | None = None) -> Kept:
    """Which published states stay at `now`, by the table of orders; one is published beside them.

    The newest that is over the age stays: what is published next is compared with it. Asked again
    when it is carried out, whether `publishing` is among the tags by then or not, it says the same.
    """
    oldest_ms = int((now - KEPT_FOR).timestamp() * 1000)
    published = [each for each in tagged(orders) if _is_ours(each[0]) and each[0] != publishing]
    newest = [] if publishing else published[-1:]
    before = published if publishing else published[:-1]
    aged = sum(snapshot.timestamp_ms < oldest_ms for _, snapshot in published)
    before = before[max(aged - 1, 0) :]
    last = [*before[-KEPT_BATCHES:], *newest]
    days = {_day(snapshot): _batch_tag(name, snapshot) for name, snapshot in before[:-KEPT_BATCHES]}
    for _, oldest in last[:1]:
        days.pop(_day(oldest), None)
    return {
        **{f"{DAY_PREFIX}{day}": batch for day, batch in days.items()},
        **{name: _batch_tag(name, snapshot) for name, snapshot in last},
        **({publishing: publishing} if publishing else {}),
    }


def overdue(metadata: TableMetadata, kept: Kept) -> Expiry:
    """What goes of a table whose tags are to be those; heads in use are tagged or on a branch."""
    named, tags = _retagging(metadata, kept)
    gone = unreferenced(metadata, tags)
    return Expiry(tuple(each for each in gone if each not in named.values()), tags, named)


def _retagging(metadata: TableMetadata, kept: Kept) -> tuple[dict[str, int], tuple[str, ...]]:
    """Tags to set, with their snapshots, and tags to drop, so that a table has the kept ones.

    It has none of batches from before it was there. Tags that are not ours stay.
    """
    refs = metadata.refs
    named = {
        name: refs[batch].snapshot_id
        for name, batch in kept.items()
        if name not in refs and batch in refs
    }
    ours = (name for name, _ in tagged(metadata) if _is_ours(name))
    return named, tuple(name for name in ours if name not in kept)


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


def unreferenced(metadata: TableMetadata, without: Collection[str] = ()) -> tuple[int, ...]:
    """Snapshots that no ref points at, once the tags `without` are gone.

    The first snapshot of all stays until a published batch has gone: it is what the first batch
    is compared with.
    """
    kept = {ref.snapshot_id for name, ref in metadata.refs.items() if name not in without}
    return _others(metadata, kept, first_stays=not without)


def superseded(metadata: TableMetadata, published: int, branch: str, kept: Kept) -> Expiry:
    """What goes when main moves to `published` and `branch` with it: fences, what unfinished
    writers left, and whatever is kept no longer.

    Without this every batch would leave two snapshots for later batches to read and write again.
    What the fence was put on stays for one batch more: an epoch that has to finish the publication
    compares with it.
    """
    named, tags = _retagging(metadata, kept)
    gone = {*tags, MAIN_BRANCH, branch}
    needed = {ref.snapshot_id for name, ref in metadata.refs.items() if name not in gone}
    fence = metadata.snapshot_by_id(metadata.refs[MAIN_BRANCH].snapshot_id)
    needed |= {published, *named.values(), *_parent_of(fence)}
    return Expiry(_others(metadata, needed, first_stays=not tags), tags, named)


def _others(
    metadata: TableMetadata, kept: Collection[int], *, first_stays: bool
) -> tuple[int, ...]:
    snapshots = sorted(metadata.snapshots, key=_age)
    rest = snapshots[1:] if first_stays else snapshots
    return tuple(each.snapshot_id for each in rest if each.snapshot_id not in kept)


def _parent_of(snapshot: Snapshot | None) -> tuple[int, ...]:
    parent = snapshot and snapshot.parent_snapshot_id
    return () if parent is None else (parent,)


def tagged(metadata: TableMetadata) -> list[tuple[str, Snapshot]]:
    """Every tag with its snapshot, in the order of publication."""
    by_id = {snapshot.snapshot_id: snapshot for snapshot in metadata.snapshots}
    found = [
        (name, by_id[ref.snapshot_id])
        for name, ref in metadata.refs.items()
        if ref.snapshot_ref_type == SnapshotRefType.TAG
    ]
    return sorted(found, key=lambda each: _age(each[1]))


def snapshot_of(metadata: TableMetadata, batch_id: str) -> int | None:
    """The snapshot that a batch published, by its own tag or as the last of its day."""
    tag = tag_of(batch_id)
    if tag in metadata.refs:
        return int(metadata.refs[tag].snapshot_id)
    found = (each for name, each in tagged(metadata) if _batch_tag(name, each) == tag)
    snapshot = next(found, None)
    return None if snapshot is None else int(snapshot.snapshot_id)


def published_before(metadata: TableMetadata, tag: str) -> int | None:
    """The snapshot that was published before a tagged one; None when it is kept no longer.

    Between two days' last batches there were others.
    """
    order = [(name, snapshot.snapshot_id) for name, snapshot in tagged(metadata) if _is_ours(name)]
    position = [name for name, _ in order].index(tag)
    if position:
        name, before = order[position - 1]
        return None if name.startswith(DAY_PREFIX) else int(before)
    first = min(metadata.snapshots, key=_age)
    return int(first.snapshot_id) if first.snapshot_id != order[0][1] else None


def _is_ours(tag: str) -> bool:
    return tag.startswith((TAG_PREFIX, DAY_PREFIX))


def _batch_tag(name: str, snapshot: Snapshot) -> str:
    """The tag that a published snapshot had when it was published."""
    writer = snapshot.summary.additional_properties.get("batch_id") if snapshot.summary else None
    return tag_of(writer) if writer and name.startswith(DAY_PREFIX) else name


def _day(snapshot: Snapshot) -> date:
    """When it was published, UTC."""
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC).date()


def _age(snapshot: Snapshot) -> int:
    return int(snapshot.sequence_number or 0)
