"""What the workers are: read out of the ECS task definitions registered in the local cloud.

So the same template says how a worker runs on one machine and on Fargate.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.errors import LocalCloudError

READY_FILE = "WORKER_READY_FILE"


@dataclass(frozen=True)
class WorkerDefinition:
    """One container of a task definition: what to run, and with which environment.

    `image`: which code, `s3://` and the place of its zip. `task_role`: the ARN of the role whose
    rights it has. `task_definition`: the ARN of the revision, which changes nothing of what runs.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    task_role: str
    task_definition: str = field(compare=False)


def worker_definitions(ecs: Any) -> list[WorkerDefinition]:
    """The containers of the newest revision of every task definition that is registered."""
    families = ecs.list_task_definition_families(status="ACTIVE")["families"]
    return [
        definition
        for family in families
        for definition in _definitions(
            ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        )
    ]


def _definitions(described: Mapping[str, Any]) -> Iterable[WorkerDefinition]:
    for container in described["containerDefinitions"]:
        yield _definition(container, described)


def _definition(container: Mapping[str, Any], task: Mapping[str, Any]) -> WorkerDefinition:
    name = container["name"]
    command = [*container.get("entryPoint", []), *container.get("command", [])]
    if not command:
        raise LocalCloudError(f"container {name} names no command in its task definition")
    if container.get("secrets"):
        raise LocalCloudError(f"container {name} takes secrets, which only ECS can hand over")
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    environment = {one["name"]: one["value"] for one in container.get("environment", [])}
    if not task.get("taskRoleArn"):
        raise LocalCloudError(f"container {name} has no task role, so it may do nothing")
    return WorkerDefinition(
        name=name,
        image=container["image"],
        command=tuple(command),
        environment=environment,
        task_role=task["taskRoleArn"],
        task_definition=task["taskDefinitionArn"],
    )
