"""Batch after batch under trouble at random moments: never half, always equal to the model.

Workers are killed with -9, frozen until their lease has run out, doubled by a twin, and the lock is
broken while its holder works. A batch may end FAILED then; a redrive completes it.
`TROUBLES=45` makes it long; which trouble comes when is drawn from `TROUBLES_SEED`.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest

from infra.local import cloud as local_cloud
from infra.local.cloud import RunningCloud
from infra.local.cloud import find as find_cloud
from tests.model import ShopModel
from tests.support.ecp import ecp
from tests.support.pipeline import OPEN, Pipeline, eventually
from tests.support.random_rows import random_rows
from tests.support.standing import assert_kpis_equal, csv_of

pytestmark = [pytest.mark.integration, pytest.mark.thorough]
SEED = int(os.environ.get("TROUBLES_SEED", "1"))
LEASE_SECONDS = 8
LONGEST_BATCH_SECONDS = 1.6


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A local cloud whose lock is taken from a holder that is silent for eight seconds."""
    directory = tmp_path_factory.mktemp("cloud")
    running = local_cloud.up(directory, port=0, settings={"SETTLE_SECONDS": "2"})
    shorten_the_lease(Pipeline(running.environment()))
    yield running
    local_cloud.down(directory)


def shorten_the_lease(pipeline: Pipeline) -> None:
    """The template takes no lease below a minute, which is long for a test."""
    functions, name = pipeline.client("lambda"), "processing-lock"
    current = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {"Variables": {**current, "LEASE_SECONDS": str(LEASE_SECONDS)}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)


def workers(cloud: RunningCloud) -> Mapping[str, psutil.Process]:
    """The workers that run now, by name."""
    running = find_cloud(cloud.directory)
    assert running is not None
    return {name: psutil.Process(pid) for name, pid in running.workers.items()}


def kill_workers(cloud: RunningCloud, pipeline: Pipeline, draw: random.Random) -> None:
    """SIGKILL one worker or both."""
    running = workers(cloud)
    for name in draw.sample(sorted(running), draw.randint(1, len(running))):
        running[name].send_signal(signal.SIGKILL)


def freeze_beyond_the_lease(cloud: RunningCloud, pipeline: Pipeline, draw: random.Random) -> None:
    """SIGSTOP both workers until the lock was taken from the batch, or the batch is over."""
    held_fence = fence_of(pipeline)
    if held_fence is None:
        return
    frozen = workers(cloud).values()
    for process in frozen:
        process.suspend()
    try:
        time.sleep(LEASE_SECONDS)
        sweep_the_lock(pipeline)
        eventually(lambda: fence_of(pipeline) != held_fence)
    finally:
        for process in frozen:
            process.resume()


def break_the_lock(cloud: RunningCloud, pipeline: Pipeline, draw: random.Random) -> None:
    """A person takes the lock from whoever works; that it is free by then is no trouble either."""
    broken = ecp("lock", "break", "--reason", "trouble", "--yes", directory=cloud.directory)
    assert broken.exit_code in (0, 2), (broken.out, broken.err)


def nothing_else(cloud: RunningCloud, pipeline: Pipeline, draw: random.Random) -> None:
    """A twin of each worker is trouble enough."""


def fence_of(pipeline: Pipeline) -> int | None:
    """The holder's fence, None when the lock is free."""
    lock = pipeline.lock()
    return int(lock["execution_metadata"]["fence"]) if lock["currentlockcount"] else None


def sweep_the_lock(pipeline: Pipeline) -> None:
    """What the rule `lock-sweep` sends once a minute."""
    sqs = pipeline.client("sqs")
    url = sqs.get_queue_url(QueueName="lock-events")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody='{"sweep": "ecommerce-pipeline-lock"}')


@contextmanager
def twins(cloud: RunningCloud, folder: Path) -> Iterator[None]:
    """A second process beside each worker, which takes from the same queue."""
    started = []
    for name, process in workers(cloud).items():
        ready = folder / f"{name}-twin.ready"
        ready.unlink(missing_ok=True)
        twin = subprocess.Popen(
            process.cmdline(),
            env={**process.environ(), "WORKER_READY_FILE": str(ready)},
            cwd=process.cwd(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(twin)
        eventually(ready.exists)
    try:
        yield
    finally:
        for twin in started:
            twin.terminate()
        for twin in started:
            twin.wait(120)


Trouble = Callable[[RunningCloud, Pipeline, random.Random], None]
TROUBLES: tuple[tuple[Trouble, bool], ...] = (
    (freeze_beyond_the_lease, True),
    (break_the_lock, False),
    (kill_workers, True),
    (freeze_beyond_the_lease, False),
    (break_the_lock, True),
    (kill_workers, False),
    (nothing_else, True),
)
"""What is done, and whether twins are at work meanwhile."""
ROUNDS = int(os.environ.get("TROUBLES", "3"))


def test_no_trouble_leaves_half_a_batch(cloud: RunningCloud, tmp_path: Path) -> None:
    draw, model, pipeline = random.Random(SEED), ShopModel(), Pipeline(cloud.environment())
    for number in range(ROUNDS):
        trouble, is_doubled = TROUBLES[number % len(TROUBLES)]
        rows = random_rows(draw)
        files = {f"{kind}/trouble{number}.csv": csv_of(kind, rows[kind]) for kind in rows}
        with twins(cloud, tmp_path) if is_doubled else nullcontext():
            pipeline.upload_set(f"trouble{number}", files)
            eventually(lambda: pipeline.lock()["currentlockcount"] == 1)
            time.sleep(draw.uniform(0, LONGEST_BATCH_SECONDS))
            trouble(cloud, pipeline, draw)
            batch = closed_batch(pipeline, number)

        told = (number, trouble.__name__, is_doubled, batch)
        assert batch["status"] in ("COMPLETED", "FAILED"), told
        if batch["status"] == "FAILED":
            redriven = ecp("redrive", batch["batch_id"], "--wait", directory=cloud.directory)
            assert redriven.exit_code == 0, (told, redriven.out, redriven.err)
        model.apply(**rows)
        assert_kpis_equal(pipeline, model)
        print(f"{number + 1}/{ROUNDS} {trouble.__name__}, twins: {is_doubled}: {batch['status']}")
    assert pipeline.dead_letters() == {}


def closed_batch(pipeline: Pipeline, number: int) -> dict[str, object]:
    def probe() -> dict[str, object] | None:
        batches = pipeline.batches()
        is_closed = len(batches) == number + 1 and batches[-1]["status"] not in OPEN
        return batches[-1] if is_closed else None

    return eventually(probe)
