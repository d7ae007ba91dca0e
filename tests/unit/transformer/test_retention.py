"""Which published states a table keeps, beside a plain list of what was published and when."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    RemoveSnapshotRefUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
    update_table_metadata,
)

from services.transformer.facts import retention
from services.transformer.facts.catalog import updates_of
from services.transformer.facts.retention import (
    kept_tags,
    overdue,
    published_before,
    published_since,
    snapshot_of,
    superseded,
    tag_of,
    tagged,
    without_tags,
)
from services.transformer.facts.shared_history import share_history
from services.transformer.facts.tables import PROPERTIES, SCHEMAS

START = datetime(2025, 1, 1, 0, 30, tzinfo=UTC)
KEPT_BATCHES, KEPT_DAYS = 10, 9
"""A small retention, so that few batches show it."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    share_history()
    monkeypatch.setattr(retention, "KEPT_BATCHES", KEPT_BATCHES)
    monkeypatch.setattr(retention, "KEPT_FOR", timedelta(days=KEPT_DAYS))


@dataclass
class Published:
    """A table without files, and what was published of it: (batch, when, snapshot)."""

    name: str = "orders"
    metadata: TableMetadata = field(init=False)
    history: list[tuple[str, datetime, int]] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.metadata = new_table_metadata(
            schema=SCHEMAS[self.name],
            partition_spec=UNPARTITIONED_PARTITION_SPEC,
            sort_order=UNSORTED_SORT_ORDER,
            location="file:///facts",
            properties=dict(PROPERTIES),
            table_uuid=uuid4(),
        )
        born = self._add(START, {})
        self._update(_named(MAIN_BRANCH, born, SnapshotRefType.BRANCH))

    def publish(self, batch: str, when: datetime, by: TableMetadata | None = None) -> None:
        """As the catalog does it: a fence, the branch, and the guarded move with all that goes.

        `by` is the table that decides, if it is another.
        """
        fence = self._add(when, {"batch_id": batch})
        self._update(_named(MAIN_BRANCH, fence, SnapshotRefType.BRANCH))
        target = self._add(when, {"batch_id": batch})
        self._update(_named("e7", target, SnapshotRefType.BRANCH))
        kept = kept_tags(by or self.metadata, when, tag_of(batch))
        expiry = superseded(self.metadata, target, "e7", kept)
        self._update(
            _named(MAIN_BRANCH, target, SnapshotRefType.BRANCH),
            _named(tag_of(batch), target, SnapshotRefType.TAG),
            RemoveSnapshotRefUpdate(ref_name="e7"),
            *updates_of(expiry),
        )
        self.history.append((batch, when, target))

    def publish_all(self, days: int, a_day: int) -> None:
        """So many batches on each day, an hour apart."""
        for number in range(days * a_day):
            when = START + timedelta(days=number // a_day, hours=number % a_day)
            self.publish(f"{number:016x}", when)

    def maintain(self, when: datetime) -> None:
        """As the upkeep does it."""
        self._update(*updates_of(overdue(self.metadata, kept_tags(self.metadata, when))))

    def tags(self) -> dict[str, int]:
        return {name: snapshot.snapshot_id for name, snapshot in tagged(self.metadata)}

    def expected(self, now: datetime) -> dict[str, int]:
        """The last batches, and the last of each older day; the model."""
        last = self.history[-KEPT_BATCHES - 1 :]
        wanted = {tag_of(batch): snapshot for batch, _, snapshot in last}
        by_day: dict[date, int] = {}
        for _, when, snapshot in self.history[: -KEPT_BATCHES - 1]:
            if when >= now - timedelta(days=KEPT_DAYS):
                by_day[when.date()] = snapshot
        by_day.pop(last[0][1].date(), None)
        return wanted | {f"day-{day}": snapshot for day, snapshot in by_day.items()}

    def _add(self, when: datetime, properties: Mapping[str, str]) -> int:
        number = next(self.ids)
        parent = self.metadata.refs.get(MAIN_BRANCH)
        snapshot = Snapshot(
            snapshot_id=number,
            parent_snapshot_id=parent and parent.snapshot_id,
            sequence_number=number,
            timestamp_ms=int(when.timestamp() * 1000),
            manifest_list=f"file:///facts/{number}.avro",
            summary=Summary(Operation.APPEND, **properties),
            schema_id=0,
        )
        self._update(AddSnapshotUpdate(snapshot=snapshot))
        return number

    def _update(self, *updates: TableUpdate) -> None:
        self.metadata = update_table_metadata(self.metadata, updates)


def _named(name: str, snapshot: int, kind: SnapshotRefType) -> TableUpdate:
    return SetSnapshotRefUpdate(ref_name=name, type=kind, snapshot_id=snapshot)


def test_of_many_batches_the_last_are_kept_and_one_of_each_day_before() -> None:
    table = Published()
    table.publish_all(days=6, a_day=4)
    now = table.history[-1][1]
    assert table.tags() == table.expected(now)
    assert len(table.tags()) == KEPT_BATCHES + 1 + 3
    # Beside what is tagged only what an epoch that has to finish this publication compares with.
    assert len(table.metadata.snapshots) <= len(table.tags()) + 1


def test_however_many_there_are_a_table_holds_no_more_snapshots() -> None:
    table = Published()
    most = 0
    for number in range(16 * 4):
        table.publish(f"{number:016x}", START + timedelta(hours=6 * number))
        most = max(most, len(table.metadata.snapshots))
    expected = table.expected(table.history[-1][1])
    assert expected.items() <= table.tags().items()
    assert len(table.tags()) <= len(expected) + 1
    assert len(table.metadata.snapshot_log) <= most <= KEPT_BATCHES + KEPT_DAYS + 4


def test_a_quiet_shop_keeps_what_is_young_and_the_one_before() -> None:
    table = Published()
    for number in range(8):
        table.publish(f"{number:016x}", START + timedelta(days=3 * number))
    kept = {tag_of(batch): snapshot for batch, _, snapshot in table.history[-5:]}
    assert table.tags() == kept


def test_an_upkeep_right_after_a_batch_finds_nothing_to_expire() -> None:
    table = Published()
    table.publish_all(days=5, a_day=4)
    before = table.tags()
    table.maintain(table.history[-1][1])
    assert table.tags() == before


def test_what_is_told_of_many_batches_before_there_was_a_bound_is_thinned_at_once() -> None:
    """A table of before this retention: every batch has its tag."""
    table = Published()
    for number in range(24):
        when = START + timedelta(days=number // 4, hours=number % 4)
        batch = f"{number:016x}"
        fence, target = (table._add(when, {"batch_id": batch}) for _ in range(2))
        assert fence < target
        table._update(
            _named(MAIN_BRANCH, target, SnapshotRefType.BRANCH),
            _named(tag_of(batch), target, SnapshotRefType.TAG),
        )
        table.history.append((batch, when, target))
    table.publish("f" * 16, START + timedelta(days=6))
    assert table.tags() == table.expected(table.history[-1][1])


def test_another_table_keeps_what_the_orders_keep_though_it_lagged_behind() -> None:
    """The KPI tables move after the facts, and by another epoch when the first one died."""
    orders, kpis = Published(), Published("order_kpis")
    for number in range(24):
        when = START + timedelta(hours=6 * number)
        orders.publish(f"{number:016x}", when)
        kpis.publish(f"{number:016x}", when + timedelta(minutes=45), by=orders.metadata)
    assert kpis.tags().keys() == orders.tags().keys()
    missed = f"{24:016x}"
    orders.publish(missed, START + timedelta(hours=6 * 24))
    orders.publish(f"{25:016x}", START + timedelta(hours=6 * 25))
    kpis.publish(f"{25:016x}", START + timedelta(hours=6 * 25), by=orders.metadata)
    assert kpis.tags().keys() == orders.tags().keys() - {tag_of(missed)}


def test_between_two_days_there_were_other_batches_and_none_is_taken_for_the_one_before() -> None:
    table = Published()
    table.publish_all(days=5, a_day=4)
    batches = table.history[-KEPT_BATCHES - 1 :]
    before = {
        batch: snapshot for (batch, *_), (*_, snapshot) in zip(batches[1:], batches, strict=False)
    }
    assert {batch: published_before(table.metadata, tag_of(batch)) for batch in before} == before
    assert published_before(table.metadata, tag_of(batches[0][0])) is None


def test_the_first_batch_is_compared_with_the_empty_table_while_nothing_has_gone() -> None:
    table = Published()
    table.publish_all(days=1, a_day=3)
    assert published_before(table.metadata, tag_of(f"{0:016x}")) == 1
    table.publish_all(days=5, a_day=4)
    assert 1 not in {each.snapshot_id for each in table.metadata.snapshots}


def test_the_snapshot_of_a_batch_is_found_while_it_is_there_whatever_it_is_called() -> None:
    table = Published()
    table.publish_all(days=5, a_day=4)
    tags = table.tags()
    newest, last_of_a_day, in_between = (table.history[n] for n in (-1, 3, 2))
    assert snapshot_of(table.metadata, newest[0]) == newest[2]
    assert snapshot_of(table.metadata, last_of_a_day[0]) == last_of_a_day[2]
    assert tags["day-2025-01-01"] == last_of_a_day[2]
    assert snapshot_of(table.metadata, in_between[0]) is None


def test_an_erasure_takes_the_days_since_the_user_came() -> None:
    """Tags of days go like those of batches, here and in the tables beside."""
    table, lines = Published(), Published("order_items")
    for each in (table, lines):
        each.publish_all(days=8, a_day=4)
    tags = table.tags()
    held = tags["day-2025-01-04"]
    table.publish("erase-1", START + timedelta(days=8))
    lines.publish("erase-1", START + timedelta(days=8), by=table.metadata)

    gone = published_since(table.metadata, {held})
    table._update(*updates_of(gone))
    lines._update(*updates_of(without_tags(lines.metadata, gone.tags)))

    left = {"day-2025-01-01", "day-2025-01-02", "day-2025-01-03"}
    assert table.tags().keys() == lines.tags().keys() == left | {"batch-erase-1"}
    assert held not in {each.snapshot_id for each in table.metadata.snapshots}
    after = START + timedelta(days=8, hours=1)
    table.publish("a" * 16, after)
    assert published_before(table.metadata, tag_of("a" * 16)) == tags_of_main(table)


def tags_of_main(table: Published) -> int:
    """The snapshot that was main before the last publication."""
    return table.tags()["batch-erase-1"]


def test_a_tag_that_is_nobody_elses_business_stays() -> None:
    table = Published()
    table.publish_all(days=1, a_day=2)
    mine = table.history[0][2]
    table._update(_named("quarter-end", mine, SnapshotRefType.TAG))
    for number in range(14):
        table.publish(f"{number + 10:016x}", START + timedelta(days=1, minutes=number))
    assert table.tags()["quarter-end"] == mine
