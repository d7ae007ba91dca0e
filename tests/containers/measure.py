"""The images' sizes and how fast a container of each begins: `python -m tests.containers.measure`.

Writes docs/figures/containers.json, which `tests.performance.report` makes a table of.
"""

import statistics
import tempfile
import time
from pathlib import Path

import pytest

from tests.containers.cloud import WorkerlessCloud, workerless_cloud
from tests.containers.engine import running_engine
from tests.performance.figures import keep, within

STARTS = 5
SIZE_LIMIT_MB = {"validator": 600.0, "transformer": 1500.0}
START_LIMIT_SECONDS = 10.0
"""Beyond these a deploy and the waking of a task begin to be felt beside Fargate's own minute."""


def main() -> None:
    """Build both images, start each some times, keep the figures."""
    with running_engine() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with tempfile.TemporaryDirectory() as folder, workerless_cloud(Path(folder)) as cloud:
            _measure(cloud)


def _measure(cloud: WorkerlessCloud) -> None:
    import docker

    from tests.containers.workers import SERVICES, built_image

    figures = []
    for service in SERVICES:
        image = built_image(service)
        size_mb = docker.from_env().images.get(str(image)).attrs["Size"] / 1e6
        figures.append(within(f"image, {service}", size_mb, SIZE_LIMIT_MB[service], "MB"))
        seconds = statistics.median(_start(image, service, cloud) for _ in range(STARTS))
        name = f"{service}: from docker run to its first poll"
        figures.append(within(name, seconds, START_LIMIT_SECONDS, "s"))
    keep("containers", figures, starts=STARTS)


def _start(image: object, service: str, cloud: WorkerlessCloud) -> float:
    from tests.containers.workers import running_worker

    started = time.monotonic()
    with running_worker(image, service, cloud.environment_of(service)) as worker:  # type: ignore[arg-type]
        worker.await_ready()
        return time.monotonic() - started


if __name__ == "__main__":
    main()
