"""The local cloud has as many workers as what waits asks for, by the templates' numbers."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.local.scaled_workers import LOOK_SECONDS, Clients, ScaledWorkers
from infra.stage import Stage

NUMBERS = {"min_workers": 1, "wait_minutes": 3, "idle_minutes": 5, "many_commands": 10}
CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/ecommerce-pipeline"


class LocalCloud:
    """SSM, SQS and ECS of two services, with what a test puts into their queues."""

    def __init__(self, prefix: str = "") -> None:
        self.now, self.prefix = 0.0, prefix
        self.queues = {"validator": [0, 0], "transformer": [0, 0]}
        self.wanted = {"validator": 1, "transformer": 1}
        self.parameters = {f"/{prefix}ecommerce-pipeline/platform/cluster-arn": CLUSTER}
        for name, most in (("validator", 4), ("transformer", 1)):
            path = f"/{prefix}ecommerce-pipeline/{name}"
            self.parameters |= {
                f"{path}/scaling": json.dumps({**NUMBERS, "max_workers": most}),
                f"{path}/command-queue-url": f"http://queue/{name}",
                f"{path}/service-name": f"{prefix}{name}",
            }

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if Name not in self.parameters:
            error = {"Error": {"Code": "ParameterNotFound", "Message": Name}}
            raise ClientError(error, "GetParameter")  # type: ignore[arg-type]
        return {"Parameter": {"Value": self.parameters[Name]}}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        counts = self.queues[QueueUrl.rsplit("/", 1)[-1]]
        return {"Attributes": dict(zip(AttributeNames, map(str, counts), strict=True))}

    def describe_services(self, cluster: str, services: list[str]) -> dict[str, Any]:
        assert cluster == CLUSTER
        return {"services": [{"desiredCount": self.wanted[self._plain(one)]} for one in services]}

    def update_service(self, cluster: str, service: str, desiredCount: int) -> None:
        assert cluster == CLUSTER
        self.wanted[self._plain(service)] = desiredCount

    def _plain(self, name: str) -> str:
        assert name.startswith(self.prefix)
        return name.removeprefix(self.prefix)


def scaled(cloud: LocalCloud, stage: str = "") -> ScaledWorkers:
    clients = Clients(ecs=cloud, sqs=cloud, ssm=cloud)
    running = lambda name: cloud.wanted[name.removeprefix(cloud.prefix)]  # noqa: E731
    return ScaledWorkers(clients, Stage(stage), running, lambda: cloud.now)


def after(cloud: LocalCloud, workers: ScaledWorkers, seconds: float) -> Mapping[str, int]:
    """What is wanted after so long, looked at as often as the supervisor does."""
    until = cloud.now + seconds
    while cloud.now < until:
        workers.counts()
        cloud.now += LOOK_SECONDS
    return workers.counts()


def test_a_file_that_waits_behind_another_gets_a_second_validator() -> None:
    cloud = LocalCloud()
    workers = scaled(cloud)
    cloud.queues["validator"] = [1, 1]
    assert after(cloud, workers, 170) == {"validator": 1, "transformer": 1}
    assert after(cloud, workers, 15) == {"validator": 2, "transformer": 1}
    assert cloud.wanted == {"validator": 2, "transformer": 1}, "the saga reads it of the service"
    assert after(cloud, workers, 1_000)["validator"] == 4


def test_with_nothing_to_do_for_five_minutes_one_stays() -> None:
    cloud = LocalCloud()
    workers = scaled(cloud)
    cloud.wanted["validator"] = 3
    assert after(cloud, workers, 290)["validator"] == 3
    assert after(cloud, workers, 15)["validator"] == 1


def test_the_transformer_stays_alone() -> None:
    cloud = LocalCloud()
    cloud.queues["transformer"] = [50, 1]
    assert after(cloud, scaled(cloud), 1_000)["transformer"] == 1


def test_one_stays_also_where_the_numbers_are_those_of_aws() -> None:
    cloud = LocalCloud()
    path = "/ecommerce-pipeline/validator/scaling"
    cloud.parameters[path] = json.dumps({**NUMBERS, "min_workers": 0, "max_workers": 4})
    assert after(cloud, scaled(cloud), 1_000)["validator"] == 1


def test_numbers_that_a_deployment_changes_count_from_then_on() -> None:
    cloud = LocalCloud()
    workers = scaled(cloud)
    cloud.queues["validator"] = [1, 1]
    path = "/ecommerce-pipeline/validator/scaling"
    cloud.parameters[path] = json.dumps({**NUMBERS, "max_workers": 4, "wait_minutes": 1})
    assert after(cloud, workers, 65)["validator"] == 2


def test_what_is_not_deployed_is_left_out() -> None:
    cloud = LocalCloud()
    del cloud.parameters["/ecommerce-pipeline/validator/scaling"]
    assert scaled(cloud).counts() == {"transformer": 1}


def test_a_stage_has_workers_of_its_own_names() -> None:
    cloud = LocalCloud("blue-")
    cloud.queues["validator"] = [10, 0]
    assert after(cloud, scaled(cloud, "blue"), 200) == {"blue-validator": 4, "blue-transformer": 1}


def test_queues_are_looked_at_every_few_seconds_only() -> None:
    cloud = LocalCloud()
    workers = scaled(cloud)
    workers.counts()
    cloud.wanted["validator"] = 2
    assert workers.counts()["validator"] == 1
    cloud.now += LOOK_SECONDS
    assert workers.counts()["validator"] == 2
