"""What ECS does on AWS: workers follow their task definitions, and one can ask how far they are.

How far they are is told in SSM, beside the names of the stacks: whoever deploys may run anywhere.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deployer.rollout import LOCAL_WORKERS
from infra.local.worker_pool import WorkerPool
from infra.local.workers import WorkerDefinition, worker_definitions

LOOK_SECONDS = 0.5
"""How often task definitions are looked at."""
GONE_SECONDS = 2.0
"""A task definition that is missing for so long is not only being replaced."""
_LONGEST_REASON = 2000
logger = logging.getLogger(__name__)


def several(definition: WorkerDefinition, count: int) -> list[WorkerDefinition]:
    """The same worker so many times: `validator`, `validator-2` ..."""
    more = (f"{definition.name}-{number}" for number in range(2, count + 1))
    return [definition, *(replace(definition, name=name) for name in more)]


class DeployedWorkers:
    """Keeps a pool at the newest task definitions."""

    def __init__(
        self,
        pool: WorkerPool,
        ecs: Any,
        ssm: Any,
        counts: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """`counts`: how many of a worker are wanted, by its name; one of who is not named."""
        self._pool, self._ecs, self._ssm, self._counts = pool, ecs, ssm, counts
        self._told: dict[str, tuple[str, str, str]] = {}
        self._look_at = 0.0
        self._missed: dict[str, float] = {}

    def start(self, now: float, stack: str | None = None) -> None:
        """See to it that what is registered now works; of one stack only its own worker.

        A cloud that is brought back knows the workers of its last run. One whose stack is still to
        be deployed would be of the old version, and take messages with it.
        """
        counts = self._counts() if stack is None else {}
        definitions = [
            each
            for one in worker_definitions(self._ecs)
            for each in several(one, counts.get(one.name, 1))
        ]
        for definition in definitions:
            if stack in (None, definition.name):
                self._pool.want(definition, now)
        self._pool.let_go(self._gone_for_good({one.name for one in definitions}, now))

    def _gone_for_good(self, registered: Collection[str], now: float) -> list[str]:
        """Workers whose task definitions have been missing for a while: their stack is deleted."""
        missing = set(self._pool.states()) - set(registered)
        self._missed = {name: self._missed.get(name, now) for name in missing}
        return [name for name, since in self._missed.items() if now - since >= GONE_SECONDS]

    def follow(self, now: float) -> None:
        """Look whether there are new versions, tend the pool, tell how far it is.

        A cloud that does not answer is asked again at the next look: its death is seen elsewhere.
        `now`: seconds on the monotonic clock.
        """
        try:
            self._pool.tend(now)
            if now >= self._look_at:
                self._look_at = now + LOOK_SECONDS
                self.start(now)
            self.tell()
        except (ClientError, BotoCoreError):
            logger.exception(
                "the cloud does not answer for its workers' versions; the next look tries again"
            )

    def tell(self) -> None:
        """Write down what changed since it was told last."""
        for name, state in self._pool.states().items():
            if self._told.get(name) != state:
                task_definition, how_far, reason = state
                said = {
                    "task_definition": task_definition,
                    "state": how_far,
                    "reason": reason[-_LONGEST_REASON:],
                }
                self._ssm.put_parameter(
                    Name=LOCAL_WORKERS + name,
                    Value=json.dumps(said, indent=1),
                    Type="String",
                    Overwrite=True,
                )
                self._told[name] = state
