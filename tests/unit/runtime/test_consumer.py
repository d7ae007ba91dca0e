"""Taking messages: whoever waits is told, and what cannot be read is kept with the reason."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest

from contracts.envelope import Message
from contracts.errors import ConcurrencyConflict, StaleWriter, Transient
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.dead_letters import SqsDeadLetters
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from tests.contract.builders import a_body, an_envelope, on_the_bus
from tests.support.doubles import RecordedDeadLetters
from tests.support.moto_account import moto_account

QUEUE = "lock-commands"


class ConsumerHarness:
    """A consumer whose handler of AcquireLock and BatchCompleted does what `outcome` says."""

    def __init__(self, outcome: Mapping[str, Any] | Exception | None = None) -> None:
        self.outcome = outcome
        self.taken: list[Message] = []
        self.answers = InMemoryTaskCallbacks()
        self.dead_letters = RecordedDeadLetters()
        self.consumer = CommandConsumer(
            {"AcquireLock": self._handle, "BatchCompleted": self._handle},
            self.answers,
            self.dead_letters,
        )

    def _handle(self, message: Message) -> Mapping[str, Any] | None:
        self.taken.append(message)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def take(self, body: str) -> None:
        self.consumer.handle(body, QUEUE)


def test_the_handlers_answer_completes_the_task() -> None:
    harness = ConsumerHarness({"outcome": "GRANTED", "fence": 7})
    harness.take(a_body("AcquireLock", task_token="t1"))
    assert harness.answers.succeeded == {"t1": {"outcome": "GRANTED", "fence": 7}}
    assert harness.answers.failed == {}


def test_no_answer_leaves_the_task_to_somebody_else() -> None:
    harness = ConsumerHarness(None)
    harness.take(a_body("AcquireLock", task_token="t1"))
    assert len(harness.taken) == 1
    assert (harness.answers.succeeded, harness.answers.failed) == ({}, {})


def test_an_answer_that_nobody_waits_for_is_no_fault() -> None:
    harness = ConsumerHarness({"outcome": "GRANTED"})
    harness.answers.gone.add("t1")
    harness.take(a_body("AcquireLock", task_token="t1"))
    assert harness.answers.succeeded == {}


@pytest.mark.parametrize(
    "fault",
    [
        StaleWriter("fence 3 is below 7"),
        Transient("throttled"),
        ConcurrencyConflict("faster"),
        RuntimeError("a fault nobody thought of"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_commands_fault_fails_its_task_and_the_message_is_done(fault: Exception) -> None:
    harness = ConsumerHarness(fault)
    harness.take(a_body("AcquireLock", task_token="t1"))
    assert harness.answers.failed == {"t1": (type(fault).__name__, str(fault))}
    assert harness.dead_letters.letters == []


def test_an_events_fault_is_raised_so_that_it_comes_again() -> None:
    harness = ConsumerHarness(Transient("throttled"))
    with pytest.raises(Transient):
        harness.take(a_body("BatchCompleted"))


def test_a_fault_of_a_command_that_nobody_waits_for_is_raised_too() -> None:
    harness = ConsumerHarness(Transient("throttled"))
    with pytest.raises(Transient):
        harness.take(a_body("AcquireLock"))


def test_a_stale_writer_whom_nobody_waits_for_is_a_dead_letter_for_it_stays_one() -> None:
    harness = ConsumerHarness(StaleWriter("fence 3 is below 7"))
    body = a_body("AcquireLock")
    harness.take(body)
    assert harness.dead_letters.letters == [(QUEUE, body, "fence 3 is below 7")]
    assert harness.answers.failed == {}


def test_an_event_is_taken_out_of_its_bus_wrapper() -> None:
    harness = ConsumerHarness()
    harness.take(json.dumps(on_the_bus(an_envelope("BatchCompleted"))))
    assert [message.event_type for message in harness.taken] == ["BatchCompleted"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "not JSON"),
        (a_body("AcquireLock", data={"lock_id": "x"}), "execution_id"),
        (a_body("AcquireLock", schema_version=9), "v9"),
        (a_body("ReleaseLock"), "nobody here takes ReleaseLock"),
    ],
    ids=["not json", "wrong data", "unknown version", "not ours"],
)
def test_a_message_that_breaks_its_contract_is_kept_unchanged_with_the_reason(
    body: str, reason: str
) -> None:
    harness = ConsumerHarness()
    harness.take(body)
    [(queue, kept, why)] = harness.dead_letters.letters
    assert (queue, kept) == (QUEUE, body)
    assert reason in why
    assert harness.taken == []


def test_a_broken_commands_task_is_failed_if_its_token_can_be_read() -> None:
    harness = ConsumerHarness()
    harness.take(a_body("AcquireLock", task_token="t1", data={}))
    assert harness.answers.failed["t1"][0] == "ContractViolation"
    assert len(harness.dead_letters.letters) == 1


def test_a_dead_letter_that_cannot_be_kept_is_not_lost() -> None:
    class FullDeadLetters:
        def put(self, *_arguments: str) -> None:
            raise ConnectionError("away")

    consumer = CommandConsumer({}, InMemoryTaskCallbacks(), FullDeadLetters())
    with pytest.raises(ConnectionError):
        consumer.handle("not json", QUEUE)


def a_record(message_id: str, body: str) -> dict[str, str]:
    return {
        "messageId": message_id,
        "body": body,
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{QUEUE}",
    }


def test_only_the_records_that_failed_come_again() -> None:
    taken = []

    def handle(body: str, queue_name: str) -> None:
        taken.append((body, queue_name))
        if body == "bad":
            raise Transient("away")

    records = [a_record("m1", "good"), a_record("m2", "bad"), a_record("m3", "good")]
    answer = handle_sqs_records({"Records": records}, handle)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert taken == [("good", QUEUE), ("bad", QUEUE), ("good", QUEUE)]


@pytest.fixture
def sqs() -> Iterator[Any]:
    with moto_account():
        yield boto3.client("sqs", region_name="us-east-1")


def test_dead_letters_lie_in_the_queues_own_dead_letter_queue(sqs: Any) -> None:
    url = sqs.create_queue(QueueName=f"{QUEUE}-dlq")["QueueUrl"]
    SqsDeadLetters(sqs).put(QUEUE, "the body", "why " * 1000)
    [letter] = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert letter["Body"] == "the body"
    assert letter["MessageAttributes"]["reason"]["StringValue"].startswith("why why")
