"""The pipeline's queues on SQS: counted, their letters sent back or dropped with a record."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from contracts.errors import PipelineError
from services.api.operations import letters
from services.api.operations.adapters import SqsQueues
from services.api.operations.letters import Depth
from services.runtime.messaging.dead_letters import SqsDeadLetters
from tests.support.moto_account import moto_account

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
