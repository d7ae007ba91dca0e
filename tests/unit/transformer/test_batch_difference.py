"""What a batch changed is told from its own snapshots, whatever came later."""

from datetime import date
from pathlib import Path

import pytest

from contracts.errors import PipelineError
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.state import history_of
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.history.batch_difference import Difference, difference, snapshots_around
from services.transformer.history.kept_difference import kept_difference
from tests.support.transforming import (
    Batch,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

pytestmark = pytest.mark.medium

SEVENTH, EIGHTH = date(2025, 7, 7), date(2025, 7, 8)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def changed(bench: Workbench, batch: Batch) -> Difference:
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    around = snapshots_around(facts, batch.batch_id)
    assert around is not None
    by_snapshots = difference(facts, DuckDBEngine(facts), batch.batch_id, around)
    assert as_kept(bench, batch) == (by_snapshots, around)
    return by_snapshots


def as_kept(bench: Workbench, batch: Batch) -> object:
    result = history_of(batch.batch_id, bench.ports).result
    assert result is not None
    return kept_difference(batch.batch_id, result, bench.ports.objects, "")


def days(found: Difference) -> dict[date | None, dict[str, int]]:
    """Only the counts that are not 0."""
    return {
        day: {name: count for name, count in counts.items() if count}
        for day, counts in found.days.items()
    }


def kpis(found: Difference, measure: str) -> dict[tuple[str, str | None], tuple[object, object]]:
    return {
        (each.order_date.isoformat(), each.category): (
            each.before and each.before.item()[measure],
            each.after and each.after.item()[measure],
        )
        for each in found.kpis
        if measure in (each.after or each.before).item()  # type: ignore[union-attr]
    }


def test_the_first_batch_adds_all_of_its_rows(bench: Workbench) -> None:
    batch = a_batch(
        [order("1")], [line("1", "p1", 2), line("9", "p1")], [product("p1"), product("p2")]
    )
    bench.transform(batch)

    found = changed(bench, batch)

    assert days(found) == {SEVENTH: {"orders_added": 1, "lines_added": 1}, None: {"lines_added": 1}}
    assert (found.products_added, found.products_restated) == (2, 0)
    assert kpis(found, "total_orders") == {("2025-07-07", None): (None, 1)}


def test_restated_rows_replace_and_moved_orders_take_their_lines_along(bench: Workbench) -> None:
    first = a_batch(
        [order("1"), order("2"), order("3")],
        [line("1", "p1"), line("1", "p1"), line("2", "p1"), line("3", "p1")],
        [product("p1", "Books")],
    )
    second = a_batch(
        [order("2", "2025-07-08"), order("3", total_amount="11.00")],
        [line("1", "p1", 5), line("1", "p2")],
        [product("p1", "Books")],
    )
    later = a_batch([order("1", "2025-07-09")])
    for batch in (first, second, later):
        bench.transform(batch)

    found = changed(bench, second)

    assert days(found) == {
        SEVENTH: {
            "orders_moved_away": 1,
            "orders_restated": 1,
            "lines_added": 1,
            "lines_restated": 1,
            "lines_replaced": 2,
            "lines_moved_away": 1,
        },
        EIGHTH: {"orders_moved_in": 1, "lines_moved_in": 1},
    }
    assert (found.products_added, found.products_restated) == (0, 1)
    assert kpis(found, "total_items_sold") == {
        ("2025-07-07", None): (4, 7),
        ("2025-07-08", None): (None, 1),
    }
    assert ("2025-07-07", "Unknown") in kpis(found, "daily_revenue")


def test_a_line_of_an_order_that_is_stated_whole_without_it_is_removed(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1", "p1"), line("1", "p2"), line("1", "p3")]))
    second = Batch([("order_items", [line("1", "p1", 5), line("1", "p4")])], whole=[0])
    bench.transform(second)

    counts = {"lines_restated": 1, "lines_replaced": 1, "lines_added": 1, "lines_removed": 2}
    assert days(changed(bench, second)) == {SEVENTH: counts}


def test_an_order_whose_total_follows_its_lines_is_retotalled_by_them(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", total_extra="1.00"), order("2")], [line("1", "p1")]))
    lines_alone = a_batch(items=[line("1", "p2"), line("2", "p2")])
    with_order = a_batch([order("1", total_extra="2.00")])
    for batch in (lines_alone, with_order):
        bench.transform(batch)

    found = changed(bench, lines_alone)

    assert days(found) == {SEVENTH: {"orders_retotalled": 1, "lines_added": 2}}
    assert kpis(found, "total_revenue") == {("2025-07-07", None): (21, 31)}
    assert days(changed(bench, with_order)) == {SEVENTH: {"orders_restated": 1}}


def test_a_category_that_vanishes_from_a_day_is_shown_to_go(bench: Workbench) -> None:
    first = a_batch([order("1")], [line("1", "p1")])
    second = a_batch(products=[product("p1", "Books")])
    for batch in (first, second):
        bench.transform(batch)

    found = changed(bench, second)

    assert days(found) == {SEVENTH: {"lines_categorised": 1}}
    revenue = kpis(found, "daily_revenue")
    assert revenue["2025-07-07", "Unknown"] == (10, None)
    assert revenue["2025-07-07", "Books"] == (None, 10)


def test_an_abandoned_batch_in_between_changes_nothing(bench: Workbench) -> None:
    first, lost, second = (a_batch([order(str(number))]) for number in (1, 2, 3))
    bench.transform(first)
    command = bench.stage(lost)
    abandon_batch(bench.abandoning(command), bench.ports)
    again = bench.restarted(fence=2)
    again.transform(second)

    assert days(changed(again, second)) == {SEVENTH: {"orders_added": 1}}


def test_a_batch_without_a_tag_cannot_be_compared(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    assert snapshots_around(facts, "f" * 16) is None


def test_a_batch_whose_predecessor_is_gone_says_so(bench: Workbench) -> None:
    batch = a_batch([order("1")])
    bench.transform(batch)
    for name in ("orders", "order_items", "products"):
        table = bench.ports.facts._catalog.load_table(("ecommerce", name))
        first = min(table.metadata.snapshots, key=lambda each: each.sequence_number or 0)
        table.maintenance.expire_snapshots().by_id(first.snapshot_id).commit()
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    with pytest.raises(PipelineError, match="kept no longer"):
        snapshots_around(facts, batch.batch_id)
