"""Replacing the workers of a stack, and waiting until the new version says that it is ready.

On AWS ECS replaces what its services run, and one container of the new version is started to see
that it works, for where none is wanted nobody would; on one machine the old one finishes before the
new one starts.

A worker says that it is ready when its settings are read, its clients are made and it has warmed
up; a worker that cannot be started at all, or dies on the way, never says so.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from infra.deployer.parameters import parameter_if_any
from infra.deployer.waiting import Waiting
from infra.errors import CheckFailed

LOCAL_WORKERS = "/ecommerce-pipeline/local/workers/"
"""Where the local cloud says, per container, how far it is: {task_definition, state, reason}."""
READY, STARTING, STOPPING, FAILING = "ready", "starting", "stopping", "failing"
NOTICED_SECONDS = 15.0
READY_SECONDS = 300.0
LEFT_SECONDS = 150.0
"""A worker has 120 s (StopTimeout) to finish the message in hand."""
_STARTED_BY = "ecp-deploy"

Say = Callable[[str], None]


class Workers(Protocol):
    """The workers of one place."""

    def replace(self, task_definition: str, say: Say) -> None:
        """See that this version works and no other does; raises CheckFailed when it cannot."""


class LocalWorkers:
    """Workers beside the local cloud, which replaces them itself when it sees a new version."""

    def __init__(self, ecs: Any, ssm: Any, waiting: Waiting) -> None:
        self._ecs, self._ssm, self._waiting = ecs, ssm, waiting

    def replace(self, task_definition: str, say: Say) -> None:
        """Wait until the local cloud has replaced every container of the task definition."""
        described = self._ecs.describe_task_definition(taskDefinition=task_definition)
        for container in described["taskDefinition"]["containerDefinitions"]:
            self._await(container["name"], task_definition, say)

    def _await(self, container: str, task_definition: str, say: Say) -> None:
        began, told = time.monotonic(), ""
        while True:
            state, reason = self._state(container, task_definition)
            if state == READY:
                return
            if state == FAILING:
                last = (reason.splitlines() or ["it says nothing"])[-1]
                raise CheckFailed(f"worker {container} does not start: {last}\n{reason}")
            waited = time.monotonic() - began
            if state is None and waited > NOTICED_SECONDS:
                raise CheckFailed(
                    f"nobody starts worker {container}: is `ecp up` of this cloud still running?"
                )
            if waited > READY_SECONDS + LEFT_SECONDS:
                raise CheckFailed(f"worker {container} is still {state} after {waited:.0f} s")
            if state is not None and state != told:
                told = state
                say(_TOLD[state])
            self._waiting.pause(self._waiting.poll_seconds)

    def _state(self, container: str, task_definition: str) -> tuple[str | None, str]:
        """Its state and the reason; None while the local cloud has not seen this version."""
        value = parameter_if_any(self._ssm, LOCAL_WORKERS + container)
        if value is None:
            return None, ""
        said = json.loads(value)
        is_this = said["task_definition"] == task_definition
        return (said["state"], said["reason"]) if is_this else (None, "")


class EcsWorkers:
    """Services on Fargate: CloudFormation has changed them, and ECS replaces what they run."""

    def __init__(
        self, ecs: Any, cluster: str, subnets: Sequence[str], security_group: str, waiting: Waiting
    ) -> None:
        self._ecs, self._cluster, self._waiting = ecs, cluster, waiting
        self._network = {
            "awsvpcConfiguration": {
                "subnets": list(subnets),
                "securityGroups": [security_group],
                "assignPublicIp": "ENABLED",
            }
        }

    def replace(self, task_definition: str, say: Say) -> None:
        """Start one task of no service, wait for its health check, and stop it.

        It takes work while there is some. A stopped task gets SIGTERM and finishes the message in
        hand.
        """
        say(_TOLD[STARTING])
        started = self._ecs.run_task(
            cluster=self._cluster,
            taskDefinition=task_definition,
            launchType="FARGATE",
            networkConfiguration=self._network,
            startedBy=_STARTED_BY,
        )
        if not started["tasks"]:
            reasons = ", ".join(failure.get("reason", "?") for failure in started["failures"])
            raise CheckFailed(f"no container of {task_definition} could be placed: {reasons}")
        task_arn = started["tasks"][0]["taskArn"]
        self._await_health(task_arn)
        say("the new version is ready")
        self._ecs.stop_task(cluster=self._cluster, task=task_arn, reason="seen to be ready")

    def _await_health(self, task_arn: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            [task] = self._ecs.describe_tasks(cluster=self._cluster, tasks=[task_arn])["tasks"]
            if task.get("healthStatus") == "HEALTHY":
                return
            if task["lastStatus"] in ("STOPPING", "STOPPED", "DEPROVISIONING"):
                raise CheckFailed(f"task {task_arn} ended while starting: {_why_ended(task)}")
            if task.get("healthStatus") == "UNHEALTHY" or time.monotonic() > deadline:
                self._ecs.stop_task(cluster=self._cluster, task=task_arn, reason="not healthy")
                raise CheckFailed(f"task {task_arn} did not say that it is ready; see its log")
            self._waiting.pause(self._waiting.poll_seconds)


_TOLD = {
    STARTING: "the new version starts",
    STOPPING: "the old version finishes the message in hand",
}


def _why_ended(task: Any) -> str:
    said = [
        f"{container['name']} exit code {container.get('exitCode', '?')}"
        for container in task.get("containers", [])
    ]
    return ", ".join([task.get("stoppedReason") or "no reason given", *said])
