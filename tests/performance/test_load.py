"""How long a small batch takes on the local cloud, and how much of it is the saga; by `make bench`.

Figures, not verdicts: nothing here fails for being slow.
"""

import statistics
import time

import pytest
from rich.console import Console
from rich.table import Table

from infra.local import cloud as local_cloud
from tests.performance.figures import keep, within
from tests.support.pipeline import OPEN, Pipeline
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.performance
BATCHES = 20
ORDERS_PER_BATCH = 100
UPLOAD_TO_COMPLETED_SECONDS = 2.0
SAGA_SECONDS = 1.0


def test_small_batch_from_upload_to_completed(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("cloud")
    running = local_cloud.up(directory, port=0, settings={"TRANSFORM_ENGINE": "duckdb"})
    try:
        pipeline = Pipeline(running.environment())
        timings = [one_batch(pipeline, number) for number in range(BATCHES)]
    finally:
        local_cloud.down(directory, keep=False)
    report(timings)
    total = statistics.median(timing["upload to COMPLETED"] for timing in timings)
    rest = statistics.median(timing["of it not transform"] for timing in timings)
    figures = [
        within("upload to COMPLETED, p50", total, UPLOAD_TO_COMPLETED_SECONDS, "s"),
        within("of it all but the transform, p50", rest, SAGA_SECONDS, "s"),
    ]
    keep("small_batch", figures, batches=BATCHES, orders_per_batch=ORDERS_PER_BATCH)


def one_batch(pipeline: Pipeline, number: int) -> dict[str, float]:
    """Seconds from the first upload to COMPLETED, and of these in the transformer and elsewhere."""
    started = time.perf_counter()
    pipeline.upload_set(f"bench{number}", small_set(number))
    while True:
        batches = pipeline.batches()
        if len(batches) == number + 1 and batches[-1]["status"] not in OPEN:
            break
        time.sleep(0.01)
    total = time.perf_counter() - started
    assert batches[-1]["status"] == "COMPLETED", batches[-1]
    transform = pipeline.result(batches[-1]["batch_id"])["duration_seconds"]
    return {
        "upload to COMPLETED": total,
        "of it transform": float(transform),
        "of it not transform": total - float(transform),
    }


def small_set(number: int) -> dict[str, str]:
    orders = [
        an_order(f"{number}-{n}", f"u{n}", f"2025-07-{1 + n % 28:02}", "10.00")
        for n in range(ORDERS_PER_BATCH)
    ]
    items = [an_item(f"{number}-{n}", f"p{n % 10}") for n in range(ORDERS_PER_BATCH)]
    products = [a_product(f"p{n}", f"Category {n % 6}") for n in range(10)]
    return {
        f"orders/{number}.csv": orders_csv(*orders),
        f"order_items/{number}.csv": items_csv(*items),
        f"products/{number}.csv": products_csv(*products),
    }


def report(timings: list[dict[str, float]]) -> None:
    """Print p50, p90 and the worst of each figure."""
    table = Table(title=f"{BATCHES} batches of {ORDERS_PER_BATCH} orders, DuckDB, local cloud")
    for column in ("seconds", "p50", "p90", "max"):
        table.add_column(column)
    for figure in timings[0]:
        values = sorted(timing[figure] for timing in timings)
        p50, p90 = statistics.median(values), values[int(0.9 * len(values))]
        table.add_row(figure, f"{p50:.2f}", f"{p90:.2f}", f"{values[-1]:.2f}")
    Console().print(table)
