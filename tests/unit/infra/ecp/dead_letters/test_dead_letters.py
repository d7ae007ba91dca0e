"""`ecp dlq`: letters are counted, shown without being taken, and sent back without being lost."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from contracts.printable import printable
from infra.ecp.dead_letters import commands as dlq
from infra.ecp.main import app
from infra.environments import PROJECT
from services.api.operations import letters
from services.api.operations.advice import ADVICE, advice_for
from services.api.operations.letters import held, read_letters, send_back
from services.runtime.messaging.dead_letters import SqsDeadLetters
from tests.contract.builders import BATCH, a_body, an_envelope, on_the_bus
from tests.support.hostile_bodies import HOSTILE
from tests.support.moto_account import moto_account

pytestmark = pytest.mark.medium

QUEUE, DEAD = "lock-commands", "lock-commands-dlq"
ARCHIVE = "ecommerce-archive-bucket"


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(letters, "LAST_LOOK_SECONDS", 0)  # moto has one server
    with moto_account():
        client = boto3.client("sqs", region_name="us-east-1")
        for name in (QUEUE, DEAD, "event-relay-dlq", "somebody-elses-dlq"):
            client.create_queue(QueueName=name)
        yield client


@pytest.fixture
def ecp(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=ARCHIVE)

    class Target:
        names = SimpleNamespace(archive_bucket=ARCHIVE)

        def client(self, name: str) -> Any:
            return {"sqs": sqs, "s3": s3}[name]

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
    assert advice_for(DEAD)[:40] in " ".join(said.stdout.split())


def test_any_letter_is_listed_shown_and_given_as_json_whole(
    sqs: Any, ecp: Callable[..., Result]
) -> None:
    for body in HOSTILE.values():
        refuse(sqs, body, "why \x1b[2J")
    assert ecp("list").exit_code == 0
    given = json.loads(ecp("show", DEAD, "--json").stdout)
    exact = {letter["body"] for letter in given if not letter["awaits_answer"]}
    assert {body for body in HOSTILE.values() if "task_token" not in body} <= exact
    assert len(given) == len(HOSTILE)
    assert all(letter["receives"] >= 1 and letter["first_received_at"] for letter in given)
    shown = ecp("show", DEAD)
    assert shown.exit_code == 0
    assert all(printable(line) == line for line in shown.stdout.split("\n"))


@pytest.mark.parametrize("name", ["3,000 lists", "control characters", "a lone surrogate"])
def test_one_letter_is_shown_with_all_of_its_body(
    sqs: Any, ecp: Callable[..., Result], name: str
) -> None:
    refuse(sqs, HOSTILE[name])
    [letter] = json.loads(ecp("show", DEAD, "--json").stdout)
    shown = ecp("show", DEAD, letter["message_id"]).stdout
    assert printable(HOSTILE[name]) in shown


def test_a_token_is_hidden_in_the_body_too_and_all_else_is_exact(
    sqs: Any, ecp: Callable[..., Result]
) -> None:
    body = a_body("AcquireLock", task_token='a"token/é')
    refuse(sqs, body)
    said = ecp("show", DEAD, "--json").stdout
    assert "token/" not in said
    [letter] = json.loads(said)
    assert {**json.loads(letter["body"]), "task_token": 0} == {**json.loads(body), "task_token": 0}
    assert "token/" not in ecp("show", DEAD).stdout


def test_a_letter_says_how_often_it_was_received_and_all_its_attributes(
    sqs: Any, ecp: Callable[..., Result]
) -> None:
    sqs.send_message(
        QueueUrl=url_of(sqs, DEAD),
        MessageBody="x",
        MessageAttributes={
            "odd": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "reason": {"DataType": "Number", "StringValue": "7"},
        },
    )
    for _ in range(3):
        ecp("show", DEAD)
    [letter] = json.loads(ecp("show", DEAD, "--json").stdout)
    assert letter["receives"] == 4
    assert letter["attributes"] == {"odd": "00ff", "reason": "7"}
    assert letter["queue"] == DEAD


def test_whoever_looks_hides_letters_from_nobody_afterwards(
    sqs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        refuse(sqs, f"letter {number}")
    with held(sqs, url_of(sqs, DEAD)) as letters:
        assert len(letters) == 12
        assert bodies_in(sqs, DEAD) == []
    assert len(bodies_in(sqs, DEAD)) == 10

    def away(_message: Any, _queue: str) -> Any:
        raise ConnectionError("away")

    monkeypatch.setattr("services.api.operations.letters.letter_of", away)
    with pytest.raises(ConnectionError):
        read_letters(sqs, url_of(sqs, DEAD))


def test_one_letter_goes_back_and_the_others_stay(sqs: Any, ecp: Callable[..., Result]) -> None:
    for body in ("one", "two", "three"):
        refuse(sqs, body)
    given = json.loads(ecp("show", DEAD, "--json").stdout)
    letters = {letter["body"]: letter for letter in given}
    said = ecp("redrive", DEAD, letters["two"]["message_id"], "--yes")
    assert "1 message sent back" in said.stdout
    assert bodies_in(sqs, QUEUE) == ["two"]
    assert bodies_in(sqs, DEAD) == ["one", "three"]


def test_what_sqs_takes_no_more_stays_and_is_said(sqs: Any, ecp: Callable[..., Result]) -> None:
    refuse(sqs, "\x00")
    refuse(sqs, "x" * 1_048_576)
    said = ecp("redrive", DEAD, "--yes")
    assert said.exit_code == 3
    assert "1 message sent back" in said.stdout
    assert len(bodies_in(sqs, DEAD)) == 1
    [whole] = bodies_in(sqs, QUEUE)
    assert whole == "x" * 1_048_576


def test_a_dropped_letter_leaves_a_record(
    sqs: Any, ecp: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlq, "requester", lambda: "dana@host")
    body = a_body("AcquireLock", task_token="secret-token")
    refuse(sqs, body, "it broke")
    refuse(sqs, "another")
    letters = {
        letter["reason"]: letter for letter in json.loads(ecp("show", DEAD, "--json").stdout)
    }
    message_id = letters["it broke"]["message_id"]
    dropped = ecp("drop", DEAD, message_id[:13], "--reason", " mine ", "--json")
    where = json.loads(dropped.stdout)["record"]
    assert where == f"s3://{ARCHIVE}/dropped-letters/{DEAD}/{message_id}.json"
    s3 = boto3.client("s3", region_name="us-east-1")
    kept = s3.get_object(Bucket=ARCHIVE, Key=where.removeprefix(f"s3://{ARCHIVE}/"))["Body"].read()
    record = json.loads(kept)
    assert (record["dropped_by"], record["why"], record["reason"]) == (
        "dana@host",
        "mine",
        "it broke",
    )
    assert record["sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert record["head"].startswith('{"event_id"')
    assert b"secret-token" not in kept
    assert bodies_in(sqs, DEAD) == ["another"]


def test_nothing_is_dropped_whose_record_cannot_be_written(
    sqs: Any, ecp: Callable[..., Result]
) -> None:
    refuse(sqs, "one")
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.delete_bucket(Bucket=ARCHIVE)
    [letter] = json.loads(ecp("show", DEAD, "--json").stdout)
    assert ecp("drop", DEAD, letter["message_id"], "--reason", "mine").exit_code == 3
    assert bodies_in(sqs, DEAD) == ["one"]


def test_the_runbook_gives_the_advice_that_ecp_gives() -> None:
    runbook = (PROJECT / "docs/runbook.md").read_text()
    for queue, advice in ADVICE.items():
        page = runbook.partition(f"### `{queue}-not-empty`")[2].partition("\n#")[0]
        assert advice in " ".join(page.split()), queue


def test_every_dead_letter_queue_has_advice_and_none_drops_what_is_looked_at_often() -> None:
    """A queue with a redrive policy of its own would move what was received too often."""
    found = {}
    for template in (
        *PROJECT.glob("services/*/template.yaml"),
        *PROJECT.glob("infra/stacks/*.yaml"),
    ):
        for resource in re.findall(
            r"Type: AWS::SQS::Queue\n    Properties:\n((?:      .*\n)+)", template.read_text()
        ):
            name = re.search(r"QueueName: !Sub \$\{StagePrefix\}(\S+)", resource)
            if name and name[1].endswith("-dlq"):
                found[name[1]] = "RedrivePolicy" in resource
    assert found == dict.fromkeys(ADVICE, False)


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
        (("show", DEAD, "nobody"), "no letter of lock-commands-dlq begin with 'nobody'"),
        (("drop", DEAD, "nobody", "--reason", "mine"), "no letter of lock-commands-dlq"),
        (("drop", DEAD, "nobody", "--reason", " "), "say why"),
    ],
)
def test_what_cannot_be_done_is_wrong_usage(
    ecp: Callable[..., Result], arguments: tuple[str, ...], why: str
) -> None:
    said = ecp(*arguments)
    assert said.exit_code == 2
    assert why in " ".join(said.output.split())
