"""The KPI tables of Iceberg: the very items, on every way that facts change or come back."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.clock import from_rfc3339
from contracts.messages import MaintainFacts, RebuildKpis
from services.transformer.batch.transform import transform_batch
from services.transformer.facts.data_files import data_files, write_data_files
from services.transformer.facts.tables import KPI_TABLES, SCHEMAS
from services.transformer.maintenance.rebuild import rebuild_kpis
from services.transformer.maintenance.upkeep import maintain_facts
from tests.model import ShopModel
from tests.support.mortality import Process, ProcessDied
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order

pytestmark = pytest.mark.medium

JULY, AUGUST = "2025-07-07", "2025-08-01"
FIRST = a_batch([order("1"), order("2", AUGUST)], [line("1"), line("2"), line("3")])
REBUILD = RebuildKpis(request_id="rebuild-1", requested_by="t")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def without_kpi_tables(bench: Workbench) -> Workbench:
    """The pipeline as it was before there were such tables."""
    for name in KPI_TABLES:
        del bench.ports.facts._catalog.metadata_locations[name]  # type: ignore[attr-defined]
    state = bench.state().to_item()
    state["heads"] = {name: at for name, at in state["heads"].items() if name not in KPI_TABLES}
    bench.ports.store._tables[bench.ports.tables.state] = {("facts",): state}  # type: ignore[attr-defined]
    return bench.restarted()


def told(*batches: Batch) -> ShopModel:
    model = ShopModel()
    for batch in batches:
        batch.told_to(model)
    return model


def spoil(bench: Workbench, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Somebody else's rows in the place of the published ones."""
    catalog = bench.ports.facts._catalog
    table = catalog.load_table(f"ecommerce.{name}")
    found = pa.Table.from_pylist(list(rows), schema=SCHEMAS[name].as_arrow())
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as update:
        for file in data_files(table, table.current_snapshot().snapshot_id):
            update.delete_data_file(file)
        for file in write_data_files(table, found.sort_by("order_date")):
            update.append_data_file(file)
    head = catalog.load_table(f"ecommerce.{name}").current_snapshot().snapshot_id
    state = bench.state().to_item()
    state["heads"][name] = str(head)
    bench.ports.store._tables[bench.ports.tables.state] = {("facts",): state}  # type: ignore[attr-defined]
    bench.ports.facts.forget()


def test_a_row_is_the_item_with_its_stamp(bench: Workbench) -> None:
    bench.transform(FIRST)
    [item] = [
        item
        for item in bench.ports.store.scan(bench.ports.tables.category_kpis)
        if item["order_date"] == JULY
    ]
    [row] = [row for row in bench.facts()["category_kpis"] if str(row["order_date"]) == JULY]
    assert row.pop("updated_at") <= from_rfc3339(item.pop("updated_at"))
    assert row == {**item, "order_date": date.fromisoformat(JULY)}


def test_the_columns_are_days_counts_and_exact_amounts(bench: Workbench) -> None:
    bench.transform(FIRST)
    table = bench.ports.facts.table("order_kpis")
    kinds = {field.name: str(field.field_type) for field in table.schema().fields}
    assert kinds == {
        "order_date": "date",
        "total_orders": "long",
        "total_revenue": "decimal(38, 2)",
        "total_items_sold": "long",
        "return_rate": "decimal(5, 4)",
        "unique_customers": "long",
        "guests": "long",
        "returned_orders": "long",
        "batch_id": "string",
        "epoch": "long",
        "updated_at": "timestamptz",
    }


def test_a_day_that_loses_its_orders_loses_its_rows(bench: Workbench) -> None:
    moved = a_batch([order("1", AUGUST)])
    for batch in (FIRST, moved):
        bench.transform(batch)
    bench.assert_equals(told(FIRST, moved))
    assert {str(row["order_date"]) for row in bench.facts()["order_kpis"]} == {AUGUST}


def test_only_the_files_of_changed_months_are_written_again(bench: Workbench) -> None:
    bench.transform(FIRST)

    def files(name: str) -> set[str]:
        head = (bench.state().heads or {})[name]
        return {file.file_path for file in data_files(bench.ports.facts.table(name), head)}

    before = {name: files(name) for name in KPI_TABLES}
    bench.transform(a_batch([order("5", "2025-08-09")], [line("5")]))
    for name in KPI_TABLES:
        assert (len(before[name]), len(files(name)), len(before[name] & files(name))) == (2, 2, 1)


def test_a_pipeline_of_before_gets_all_days_with_its_next_batch(bench: Workbench) -> None:
    bench.transform(FIRST)
    old = without_kpi_tables(bench)
    second = a_batch([order("9", "2025-09-01")])
    old.transform(second)
    old.assert_equals(told(FIRST, second))


def test_a_pipeline_of_before_gets_all_days_by_a_rebuild(bench: Workbench) -> None:
    bench.transform(FIRST)
    old = without_kpi_tables(bench)
    rebuild_kpis(REBUILD, old.ports)
    old.assert_equals(told(FIRST))
    [*_, ended] = old.ports.store.read(f"transformation/{REBUILD.request_id}")
    assert (ended.data.table_rows, ended.data.unchanged) == (4, 4)


def test_a_first_attempt_that_died_is_no_reason_to_leave_days_out(bench: Workbench) -> None:
    bench.transform(FIRST)
    old = without_kpi_tables(bench)
    second = a_batch([order("9", "2025-09-01")])
    command = old.stage(second)
    with pytest.raises(ProcessDied):
        transform_batch(command, old.through(Process(dies_before=9)).ports)
    transform_batch(command, old.restarted().ports)
    old.assert_equals(told(FIRST, second))


def test_a_batch_of_who_knew_no_kpi_tables_is_caught_up_with(bench: Workbench) -> None:
    """As when an older version is deployed for a while."""
    bench.transform(FIRST)
    kept = {
        name: bench.ports.facts._catalog.metadata_locations[name]  # type: ignore[attr-defined]
        for name in KPI_TABLES
    }
    second, third = a_batch([order("9", "2025-09-01")]), a_batch([order("10", "2025-10-01")])
    bench.transform(second)
    bench.ports.facts._catalog.metadata_locations.update(kept)  # type: ignore[attr-defined]
    state = bench.state().to_item()
    state["heads"] = {name: at for name, at in state["heads"].items() if name not in KPI_TABLES}
    bench.ports.store._tables[bench.ports.tables.state] = {("facts",): state}  # type: ignore[attr-defined]
    late = bench.restarted()
    late.transform(third)
    late.assert_equals(told(FIRST, second, third))


def test_a_rebuild_sets_right_what_is_wrong_missing_or_too_much(bench: Workbench) -> None:
    bench.transform(FIRST)
    rows = bench.facts()["order_kpis"]
    july, august = sorted(rows, key=lambda row: row["order_date"])
    spoil(
        bench,
        "order_kpis",
        [{**july, "total_revenue": Decimal("99.99")}, {**august, "order_date": date(2031, 1, 1)}],
    )
    spoil(bench, "category_kpis", [])
    late = bench.restarted()
    rebuild_kpis(REBUILD, late.ports)
    late.assert_equals(told(FIRST))
    [*_, ended] = late.ports.store.read(f"transformation/{REBUILD.request_id}")
    assert (ended.data.table_rows, ended.data.unchanged) == (5, 4)


def test_a_rebuild_of_what_is_right_moves_no_table(bench: Workbench) -> None:
    bench.transform(FIRST)
    heads = bench.state().heads
    rebuild_kpis(REBUILD, bench.ports)
    assert bench.state().heads == heads
    [*_, ended] = bench.ports.store.read(f"transformation/{REBUILD.request_id}")
    assert ended.data.table_rows == 0


def test_upkeep_leaves_the_rows_and_expires_snapshots(bench: Workbench) -> None:
    batches = [FIRST, *(a_batch([order(str(n), JULY)], [line(str(n))]) for n in range(20, 26))]
    for batch in batches:
        bench.transform(batch)
    maintain_facts(MaintainFacts(request_id="upkeep-1", requested_by="t"), bench.ports)
    [*_, ended] = bench.ports.store.read("transformation/upkeep-1")
    assert {table.table for table in ended.data.tables} >= set(KPI_TABLES)
    bench.restarted().assert_equals(told(*batches))
    more = a_batch([order("99", JULY)])
    late = bench.restarted()
    late.transform(more)
    late.assert_equals(told(*batches, more))
