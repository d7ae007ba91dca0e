"""What Application Auto Scaling does on AWS: sets how many of each worker are wanted.

It looks at the queues, and sets the wanted number of the services in the local cloud, as on AWS;
who starts and stops processes goes by that. One of each stays, whatever the numbers say: starting
one costs time, and nobody else would show that a new version starts.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.deployer.parameters import parameter_if_any
from infra.local.scaling import Numbers, Scaling, Seen
from infra.stage import Stage

LOOK_SECONDS = 5.0
SCALED = ("transformer", "validator")
_WAITING, _IN_HAND = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


@dataclass(frozen=True)
class Clients:
    """Of the local cloud."""

    ecs: Any
    sqs: Any
    ssm: Any


class ScaledWorkers:
    """The wanted numbers of one local cloud; `running` tells how many of a worker run."""

    def __init__(
        self,
        clients: Clients,
        stage: Stage,
        running: Callable[[str], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients, self._stage, self._running = clients, stage, running
        self._monotonic = monotonic
        self._scaling: dict[str, Scaling] = {}
        self._look_at = float("-inf")
        self._counts: dict[str, int] = {}

    def counts(self) -> Mapping[str, int]:
        """How many of each worker are wanted, by its name; those that are deployed already."""
        if self._monotonic() >= self._look_at:
            self._look_at = self._monotonic() + LOOK_SECONDS
            found = {self._stage.named(one): self._wanted(one) for one in SCALED}
            self._counts = {
                name: max(1, count) for name, count in found.items() if count is not None
            }
        return self._counts

    def _wanted(self, service: str) -> int | None:
        """None where the service is not deployed."""
        published = self._published(service, "scaling")
        queue_url = self._published(service, "command-queue-url")
        cluster = self._published("platform", "cluster-arn")
        name = self._published(service, "service-name")
        if published is None or queue_url is None or cluster is None or name is None:
            return None
        ecs, scaling = self._clients.ecs, self._scaling_of(service, Numbers.of(published))
        [described] = ecs.describe_services(cluster=cluster, services=[name])["services"]
        counted = self._clients.sqs.get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[_WAITING, _IN_HAND]
        )["Attributes"]
        before = int(described["desiredCount"])
        seen = Seen(
            waiting=int(counted[_WAITING]),
            in_hand=int(counted[_IN_HAND]),
            wanted=before,
            running=self._running(name),
        )
        wanted = scaling.wanted(seen, self._monotonic())
        if wanted != before:
            ecs.update_service(cluster=cluster, service=name, desiredCount=wanted)
        return wanted

    def _scaling_of(self, service: str, numbers: Numbers) -> Scaling:
        """Anew where a deployment has changed the numbers."""
        known = self._scaling.get(service)
        if known is None or known.numbers != numbers:
            known = self._scaling[service] = Scaling(numbers)
        return known

    def _published(self, stack: str, name: str) -> str | None:
        path = self._stage.path(f"/ecommerce-pipeline/{stack}/{name}")
        return parameter_if_any(self._clients.ssm, path)
