"""The workers' images and containers: built and run as ECS would, on the network of the machine."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from docker.types import Healthcheck
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage

from infra.environments import PROJECT
from tests.support.pipeline import eventually

SERVICES = ("validator", "transformer")
MEMORY = {"validator": "2g", "transformer": "4g"}
"""As in the task definitions."""
READY_SECONDS = 60.0
SECOND = 1_000_000_000
"""In the nanoseconds of the engine."""
STOP_SECONDS = 120
"""The StopTimeout of the task definitions."""
OLD = "touch -d '-2 minutes' $WORKER_READY_FILE"


def built_image(service: str) -> DockerImage:
    """Build the image of one service from the project's root."""
    return DockerImage(
        path=PROJECT,
        tag=f"ecp-{service}-under-test",
        dockerfile_path=f"services/{service}/Dockerfile",
        network_mode="host",
        rm=True,
    ).build()


def check_every_second() -> Healthcheck:
    """The image's own check, only more often than every half minute."""
    return Healthcheck(interval=SECOND, timeout=5 * SECOND, retries=3, start_period=0)


@dataclass(frozen=True)
class Worker:
    """One running container of a service."""

    container: Any

    def shell(self, command: str) -> tuple[int, str]:
        """Run a command inside as the image's user; gives exit code and output."""
        code, output = self.container.exec_run(["sh", "-c", command])
        return code, output.decode()

    def await_ready(self) -> None:
        """Return at the moment it begins to poll."""
        wait = f"timeout {READY_SECONDS:.0f} sh -c 'until test -f $0; do sleep 0.02; done'"
        code, _ = self.shell(f'{wait} "$WORKER_READY_FILE"')
        assert code == 0, self.logs()

    def process_id(self) -> int:
        """The worker's process inside its container, as it says itself."""
        code, said = self.shell('cat "$WORKER_READY_FILE"')
        assert code == 0, said
        return int(json.loads(said)["pid"])

    def health(self) -> str:
        """`starting`, `healthy` or `unhealthy`."""
        self.container.reload()
        return str(self.container.attrs["State"]["Health"]["Status"])

    def await_health(self, wanted: str) -> None:
        eventually(lambda: self.health() == wanted, READY_SECONDS)

    def stop(self) -> tuple[int, float]:
        """SIGTERM as ECS sends it; gives the exit code and how many seconds it took."""
        started = time.monotonic()
        self.container.stop(timeout=STOP_SECONDS)
        return int(self.container.wait()["StatusCode"]), time.monotonic() - started

    def logs(self) -> str:
        return str(self.container.logs(tail=60).decode())


@contextmanager
def running_worker(
    image: DockerImage, service: str, environment: Mapping[str, str], **options: Any
) -> Iterator[Worker]:
    """A container with nothing that Fargate would not give it; removed at the end."""
    container = (
        DockerContainer(str(image))
        .with_envs(**environment)
        # Docker forbids to execute from a tmpfs unless asked; Java unpacks libraries there.
        .with_tmpfs_mount("/tmp", "rw,exec,nosuid,nodev,mode=1777")  # noqa: S108
        .with_kwargs(
            network_mode="host",
            init=True,
            read_only=True,
            mem_limit=MEMORY[service],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            **options,
        )
    )
    with container:
        yield Worker(container.get_wrapped_container())
