"""Batches of millions of rows by DuckDB: time in line with the rows, memory that of the container.

BENCH_LARGE sets how many orders they have, the smallest first.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.declared import Template
from tests.performance.figures import LINES_PER_ORDER, Figure, keep, within
from tests.performance.generated_shop import RANDOM, Shop

pytestmark = [pytest.mark.performance, pytest.mark.timeout(3600)]
LARGE = [int(size) for size in os.environ.get("BENCH_LARGE", "50000,200000").split(",")]
DAYS = 30
PROJECT = Path(__file__).parents[2]


def test_time_follows_the_rows_and_memory_does_not(tmp_path: Path) -> None:
    used = {orders: one_batch(tmp_path, orders) for orders in LARGE}
    a_million = {orders: found["cpu"] * 1_000_000 / orders for orders, found in used.items()}
    smallest, figures = LARGE[0], []
    for orders in LARGE[1:]:
        figures.append(
            Figure(
                f"a million of {orders:,} orders in one batch",
                round(a_million[orders], 3),
                f"a million of {smallest:,}",
                round(a_million[smallest], 3),
                round(a_million[orders] / a_million[smallest], 3),
                at_most=1.3,
            )
        )
    for orders, found in used.items():
        what = f"peak memory, {orders:,} orders in one batch"
        figures.append(within(what, found["peak_mb"], container_mb(), "MB"))
    keep("large_batches", figures, lines_per_order=LINES_PER_ORDER, days=DAYS)


def one_batch(folder: Path, orders: int) -> dict[str, float]:
    """Staged here, transformed in a process of its own."""
    staged, tables = folder / "staged", folder / "tables"
    Shop(orders, id=RANDOM, days=DAYS).staged(staged)
    answer = subprocess.run(
        [sys.executable, "-m", "tests.performance.large_batch", staged, tables],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    shutil.rmtree(staged)
    shutil.rmtree(tables)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def container_mb() -> float:
    """What the template gives the transformer's task."""
    template = Template(PROJECT / "services/transformer/template.yaml")
    [task] = template.of_type("AWS::ECS::TaskDefinition").values()
    return float(task["Memory"])
