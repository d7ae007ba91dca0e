"""The KPI tables are a projection: whatever was done to them by hand, the facts give them back."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import MessageContext
from contracts.messages import RebuildKpis
from services.runtime.event_store import DeleteItem, PutItem
from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.batch.publication import Stamp, stored_item
from services.transformer.batch.state import stream_of
from services.transformer.batch.transform import transform_batch
from services.transformer.maintenance import rebuild
from services.transformer.maintenance.rebuild import Repair, compare, key_of, rebuild_kpis
from tests.model import ShopModel
from tests.support.transforming import (
    TABLES,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

pytestmark = pytest.mark.medium

COMMAND = RebuildKpis(request_id="rebuild-1", requested_by="ann@laptop")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def write(bench: Workbench, *writes: PutItem | DeleteItem) -> None:
    bench.ports.store.append(context=MessageContext("by-hand"), writes=writes)


def events(bench: Workbench, request_id: str = "rebuild-1") -> list[Any]:
    return [event.data for event in bench.ports.store.read(stream_of(request_id))]


def three_days(bench: Workbench) -> ShopModel:
    first = a_batch(
        [order("1", "2025-07-07"), order("2", "2025-07-08", status="returned")],
        [line("1", "p1", 2), line("2", "p2", unit_price="3.33"), line("2", "p9")],
        [product("p1", "Books"), product("p2", "Garden")],
    )
    second = a_batch([order("3", "2025-07-09", total_amount="7.10")], [line("3", "p1")])
    model = ShopModel()
    for batch in (first, second):
        bench.transform(batch)
        batch.told_to(model)
    return model


def by_hand(bench: Workbench) -> None:
    """Delete some items, change some, add strays: even for days that are none."""
    days = {item["order_date"]: item for item in bench.ports.store.scan(TABLES.order_kpis)}
    write(
        bench,
        DeleteItem(TABLES.order_kpis, {"order_date": "2025-07-07"}),
        PutItem(TABLES.order_kpis, {**days["2025-07-08"], "total_revenue": Decimal("99.99")}),
        PutItem(TABLES.order_kpis, {**days["2025-07-09"], "order_date": "2031-01-01"}),
        PutItem(TABLES.order_kpis, {"order_date": "someday", "total_orders": 1}),
        PutItem(TABLES.category_kpis, {"category": "Ghosts", "order_date": "2025-07-08"}),
        DeleteItem(TABLES.category_kpis, {"category": "Garden", "order_date": "2025-07-08"}),
    )


def test_a_rebuild_gives_exactly_what_the_facts_give(bench: Workbench) -> None:
    model = three_days(bench)
    by_hand(bench)
    assert bench.order_kpis() != model.order_kpis()

    rebuild_kpis(COMMAND, bench.ports)

    assert bench.order_kpis() == model.order_kpis()
    assert bench.category_kpis() == model.category_kpis()
    rebuilt = events(bench)[-1]
    assert (rebuilt.days, rebuilt.order_kpis, rebuilt.category_kpis) == (3, 2, 1)
    assert (rebuilt.deleted, rebuilt.unchanged) == (3, 4)


def test_right_items_keep_the_stamp_of_their_batch_and_others_name_the_rebuild(
    bench: Workbench,
) -> None:
    three_days(bench)
    before = {item["order_date"]: item for item in bench.ports.store.scan(TABLES.order_kpis)}
    by_hand(bench)

    rebuild_kpis(COMMAND, bench.ports)

    after = {item["order_date"]: item for item in bench.ports.store.scan(TABLES.order_kpis)}
    assert after["2025-07-09"] == before["2025-07-09"]
    assert after["2025-07-08"]["batch_id"] == after["2025-07-07"]["batch_id"] == "rebuild-1"
    assert after["2025-07-08"]["epoch"] == events(bench)[-1].epoch


def test_days_are_rebuilt_a_span_at_a_time_and_each_is_reported(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = three_days(bench)
    by_hand(bench)
    monkeypatch.setattr(rebuild, "spans", lambda days: ([day] for day in days))

    rebuild_kpis(COMMAND, bench.ports)

    assert [(each.first_day, each.days_done) for each in events(bench)[:-1]] == [
        ("2025-07-07", 1),
        ("2025-07-08", 2),
        ("2025-07-09", 3),
    ]
    assert bench.category_kpis() == model.category_kpis()


def test_a_rebuild_before_any_batch_empties_the_tables(bench: Workbench) -> None:
    write(bench, PutItem(TABLES.order_kpis, {"order_date": "2025-07-07", "total_orders": 1}))

    rebuild_kpis(COMMAND, bench.ports)

    assert bench.order_kpis() == []
    bench.transform(a_batch([order("1", "2025-07-08")]))
    assert [item["order_date"] for item in bench.order_kpis()] == ["2025-07-08"]


def test_a_command_that_comes_twice_is_worked_once(bench: Workbench) -> None:
    three_days(bench)
    rebuild_kpis(COMMAND, bench.ports)
    told = events(bench)

    rebuild_kpis(COMMAND, bench.ports)

    assert events(bench) == told


def test_a_rebuild_gives_way_to_a_batch_in_work(bench: Workbench) -> None:
    three_days(bench)
    by_hand(bench)
    corrupted = bench.order_kpis()
    late = a_batch([order("4", "2025-07-10")])
    command = bench.stage(late)
    facts = bench.ports.facts

    def rebuild_meanwhile(*given: Any) -> Any:
        rebuild_kpis(COMMAND, replace(bench.ports, facts=bench.restarted().ports.facts))
        assert bench.order_kpis() == corrupted
        return fence(*given)

    fence, facts.fence = facts.fence, rebuild_meanwhile  # type: ignore[method-assign]
    answer = transform_batch(command, bench.ports)

    assert answer["outcome"] == "PUBLISHED"
    [refused] = events(bench)
    assert f"batch {late.batch_id} is in work" in refused.reason


def test_a_batch_that_begins_meanwhile_wins(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = three_days(bench)
    late = a_batch([order("1", "2025-07-10")])
    worker = bench.restarted()
    by_hand(bench)

    def and_then_a_batch(days: list[date]) -> list[list[date]]:
        worker.transform(late)
        return [days]

    monkeypatch.setattr(rebuild, "spans", and_then_a_batch)
    rebuild_kpis(COMMAND, bench.ports)

    assert "a batch began meanwhile" in events(bench)[-1].reason
    assert "Ghosts" in {item["category"] for item in bench.category_kpis()}
    monkeypatch.undo()
    rebuild_kpis(RebuildKpis(request_id="rebuild-2", requested_by="ann"), bench.ports)
    late.told_to(model)
    assert bench.order_kpis() == model.order_kpis()
    assert bench.category_kpis() == model.category_kpis()


# -- what differs ------------------------------------------------------------------------------

DAY = OrderDay(date(2025, 7, 7), 1, 1000, 1, 0, 1)
BOOKS = CategoryDay(date(2025, 7, 7), "Books", 1000, 1, 0)
STAMP = Stamp("3f2a9c0d1e4b5a67", 1, "2025-07-07T00:00:00.000Z")


def stored(*kpis: OrderDay | CategoryDay, **changes: Any) -> dict[Any, Any]:
    items = [{**stored_item(kpi, STAMP), **changes} for kpi in kpis]
    return {key_of(item): item for item in items}


@pytest.mark.parametrize("changes", [{"total_orders": 2}, {"total_orders": "1"}, {"note": "x"}])
def test_an_item_with_anything_else_in_it_is_wrong(changes: dict[str, Any]) -> None:
    assert compare([DAY], stored(DAY, **changes)) == Repair(wrong=(DAY,))


def test_equal_numbers_are_right_however_they_are_written() -> None:
    assert compare([DAY], stored(DAY, total_revenue=10)) == Repair(unchanged=1)


def test_an_item_from_before_the_counts_is_given_them() -> None:
    items = stored(DAY)
    for item in items.values():
        del item["returned_orders"]
    assert compare([DAY], items) == Repair(wrong=(DAY,))


def test_an_item_without_its_stamps_is_wrong() -> None:
    assert compare([BOOKS], {key_of(BOOKS): BOOKS.item()}) == Repair(wrong=(BOOKS,))


def test_a_day_stays_in_one_transaction_while_it_fits() -> None:
    days = [
        CategoryDay(date(2025, 7, day), f"c{number}", 100, 1, 0)
        for number in range(60)
        for day in (1, 2, 3)
    ]
    packed = list(compare(days, {}).transactions(TABLES, STAMP))
    assert [len(writes) for writes in packed] == [60, 60, 60]
    assert [{write.item["order_date"] for write in writes} for writes in packed] == [  # type: ignore[union-attr]
        {"2025-07-01"},
        {"2025-07-02"},
        {"2025-07-03"},
    ]
