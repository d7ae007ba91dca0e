"""Which data files a batch writes: those that lose a row anew, and new ones for what comes."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from contracts.errors import PipelineError
from services.transformer.engines import duckdb_engine
from services.transformer.engines.port import BranchWrite
from services.transformer.facts import compaction, tables
from services.transformer.facts import data_files as facts_files
from services.transformer.facts.data_files import data_files, partition_of
from services.transformer.facts.tables import OfOrders
from tests.model import ShopModel
from tests.support.examples import examples
from tests.support.transforming import (
    Batch,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)
from tests.unit.transformer.shops import shops

pytestmark = pytest.mark.medium

MONDAY, TUESDAY, FRIDAY = "2025-07-07", "2025-07-08", "2025-07-11"
FIRST = a_batch(
    [order("1"), order("2", TUESDAY, total_extra="0"), order("3", FRIDAY)],
    [line("1"), line("2", "p2"), line("3"), line("9")],
    [product()],
)
Files = Mapping[str, Mapping[str, str]]
"""The day of each file by its path, by table; the lines that wait are of the day None."""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    workbench = local_workbench(tmp_path)
    workbench.transform(FIRST)
    return workbench


def files_of(bench: Workbench) -> dict[str, dict[str, str]]:
    facts = bench.ports.facts
    heads = bench.state().heads or {}
    return {
        name: {
            file.file_path: str(partition_of(file))
            for file in data_files(facts.table(name), heads[name])
        }
        for name in ("orders", "order_items")
    }


def rewritten(before: Files, after: Files) -> dict[str, set[str]]:
    """Days that lost a file."""
    gone = {name: before[name].keys() - after[name] for name in before}
    return {name: {before[name][path] for path in paths} for name, paths in gone.items()}


def added(before: Files, after: Files) -> dict[str, list[str]]:
    new = {name: after[name].keys() - before[name] for name in before}
    return {name: sorted(after[name][path] for path in paths) for name, paths in new.items()}


NEW = a_batch([order("4"), order("5", TUESDAY)], [line("4"), line("5"), line("8")])
REPLACED = a_batch([order("1", total_amount="9.99"), order("4", FRIDAY)], [line("4")])
MOVED = a_batch([order("1", FRIDAY)])
RETOTALLED = a_batch([], [line("2", "p1")])
RECATEGORISED = a_batch([], [], [product("p2")])
NO_LONGER_WAITING = a_batch([order("9", FRIDAY)])


@pytest.mark.parametrize(
    ("batch", "orders_of", "lines_of", "new_orders", "new_lines"),
    [
        pytest.param(NEW, [], [], [MONDAY, TUESDAY], [MONDAY, TUESDAY, "None"], id="new"),
        pytest.param(REPLACED, [MONDAY], [], [MONDAY, FRIDAY], [FRIDAY], id="replaced"),
        pytest.param(MOVED, [MONDAY], [MONDAY], [FRIDAY], [FRIDAY], id="moved"),
        pytest.param(RETOTALLED, [TUESDAY], [], [TUESDAY], [TUESDAY], id="total follows lines"),
        pytest.param(RECATEGORISED, [], [TUESDAY], [], [TUESDAY], id="recategorised"),
        pytest.param(NO_LONGER_WAITING, [], ["None"], [FRIDAY], [FRIDAY], id="no longer waiting"),
    ],
)
def test_a_file_is_written_again_only_where_a_row_of_it_changes(
    bench: Workbench,
    batch: Batch,
    orders_of: list[str],
    lines_of: list[str],
    new_orders: list[str],
    new_lines: list[str],
) -> None:
    before = files_of(bench)
    bench.transform(batch)
    after = files_of(bench)
    assert rewritten(before, after) == {"orders": set(orders_of), "order_items": set(lines_of)}
    assert added(before, after) == {"orders": new_orders, "order_items": new_lines}
    bench.assert_equals(batch.told_to(FIRST.told_to(ShopModel())))


def test_a_batch_makes_small_files_one_when_no_turn_was_to_be_had(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_engine, "BATCH_RATIO", 3)
    model, counts = FIRST.told_to(ShopModel()), []
    for number in range(10, 15):
        batch = a_batch([order(str(number))], [line(str(number))])
        bench.transform(batch)
        bench.assert_equals(batch.told_to(model))
        files = files_of(bench)
        counts.append([list(files[name].values()).count(MONDAY) for name in files])
    assert counts == [[2, 2], [3, 3], [1, 1], [2, 2], [3, 3]]
    assert list(files_of(bench)["orders"].values()).count(FRIDAY) == 1


def test_files_that_are_not_small_are_left(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_engine, "BATCH_RATIO", 1)
    monkeypatch.setattr(compaction, "TIERS", (0.0,))
    before = files_of(bench)
    bench.transform(NEW)
    assert rewritten(before, files_of(bench)) == {"orders": set(), "order_items": set()}


IDS = [str(number) for number in range(10, 18)]
FULL_DAY = a_batch(
    [order(each) for each in reversed(IDS)],
    [line(each, f"p{each}") for each in reversed(IDS)]
    + [line(f"w{each}", f"q{each}") for each in reversed(IDS)],
)
"""Of files of two rows: four of orders, four of lines, and four of lines that wait."""


@pytest.fixture
def full_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(tables, "FILE_ROWS", 2)
    workbench = local_workbench(tmp_path)
    workbench.transform(FULL_DAY)
    return workbench


def ids_by_path(bench: Workbench) -> dict[str, list[str]]:
    return {
        path: pq.read_table(path.removeprefix("file://"), partitioning=None)["order_id"].to_pylist()
        for paths in files_of(bench).values()
        for path in paths
    }


def test_files_are_sorted_by_order_id_and_hold_no_more_rows_than_they_may(
    full_day: Workbench,
) -> None:
    pairs = [["10", "11"], ["12", "13"], ["14", "15"], ["16", "17"]]
    waiting = [[f"w{each}" for each in pair] for pair in pairs]
    assert sorted(ids_by_path(full_day).values()) == sorted([*pairs, *pairs, *waiting])


def test_files_hold_no_more_bytes_than_they_may(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_files, "FILE_BYTES", 1_000)
    before = ids_by_path(bench)
    long = [f"{number}{'x' * 90}" for number in range(10, 50)]
    bench.transform(a_batch([order(each) for each in long]))
    new = [ids for path, ids in ids_by_path(bench).items() if path not in before]
    assert sorted(each for ids in new for each in ids) == long
    assert max(map(len, new)) <= 5


@pytest.mark.parametrize(
    ("batch", "gone"),
    [
        pytest.param(
            a_batch([order("13", total_amount="9.99")]), [["12", "13"]], id="an order is replaced"
        ),
        pytest.param(a_batch([], [line("13", "p13", 5)]), [["12", "13"]], id="a line is replaced"),
        pytest.param(
            a_batch([order("13", FRIDAY)]), [["12", "13"], ["12", "13"]], id="an order moves"
        ),
        pytest.param(
            a_batch([], [], [product("p13")]), [["12", "13"]], id="a line takes a category"
        ),
        pytest.param(
            a_batch([], [], [product("q13")]), [["w12", "w13"]], id="a waiting line takes one"
        ),
        pytest.param(a_batch([order("w13")]), [["w12", "w13"]], id="a line no longer waits"),
        pytest.param(
            a_batch([order("135"), order("9")], [line("135"), line("w135")]), [], id="all is new"
        ),
    ],
)
def test_of_a_day_of_several_files_those_are_written_again_that_lose_a_row(
    full_day: Workbench, batch: Batch, gone: list[list[str]]
) -> None:
    before = ids_by_path(full_day)
    full_day.transform(batch)
    after = ids_by_path(full_day)
    assert sorted(ids for path, ids in before.items() if path not in after) == gone
    assert all(len(ids) <= 2 and ids == sorted(ids) for ids in after.values())
    full_day.assert_equals(batch.told_to(FULL_DAY.told_to(ShopModel())))


def test_statistics_choose_the_files_of_a_day_in_which_an_order_may_stand(
    full_day: Workbench,
) -> None:
    facts, monday = full_day.ports.facts, date(2025, 7, 7)
    head = (full_day.state().heads or {})["orders"]

    def chosen(*reach: str, day: date = monday) -> list[list[str]]:
        files = data_files(
            facts.table("orders"), head, OfOrders("any", {day: (reach[0], reach[1])})
        )
        ids = ids_by_path(full_day)
        return sorted(ids[file.file_path] for file in files)

    assert chosen("13", "13") == [["12", "13"]]
    assert chosen("131", "139") == []
    assert chosen("13", "14") == [["12", "13"], ["14", "15"]]
    assert chosen("13", "14", day=date(2025, 7, 8)) == []


def test_a_batch_whose_rewritten_files_lose_other_rows_is_not_published(
    full_day: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql_for, heads = duckdb_engine.sql_for, full_day.state().heads

    def losing(engine: str, relation: str) -> str:
        of_all = "select * from coming_orders"
        return of_all if relation == "written_orders" else sql_for("duckdb", relation)

    monkeypatch.setattr(duckdb_engine, "sql_for", losing)
    with pytest.raises(PipelineError, match="orders would hold 7 rows, expected 8"):
        full_day.transform(a_batch([order("13", total_amount="9.99")]))
    assert full_day.restarted().state().heads == heads


def test_a_file_that_is_to_be_replaced_and_is_not_there_fails_the_write(bench: Workbench) -> None:
    facts = bench.ports.facts
    heads = facts.load(bench.state().epoch)
    facts.fence(heads, 99, "another")
    with bench.ports.engine_of("duckdb").session() as session:
        columns, head = tables.SCHEMAS["orders"].column_names, heads["orders"]
        session.load("none", "orders", columns, tables.NOTHING, head)
        write = BranchWrite("orders", "none", frozenset(["file:///elsewhere.parquet"]))
        with pytest.raises(PipelineError, match="orders has lost a file"):
            session.write([write], 99, {})


@pytest.mark.slow
@settings(
    derandomize=True,
    max_examples=examples(20),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(shop=shops)
def test_random_shops_of_files_of_two_rows_merged_all_the_time_equal_the_model(
    tmp_path_factory: pytest.TempPathFactory, shop: list[Batch]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(duckdb_engine, "BATCH_RATIO", 2)
        patched.setattr(compaction, "TIERS", (1.5,))
        patched.setattr(tables, "FILE_ROWS", 2)
        bench, model = local_workbench(tmp_path_factory.mktemp("shop")), ShopModel()
        for batch in shop:
            bench.transform(batch)
            bench.assert_equals(batch.told_to(model))
        assert len(bench.facts()["orders"]) == len(model.orders)
        assert len(bench.facts()["order_items"]) == sum(map(len, model.lines.values()))
