"""The pipeline's queues on SQS: counted, their letters sent back or dropped with a record."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contracts.errors import PipelineError
from services.api.operations import letters
from services.api.operations.adapters import SqsQueues
from services.api.operations.letters import Depth
from services.runtime.messaging.dead_letters import SqsDeadLetters
from tests.support.moto_account import moto_account

pytestmark = pytest.mark.medium

QUEUE, DEAD, ARCHIVE = "lock-commands", "lock-commands-dlq", "the-archive"
NOW = datetime(2025, 7, 7, 12, tzinfo=UTC)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setattr(letters, "LAST_LOOK_SECONDS", 0)  # moto has one server
    with moto_account():
        found = {name: boto3.client(name, region_name="us-east-1") for name in ("sqs", "s3")}
        for name in (QUEUE, DEAD, "event-relay-dlq", "somebody-elses"):
            found["sqs"].create_queue(QueueName=name)
        found["s3"].create_bucket(Bucket=ARCHIVE)
        yield found


@pytest.fixture
def queues(clients: dict[str, Any]) -> SqsQueues:
    for body in ("one", "two"):
        SqsDeadLetters(clients["sqs"]).put(QUEUE, body, "it broke its contract")
    return SqsQueues(clients, ARCHIVE, lambda: NOW)


def waiting(clients: dict[str, Any], name: str) -> list[str]:
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    found = clients["sqs"].receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return sorted(one["Body"] for one in found.get("Messages", ()))


def test_queues_of_the_pipeline_are_counted_and_no_others(
    clients: dict[str, Any], queues: SqsQueues
) -> None:
    url = clients["sqs"].get_queue_url(QueueName=DEAD)["QueueUrl"]
    clients["sqs"].receive_message(QueueUrl=url, VisibilityTimeout=60)
    assert queues.depths() == [
        Depth("event-relay-dlq", 0, 0), Depth(QUEUE, 0, 0), Depth(DEAD, 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["nope-dlq", "lock-nope-dlq", "somebody-elses", QUEUE])
def test_what_is_no_dead_letter_queue_of_ours_has_no_letters(queues: SqsQueues, name: str) -> None:
    assert queues.letters(name) is None
    assert queues.drop(name, "1", "ann", "why") is None
    assert queues.send_back(name, None) == ([], [])


class Looks:
    """An SQS that tells how often it was asked for letters, and with a long poll.

    `leaves_out`: asked without one it answers none, as servers of SQS may that were not asked.
    """

    def __init__(self, sqs: Any, *, leaves_out: bool = False) -> None:
        self._sqs, self._leaves_out = sqs, leaves_out
        self.short = self.long = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def receive_message(self, **request: Any) -> Any:
        is_long = request["WaitTimeSeconds"] > 0
        self.long, self.short = self.long + is_long, self.short + (not is_long)
        if self._leaves_out and not is_long:
            return {}
        return self._sqs.receive_message(**{**request, "WaitTimeSeconds": 0})


@pytest.fixture
def long_polls(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert clients
    monkeypatch.setattr(letters, "LAST_LOOK_SECONDS", 1)


@pytest.mark.usefixtures("long_polls")
def test_where_the_count_agrees_nobody_waits_for_a_long_poll(
    clients: dict[str, Any], queues: SqsQueues
) -> None:
    assert queues.letters(DEAD) is not None
    looks = Looks(clients["sqs"])
    found = SqsQueues({**clients, "sqs": looks}, ARCHIVE, lambda: NOW)
    assert len(found.letters(DEAD) or ()) == 2
    assert found.letters("event-relay-dlq") == []
    assert looks.long == 0
    assert looks.short >= 3


@pytest.mark.usefixtures("long_polls")
def test_letters_that_an_answer_left_out_are_looked_for_anew(
    clients: dict[str, Any], queues: SqsQueues
) -> None:
    assert queues.letters(DEAD) is not None
    looks = Looks(clients["sqs"], leaves_out=True)
    found = SqsQueues({**clients, "sqs": looks}, ARCHIVE, lambda: NOW)
    assert sorted(one.body for one in found.letters(DEAD) or ()) == ["one", "two"]
    assert looks.long >= 1


@pytest.mark.usefixtures("long_polls")
def test_a_letter_that_somebody_else_looks_at_is_waited_for(
    clients: dict[str, Any], queues: SqsQueues
) -> None:
    url = clients["sqs"].get_queue_url(QueueName=DEAD)["QueueUrl"]
    clients["sqs"].receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=60)
    looks = Looks(clients["sqs"])
    found = SqsQueues({**clients, "sqs": looks}, ARCHIVE, lambda: NOW)
    assert len(found.letters(DEAD) or ()) == 1
    assert looks.long == 1


@pytest.mark.usefixtures("long_polls")
def test_a_letter_that_is_acted_on_is_looked_for_until_it_is_there(
    clients: dict[str, Any], queues: SqsQueues
) -> None:
    for n in range(25):
        SqsDeadLetters(clients["sqs"]).put(QUEUE, f"more {n}", "it broke its contract")
    [first, *_, last] = queues.letters(DEAD) or ()
    looks = Looks(clients["sqs"])
    acting = SqsQueues({**clients, "sqs": looks}, ARCHIVE, lambda: NOW)
    assert acting.drop(DEAD, first.message_id, "ann", "why") is not None
    sent, _ = acting.send_back(DEAD, last.message_id)
    assert [one.message_id for one in sent] == [last.message_id]
    assert looks.long == 0
    left = {one.message_id for one in queues.letters(DEAD) or ()}
    assert len(left) == 25
    assert not {first.message_id, last.message_id} & left


def test_an_error_of_one_queue_is_that_of_them_all(queues: SqsQueues) -> None:
    class Refusing(Looks):
        def get_queue_attributes(self, QueueUrl: str, **request: Any) -> Any:
            if QueueUrl.endswith(DEAD):
                raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetQueueAttributes")
            return self._sqs.get_queue_attributes(QueueUrl=QueueUrl, **request)

    clients = {"sqs": Refusing(queues._sqs), "s3": None}
    with pytest.raises(PipelineError, match="AccessDenied"):
        SqsQueues(clients, ARCHIVE, lambda: NOW).depths()


def test_only_what_came_from_a_queue_can_go_back(queues: SqsQueues) -> None:
    assert [queues.can_send_back(one) for one in (DEAD, "event-relay-dlq")] == [True, False]


def test_one_is_sent_back_and_the_other_stays(clients: dict[str, Any], queues: SqsQueues) -> None:
    found = queues.letters(DEAD)
    assert found is not None
    [one] = [each for each in found if each.body == "one"]
    sent, left = queues.send_back(DEAD, one.message_id)
    assert ([each.body for each in sent], left) == (["one"], [])
    assert (waiting(clients, QUEUE), waiting(clients, DEAD)) == (["one"], ["two"])


def test_a_dropped_letter_leaves_a_record(clients: dict[str, Any], queues: SqsQueues) -> None:
    found = queues.letters(DEAD)
    assert found is not None
    key = queues.drop(DEAD, found[0].message_id, "ann", "a script of mine")
    assert waiting(clients, DEAD) == [found[1].body]
    record = json.loads(clients["s3"].get_object(Bucket=ARCHIVE, Key=key)["Body"].read())
    assert (record["dropped_by"], record["why"]) == ("ann", "a script of mine")
    assert (record["head"], record["dropped_at"]) == (found[0].body, "2025-07-07T12:00:00.000Z")
    assert queues.drop(DEAD, found[0].message_id, "ann", "again") is None


def test_nothing_is_dropped_whose_record_cannot_be_written(
    clients: dict[str, Any], queues: SqsQueues
) -> None:
    clients["s3"].delete_bucket(Bucket=ARCHIVE)
    found = queues.letters(DEAD)
    assert found is not None
    with pytest.raises(PipelineError):
        queues.drop(DEAD, found[0].message_id, "ann", "why")
    assert waiting(clients, DEAD) == ["one", "two"]


def test_of_two_stages_each_sees_its_own_queues_by_their_plain_names(
    clients: dict[str, Any],
) -> None:
    for name in (QUEUE, DEAD):
        clients["sqs"].create_queue(QueueName=f"blue-{name}")
    SqsDeadLetters(clients["sqs"]).put(f"blue-{QUEUE}", "of blue", "why")
    blue = SqsQueues(clients, ARCHIVE, lambda: NOW, "blue-")
    plain = SqsQueues(clients, ARCHIVE, lambda: NOW)
    assert blue.depths() == [Depth(QUEUE, 0, 0), Depth(DEAD, 1, 0)]
    assert plain.depths() == [
        Depth("event-relay-dlq", 0, 0), Depth(QUEUE, 0, 0), Depth(DEAD, 0, 0),
    ]  # fmt: skip
    assert plain.letters(DEAD) == []
    [letter] = blue.letters(DEAD) or []
    assert letter.body == "of blue"
    sent, left = blue.send_back(DEAD, letter.message_id)
    assert (len(sent), left) == (1, [])
    assert waiting(clients, f"blue-{QUEUE}") == ["of blue"]
    assert waiting(clients, QUEUE) == []
