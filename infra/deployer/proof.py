"""Proves that the version a stack runs works: its functions, workers, state machine and alarms."""

import time
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from infra.deployer.checks import check_function, check_state_machine, new_alarm, ringing
from infra.deployer.rollout import EcsWorkers, LocalWorkers, Workers
from infra.deployer.stacks import StackDeployer
from infra.deployer.templates import StackTemplate
from infra.deployer.waiting import Waiting
from infra.ecp.names import Names
from infra.environments import Environment
from infra.errors import CheckFailed

Say = Callable[[str], None]
_ALARM_POLL_SECONDS = 5.0
ALARM = "AWS::CloudWatch::Alarm"


class Proof:
    """Looks at stacks of one place."""

    def __init__(self, environment: Environment, stacks: StackDeployer, waiting: Waiting) -> None:
        self._environment, self._stacks, self._waiting = environment, stacks, waiting
        self._rang_before: dict[str, dict[str, str]] = {}

    def check(self, template: StackTemplate, parameters: Mapping[str, str], say: Say) -> None:
        """Raises CheckFailed when anything that the stack runs does not work."""
        found = self._stacks.resources(template.stack_name)
        client = self._environment.client
        for name in found.get("AWS::Lambda::Function", []):
            say("checking its function")
            sha256 = PurePosixPath(parameters["ArtifactKey"]).stem
            check_function(client("lambda"), name, sha256)
        for arn in found.get("AWS::StepFunctions::StateMachine", []):
            check_state_machine(client("stepfunctions"), arn)
        for arn in found.get("AWS::ECS::TaskDefinition", []):
            self._workers().replace(arn, say)

    def look_at_alarms(self, template: StackTemplate) -> None:
        """Remember which alarms ring before the change: those are not its fault."""
        if names := _alarm_names(template):
            rings = ringing(self._environment.client("cloudwatch"), names)
            self._rang_before[template.name] = rings

    def watch_alarms(self, template: StackTemplate, seconds: float, say: Say) -> None:
        """Raises CheckFailed when an alarm of the stack begins to ring within `seconds`."""
        alarms = self._stacks.resources(template.stack_name).get(ALARM, [])
        if not alarms:
            return
        if seconds:
            say(f"watching its alarms for {seconds:.0f} s")
        cloudwatch = self._environment.client("cloudwatch")
        before = self._rang_before.get(template.name, {})
        deadline = time.monotonic() + seconds
        while True:
            if said := new_alarm(before, ringing(cloudwatch, alarms)):
                raise CheckFailed(said)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._waiting.pause(min(left, _ALARM_POLL_SECONDS))

    def _workers(self) -> Workers:
        client = self._environment.client
        if self._environment.image_uris is None:
            return LocalWorkers(client("ecs"), client("ssm"), self._waiting)
        names = Names(client("ssm"), self._environment.stage)
        return EcsWorkers(
            client("ecs"),
            names.get("platform", "cluster-arn"),
            names.get("platform", "subnet-ids").split(","),
            names.get("platform", "security-group-id"),
            self._waiting,
        )


def _alarm_names(template: StackTemplate) -> list[str]:
    return [
        str(one["Properties"]["AlarmName"])
        for one in template.resources.values()
        if one["Type"] == ALARM and isinstance(one["Properties"].get("AlarmName"), str)
    ]
