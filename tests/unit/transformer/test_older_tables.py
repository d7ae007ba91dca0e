"""Facts and staged files that were written before lines had ids and amounts, and orders guests."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField

from contracts.layout import KINDS
from contracts.messages import MaintainFacts, RebuildKpis
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.engines.port import EngineName
from services.transformer.facts import reading
from services.transformer.facts.catalog import FactsCatalog, lacks_columns
from services.transformer.facts.data_files import data_files, rows_in
from services.transformer.facts.tables import PARTITIONS, PROPERTIES, SCHEMAS
from services.transformer.maintenance.rebuild import rebuild_kpis
from services.transformer.maintenance.upkeep import maintain_facts
from tests.model import ShopModel
from tests.support.examples import thorough
from tests.support.transforming import (
    Batch,
    LocalInputs,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)
from tests.unit.transformer.conftest import NewStores

pytestmark = pytest.mark.medium

LATER = {
    "line_id",
    "line_amount_cents",
    "added_to_total_cents",
    "total_from_lines",
    "total_extra_cents",
}
OLD = a_batch(
    [order("1"), order("2", "2025-07-08", user_id="u2")],
    [line("1", quantity=3), line("2"), line("9", quantity=2)],
    [product()],
)
NEW = a_batch(
    [order("2", "2025-07-08", user_id=""), order("9", "2025-07-09", total_extra="1.00")],
    [line("2", "p2", line_id="a", line_amount="4.00")],
)


def older(schema: Schema) -> Schema:
    """As it was: without the later columns, every order with a user."""
    return Schema(
        *(
            NestedField(
                field.field_id,
                field.name,
                field.field_type,
                required=field.required or field.name == "user_id",
            )
            for field in schema.fields
            if field.name not in LATER
        )
    )


def make_older_tables(bench: Workbench) -> None:
    """The tables of then, with what a batch of then wrote."""
    facts = bench.ports.facts
    day = {"1": date(2025, 7, 7), "2": date(2025, 7, 8)}
    where = {"batch_id": OLD.batch_id, "source_key": "k"}
    rows: dict[str, list[dict[str, Any]]] = {
        "orders": [
            {
                "order_id": row["order_id"],
                "user_id": row["user_id"],
                "order_date": day[row["order_id"]],
                "total_amount_cents": 1000,
                "status": "completed",
            }
            for row in OLD.rows("orders")
        ],
        "order_items": [
            {
                "order_id": row["order_id"],
                "product_id": row["product_id"],
                "quantity": int(row["quantity"]),
                "unit_price_cents": 1000,
                "category": "Books",
                "order_date": day.get(row["order_id"]),
            }
            for row in OLD.rows("order_items")
        ],
        "products": [
            {"product_id": "p1", "category": "Books", "name": "A thing", "price_cents": 999}
        ],
    }
    for name, found in rows.items():  # nor was there an index
        schema = older(SCHEMAS[name])
        table = facts._catalog.create_table(
            f"{facts._database}.{name}",
            schema=schema,
            partition_spec=PARTITIONS[name],
            properties=PROPERTIES,
        )
        stated = [{**row, **where, "source_line": n} for n, row in enumerate(found, start=2)]
        table.append(pa.Table.from_pylist(stated, schema=schema.as_arrow()))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    workbench = local_workbench(tmp_path)
    make_older_tables(workbench)
    return workbench


def goes_on(bench: Workbench) -> None:
    """A batch of today on top, and a rebuild of all days, give what the model says."""
    model = NEW.told_to(OLD.told_to(ShopModel()))
    told = bench.transform(NEW)
    assert told["guests"] == 1
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="t"), bench.ports)
    bench.assert_equals(model)


def test_a_batch_of_today_goes_on_from_older_tables(bench: Workbench) -> None:
    goes_on(bench)
    amounts = {row["order_id"]: row["line_amount_cents"] for row in bench.facts()["order_items"]}
    assert (amounts["9"], amounts["1"]) == (2000, None), "what is rewritten gets its amount"


@pytest.mark.spark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", [thorough(pytest.param("spark")), "duckdb"])
def test_so_does_spark(new_stores: NewStores, engine: EngineName) -> None:
    process: Callable[[EngineName], Workbench] = new_stores()
    bench = process(engine)
    make_older_tables(bench)
    goes_on(bench)


def test_the_tables_get_their_columns_without_a_snapshot(bench: Workbench) -> None:
    facts = FactsCatalog(bench.ports.facts._catalog, "ecommerce")
    before = {name: facts._catalog.load_table(f"ecommerce.{name}") for name in KINDS}
    assert lacks_columns("order_items", before["order_items"])
    heads = facts.load(0)
    assert {name: heads[name] for name in KINDS} == {
        name: table.current_snapshot().snapshot_id for name, table in before.items()
    }
    assert not any(lacks_columns(name, facts.table(name)) for name in SCHEMAS)
    loaded = facts.table("order_items").metadata_location
    assert FactsCatalog(facts._catalog, "ecommerce").load(0) == facts.load(0)
    assert facts._catalog.load_table("ecommerce.order_items").metadata_location == loaded


def test_whoever_only_reads_sees_older_tables_whole(bench: Workbench) -> None:
    facts = reading.ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    heads = facts.load(-1)
    days = reading.days_with_facts(facts, heads)
    found = reading.kpis_at(DuckDBEngine(facts), heads, days)
    model = OLD.told_to(ShopModel())
    by_day = sorted(
        (kpi.item() for kpi in found if hasattr(kpi, "guests")), key=itemgetter("order_date")
    )
    assert by_day == model.order_kpis()
    revenue = sum(kpi.item()["daily_revenue"] for kpi in found if not hasattr(kpi, "guests"))
    assert revenue == Decimal("40.00")


def test_older_rows_can_be_rewritten(bench: Workbench) -> None:
    """As a compaction and an erasure do, file by file."""
    bench.ports.facts.load(0)
    table = bench.ports.facts.table("order_items")
    files = data_files(table, table.current_snapshot().snapshot_id)  # type: ignore[union-attr]
    rows = rows_in(table, files)
    assert rows.num_rows
    assert rows.column_names == [field.name for field in SCHEMAS["order_items"].fields]
    maintain_facts(MaintainFacts(request_id="upkeep-1", requested_by="t"), bench.ports)
    goes_on(bench)


@pytest.mark.parametrize("lacking", [(0,), (0, 1)])
def test_staged_files_without_the_later_columns_are_read(
    tmp_path: Path, lacking: tuple[int, ...]
) -> None:
    bench = local_workbench(tmp_path)
    batch = Batch(
        [
            ("order_items", [line("1", quantity=3)]),
            ("order_items", [line("1", "p2", line_amount="1.00" if lacking == (0,) else "")]),
            ("orders", [order("1")]),
        ]
    )
    command = bench.stage(batch)
    inputs = bench.ports.inputs
    assert isinstance(inputs, LocalInputs)
    for index in lacking:
        path = inputs._path(batch.batch_id, index)
        staged = pq.read_table(path)
        pq.write_table(staged.drop_columns(sorted(LATER & set(staged.column_names))), path)
    assert transform_batch(command, bench.ports)["outcome"] == "PUBLISHED"
    bench.assert_equals(batch.told_to(ShopModel()))
