"""What the workers are: read out of the ECS task definitions registered in the local cloud.

So the same template says how a worker runs on one machine and on Fargate.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.errors import LocalCloudError

READY_FILE = "WORKER_READY_FILE"


@dataclass(frozen=True)
class WorkerDefinition:
    """One container of a task definition: what to run, and with which environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def worker_definitions(cloudformation: Any, ecs: Any, stack_name: str) -> list[WorkerDefinition]:
    """The containers of the task definitions that a stack registered."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    task_definitions = [
        resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::ECS::TaskDefinition"
    ]
    return [
        _definition(container)
        for arn in task_definitions
        for container in _containers(ecs.describe_task_definition(taskDefinition=arn))
    ]


def _containers(described: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    containers: Iterable[Mapping[str, Any]] = described["taskDefinition"]["containerDefinitions"]
    return containers


def _definition(container: Mapping[str, Any]) -> WorkerDefinition:
    name = container["name"]
    command = [*container.get("entryPoint", []), *container.get("command", [])]
    if not command:
        raise LocalCloudError(f"container {name} names no command in its task definition")
    if container.get("secrets"):
        raise LocalCloudError(f"container {name} takes secrets, which only ECS can hand over")
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    environment = {one["name"]: one["value"] for one in container.get("environment", [])}
    return WorkerDefinition(name, tuple(command), environment)
