"""A worker is started by who sends it something between batches, and only where none is wanted."""

from typing import Any

import pytest

from infra.ecp.maintenance.requests import start_worker


class Ecs:
    """One service of which so many are wanted."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.asked = wanted, 0

    def describe_services(self, cluster: str, services: list[str]) -> dict[str, Any]:
        assert (cluster, services) == ("the cluster-arn", ["the service-name"])
        return {"services": [{"desiredCount": self.wanted}]}

    def update_service(self, cluster: str, service: str, desiredCount: int) -> None:
        assert (cluster, service) == ("the cluster-arn", "the service-name")
        self.asked, self.wanted = self.asked + 1, desiredCount


class Names:
    def get(self, stack: str, name: str) -> str:
        assert stack in ("platform", "validator")
        return f"the {name}"


@pytest.mark.parametrize(("wanted", "then", "asked"), [(0, 1, 1), (1, 1, 0), (3, 3, 0)])
def test_one_is_started_where_none_is_wanted_and_none_is_taken_away(
    wanted: int, then: int, asked: int
) -> None:
    ecs = Ecs(wanted)
    start_worker(ecs, Names(), "validator")
    assert (ecs.wanted, ecs.asked) == (then, asked)
