"""`ecp dlq`: letters are counted, shown without being taken, and sent back without being lost."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from contracts.dead_letters import SqsDeadLetters
from infra.cli import dlq
from infra.cli.main import app
from infra.queries.dead_letters import read_letters, send_back
from tests.contract.builders import BATCH, a_body, an_envelope, on_the_bus

QUEUE, DEAD = "lock-commands", "lock-commands-dlq"


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("sqs", region_name="us-east-1")
        for name in (QUEUE, DEAD, "event-relay-dlq", "somebody-elses-dlq"):
            client.create_queue(QueueName=name)
        yield client


@pytest.fixture
def ecp(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    class Target:
        def client(self, _name: str) -> Any:
            return sqs

    monkeypatch.setattr(dlq, "current_target", Target)
    return lambda *arguments, **options: CliRunner().invoke(app, ["dlq", *arguments], **options)


def url_of(sqs: Any, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])


def bodies_in(sqs: Any, name: str) -> list[str]:
    answer = sqs.receive_message(
        QueueUrl=url_of(sqs, name), MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return sorted(message["Body"] for message in answer.get("Messages", ()))


def refuse(sqs: Any, body: str, reason: str = "it broke its contract") -> None:
    SqsDeadLetters(sqs).put(QUEUE, body, reason)


def test_counts_are_those_of_our_queues(sqs: Any, ecp: Callable[..., Result]) -> None:
    refuse(sqs, "one")
    said = ecp("list", "--json")
    assert json.loads(said.stdout) == {"event-relay-dlq": 0, DEAD: 1}


def test_a_letter_says_why_it_is_there_and_stays(sqs: Any, ecp: Callable[..., Result]) -> None:
    body = a_body("AcquireLock", task_token="secret-token")
    refuse(sqs, body, "AcquireLock v1: no execution_id")
    said = ecp("show", DEAD, "--json")
    [letter] = json.loads(said.stdout)
    assert letter["reason"] == "AcquireLock v1: no execution_id"
    assert (letter["event_type"], letter["batch_id"]) == ("AcquireLock", BATCH)
    assert letter["awaits_answer"]
    assert "secret-token" not in said.stdout
    assert bodies_in(sqs, DEAD) == [body]


def test_a_letter_off_the_bus_or_that_is_no_json_is_shown_too(sqs: Any) -> None:
    refuse(sqs, json.dumps(on_the_bus(an_envelope("BatchFailed"))))
    refuse(sqs, "not json")
    refuse(sqs, json.dumps({"detail-type": "Object Created", "detail": {"bucket": {}}}))
    letters = read_letters(sqs, url_of(sqs, DEAD))
    assert {letter.event_type for letter in letters} == {"BatchFailed", None, "Object Created"}
    assert "not json" in [letter.content for letter in letters]


def test_people_see_a_table_and_what_to_do(sqs: Any, ecp: Callable[..., Result]) -> None:
    sqs.send_message(QueueUrl=url_of(sqs, DEAD), MessageBody=a_body("ReleaseLock"))
    said = ecp("show", QUEUE)
    assert "ReleaseLock" in said.stdout
    assert "failed five times" in said.stdout
    assert f"ecp dlq redrive {DEAD}" in said.stdout


def test_more_letters_than_one_answer_holds_are_all_seen(sqs: Any) -> None:
    for number in range(23):
        refuse(sqs, f"letter {number}")
    assert len(read_letters(sqs, url_of(sqs, DEAD))) == 23


def test_letters_go_back_unchanged_to_where_they_came_from(
    sqs: Any, ecp: Callable[..., Result]
) -> None:
    refuse(sqs, "one")
    refuse(sqs, "two")
    said = ecp("redrive", DEAD, "--yes", "--json")
    assert (said.exit_code, len(json.loads(said.stdout)["sent"])) == (0, 2)
    assert bodies_in(sqs, QUEUE) == ["one", "two"]
    assert bodies_in(sqs, DEAD) == []


def test_people_are_asked_first(sqs: Any, ecp: Callable[..., Result]) -> None:
    refuse(sqs, "one")
    assert ecp("redrive", DEAD, input="n\n").exit_code == 1
    assert bodies_in(sqs, DEAD) == ["one"]
    said = ecp("redrive", DEAD, input="y\n")
    assert "1 message sent back to lock-commands" in said.stdout
    assert bodies_in(sqs, QUEUE) == ["one"]


def test_a_crash_on_the_way_back_loses_no_letter(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in ("one", "two", "three"):
        refuse(sqs, body)
    really_send, sends = sqs.send_message, []

    def send(**request: Any) -> Any:
        sends.append(request)
        if len(sends) == 2:
            raise ConnectionError("away")
        return really_send(**request)

    monkeypatch.setattr(sqs, "send_message", send)
    with pytest.raises(ConnectionError):
        send_back(sqs, url_of(sqs, DEAD), url_of(sqs, QUEUE))
    left = bodies_in(sqs, DEAD)
    assert len(left) == 2
    assert sorted(bodies_in(sqs, QUEUE) + left) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("show", "nobodys-queue"), "no queue of the pipeline"),
        (("show", "lock-nothing-dlq"), "there is no queue lock-nothing-dlq"),
        (("redrive", "event-relay-dlq", "--yes"), "came from no queue"),
        (("redrive", DEAD, "--json"), "say --yes too"),
    ],
)
def test_what_cannot_be_done_is_wrong_usage(
    ecp: Callable[..., Result], arguments: tuple[str, ...], why: str
) -> None:
    said = ecp(*arguments)
    assert said.exit_code == 2
    assert why in " ".join(said.output.split())
