"""A number is explained by exactly the rows, files and batches that give it."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.errors import PipelineError
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.history.provenance import Evidence, evidence_of
from tests.support.local_catalog import LocalCatalog
from tests.support.transforming import Workbench, a_batch, line, local_workbench, order, product

pytestmark = pytest.mark.medium

DAY = date(2025, 7, 7)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def evidence(bench: Workbench, category: str | None, *, with_rows: bool = False) -> Evidence:
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    heads = facts.load(-1)
    return evidence_of(DuckDBEngine(facts), heads, DAY, category, with_rows=with_rows)


def test_a_category_is_explained_by_its_lines_and_the_orders_that_have_them(
    bench: Workbench,
) -> None:
    first = a_batch(
        [order("1"), order("2", status="returned"), order("3"), order("4", "2025-07-08")],
        [line("1", "p1", 2), line("2", "p1"), line("3", "p2", 9), line("4", "p1", 7)],
        [product("p1", "Books"), product("p2", "Garden")],
    )
    late = a_batch([], [line("3", "p1", 5, "1.50")])
    for batch in (first, late):
        bench.transform(batch)

    found = evidence(bench, "Books")

    told = [
        (c.kind, c.batch_id, c.rows, c.orders, c.quantity, c.cents, c.returned_orders)
        for c in found.contributions
    ]
    assert sorted(told) == sorted(
        [
            ("order_items", first.batch_id, 2, 2, 3, 3000, None),
            ("order_items", late.batch_id, 1, 1, 5, 750, None),
            ("orders", first.batch_id, 3, 3, None, 3000, 1),
        ]
    )
    assert found.kpi is not None
    assert found.kpi.item()["daily_revenue"] == Decimal("37.50")
    assert sum(c.cents for c in found.contributions if c.kind == "order_items") == 3750


def test_the_orders_of_a_day_are_explained_by_all_of_its_rows(bench: Workbench) -> None:
    batch = a_batch([order("1"), order("2")], [line("1", "p1", 2), line("2", "p2")])
    bench.transform(batch)

    found = evidence(bench, None)

    assert {(c.kind, c.source_key, c.rows) for c in found.contributions} == {
        ("orders", f"orders/{batch.batch_id}-0.csv", 2),
        ("order_items", f"order_items/{batch.batch_id}-1.csv", 2),
    }
    assert found.kpi is not None
    assert found.kpi.item() == bench.order_kpis()[0]


def test_rows_name_their_line_in_the_file(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1", "p9", 1), line("1", "p9", 3)]))

    rows = evidence(bench, "Unknown", with_rows=True).rows

    assert [(row["source_line"], row["quantity"]) for row in rows] == [(2, 1), (3, 3)]


def test_a_category_with_a_quote_in_its_name_is_only_that_category(bench: Workbench) -> None:
    name = "Kid's ' or true --"
    items = [line("1", "p1"), line("1", "p2")]
    bench.transform(a_batch([order("1")], items, [product("p1", name), product("p2", "Books")]))

    found = evidence(bench, name)

    assert [c.rows for c in found.contributions if c.kind == "order_items"] == [1]


def test_what_is_not_there_has_no_evidence(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", "2025-07-08")]))
    assert evidence(bench, "Books") == Evidence(None, ())


def test_a_reader_makes_no_table(tmp_path: Path) -> None:
    catalog = LocalCatalog(tmp_path)
    with pytest.raises(PipelineError, match="nothing was ever published"):
        ReadOnlyFacts(catalog, "ecommerce").load(-1)
    assert catalog.metadata_locations == {}
