"""Spark and DuckDB give identical facts and KPIs, which are the model's, on any input."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from contracts.messages import ObjectRef
from services.transformer.engines.port import EngineName
from services.transformer.engines.spark_engine import SparkEngine
from services.transformer.facts.tables import TABLES
from tests.model import ShopModel
from tests.support.examples import examples
from tests.support.transforming import Batch, Workbench, a_batch, line, order, product
from tests.unit.transformer.conftest import NewStores
from tests.unit.transformer.shops import (
    CATEGORIES,
    DAYS,
    ORDER_IDS,
    PRODUCT_IDS,
    an_export,
    batch_of,
    plain,
    shops,
)

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

WORST = [
    a_batch(
        [order(each, DAYS[n % 2]) for n, each in enumerate(ORDER_IDS[:-3])],
        [line(each, PRODUCT_IDS[n % 6], 3, "0.29") for n, each in enumerate(ORDER_IDS)],
        [product(each, CATEGORIES[n]) for n, each in enumerate(PRODUCT_IDS[:4])],
    ),
    Batch(
        [
            ("orders", [order("1", "2025-07-08", status="Returned"), order("😀"), order("é")]),
            ("order_items", [line("1", "p1", 1_000_000, "9999999999.99")] * 3),
            ("products", [product("p1", "🎲"), product("p1", "a\\b")]),
            ("orders", [order("1", "2024-02-29", total_amount="9999999999.99")]),
        ]
    ),
    Batch([("orders", [])], quarantined=2),
    a_batch([order(each, "2025-07-08") for each in ORDER_IDS]),
]
"""Every rule at once: late, corrected, moved, waiting, repeated, unknown, emptied days, nothing."""


WHOLE = [
    batch_of([an_export([order("1", total_extra="0.29"), order("2")], [line("1"), line("2")])]),
    batch_of(
        [
            plain(line("1", "p2", 3, added_to_total="4.95"), line("2", "p2", line_id="a")),
            an_export([order("1", "2025-07-08", total_extra="-0.01")], [line("1", "p1", 2)]),
            an_export([order("2", total_extra="0")], []),
            plain(line("2", "p1", 5, "0.29")),
        ],
        {0: "m", 3: "m"},
    ),
    batch_of([plain(line("1", "p3", added_to_total="1.00"))]),
    a_batch([order("1", "2025-07-08", total_amount="3.00")]),
]
"""Orders stated whole between pairs of a statement of two files, totals that follow lines."""


class BothEngines:
    """The same batches to a transformer of each kind, each on stores of its own."""

    def __init__(self, new_stores: NewStores) -> None:
        self.duckdb = new_stores()("duckdb")
        self.spark = new_stores()("spark")
        self.model = ShopModel()

    def take(self, batch: Batch) -> None:
        by_duckdb, by_spark = self.duckdb.transform(batch), self.spark.transform(batch)
        batch.told_to(self.model)
        assert by_spark["engine"] == "spark"
        assert _said(by_spark) == _said(by_duckdb)
        assert _changed(self.spark, by_spark) == _changed(self.duckdb, by_duckdb)
        assert self.spark.order_kpis() == self.duckdb.order_kpis() == self.model.order_kpis()
        assert self.spark.category_kpis() == self.duckdb.category_kpis()
        assert self.spark.category_kpis() == self.model.category_kpis()
        assert self.spark.kpi_tables() == (self.model.order_kpis(), self.model.category_kpis())
        assert _but_the_time(self.spark.facts()) == _but_the_time(self.duckdb.facts())


def _but_the_time(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the KPI tables say when they were written."""
    return {
        table: [{name: row[name] for name in row if name != "updated_at"} for row in found]
        for table, found in rows.items()
    }


def _said(result: dict[str, Any]) -> dict[str, Any]:
    own = {"engine", "engine_reason", "duration_seconds", "snapshots", "difference"}
    return {name: value for name, value in result.items() if name not in own}


def _changed(bench: Workbench, result: dict[str, Any]) -> dict[str, Any]:
    """What the batch kept of what it changed."""
    found = bench.ports.objects.get_json(ObjectRef(**result["difference"]))
    return {name: value for name, value in found.items() if not name.startswith("snapshots")}


def metadata_of(bench: Workbench) -> dict[str, str]:
    """Where the newest metadata of each table lies."""
    catalog, database = bench.ports.facts._catalog, bench.ports.facts._database
    return {name: catalog.load_table((database, name)).metadata_location for name in TABLES}


def session_of(bench: Workbench) -> Any:
    engine = bench.ports.engine_of("spark")
    assert isinstance(engine, SparkEngine)
    return engine._spark


@pytest.mark.thorough
def test_they_agree_on_every_rule_and_spark_keeps_nothing_of_a_batch(
    new_stores: NewStores,
) -> None:
    """Each batch sees what the ones before it wrote; views and cached rows go with their batch."""
    both = BothEngines(new_stores)
    for batch in WORST:
        both.take(batch)
        spark = session_of(both.spark)
        assert [view.name for view in spark.catalog.listTables()] == []
        assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()


@pytest.mark.thorough
def test_they_agree_on_orders_stated_whole_and_totals_that_follow_lines(
    new_stores: NewStores,
) -> None:
    both = BothEngines(new_stores)
    for batch in WHOLE:
        both.take(batch)


@settings(
    derandomize=True,
    max_examples=examples(2, at_least=1),
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(shops)
def test_they_agree_on_random_shops(new_stores: NewStores, shop: Sequence[Batch]) -> None:
    both = BothEngines(new_stores)
    for batch in shop[:3]:
        both.take(batch)


@pytest.mark.thorough
def test_what_one_engine_wrote_the_other_carries_on(new_stores: NewStores) -> None:
    process: Callable[[EngineName], Workbench] = new_stores()
    engines = {name: process(name) for name in ("duckdb", "spark")}
    model = ShopModel()
    for name, batch in zip(("spark", "duckdb", "spark"), WORST[:2] + WORST[3:], strict=True):
        engines[name].transform(batch)
        batch.told_to(model)
        assert engines[name].order_kpis() == model.order_kpis()
        assert engines[name].category_kpis() == model.category_kpis()
        locations = metadata_of(engines[name])
        assert {t for t, at in locations.items() if at.endswith(".gz.metadata.json")} == {*TABLES}
