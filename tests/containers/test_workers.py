"""The two images as ECS runs them, against the embedded cloud: whole batches, and their manners."""

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from services.runtime.messaging.worker import STUCK_EXIT_CODE
from tests.containers.cloud import WorkerlessCloud
from tests.support.random_rows import random_rows

if TYPE_CHECKING:
    from testcontainers.core.image import DockerImage

    from tests.containers.workers import Worker

pytestmark = [pytest.mark.docker, pytest.mark.integration, pytest.mark.timeout(1800)]
SPARK_MEMORY_MB = "1024"
IDLE_STOP_SECONDS = 60.0
"""An idle worker looks up from its queue every two seconds; ECS would wait for two minutes."""
Images = Mapping[str, "DockerImage"]


@pytest.fixture(scope="module")
def validator(images: Images, cloud: WorkerlessCloud) -> Iterator["Worker"]:
    """A container that serves the queue as long as the module's tests run."""
    from tests.containers.workers import running_worker

    environment = cloud.environment_of("validator")
    with running_worker(images["validator"], "validator", environment) as worker:
        yield worker


@pytest.fixture
def transformers(images: Images, cloud: WorkerlessCloud):  # type: ignore[no-untyped-def]
    """Makes a transformer's container with an engine."""
    from tests.containers.workers import running_worker

    def start(engine: str):  # type: ignore[no-untyped-def]
        environment = cloud.environment_of(
            "transformer", TRANSFORM_ENGINE=engine, SPARK_MEMORY_MB=SPARK_MEMORY_MB
        )
        return running_worker(images["transformer"], "transformer", environment)

    return start


def test_a_whole_batch_goes_through_both_containers_with_duckdb(
    cloud: WorkerlessCloud, validator: "Worker", transformers
) -> None:
    cloud.submit("duckdb", random_rows(random.Random(1)))

    with transformers("duckdb") as transformer:
        result = cloud.assert_completed("duckdb")
        code, seconds = transformer.stop()

    assert result["engine"] == "duckdb"
    assert code == 0
    assert seconds < IDLE_STOP_SECONDS


def test_spark_and_a_sigterm_in_the_middle_of_its_next_batch(
    cloud: WorkerlessCloud, validator: "Worker", transformers
) -> None:
    """The message in hand is finished, or given back to the container that comes next."""
    cloud.submit("spark", random_rows(random.Random(2)))
    with transformers("spark") as first:
        assert cloud.assert_completed("spark")["engine"] == "spark"
        cloud.submit("interrupted", random_rows(random.Random(3)))
        cloud.await_taken("transformer")
        code, _ = first.stop()
    assert code in (0, STUCK_EXIT_CODE)

    with transformers("duckdb"):
        cloud.assert_completed("interrupted")


@pytest.mark.parametrize("service", ["validator", "transformer"])
def test_a_container_is_nobody_and_cannot_write(
    service: str, images: Images, cloud: WorkerlessCloud
) -> None:
    from tests.containers.workers import running_worker

    with running_worker(images[service], service, cloud.environment_of(service)) as worker:
        worker.await_ready()
        assert worker.shell(f"stat -c %u /proc/{worker.process_id()}") == (0, "1000\n")
        for place in ("/app", "/opt/venv", "/etc", "/"):
            # By its code alone: an engine may lose what so short a process says.
            refused = worker.shell(f"touch {place}/mine 2>&1 | grep -q 'Read-only file system'")
            assert refused[0] == 0
        assert worker.shell("touch /tmp/mine") == (0, "")
        code, seconds = worker.stop()
        assert code == 0, worker.logs()
        assert seconds < IDLE_STOP_SECONDS


def test_a_container_that_is_told_to_stop_before_it_works_stops(
    images: Images, cloud: WorkerlessCloud
) -> None:
    """As process 1 it would not hear the signal until it has a handler for it."""
    from tests.containers.workers import running_worker

    environment = cloud.environment_of("transformer")
    with running_worker(images["transformer"], "transformer", environment) as worker:
        code, seconds = worker.stop()
        assert code in (0, 143), worker.logs()
        assert seconds < IDLE_STOP_SECONDS


def test_a_worker_is_healthy_while_its_loop_turns_and_unhealthy_when_it_is_stuck(
    images: Images, cloud: WorkerlessCloud
) -> None:
    from tests.containers.workers import OLD, check_every_second, running_worker

    environment = cloud.environment_of("validator")
    checks = check_every_second()
    image = images["validator"]
    with running_worker(image, "validator", environment, healthcheck=checks) as worker:
        worker.await_health("healthy")
        worker.await_ready()
        process = worker.process_id()
        assert worker.shell(f"kill -STOP {process}") == (0, "")
        worker.shell(OLD)
        worker.await_health("unhealthy")
        assert worker.shell(f"kill -CONT {process}") == (0, "")
        worker.await_health("healthy")
