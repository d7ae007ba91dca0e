"""Many sets at once, and files arriving for minutes: nothing lost, in turn, at a steady pace.

Unlike the other figures these are also verdicts on what is counted: batches, orders, dead letters.
"""

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from contracts.clock import from_rfc3339
from infra.local import cloud as local_cloud
from infra.local.cloud import RunningCloud
from infra.local.folders import Folders
from infra.local.records import read_record
from tests.performance.bus_ear import BusEar, percentile
from tests.performance.figures import Figure, keep, within
from tests.performance.test_load import ORDERS_PER_BATCH, small_set
from tests.support.pipeline import OPEN, Pipeline

pytestmark = [pytest.mark.performance, pytest.mark.timeout(3600)]
SETS_AT_ONCE = 50
ARRIVAL_SECONDS = 60.0 * float(os.environ.get("LOAD_MINUTES", "10"))
FILES_PER_SECOND = 2_000 / 600
PARTS = 18
"""A set's orders come in that many files, with one of their lines and one of products: 20 files."""
LOCK_IDLE_SECONDS = 0.1
EVENT_TO_BUS_SECONDS = 1.0
MEMORY_BATCHES = int(os.environ.get("MEMORY_BATCHES", "500"))
WAVE = 20
"""So many sets are uploaded before the next ones wait for them."""
MEMORY_GROWTH = 1.1
"""Times what a worker took in the second quarter of the batches: the first fills its caches."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCloud]:
    yield local_cloud.up(tmp_path, port=0, settings={"TRANSFORM_ENGINE": "duckdb"})
    local_cloud.down(tmp_path, keep=False)


@dataclass(frozen=True)
class Load:
    """A cloud under load: what is sent, and what is measured of it."""

    pipeline: Pipeline
    ear: BusEar
    running: RunningCloud

    def await_all(self, count: int, within_seconds: float) -> None:
        """Until so many batches are closed, all COMPLETED, and nothing is a dead letter."""
        deadline = time.monotonic() + within_seconds
        while True:
            self.ear.listen()
            batches = self.pipeline.batches()
            if len(batches) == count and all(each["status"] not in OPEN for each in batches):
                break
            assert time.monotonic() < deadline, f"{len(batches)} of {count} batches after all"
            time.sleep(0.5)
        assert {each["status"] for each in batches} == {"COMPLETED"}
        assert self.pipeline.dead_letters() == {}
        self.ear.listen()

    def orders(self) -> int:
        return sum(int(day["total_orders"]) for day in self.pipeline.order_kpis().values())

    def lock_idle_seconds(self) -> list[float]:
        """From each release to the next grant; fails when two held the lock at once."""
        history = [
            event
            for batch in self.pipeline.batches()
            for event in self.pipeline.events(batch["batch_id"])
            if str(event["stream_id"]).startswith("lock/")
            and event["event_type"] in ("LockGranted", "LockReleased")
        ]
        history.sort(key=lambda event: int(event["stream_version"]))
        kinds = [event["event_type"] for event in history]
        assert kinds == ["LockGranted", "LockReleased"] * (len(kinds) // 2)
        moments = [from_rfc3339(event["occurred_at"]) for event in history]
        return [
            (granted - released).total_seconds()
            for released, granted in zip(moments[1:-1:2], moments[2::2], strict=True)
        ]

    def memory_mb(self) -> dict[str, float]:
        """Resident memory by worker; the embedded cloud, which keeps every object in it, is none.

        The functions run inside that cloud, which ends and starts them as it likes.
        """
        record = read_record(Folders(self.running.directory).record)
        assert record is not None
        return {
            name: psutil.Process(pid).memory_info().rss / 1e6
            for name, pid in record.workers.items()
        }


@pytest.fixture
def load(running: RunningCloud) -> Load:
    pipeline = Pipeline(running.environment())
    return Load(pipeline, BusEar(pipeline), running)


def test_50_sets_at_once(load: Load) -> None:
    started = time.monotonic()
    for number in range(SETS_AT_ONCE):
        load.pipeline.upload_set(f"at-once-{number}", small_set(number))
    load.await_all(SETS_AT_ONCE, within_seconds=600)
    seconds = time.monotonic() - started
    assert load.orders() == SETS_AT_ONCE * ORDERS_PER_BATCH
    idle = statistics.median(load.lock_idle_seconds())
    figures = [
        within("seconds per batch, of 50 sets at once", seconds / SETS_AT_ONCE, 2.0, "s"),
        within("lock idle between two batches, p50", idle, LOCK_IDLE_SECONDS, "s"),
        from_event_to_bus(load),
    ]
    keep("at_once", figures, sets=SETS_AT_ONCE, orders_per_set=ORDERS_PER_BATCH)


def test_files_that_arrive_for_minutes(load: Load) -> None:
    """2,000 files in 10 minutes, in sets of 20; LOAD_MINUTES makes it shorter at the same pace."""
    files = round(ARRIVAL_SECONDS * FILES_PER_SECOND)
    sets = max(files // (PARTS + 2), 2)
    started = time.monotonic()
    for number in range(sets):
        load.pipeline.upload_set(f"arriving-{number}", in_parts(number))
        load.ear.listen()
        time.sleep(max(0.0, started + (number + 1) * ARRIVAL_SECONDS / sets - time.monotonic()))
    load.await_all(sets, within_seconds=600)
    late = time.monotonic() - started - ARRIVAL_SECONDS
    assert load.orders() == sets * ORDERS_PER_BATCH
    figures = [
        within("last set COMPLETED after the last arrival", late, 60.0, "s"),
        from_event_to_bus(load),
    ]
    keep("arrivals", figures, files=sets * (PARTS + 2), sets=sets, seconds=round(ARRIVAL_SECONDS))


def test_memory_over_many_batches(load: Load) -> None:
    """500 small batches, one after the other; MEMORY_BATCHES makes it fewer."""
    memory: list[dict[str, float]] = []
    for number in range(MEMORY_BATCHES):
        load.pipeline.upload_set(f"steady-{number}", small_set(number))
        if (number + 1) % WAVE == 0 or number + 1 == MEMORY_BATCHES:
            load.await_all(number + 1, within_seconds=900)
            memory.append(load.memory_mb())
    assert load.orders() == MEMORY_BATCHES * ORDERS_PER_BATCH
    waves = len(memory)
    figures = []
    for worker in memory[0]:
        taken = [wave[worker] for wave in memory]
        middle = statistics.median(taken[waves // 4 : waves // 2])
        end = statistics.median(taken[-max(waves // 10, 1) :])
        limit = round(middle * MEMORY_GROWTH, 2)
        figures.append(within(f"memory of the {worker} at the end", end, limit, "MB"))
    keep("memory", figures, batches=MEMORY_BATCHES, orders_per_batch=ORDERS_PER_BATCH)


def from_event_to_bus(load: Load) -> Figure:
    """p99 over every event that was heard."""
    seconds = percentile(load.ear.seconds, 99)
    return within("from event to bus, p99", seconds, EVENT_TO_BUS_SECONDS, "s")


def in_parts(number: int) -> dict[str, str]:
    """A small set whose orders come in many files."""
    whole = small_set(number)
    header, *rows = whole.pop(f"orders/{number}.csv").splitlines()
    parts = {
        f"orders/{number}-{part}.csv": "\n".join([header, *rows[part::PARTS], ""])
        for part in range(PARTS)
    }
    return {**parts, **whole}
