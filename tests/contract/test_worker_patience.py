"""How long a worker may hold a message, against what the saga and ECS say of the same."""

import json
from collections.abc import Mapping

import pytest

from services.runtime.messaging.worker import STOP_SECONDS
from services.transformer.settings import Settings
from services.validator.settings import ValidatorSettings
from tests.contract.declared import PROJECT, SAGA, Service, states_in

REQUIRED = ("event_store_table", "command_queue_url", "lock_queue_url")
DEADLINES: Mapping[str, Mapping[str, float]] = {
    "validator": ValidatorSettings(
        **dict.fromkeys((*REQUIRED, "pseudonym_secret_id", "data_bucket", "state_table"), "x")  # type: ignore[arg-type]
    ).deadline_seconds,
    "transformer": Settings(
        **dict.fromkeys(  # type: ignore[arg-type]
            (
                *REQUIRED,
                "warehouse_bucket",
                "state_table",
                "category_kpis_table",
                "order_kpis_table",
            ),
            "x",
        )
    ).deadline_seconds,
}


@pytest.mark.parametrize("name", DEADLINES)
def test_every_command_that_a_worker_takes_has_a_deadline(name: str) -> None:
    service = Service(PROJECT / "services" / name)
    assert set(DEADLINES[name]) == service.types("consumes", "commands")


def test_a_worker_lets_go_of_a_command_when_the_saga_waits_for_it_no_more() -> None:
    patience = {
        state["Arguments"]["MessageBody"]["event_type"]: state["TimeoutSeconds"]
        for _, state in states_in(json.loads(SAGA.read_text()))
        if "MessageBody" in state.get("Arguments", {})
    }
    deadlines = {name: each for worker in DEADLINES.values() for name, each in worker.items()}
    shared = patience.keys() & deadlines.keys()
    assert shared == {"ValidateFile", "TransformBatch", "AbandonBatch"}
    assert {name: deadlines[name] for name in shared} == {name: patience[name] for name in shared}


@pytest.mark.parametrize("name", DEADLINES)
def test_a_worker_that_is_to_stop_ends_before_ecs_kills_it(name: str) -> None:
    template = Service(PROJECT / "services" / name).template
    [definition] = template.of_type("AWS::ECS::TaskDefinition").values()
    for container in definition["ContainerDefinitions"]:
        assert container["StopTimeout"] > STOP_SECONDS


def test_a_command_may_wait_in_the_queue_before_its_first_heartbeat() -> None:
    """Step Functions counts from when it is sent; one worker takes one message after the other.

    A container of 1.4 GB starts in two minutes, a file takes five at worst; and who waits for
    longer than a lease lasts has lost the lock. tests/simulation/test_patience.py plays it.
    """
    states = dict(states_in(json.loads(SAGA.read_text())))
    lock = Service(PROJECT / "services/lock").template.document["Parameters"]["LeaseSeconds"]
    at_once = states["ValidateFiles"]["MaxConcurrency"]
    assert at_once == "{% $max([$states.input.validators, 1]) + 1 %}"
    before_it = 1
    assert 120 + before_it * 300 <= states["ValidateFile"]["HeartbeatSeconds"] < lock["Default"]
    alarm, cold_start = 180, 120  # where the saga's own start is refused (decision 0036)
    for name in ("Transform", "Abandon"):
        assert alarm + 60 + cold_start <= states[name]["HeartbeatSeconds"] < lock["Default"]
