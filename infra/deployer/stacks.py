"""One stack, brought to the state its template describes by a change set."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from infra.deployer.kept import OF_NEW_STACKS, imported, with_names_written_out
from infra.deployer.templates import StackTemplate
from infra.deployer.waiting import Waiting
from infra.errors import DeploymentFailed
from infra.stage import PARAMETER

Progress = Callable[[str], None]
FirstValues = Callable[[Collection[str], Mapping[str, str]], Mapping[str, str]]
"""Values of parameters that a stack has none of yet, beside those that are given."""
Outcome = Literal["CREATED", "UPDATED", "UNCHANGED", "LEFT"]

STACK_TIMEOUT_SECONDS = 1800.0
_NEVER_DEPLOYED = (None, "REVIEW_IN_PROGRESS")
TAGS = [{"Key": "application", "Value": "ecommerce-pipeline"}]
_NOTHING_TO_DO = ("didn't contain changes", "no updates are to be performed")


@dataclass(frozen=True)
class ResourceChange:
    """What a change set does to one resource.

    `replacement`: True, False, Conditional, or empty. `policy`: what becomes of one that is removed
    (Retain, Delete, Snapshot), as the deployed template says; empty where nobody says it.
    """

    action: str
    logical_id: str
    resource_type: str
    replacement: str
    policy: str = ""

    @property
    def may_lose_it(self) -> bool:
        """Whether the resource as it is may be gone afterwards."""
        is_removed = self.action == "Remove" and self.policy != "Retain"
        return is_removed or self.replacement in ("True", "Conditional")


@dataclass(frozen=True)
class ChangeSet:
    """Changes that wait to be executed; `creates`: the stack was not there before."""

    id: str
    template: StackTemplate
    creates: bool
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True)
class StackResult:
    """How one stack was deployed; LEFT: somebody was asked and said no."""

    name: str
    stack_name: str
    outcome: Outcome
    changes: tuple[ResourceChange, ...]
    seconds: float


def endangered(change_set: ChangeSet) -> list[ResourceChange]:
    """Changes that may lose what cannot be made again: data, messages, keys.

    A resource that the new template does not have any more is not in it to be asked, so every
    removal counts unless it is of a kind that holds nothing.
    """
    return [
        change
        for change in change_set.changes
        if change.may_lose_it
        and (
            change_set.template.is_stateful(change.logical_id)
            or (change.action == "Remove" and change.resource_type in _STATEFUL_TYPES)
        )
    ]


_STATEFUL_TYPES = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)


class StackDeployer:
    """Creates, describes, executes and waits for change sets."""

    def __init__(
        self,
        cloudformation: Any,
        waiting: Waiting,
        first_values: FirstValues = lambda _, __: {},
        role_arn: str | None = None,
    ) -> None:
        """`role_arn`: in which role CloudFormation makes the changes; None: as whoever asks."""
        self._cloudformation = cloudformation
        self._waiting = waiting
        self._first_values, self._role = first_values, {"RoleARN": role_arn} if role_arn else {}

    def prepare(
        self, template: StackTemplate, parameters: Mapping[str, str], on_progress: Progress
    ) -> ChangeSet | None:
        """The change set that creates or updates the stack; None when there is nothing to change.

        A parameter that is not given keeps the value its stack has: another person may deploy
        next. Raises DeploymentFailed when the stack cannot be changed now.
        """
        existing = self._existing(template, on_progress)
        change_set = self._create_change_set(template, parameters, existing)
        changes = self._await_change_set(template, change_set)
        if changes is None:
            self._cloudformation.delete_change_set(ChangeSetName=change_set)
            return None
        if left := [one for one in changes if one.action == "Import"]:
            on_progress(
                f"{template.name}: takes back {', '.join(one.logical_id for one in left)}, "
                "which an earlier stack left"
            )
            self._take_back(template, parameters, left)
            return self.prepare(template, parameters, on_progress)
        return ChangeSet(change_set, template, existing is None, changes)

    def _take_back(
        self,
        template: StackTemplate,
        parameters: Mapping[str, str],
        left: Sequence[ResourceChange],
    ) -> None:
        """Make the stack out of what is there already; all else is then an update.

        Nothing of what is there is changed. In one step with the rest, a creation that fails would
        be rolled back with it.
        """
        self._remove(template)
        change_set = self._create_change_set(template, parameters, None, left)
        if self._await_change_set(template, change_set) is None:
            raise DeploymentFailed(f"stack {template.stack_name}: nothing was there to take back")
        started = time.monotonic()
        self._cloudformation.execute_change_set(ChangeSetName=change_set)
        self._await_stack(template, started)

    def _remove(self, template: StackTemplate) -> None:
        """Delete a stack in which there is nothing."""
        self._cloudformation.delete_stack(StackName=template.stack_name, **self._role)
        self._poll(template, lambda: self._describe(template.stack_name) is None)

    def discard(self, change_set: ChangeSet) -> None:
        """Forget a change set that is not to be executed."""
        self._cloudformation.delete_change_set(ChangeSetName=change_set.id)

    def execute(self, change_set: ChangeSet) -> None:
        """Make the changes and wait until they are made.

        Raises DeploymentFailed with the reason of the resource that failed first; CloudFormation
        has put the stack back by then.
        """
        started = time.monotonic()
        self._cloudformation.execute_change_set(ChangeSetName=change_set.id)
        self._await_stack(change_set.template, started)

    def resources(self, stack_name: str) -> dict[str, list[str]]:
        """The stack's physical ids, by resource type."""
        found: dict[str, list[str]] = {}
        pages = self._cloudformation.get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=stack_name):
            for one in page["StackResourceSummaries"]:
                found.setdefault(one["ResourceType"], []).append(one["PhysicalResourceId"])
        return found

    def parameters(self, template: StackTemplate) -> dict[str, str]:
        """The values that the stack has now, without those of the stage and of SSM."""
        stack = self._describe(template.stack_name) or {}
        return {
            one["ParameterKey"]: one["ParameterValue"]
            for one in stack.get("Parameters", [])
            if one["ParameterKey"] in template.parameters
            and one["ParameterKey"] != PARAMETER
            and not template.reads_ssm(one["ParameterKey"])
        }

    def _existing(self, template: StackTemplate, on_progress: Progress) -> Any | None:
        """The stack as it is; None when it has yet to be created."""
        stack = self._describe(template.stack_name)
        status = stack["StackStatus"] if stack else None
        if status in _NEVER_DEPLOYED:
            return None
        if status == "ROLLBACK_COMPLETE":
            on_progress(f"{template.name}: removing what a failed creation left")
            self._remove(template)
            return None
        if status == "UPDATE_ROLLBACK_FAILED":
            raise DeploymentFailed(
                f"stack {template.stack_name} is {status}: cure what its events name, then "
                f"`aws cloudformation continue-update-rollback --stack-name {template.stack_name}`"
            )
        if status and status.endswith("_IN_PROGRESS"):
            raise DeploymentFailed(
                f"stack {template.stack_name} is {status}; wait until it is done"
            )
        return stack

    def _create_change_set(
        self,
        template: StackTemplate,
        parameters: Mapping[str, str],
        existing: Any | None,
        imports: Sequence[ResourceChange] = (),
    ) -> str:
        parameters = {**parameters, **template.of_stage}
        had = {one["ParameterKey"] for one in existing.get("Parameters", [])} if existing else set()
        kept = [
            {"ParameterKey": name, "UsePreviousValue": True}
            for name in template.parameters
            if name in had and name not in parameters and not template.reads_ssm(name)
        ]
        left = set(template.parameters) - had - set(parameters)
        if existing is not None:
            left -= OF_NEW_STACKS
        values = {**self._first_values(left, parameters), **parameters}
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
        kind, body = "UPDATE", template.body
        takes_back: dict[str, Any] = {}
        if existing is None:
            kind = "CREATE"
        if existing is None and not template.keeps_artifacts:  # that one uses what it does not make
            body = with_names_written_out(template.body, {**template.defaults, **values})
            takes_back = {"ImportExistingResources": True}
        if imports:
            body, named = imported([one.logical_id for one in imports], body, template.path)
            kind, takes_back = "IMPORT", {"ResourcesToImport": named}
        try:
            answer = self._cloudformation.create_change_set(
                StackName=template.stack_name,
                ChangeSetName=f"deploy-{time.time_ns()}",
                ChangeSetType=kind,
                TemplateBody=body,
                Parameters=given + kept,
                Capabilities=["CAPABILITY_NAMED_IAM"],
                **({} if imports else {"Tags": TAGS}),  # an import may set none
                **takes_back,
                **self._role,
            )
        except ClientError as refusal:
            raise DeploymentFailed(
                f"stack {template.stack_name}: {refusal.response['Error']['Message']} "
                f"({template.path})"
            ) from refusal
        return str(answer["Id"])

    def _await_change_set(
        self, template: StackTemplate, change_set: str
    ) -> tuple[ResourceChange, ...] | None:
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

    def _changes(self, change_set: str) -> tuple[ResourceChange, ...]:
        pages = self._cloudformation.get_paginator("describe_change_set").paginate(
            ChangeSetName=change_set
        )
        changes: Sequence[Mapping[str, str]] = [
            change["ResourceChange"] for page in pages for change in page["Changes"]
        ]
        return tuple(
            ResourceChange(
                change["Action"],
                change["LogicalResourceId"],
                change["ResourceType"],
                change.get("Replacement", ""),
                change.get("PolicyAction", "") if change["Action"] == "Remove" else "",
            )
            for change in changes
        )

    def _await_stack(self, template: StackTemplate, started: float) -> None:
        status = ""

        def is_finished() -> bool:
            nonlocal status
            stack = self._describe(template.stack_name)
            status = stack["StackStatus"] if stack else "DELETED"
            return not status.endswith("_IN_PROGRESS")

        self._poll(template, is_finished)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
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
        self._waiting.until(
            is_finished, STACK_TIMEOUT_SECONDS, f"stack {template.stack_name} did not settle"
        )
