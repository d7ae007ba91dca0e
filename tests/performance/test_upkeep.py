"""Small batches that touch the same days again and again, with turns of compaction between them.

In seconds of CPU. BENCH_BATCHES sets how many follow each other; what is compared are the last
twenty and the twenty around the hundredth, or around the sixth part of fewer.
"""

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.clock import new_event_id
from services.transformer.facts.compaction import RATIO, TIERS
from services.transformer.maintenance.compaction import BetweenBatches, crowding
from tests.performance.figures import Figure, cpu_of, keep
from tests.performance.generated_shop import FIRST_DAY, RANDOM, Shop
from tests.performance.test_growth import cpu_of_batch
from tests.support.transforming import Workbench, local_workbench

pytestmark = [pytest.mark.performance, pytest.mark.timeout(7200)]
BATCHES = int(os.environ.get("BENCH_BATCHES", "60"))
EARLY = min(100, BATCHES // 6)
AROUND = min(20, BATCHES // 6)
SMALL_BATCH = 20
DAYS = 5
MOST_SMALL = len(TIERS) * (RATIO - 1)
MOST_ADDED = RATIO
"""Beside the small ones: what came since the last turn, and files that are full."""


@dataclass
class Run:
    """CPU of each batch and of what came after it; how many files the fullest day had."""

    batches: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    @property
    def last(self) -> float:
        return statistics.median(self.batches[-AROUND:])

    @property
    def early(self) -> float:
        first = max(EARLY - AROUND // 2, 0)
        return statistics.median(self.batches[first : first + AROUND])


def most_files(bench: Workbench) -> int:
    found = crowding(bench.ports.facts, bench.state().heads or {})
    counts = {measure.metric.label: measure.value for measure in found.measures()}
    return int(max(counts["FilesPerDayMax"], counts["IndexFiles"]))


def run(folder: Path, between: Callable[[Workbench], Callable[[], None]]) -> Run:
    bench, done = local_workbench(folder / "bench"), Run()
    after = between(bench)
    for number in range(BATCHES):
        day = FIRST_DAY + timedelta(days=number % DAYS)
        shop = Shop(SMALL_BATCH, number * SMALL_BATCH, RANDOM, day)
        done.batches.append(cpu_of_batch(bench, shop.staged(folder / str(number))))
        done.turns.append(cpu_of(after))
        done.files.append(most_files(bench))
    return done


def test_small_batches_with_turns_between_them(tmp_path: Path) -> None:
    """Files of a day stay few, and the last batch costs what an early one did."""
    taking = run(
        tmp_path / "turns", lambda bench: BetweenBatches(bench.ports, lambda: False, new_event_id)
    )
    without = run(tmp_path / "none", lambda _bench: lambda: None)
    assert max(taking.files) <= MOST_SMALL + MOST_ADDED
    early = f"around the {EARLY}th"

    def figure(what: str, done: Run, **more: float) -> Figure:
        ratio = round(done.last / done.early, 3)
        return Figure(what, round(done.last, 4), early, round(done.early, 4), ratio, **more)

    turns = statistics.mean(taking.turns)
    per_batch = statistics.mean(taking.batches)
    keep(
        "upkeep",
        [
            figure(f"the last {AROUND} of {BATCHES:,} batches, turns between", taking, at_most=1.3),
            figure(f"the last {AROUND} of {BATCHES:,} batches, no turns", without),
            Figure(
                "turns, for each batch",
                round(turns, 4),
                "a batch",
                round(per_batch, 4),
                round(turns / per_batch, 3),
                at_most=0.25,
            ),
            Figure(
                "files of the fullest day, turns between",
                max(taking.files),
                "no turns",
                max(without.files),
                round(max(taking.files) / max(without.files), 3),
                unit="files",
            ),
        ],
        batches=BATCHES,
        batch_orders=SMALL_BATCH,
        days=DAYS,
    )
