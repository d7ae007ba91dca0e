"""kill -9 of workers at random moments of batch after batch: never half, always equal to the model.

`KILLS=50` makes it long; the moments come from `KILLS_SEED`.
"""

import os
import random
import signal
import time

import psutil
import pytest

from infra.local.cloud import RunningCloud
from infra.local.cloud import find as find_cloud
from tests.model import ShopModel
from tests.support.pipeline import OPEN, Pipeline, eventually
from tests.support.random_rows import random_rows
from tests.support.standing import assert_kpis_equal, csv_of

pytestmark = pytest.mark.integration
KILLS = int(os.environ.get("KILLS", "2"))
SEED = int(os.environ.get("KILLS_SEED", "1"))
LONGEST_BATCH_SECONDS = 1.6
CLOSED_WITHIN_SECONDS = 180
"""A killed worker's message comes again after 15 s, and the saga tries each step some times."""


def test_killed_workers_never_leave_half_a_batch(
    fresh_pipeline: Pipeline, fresh_cloud: RunningCloud
) -> None:
    draw, model = random.Random(SEED), ShopModel()
    for number in range(KILLS):
        rows = random_rows(draw)
        for_upload = {f"{kind}/kill{number}.csv": csv_of(kind, rows[kind]) for kind in rows}
        fresh_pipeline.upload_set(f"kill{number}", for_upload)
        model.apply(**rows)
        eventually(lambda: fresh_pipeline.lock()["currentlockcount"] == 1)
        time.sleep(draw.uniform(0, LONGEST_BATCH_SECONDS))
        killed = kill_some(fresh_cloud, draw)

        batch = closed_batch(fresh_pipeline, number)

        assert batch["status"] == "COMPLETED", (killed, batch)
        assert_kpis_equal(fresh_pipeline, model)
    assert fresh_pipeline.dead_letters() == {}


def kill_some(cloud: RunningCloud, draw: random.Random) -> list[str]:
    """SIGKILL one worker or both; returns their names."""
    running = find_cloud(cloud.directory)
    assert running is not None
    victims = draw.sample(sorted(running.workers), draw.randint(1, 2))
    for name in victims:
        psutil.Process(running.workers[name]).send_signal(signal.SIGKILL)
    return victims


def closed_batch(pipeline: Pipeline, number: int) -> dict[str, object]:
    def probe() -> dict[str, object] | None:
        batches = pipeline.batches()
        is_closed = len(batches) == number + 1 and batches[-1]["status"] not in OPEN
        return batches[-1] if is_closed else None

    return eventually(probe, CLOSED_WITHIN_SECONDS)
