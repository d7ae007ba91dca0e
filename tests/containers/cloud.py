"""A local cloud without local workers: every stack is there, the two worker queues wait."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.deployer.deploy import deploy
from infra.environments import local_environment
from tests.model import ShopModel
from tests.support.ministack import running_ministack
from tests.support.pipeline import PATIENCE_SECONDS, Pipeline
from tests.support.standing import Row, assert_kpis_equal, csv_of

TASK_FAMILIES = ("validation-task", "transformation-task")
CLOSED_WITHIN_SECONDS = 600.0
"""Spark begins within a minute by itself, and in many where other tests have both cores."""


@dataclass
class WorkerlessCloud:
    """The cloud, what its task definitions give each container, and the model of what stands."""

    pipeline: Pipeline
    environments: Mapping[str, Mapping[str, str]]
    model: ShopModel = field(default_factory=ShopModel)

    def environment_of(self, service: str, **more: str) -> dict[str, str]:
        """What the container of a service is started with."""
        return {**self.environments[service], **self.pipeline.environment, **more}

    def submit(self, name: str, rows: Mapping[str, list[Row]]) -> None:
        """The model takes a set, then it is uploaded: who looks afterwards misses nothing of it."""
        files = {f"{kind}/{name}.csv": csv_of(kind, rows[kind]) for kind in rows}
        self.model.apply(**rows)
        self.pipeline.upload_set(name, files)

    def assert_completed(self, name: str) -> dict[str, Any]:
        """The batch is COMPLETED and every KPI is the model's; gives the result document."""
        key = f"orders/{name}.csv"
        batch = self.pipeline.batch_of(key, within_seconds=CLOSED_WITHIN_SECONDS)
        assert batch["status"] == "COMPLETED", batch
        assert_kpis_equal(self.pipeline, self.model)
        assert self.pipeline.dead_letters() == {}
        return self.pipeline.result(batch["batch_id"])

    def await_taken(self, service: str) -> None:
        """Until a container has a command of its service in hand."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._messages(service)[1]:
            assert time.monotonic() < deadline, f"no {service} took a message"
            time.sleep(0.01)

    def _messages(self, service: str) -> tuple[int, int]:
        """How many wait, and how many are in hand."""
        sqs = self.pipeline.client("sqs")
        attributes = sqs.get_queue_attributes(
            QueueUrl=self.environments[service]["COMMAND_QUEUE_URL"], AttributeNames=["All"]
        )["Attributes"]
        return (
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )


@contextmanager
def workerless_cloud(directory: Path) -> Iterator[WorkerlessCloud]:
    """MiniStack with every stack deployed, as `ecp up` does it, and no worker started."""
    with running_ministack(directory) as endpoint:
        deploy(local_environment(endpoint["AWS_ENDPOINT_URL"], {}))
        pipeline = Pipeline(endpoint)
        yield WorkerlessCloud(
            pipeline, dict(_container(pipeline, family) for family in TASK_FAMILIES)
        )


def _container(pipeline: Pipeline, family: str) -> tuple[str, dict[str, str]]:
    """Name and environment of the one container of a task definition, as ECS would give them."""
    described = pipeline.client("ecs").describe_task_definition(taskDefinition=family)
    [container] = described["taskDefinition"]["containerDefinitions"]
    return container["name"], {one["name"]: one["value"] for one in container["environment"]}
