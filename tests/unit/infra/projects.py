"""Tiny projects of made-up stacks, and a CloudFormation that answers from a script."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError


def a_template(
    publishes: Sequence[str] = (), resolves: Sequence[str] = (), parameters: str = ""
) -> str:
    """A template that publishes and resolves these SSM parameters."""
    published = "".join(
        f"  P{number}:\n    Type: AWS::SSM::Parameter\n"
        f"    Properties: {{Name: {name}, Type: String, Value: x}}\n"
        for number, name in enumerate(publishes)
    )
    typed = "".join(
        f"  R{number}:\n    Type: AWS::SSM::Parameter::Value<String>\n    Default: {name}\n"
        for number, name in enumerate(resolves)
    )
    return (
        f"Parameters:\n  Tunable: {{Type: Number, Default: 1}}\n{typed}{parameters}"
        f"Resources:\n  Topic: {{Type: AWS::SNS::Topic}}\n{published}"
    )


def a_project(folder: Path, templates: Mapping[str, str]) -> Path:
    """A project: `lock` is services/lock/template.yaml, `infra/saga` is infra/stacks/saga.yaml."""
    for name, body in templates.items():
        stack = name.removeprefix("infra/")
        is_service = stack == name
        path = folder / (
            f"services/{name}/template.yaml" if is_service else f"infra/stacks/{stack}.yaml"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return folder


def a_function_project(folder: Path) -> Path:
    """A project with contracts, the runtime and two services; lock's function uses some of it."""
    template = a_template(
        parameters="  ArtifactBucket: {Type: String}\n  ArtifactKey: {Type: String}\n"
    )
    handler = "Handler: services.lock.handler.handler, Runtime: python3.11"
    for name, content in {
        "contracts/__init__.py": "",
        "contracts/generate.py": "",
        "contracts/schemas/__init__.py": "",
        "contracts/schemas/commands/AcquireLock/v1.json": "{}",
        "contracts/__pycache__/x.pyc": "compiled",
        "services/__init__.py": "",
        "services/runtime/__init__.py": "",
        "services/runtime/logs.py": "import contracts.schemas",
        "services/runtime/unused.py": "",
        "services/lock/__init__.py": "",
        "services/lock/handler.py": (
            "import json\nfrom services.lock import domain\n"
            "def handler(event, context):\n    from services.runtime.logs import logger\n"
        ),
        "services/lock/domain.py": "",
        "services/lock/history.py": "",
        "services/lock/README.md": "# Lock",
        "services/lock/template.yaml": (
            f"{template}  F: {{Type: AWS::Lambda::Function, Properties: {{{handler}}}}}\n"
        ),
        "services/validator/worker.py": "",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


class ScriptedCloudFormation:
    """Plays one deployment of one stack: its status before, its change set, its status after."""

    def __init__(
        self,
        before: str | None = None,
        change_set: tuple[str, str] = ("CREATE_COMPLETE", ""),
        after: Sequence[str] = ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
        failures: Sequence[tuple[str, str]] = (),
        had_parameters: Sequence[str] = (),
    ) -> None:
        self._status = before
        self._change_set, self._after = change_set, list(after)
        self._failures, self._had = failures, had_parameters
        self.created: dict[str, Any] = {}
        self.calls: list[str] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if "execute" in self.calls and self._after:
            self._status = self._after.pop(0)
        if self._status is None:
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": f"{StackName} does not exist"}},
                "DescribeStacks",
            )
        parameters = [{"ParameterKey": name, "ParameterValue": "7"} for name in self._had]
        return {"Stacks": [{"StackStatus": self._status, "Parameters": parameters}]}

    def delete_stack(self, **_: str) -> None:
        self.calls.append("delete")
        self._status = None

    def create_change_set(self, **arguments: Any) -> dict[str, str]:
        self.created = arguments
        return {"Id": "change-set"}

    def describe_change_set(self, **_: str) -> dict[str, Any]:
        status, reason = self._change_set
        return {"Status": status, "StatusReason": reason}

    def delete_change_set(self, **_: str) -> None:
        self.calls.append("forget")

    def execute_change_set(self, **_: str) -> None:
        self.calls.append("execute")

    def get_paginator(self, operation: str) -> "ScriptedCloudFormation":
        self._operation = operation
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        if self._operation == "describe_change_set":
            change = {"Action": "Add", "LogicalResourceId": "Topic", "ResourceType": "AWS::SNS::T"}
            yield {"Changes": [{"ResourceChange": change}]}
            return
        yield {
            "StackEvents": [
                {
                    "LogicalResourceId": logical_id,
                    "ResourceType": "AWS::SNS::Topic",
                    "ResourceStatus": "CREATE_FAILED",
                    "ResourceStatusReason": reason,
                    "Timestamp": datetime.now(UTC),
                }
                for logical_id, reason in self._failures
            ]
        }
