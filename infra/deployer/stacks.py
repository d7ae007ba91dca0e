"""One stack, brought to the state its template describes by a change set."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from infra.deployer.templates import StackTemplate
from infra.errors import DeploymentFailed

Progress = Callable[[str], None]
Outcome = Literal["CREATED", "UPDATED", "UNCHANGED"]

STACK_TIMEOUT_SECONDS = 1800.0
_NEVER_DEPLOYED = (None, "REVIEW_IN_PROGRESS")
_NOTHING_TO_DO = ("didn't contain changes", "no updates are to be performed")


@dataclass(frozen=True)
class StackResult:
    """How one stack was deployed; `changes` reads as `Add LogGroup (AWS::Logs::LogGroup)`."""

    name: str
    stack_name: str
    outcome: Outcome
    changes: tuple[str, ...]
    seconds: float


class StackDeployer:
    """Creates, describes, executes and waits for change sets."""

    def __init__(self, cloudformation: Any, poll_seconds: float) -> None:
        self._cloudformation = cloudformation
        self._poll_seconds = poll_seconds

    def apply(
        self, template: StackTemplate, parameters: Mapping[str, str], on_progress: Progress
    ) -> StackResult:
        """Create or update the stack of `template`; nothing to change is a success.

        A parameter that is not given keeps the value its stack has: another person may deploy
        next. Raises DeploymentFailed with the reason of the resource that failed first.
        """
        started = time.monotonic()
        existing = self._existing(template, on_progress)
        change_set = self._create_change_set(template, parameters, existing)
        changes = self._await_change_set(template, change_set)
        if changes is None:
            self._cloudformation.delete_change_set(ChangeSetName=change_set)
            return StackResult(
                template.name, template.stack_name, "UNCHANGED", (), time.monotonic() - started
            )
        count = f"{len(changes)} change{'s' if len(changes) != 1 else ''}"
        on_progress(f"{template.name}: {count}")
        self._cloudformation.execute_change_set(ChangeSetName=change_set)
        self._await_stack(template, started)
        outcome: Outcome = "CREATED" if existing is None else "UPDATED"
        return StackResult(
            template.name, template.stack_name, outcome, changes, time.monotonic() - started
        )

    def _existing(self, template: StackTemplate, on_progress: Progress) -> Any | None:
        """The stack as it is; None when it has yet to be created."""
        stack = self._describe(template.stack_name)
        status = stack["StackStatus"] if stack else None
        if status in _NEVER_DEPLOYED:
            return None
        if status == "ROLLBACK_COMPLETE":
            on_progress(f"{template.name}: removing what a failed creation left")
            self._cloudformation.delete_stack(StackName=template.stack_name)
            self._poll(template, lambda: self._describe(template.stack_name) is None)
            return None
        if status and status.endswith("_IN_PROGRESS"):
            raise DeploymentFailed(
                f"stack {template.stack_name} is {status}; wait until it is done"
            )
        return stack

    def _create_change_set(
        self, template: StackTemplate, parameters: Mapping[str, str], existing: Any | None
    ) -> str:
        had = {one["ParameterKey"] for one in existing.get("Parameters", [])} if existing else set()
        kept = [
            {"ParameterKey": name, "UsePreviousValue": True}
            for name in template.parameters
            if name in had and name not in parameters and not template.reads_ssm(name)
        ]
        given = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ]
        try:
            answer = self._cloudformation.create_change_set(
                StackName=template.stack_name,
                ChangeSetName=f"deploy-{time.time_ns()}",
                ChangeSetType="CREATE" if existing is None else "UPDATE",
                TemplateBody=template.body,
                Parameters=given + kept,
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Tags=[{"Key": "application", "Value": "ecommerce-pipeline"}],
            )
        except ClientError as refusal:
            raise DeploymentFailed(
                f"stack {template.stack_name}: {refusal.response['Error']['Message']} "
                f"({template.path})"
            ) from refusal
        return str(answer["Id"])

    def _await_change_set(self, template: StackTemplate, change_set: str) -> tuple[str, ...] | None:
        """The changes it would make, None when there are none."""
        described: dict[str, Any] = {}

        def is_finished() -> bool:
            described.update(self._cloudformation.describe_change_set(ChangeSetName=change_set))
            return described["Status"] in ("CREATE_COMPLETE", "FAILED")

        self._poll(template, is_finished)
        if described["Status"] == "CREATE_COMPLETE":
            return self._changes(change_set)
        reason = described.get("StatusReason", "no reason given")
        if any(words in reason.lower() for words in _NOTHING_TO_DO):
            return None
        raise DeploymentFailed(f"stack {template.stack_name}: {reason} ({template.path})")

    def _changes(self, change_set: str) -> tuple[str, ...]:
        pages = self._cloudformation.get_paginator("describe_change_set").paginate(
            ChangeSetName=change_set
        )
        return tuple(
            "{Action} {LogicalResourceId} ({ResourceType})".format(**change["ResourceChange"])
            for page in pages
            for change in page["Changes"]
        )

    def _await_stack(self, template: StackTemplate, started: float) -> None:
        status = ""

        def is_finished() -> bool:
            nonlocal status
            stack = self._describe(template.stack_name)
            status = stack["StackStatus"] if stack else "DELETED"
            return not status.endswith("_IN_PROGRESS")

        self._poll(template, is_finished)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reason = self._first_failure(template.stack_name, time.monotonic() - started)
            raise DeploymentFailed(f"stack {template.stack_name} is {status}: {reason}")

    def _first_failure(self, stack_name: str, seconds: float) -> str:
        """The resource that failed first in the last `seconds`, with its own reason."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=stack_name
        )
        since = time.time() - seconds - 1
        failures = [
            event
            for page in pages
            for event in page["StackEvents"]
            if event["ResourceStatus"].endswith("_FAILED")
            and event["Timestamp"].timestamp() >= since
            and "cancelled" not in event.get("ResourceStatusReason", "").lower()
        ]
        if not failures:
            return f"no resource says why; look at its events in stack {stack_name}"
        return (
            "{LogicalResourceId} ({ResourceType}) {ResourceStatus}: {ResourceStatusReason}".format(
                **{"ResourceStatusReason": "no reason given", **failures[-1]}
            )
        )

    def _describe(self, stack_name: str) -> Any | None:
        try:
            stacks = self._cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
        except ClientError as refusal:
            if "does not exist" in refusal.response["Error"]["Message"]:
                return None
            raise
        return stacks[0]

    def _poll(self, template: StackTemplate, is_finished: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STACK_TIMEOUT_SECONDS
        while not is_finished():
            if time.monotonic() > deadline:
                raise DeploymentFailed(
                    f"stack {template.stack_name} did not settle in {STACK_TIMEOUT_SECONDS:.0f} s"
                )
            time.sleep(self._poll_seconds)
