"""Staged Parquet to published KPIs, beside the bare KPI SQL on the same files and engine."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from services.transformer.batch.transform import warm_up
from services.transformer.engines.port import sql_of
from services.transformer.settings import Settings
from tests.performance.figures import (
    LINES_PER_ORDER,
    ORDERS,
    REPETITIONS,
    figure,
    interleaved,
    keep,
)
from tests.performance.shop_files import write_shop
from tests.performance.staged_batches import (
    BARE_LINES,
    BARE_ORDERS,
    Staged,
    bare_kpis,
    icebergs_share,
    put,
    staged,
    transform,
)
from tests.support.transformer_cloud import make_buckets, make_stores, workbench_on
from tests.support.transforming import Workbench, local_workbench

pytestmark = [pytest.mark.performance, pytest.mark.timeout(3600)]
HISTORY_DAYS = 730
HISTORY_BATCHES = 5
"""How many times the batch's rows the history holds: 20 million with a million orders."""
FIRST_DAY = date(2023, 7, 1)


def test_duckdb_beside_the_bare_sql(tmp_path: Path) -> None:
    parquet = staged(write_shop(tmp_path / "csv", ORDERS), tmp_path / "parquet")
    assert_equal_kpis(parquet, tmp_path)
    numbers = count()
    iceberg: list[float] = []

    def ours() -> float:
        workbench = local_workbench(tmp_path / f"w{next(numbers)}")
        return timed(workbench, parquet, iceberg)

    seconds = side_by_side({"ours": ours, "bare": lambda: clocked(bare_kpis, parquet)})
    commits = iceberg[-REPETITIONS:]
    composed = [total - share for total, share in zip(seconds["ours"], commits, strict=True)]
    bare = seconds["bare"]
    figures = [
        figure("transform, DuckDB, without the Iceberg commits", composed, BARE, bare, at_most=2.0),
        figure("transform, DuckDB, in all", seconds["ours"], BARE, bare),
        figure("of it the Iceberg commits", commits, "in all", seconds["ours"]),
    ]
    keep("transform", figures, orders=ORDERS, order_items=LINES_PER_ORDER * ORDERS)


def test_a_batch_on_two_years_of_history_beside_empty_tables(tmp_path: Path) -> None:
    """Each batch is of two days: the last of the history, which it adds to, and the next."""
    history = max(HISTORY_BATCHES * ORDERS, 20 * HISTORY_DAYS)
    old = write_shop(tmp_path / "old", history, first_day=FIRST_DAY, days=HISTORY_DAYS)
    full, empty = local_workbench(tmp_path / "full"), local_workbench(tmp_path / "empty")
    told = transform(full, put(full, staged(old, tmp_path / "staged old")))
    assert len(told["affected_days"]) == HISTORY_DAYS
    sizes = {"a batch": (ORDERS, 1.3), "a batch of a tenth": (max(ORDERS // 10, 100), None)}
    figures = []
    for what, (size, at_most) in sizes.items():
        batch = a_batch_after(history, size, tmp_path / what)
        on_full, on_empty = on_each_fork(full, empty, batch)
        name, against = f"{what} on 2 years of history", "the same on empty tables"
        figures.append(figure(name, on_full, against, on_empty, at_most=at_most))
    keep(
        "history",
        figures,
        batch_orders=ORDERS,
        history_orders=history,
        history_rows=(1 + LINES_PER_ORDER) * history,
        history_days=HISTORY_DAYS,
    )


def on_each_fork(
    full: Workbench, empty: Workbench, batch: Staged
) -> tuple[list[float], list[float]]:
    """Seconds of the batch on copies of both tables, in turn."""
    ways = {
        "full": lambda: timed(full.forked(), batch),
        "empty": lambda: timed(empty.forked(), batch),
    }
    seconds = side_by_side(ways, repetitions=3)
    return seconds["full"], seconds["empty"]


def a_batch_after(history: int, size: int, folder: Path) -> Staged:
    """So many orders that are new, on the history's last day and the day after."""
    files = write_shop(
        folder / "csv",
        size,
        first_id=1_000_001 + history,
        first_day=FIRST_DAY + timedelta(days=HISTORY_DAYS - 1),
        days=2,
        seed=8,
    )
    return staged(files, folder / "staged")


@pytest.mark.spark
def test_spark_beside_the_bare_sql(
    tmp_path: Path, ministack_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warm on both sides, in one session with the memory that the product gives it."""
    parquet = staged(write_shop(tmp_path / "csv", ORDERS), tmp_path / "parquet")
    point_at(ministack_endpoint, monkeypatch)
    make_buckets()
    numbers = count()
    memory_mb = Settings.model_fields["spark_memory_mb"].default
    workbenches: list[Workbench] = []
    iceberg: list[float] = []

    def ours() -> float:
        name = f"bench{next(numbers)}"
        make_stores(name)
        workbenches.append(workbench_on(ministack_endpoint, name, "spark", memory_mb))
        return timed(workbenches[-1], parquet, iceberg)

    def bare() -> float:
        return clocked(bare_kpis_by_spark, parquet)

    seconds = side_by_side({"ours": ours, "bare": bare}, repetitions=3)
    assert len(workbenches[-1].order_kpis()) == len(bare_kpis(parquet)[0])
    commits = iceberg[-len(seconds["ours"]) :]
    composed = [total - share for total, share in zip(seconds["ours"], commits, strict=True)]
    against, bare_seconds = "bare KPI SQL, warm Spark", seconds["bare"]
    figures = [
        figure("transform, Spark", seconds["ours"], against, bare_seconds, at_most=1.3),
        figure("transform, Spark, without the Iceberg commits", composed, against, bare_seconds),
        figure("of it the Iceberg commits", commits, "in all", seconds["ours"]),
    ]
    keep(
        "transform_spark",
        figures,
        orders=ORDERS,
        order_items=LINES_PER_ORDER * ORDERS,
        heap_megabytes=memory_mb,
    )


BARE = "bare KPI SQL, DuckDB"


def side_by_side(
    ways: dict[str, Callable[[], float]], repetitions: int = REPETITIONS
) -> dict[str, list[float]]:
    """As `figures.interleaved`, where each way says itself what counts."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}

    def noted(name: str, way: Callable[[], float]) -> Callable[[], object]:
        return lambda: seconds[name].append(way())

    interleaved({name: noted(name, way) for name, way in ways.items()}, repetitions)
    return {name: measured[-repetitions:] for name, measured in seconds.items()}


def timed(workbench: Workbench, parquet: Staged, iceberg: list[float] | None = None) -> float:
    """Seconds from the command to published KPIs; staging and loading the tables do not count."""
    warm_up(workbench.ports)
    command = put(workbench, parquet)
    with icebergs_share() as share:
        seconds = clocked(transform, workbench, command)
    if iceberg is not None:
        iceberg.append(sum(share))
    return seconds


def clocked(call: Callable[..., object], *arguments: object) -> float:
    """Seconds of one call."""
    started = perf_counter()
    call(*arguments)
    return perf_counter() - started


def assert_equal_kpis(parquet: Staged, folder: Path) -> None:
    """The bare SQL would be no floor if it gave other numbers."""
    orders, categories = bare_kpis(parquet)
    workbench = local_workbench(folder / "checked")
    transform(workbench, put(workbench, parquet))
    ours = {item["order_date"]: item["total_orders"] for item in workbench.order_kpis()}
    assert ours == {str(row[0]): row[1] for row in orders}
    assert len(workbench.category_kpis()) == len(categories)


def bare_kpis_by_spark(parquet: Staged) -> list[Any]:
    """In the session that the engine has started."""
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession()
    assert spark is not None
    relations = {kind: f"parquet.`{path}`" for kind, path in parquet.items()}
    for view in (BARE_ORDERS, BARE_LINES):
        spark.sql(view.format(**relations))
    return [spark.sql(sql_of(name)).collect() for name in ("order_kpis", "category_kpis")]


def point_at(endpoint: str, environment: pytest.MonkeyPatch) -> None:
    """The process's AWS settings, all that pyarrow and Spark read, name the local cloud."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        environment.delenv(name, raising=False)
    for name, value in LOCAL_CREDENTIALS.items():
        environment.setenv(name, value)
    environment.setenv("AWS_ENDPOINT_URL", endpoint)
    environment.setenv("AWS_DEFAULT_REGION", LOCAL_REGION)
    environment.setenv("AWS_REGION", LOCAL_REGION)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
