"""Answering the saga: what goes to Step Functions, and who is told that nobody waits any more."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.runtime.messaging.task_callbacks import (
    InMemoryTaskCallbacks,
    StepFunctionsTaskCallbacks,
    TaskCallbacks,
)
from tests.support.doubles import Refusing, refused


class Client:
    """A Step Functions that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        if not operation.startswith("send_task_"):
            raise AttributeError(operation)
        return lambda **arguments: self.calls.append((operation, arguments))


def all_three(answers: TaskCallbacks, token: str) -> list[bool]:
    """A heartbeat, an answer and a failure."""
    return [
        answers.heartbeat(token),
        answers.succeed(token, {"outcome": "GRANTED", "fence": 7}),
        answers.fail(token, "Transient", "S3 is away"),
    ]


def test_heartbeat_answer_and_failure_go_to_the_task_of_the_token() -> None:
    client = Client()
    assert all_three(StepFunctionsTaskCallbacks(client), "t1") == [True, True, True]
    [heartbeat, success, failure] = client.calls
    assert heartbeat == ("send_task_heartbeat", {"taskToken": "t1"})
    assert success[0] == "send_task_success"
    assert success[1]["taskToken"] == "t1"
    assert json.loads(success[1]["output"]) == {"outcome": "GRANTED", "fence": 7}
    assert failure == (
        "send_task_failure",
        {"taskToken": "t1", "error": "Transient", "cause": "S3 is away"},
    )


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_task_that_is_gone_is_no_fault(code: str) -> None:
    answers = StepFunctionsTaskCallbacks(Refusing(refused(code)))
    assert all_three(answers, "t1") == [False, False, False]


def test_any_other_fault_is_raised_so_that_the_message_comes_again() -> None:
    answers = StepFunctionsTaskCallbacks(Refusing(refused("ThrottlingException")))
    with pytest.raises(ClientError, match="ThrottlingException"):
        answers.succeed("t1", {})


def test_a_failure_is_cut_to_what_the_api_takes() -> None:
    client = Client()
    StepFunctionsTaskCallbacks(client).fail("t1", "e" * 300, "c" * 40_000)
    [(_, sent)] = client.calls
    assert (len(sent["error"]), len(sent["cause"])) == (256, 32_768)


def test_the_double_answers_each_task_once_as_step_functions_does() -> None:
    answers = InMemoryTaskCallbacks(gone={"t0"})
    assert all_three(answers, "t0") == [False, False, False]
    assert all_three(answers, "t1") == [True, True, False]
    assert answers.fail("t2", "Transient", "S3 is away") is True
    assert all_three(answers, "t2") == [False, False, False]
    assert answers.heartbeats == ["t1"]
    assert answers.succeeded == {"t1": {"outcome": "GRANTED", "fence": 7}}
    assert answers.failed == {"t2": ("Transient", "S3 is away")}
