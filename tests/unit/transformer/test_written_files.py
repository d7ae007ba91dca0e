"""Which data files a batch writes: of days where something is replaced all, of others new ones."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from services.transformer.engines import duckdb_engine
from services.transformer.facts.data_files import data_files, partition_of
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

pytestmark = pytest.mark.batches

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
def test_a_day_is_written_again_only_where_a_row_of_it_changes(
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


def test_small_files_of_a_day_become_one_once_they_are_many(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_engine, "MANY_SMALL_FILES", 3)
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
    monkeypatch.setattr(duckdb_engine, "MANY_SMALL_FILES", 1)
    monkeypatch.setattr(duckdb_engine, "SMALL_FILE_ROWS", 1)
    before = files_of(bench)
    bench.transform(NEW)
    assert rewritten(before, files_of(bench)) == {"orders": set(), "order_items": set()}


@pytest.mark.slow
@settings(
    derandomize=True,
    max_examples=examples(20),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(shop=shops)
def test_random_shops_whose_small_files_are_merged_all_the_time_equal_the_model(
    tmp_path_factory: pytest.TempPathFactory, shop: list[Batch]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(duckdb_engine, "MANY_SMALL_FILES", 2)
        bench, model = local_workbench(tmp_path_factory.mktemp("shop")), ShopModel()
        for batch in shop:
            bench.transform(batch)
            bench.assert_equals(batch.told_to(model))
        assert len(bench.facts()["orders"]) == len(model.orders)
        assert len(bench.facts()["order_items"]) == sum(map(len, model.lines.values()))
