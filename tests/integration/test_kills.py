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
from tests.support.standing import Row, assert_kpis_equal, csv_of

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


def random_rows(draw: random.Random) -> dict[str, list[Row]]:
    """A batch that overlaps the ones before: new, corrected, moved and waiting rows."""
    return {
        "orders": [
            {
                "order_id": str(draw.randrange(300)),
                "user_id": f"u{draw.randrange(20)}",
                "order_date": f"2024-01-{draw.randint(1, 28):02}",
                "total_amount": f"{draw.randrange(10_000) / 100:.2f}",
                "status": draw.choice(["completed", "returned"]),
            }
            for _ in range(120)
        ],
        "order_items": [
            {
                "order_id": str(draw.randrange(300)),
                "product_id": f"p{draw.randrange(15)}",
                "quantity": str(draw.randint(1, 5)),
                "unit_price": f"{draw.randrange(5_000) / 100:.2f}",
            }
            for _ in range(200)
        ],
        "products": [
            {
                "product_id": f"p{number}",
                "category": f"C{draw.randrange(5)}",
                "name": "A thing",
                "price": "1.00",
            }
            for number in draw.sample(range(15), 6)
        ],
    }
