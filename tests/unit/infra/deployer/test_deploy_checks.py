"""A new version is proven before it is recorded, and what fails to prove itself is put back."""

import base64
import hashlib
import io
import json
from typing import Any

import pytest

from infra.deployer.checks import check_function, check_state_machine, new_alarm
from infra.deployer.rollout import EcsWorkers
from infra.deployer.waiting import Waiting
from infra.errors import CheckFailed, DeploymentFailed, DeploymentInterrupted

SHA = hashlib.sha256(b"zip").hexdigest()
NEW, OLD = "arn:aws:ecs:r:1:task-definition/v:2", "arn:aws:ecs:r:1:task-definition/v:1"


class OneFunction:
    """A Lambda with one function that gives this answer."""

    def __init__(self, answer: object, *, is_error: bool = False, code: str = SHA) -> None:
        self._answer, self._is_error, self._code = answer, is_error, code
        self.asked: list[bytes] = []

    def get_function_configuration(self, **_: str) -> dict[str, str]:
        return {"CodeSha256": base64.b64encode(bytes.fromhex(self._code)).decode()}

    def invoke(self, Payload: bytes, **_: str) -> dict[str, Any]:
        self.asked.append(Payload)
        said = {"Payload": io.BytesIO(json.dumps(self._answer).encode())}
        return {**said, "FunctionError": "Unhandled"} if self._is_error else said


def test_a_function_is_asked_to_handle_nothing() -> None:
    function = OneFunction({"batchItemFailures": []})
    check_function(function, "lock", SHA)
    assert function.asked == [b'{"Records": []}']


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (OneFunction({"batchItemFailures": []}, code="00" * 32), "runs other code"),
        (
            OneFunction({"errorType": "ImportError", "errorMessage": "no x"}, is_error=True),
            "function lock cannot start: ImportError: no x",
        ),
        (OneFunction("garbage", is_error=True), 'cannot start: "garbage"'),
        (OneFunction({"statusCode": 200}), "answered .*statusCode.* to a batch of nothing"),
    ],
)
def test_a_function_that_cannot_handle_nothing_fails(function: OneFunction, reason: str) -> None:
    with pytest.raises(CheckFailed, match=reason):
        check_function(function, "lock", SHA)


@pytest.mark.parametrize(
    ("status", "definition", "reason"),
    [("DELETING", "{}", "is DELETING"), ("ACTIVE", '{"Q": "${Queue}"}', "nobody filled in")],
)
def test_a_state_machine_must_be_active_and_whole(
    status: str, definition: str, reason: str
) -> None:
    class Machines:
        def describe_state_machine(self, **_: str) -> dict[str, str]:
            return {"name": "ecsJob", "status": status, "definition": definition}

    with pytest.raises(CheckFailed, match=reason):
        check_state_machine(Machines(), "arn")


def test_only_an_alarm_that_did_not_ring_before_counts() -> None:
    assert new_alarm({"a": "old"}, {"a": "old"}) is None
    assert new_alarm({}, {}) is None
    assert new_alarm({"a": "old"}, {"a": "old", "b": "late"}) == "alarm b rang: late"


class Fargate:
    """An ECS whose new task goes through these states."""

    def __init__(self, *states: dict[str, Any], failures: bool = False) -> None:
        self._states, self._fails = list(states), failures
        self.stopped: list[str] = []

    def run_task(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["taskDefinition"] == NEW
        if self._fails:
            return {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]}
        return {"tasks": [{"taskArn": "task/new"}], "failures": []}

    def describe_tasks(self, tasks: list[str], **_: str) -> dict[str, Any]:
        assert tasks == ["task/new"]
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"tasks": [{"lastStatus": "RUNNING", **state}]}

    def stop_task(self, task: str, **_: str) -> None:
        self.stopped.append(task)


def replace_on(fargate: Fargate) -> None:
    EcsWorkers(fargate, "cluster", ["s"], "sg", Waiting(0.0)).replace(NEW, lambda _: None)


def test_on_fargate_one_task_is_started_to_see_it_healthy_and_stopped() -> None:
    """Those of the service are replaced by ECS, and where none is wanted none stays."""
    fargate = Fargate({"healthStatus": "UNKNOWN"}, {"healthStatus": "HEALTHY"})
    replace_on(fargate)
    assert fargate.stopped == ["task/new"]


@pytest.mark.parametrize(
    ("fargate", "reason", "stopped"),
    [
        (
            Fargate(
                {
                    "lastStatus": "STOPPED",
                    "stoppedReason": "Essential container exited",
                    "containers": [{"name": "validator", "exitCode": 1}],
                }
            ),
            "Essential container exited, validator exit code 1",
            [],
        ),
        (Fargate({"healthStatus": "UNHEALTHY"}), "did not say that it is ready", ["task/new"]),
        (Fargate({}, failures=True), "could be placed: RESOURCE:MEMORY", []),
    ],
)
def test_on_fargate_a_task_that_does_not_get_healthy_fails_the_deployment(
    fargate: Fargate, reason: str, stopped: list[str]
) -> None:
    with pytest.raises(CheckFailed, match=reason):
        replace_on(fargate)
    assert fargate.stopped == stopped


def test_waiting_ends_when_it_is_interrupted_or_takes_too_long() -> None:
    waiting = Waiting(0.0)
    with pytest.raises(DeploymentFailed, match="stack x did not settle in 0 s"):
        waiting.until(lambda: False, 0.0, "stack x did not settle")
    waiting.interrupt()
    with pytest.raises(DeploymentInterrupted):
        waiting.pause(60)
