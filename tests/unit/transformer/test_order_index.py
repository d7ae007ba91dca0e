"""The index of orders by day: batches find by it where orders stood, and it never decides more."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from contracts.errors import PipelineError
from contracts.messages import RebuildKpis
from services.transformer.batch.transform import transform_batch
from services.transformer.engines import duckdb_engine
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.data_files import data_files, write_data_files
from services.transformer.facts.order_index import IndexOutOfStep, index_faults
from services.transformer.facts.tables import INDEX, ORDER_HASH, SCHEMAS
from services.transformer.maintenance.rebuild import rebuild_kpis
from tests.model import ShopModel
from tests.support.examples import examples, some
from tests.support.mortality import Process, ProcessDied
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order
from tests.unit.transformer.shops import shops

pytestmark = pytest.mark.medium

MONDAY, TUESDAY, FRIDAY = "2025-07-07", "2025-07-08", "2025-07-11"
FIRST = a_batch([order("1"), order("2", TUESDAY)], [line("1"), line("2"), line("3")])
SECOND = a_batch([order("1", FRIDAY), order("3", TUESDAY)], [line("2", quantity=5)])
REBUILD = RebuildKpis(request_id="rebuild-1", requested_by="t", index=True)
HASHES = pytest.mark.parametrize("order_hash", ["cast(0 as bigint)", "length({})"])


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def entries(bench: Workbench) -> dict[date, int]:
    """Orders by day, as the index counts them."""
    counted: dict[date, int] = {}
    for entry in bench.facts()[INDEX]:
        counted[entry["order_date"]] = counted.get(entry["order_date"], 0) + entry["change"]
    return counted


def faults(bench: Workbench) -> int:
    ports = bench.restarted().ports
    heads = ports.facts.load(-1)
    return index_faults(ports.engine_of("duckdb"), heads)


def days_read(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Of each batch from now on, the days on which its orders are looked for."""
    seen: list[set[str]] = []
    load = duckdb_engine.DuckDBSession.load

    def noted(session: Any, relation: str, table: str, columns: Any, rows: Any, at: int) -> None:
        if relation == "current_orders":
            seen.append({day.isoformat() for day in rows.reach})
        load(session, relation, table, columns, rows, at)

    monkeypatch.setattr(duckdb_engine.DuckDBSession, "load", noted)
    return seen


def commit_to_the_index(bench: Workbench, rows: Sequence[tuple[int, date, int]] = ()) -> None:
    """Somebody else's snapshot on the published index: of these rows and no others."""
    table = bench.ports.facts._catalog.load_table(f"ecommerce.{INDEX}")
    schema = SCHEMAS[INDEX].as_arrow()
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as update:
        for file in data_files(table, table.current_snapshot().snapshot_id):
            update.delete_data_file(file)
        found = [dict(zip(schema.names, row, strict=True)) for row in rows]
        for file in write_data_files(table, pa.Table.from_pylist(found, schema=schema)):
            update.append_data_file(file)
    head = bench.ports.facts._catalog.load_table(f"ecommerce.{INDEX}").current_snapshot()
    state = bench.state()
    heads = {**(state.heads or {}), INDEX: head.snapshot_id}
    bench.ports.store._tables["TransformerState"] = {  # type: ignore[attr-defined]
        key: replace(state, heads=heads).to_item()
        for key in bench.ports.store._tables["TransformerState"]  # type: ignore[attr-defined]
    }


def test_an_order_stands_in_the_index_on_its_day_and_moves_with_it(bench: Workbench) -> None:
    bench.transform(FIRST)
    assert entries(bench) == {date(2025, 7, 7): 1, date(2025, 7, 8): 1}
    bench.transform(SECOND)
    assert entries(bench) == {date(2025, 7, 8): 2, date(2025, 7, 11): 1}
    assert faults(bench) == 0


def test_a_late_order_makes_a_batch_read_its_day_and_no_other(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The days between the oldest and the newest id are of no concern."""
    bench.transform(a_batch([order(str(n), f"2025-06-{n:02}") for n in range(1, 31)]))
    read = days_read(monkeypatch)
    bench.transform(a_batch([order("1", MONDAY), order("x", MONDAY)], [line("30")]))
    assert read == [{"2025-06-01", "2025-06-30"}]


def test_the_index_is_appended_to_and_its_small_files_become_one(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_engine, "BATCH_RATIO", 3)
    files = []
    for n in range(6):
        bench.transform(a_batch([order(str(n))]))
        table = bench.ports.facts.table(INDEX)
        files.append(len(data_files(table, table.current_snapshot().snapshot_id)))  # type: ignore[union-attr]
    assert files == [1, 2, 3, 1, 2, 3]
    assert entries(bench) == {date(2025, 7, 7): 6}
    assert faults(bench) == 0


@HASHES
def test_orders_with_equal_hashes_widen_what_is_read_and_change_nothing_else(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, order_hash: str
) -> None:
    monkeypatch.setitem(ORDER_HASH, "duckdb", order_hash)
    model = ShopModel()
    bench.transform(FIRST)
    FIRST.told_to(model)
    stamps = {item["order_date"]: item for item in bench.ports.store.scan("OrderKPIs")}
    read = days_read(monkeypatch)
    late = a_batch([order("9", FRIDAY)])
    told = bench.transform(late)
    assert read == [{MONDAY, TUESDAY}]
    assert told["affected_days"] == [FRIDAY]
    assert told["published"] == {"order_kpis": 1, "category_kpis": 0, "deleted": 0}
    after = {item["order_date"]: item for item in bench.ports.store.scan("OrderKPIs")}
    assert {day: after[day] for day in stamps} == stamps
    bench.assert_equals(late.told_to(model))
    bench.transform(SECOND)
    bench.assert_equals(SECOND.told_to(model))
    assert faults(bench) == 0


@pytest.mark.slow
@HASHES
@settings(
    derandomize=True,
    max_examples=examples(10),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(shop=shops)
def test_random_shops_with_equal_hashes_equal_the_model(
    tmp_path_factory: pytest.TempPathFactory, order_hash: str, shop: list[Batch]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(ORDER_HASH, "duckdb", order_hash)
        bench, model = local_workbench(tmp_path_factory.mktemp("shop")), ShopModel()
        for batch in shop:
            bench.transform(batch)
            bench.assert_equals(batch.told_to(model))
        assert faults(bench) == 0


def another_hash(bench: Workbench) -> None:
    commit_to_the_index(bench, [(7, date(2025, 7, 7), 1)])


@pytest.mark.parametrize("loses", [commit_to_the_index, another_hash])
def test_an_index_that_counts_other_orders_is_made_anew_by_the_next_batch(
    bench: Workbench, loses: Callable[[Workbench], None]
) -> None:
    """As one that was never made, on facts that are older than it."""
    bench.transform(FIRST)
    loses(bench)
    assert faults(bench) > 0
    after = bench.restarted()
    after.transform(SECOND)
    after.assert_equals(SECOND.told_to(FIRST.told_to(ShopModel())))
    assert entries(after) == {date(2025, 7, 8): 2, date(2025, 7, 11): 1}
    assert faults(after) == 0


@pytest.mark.parametrize("call", some(range(1, 18)))
def test_a_batch_that_dies_while_it_makes_the_index_is_followed_by_another(
    bench: Workbench, call: int
) -> None:
    bench.transform(FIRST)
    commit_to_the_index(bench)
    command = bench.stage(SECOND)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=call)).ports)
    after = bench.restarted()
    transform_batch(command, after.ports)
    after.assert_equals(SECOND.told_to(FIRST.told_to(ShopModel())))
    assert faults(after) == 0


def test_an_index_that_stays_out_of_step_fails_the_batch(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transform(FIRST)
    total_rows = FactsCatalog.total_rows
    monkeypatch.setattr(
        duckdb_engine.DuckDBSession,
        "total_rows",
        lambda session, table, at: total_rows(session._facts, {table: at})[table] + 1,
    )
    with pytest.raises(IndexOutOfStep, match="counts 2 orders where 3 stand"):
        bench.transform(SECOND)
    assert issubclass(IndexOutOfStep, PipelineError)


@pytest.mark.parametrize("wrong", [[], [(7, date(2025, 7, 7), 1), (8, date(2025, 7, 8), 1)]])
def test_a_rebuild_of_the_index_says_what_was_wrong_and_sets_it_right(
    bench: Workbench, wrong: Sequence[tuple[int, date, int]]
) -> None:
    """The second counts as many orders, on their days, and knows none of them."""
    bench.transform(FIRST)
    commit_to_the_index(bench, wrong)
    before = bench.order_kpis()
    rebuild_kpis(REBUILD, bench.restarted().ports)
    told = bench.ports.store.read("transformation/rebuild-1")[-1].data
    assert told.index_faults == 2 + len(wrong)
    assert faults(bench) == 0
    assert bench.order_kpis() == before
    after = bench.restarted()
    after.transform(SECOND)
    after.assert_equals(SECOND.told_to(FIRST.told_to(ShopModel())))


def test_a_rebuild_that_is_not_asked_to_leaves_the_index_alone(bench: Workbench) -> None:
    bench.transform(FIRST)
    heads = bench.state().heads
    rebuild_kpis(REBUILD.model_copy(update={"index": False}), bench.restarted().ports)
    assert bench.state().heads == heads
    assert bench.ports.store.read("transformation/rebuild-1")[-1].data.index_faults is None
