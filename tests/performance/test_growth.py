"""A batch of a thousand orders on histories that grow, beside the same batch on empty tables.

In seconds of CPU, so that others on the machine do not count. BENCH_HISTORY sets how many orders
the history, and the one large day, hold; BENCH_BATCHES how many small batches follow each other.
"""

import os
import statistics
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest

from contracts.messages import TransformBatch
from services.transformer.batch.merge_plan import KPI_COLUMNS
from services.transformer.batch.transform import warm_up
from services.transformer.engines.port import sql_for
from services.transformer.facts.data_files import data_files
from tests.performance.figures import Figure, cpu_of, figure, keep
from tests.performance.generated_shop import FIRST_DAY, RANDOM, Shop
from tests.performance.staged_batches import Staged, put, transform
from tests.support.transforming import Workbench, local_workbench

pytestmark = [pytest.mark.performance, pytest.mark.timeout(3600)]
HISTORY = int(os.environ.get("BENCH_HISTORY", "50000"))
BATCHES = int(os.environ.get("BENCH_BATCHES", "60"))
BATCH = 1_000
SMALL_BATCH = 20
AROUND = 10
"""Of so many small batches the median is taken."""
DAYS = 730
TODAY = FIRST_DAY + timedelta(days=DAYS)
REPETITIONS = 3
EMPTY = "the same on empty tables"
LARGE_DAY = "a day that holds as many"

GROWN = {
    "random ids": (Shop(HISTORY, id=RANDOM, days=DAYS), Shop(BATCH, HISTORY, RANDOM, TODAY), 1.3),
    "sequential ids": (Shop(HISTORY, days=DAYS), Shop(BATCH, HISTORY, first_day=TODAY), 1.3),
    "one late order": (
        Shop(HISTORY, days=DAYS),
        Shop(BATCH, HISTORY, first_day=TODAY, also=7),
        1.3,
    ),
    LARGE_DAY: (
        Shop(HISTORY, id=RANDOM, first_day=TODAY),
        Shop(BATCH, HISTORY, RANDOM, TODAY),
        2.5,
    ),
}


def test_a_batch_on_histories_that_grow(tmp_path: Path) -> None:
    figures: list[Figure] = []
    for name, (history, batch, at_most) in GROWN.items():
        folder = tmp_path / name.replace(" ", "-")
        full, empty = local_workbench(folder / "full"), local_workbench(folder / "empty")
        transform(full, put(full, history.staged(folder / "history")))
        files = batch.staged(folder / "batch")
        seconds: dict[str, list[float]] = {"full": [], "empty": []}
        for repetition in range(REPETITIONS + 1):
            for which, bench in (("full", full), ("empty", empty)):
                used = cpu_of_batch(bench.forked(), files)
                if repetition:
                    seconds[which].append(used)
        what = f"{BATCH:,} orders on {HISTORY:,}: {name}"
        figures.append(figure(what, seconds["full"], EMPTY, seconds["empty"], at_most=at_most))
        if name == LARGE_DAY:
            floor = [cpu_of(partial(bare_kpis, full)) for _ in range(REPETITIONS + 1)][1:]
            figures.append(figure("the bare KPI SQL over that day", floor, EMPTY, seconds["empty"]))
            both = [sum(each) for each in zip(floor, seconds["empty"], strict=True)]
            figures.append(figure(what, seconds["full"], f"that and {EMPTY}", both))
    keep("growth", figures, history_orders=HISTORY, batch_orders=BATCH, history_days=DAYS)


def bare_kpis(bench: Workbench) -> None:
    """The KPI statements over the columns that they need of all facts, by DuckDB and no more."""
    facts, heads = bench.ports.facts, bench.state().heads or {}
    with duckdb.connect(":memory:") as database:
        for table, columns in KPI_COLUMNS.items():
            files = data_files(facts.table(table), heads[table])
            paths = [file.file_path.removeprefix("file://") for file in files]
            lying = database.read_parquet(paths).select(*columns)
            database.execute(f"create temp view kpi_{table} as {lying.sql_query()}")
        for kpis in ("order_kpis", "category_kpis"):
            database.execute(sql_for("duckdb", kpis)).fetchall()


def test_small_batches_one_after_the_other(tmp_path: Path) -> None:
    """Each of a day of its own, so that what grows is their number alone."""
    bench = local_workbench(tmp_path / "bench")
    seconds = []
    for number in range(BATCHES):
        day = FIRST_DAY + timedelta(days=number)
        shop = Shop(SMALL_BATCH, number * SMALL_BATCH, RANDOM, day)
        seconds.append(cpu_of_batch(bench, shop.staged(tmp_path / str(number))))
    early = BATCHES // 6
    ours = seconds[-AROUND:]
    reference = seconds[early : early + AROUND]
    what = f"the last of {BATCHES:,} small batches"
    ratio = round(statistics.median(ours) / statistics.median(reference), 3)
    against = f"the {early}th"
    last, first = (round(statistics.median(each), 4) for each in (ours, reference))
    keep(
        "many_batches",
        [Figure(what, last, against, first, ratio, at_most=1.15)],
        batches=BATCHES,
        batch_orders=SMALL_BATCH,
    )


def cpu_of_batch(bench: Workbench, files: Staged) -> float:
    """Seconds of CPU from the command to published KPIs; staging and loading do not count."""
    warm_up(bench.ports)
    command: TransformBatch = put(bench, files)
    return cpu_of(lambda: transform(bench, command))
