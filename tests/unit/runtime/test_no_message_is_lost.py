"""A message leaves its queue only when it is dealt with; and one that cannot be harms no other."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.envelope import Message
from contracts.errors import Refused, Transient
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker
from tests.contract.builders import a_body
from tests.support.doubles import RecordedDeadLetters, refused
from tests.support.hostile_bodies import HOSTILE

QUEUE = "validator-commands"
QUEUE_URL = f"http://queue/{QUEUE}"
Handler = Callable[[Message], dict[str, Any] | None]


class Sqs:
    """One queue that gives its bodies once; each call may be told to fail."""

    def __init__(self, *bodies: str, failing: tuple[str, ...] = ()) -> None:
        self.bodies, self.failing = list(bodies), failing
        self.calls: list[str] = []

    def receive_message(self, **_request: Any) -> dict[str, Any]:
        self._called("receive")
        if not self.bodies:
            return {}
        return {"Messages": [{"Body": self.bodies.pop(0), "ReceiptHandle": "r"}]}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        assert (QueueUrl, ReceiptHandle) == (QUEUE_URL, "r")
        self._called("delete")

    def change_message_visibility(
        self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int
    ) -> None:
        assert (QueueUrl, ReceiptHandle) == (QUEUE_URL, "r")
        self._called(f"visible in {VisibilityTimeout}")

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if what.split()[0] in self.failing:
            raise refused("ServiceUnavailable")


class AwayAnswers(InMemoryTaskCallbacks):
    def succeed(self, *_: Any) -> bool:
        raise refused("ServiceUnavailable")

    def fail(self, *_: Any) -> bool:
        raise refused("ServiceUnavailable")


class AwayDeadLetters(RecordedDeadLetters):
    def put(self, *_: str) -> None:
        raise refused("ServiceUnavailable")


def worker_on(
    sqs: Sqs,
    handler: Handler,
    answers: InMemoryTaskCallbacks | None = None,
    dead_letters: RecordedDeadLetters | None = None,
) -> QueueWorker:
    answers = answers or InMemoryTaskCallbacks()
    consumer = CommandConsumer(
        {"ValidateFile": handler}, answers, dead_letters or RecordedDeadLetters()
    )
    return QueueWorker(sqs, QUEUE_URL, consumer, answers, lambda _: None, heartbeat_seconds=60)


def failing(_message: Message) -> None:
    raise Transient("throttled")


def done(_message: Message) -> dict[str, Any]:
    return {"outcome": "VALIDATED"}


def test_a_message_that_is_done_is_deleted() -> None:
    sqs = Sqs(a_body("ValidateFile", task_token="t"))
    assert worker_on(sqs, done).poll_once() == 1
    assert sqs.calls == ["receive", "delete"]


def test_a_message_whose_handler_failed_is_not_deleted_and_comes_again_at_once() -> None:
    sqs = Sqs(a_body("ValidateFile"))
    assert worker_on(sqs, failing).poll_once() == 1
    assert sqs.calls == ["receive", "visible in 0"]


def test_it_is_not_deleted_either_when_its_visibility_cannot_be_changed() -> None:
    sqs = Sqs(a_body("ValidateFile"), failing=("visible",))
    assert worker_on(sqs, failing).poll_once() == 1
    assert sqs.calls == ["receive", "visible in 0"]


@pytest.mark.parametrize("handler", [done, failing], ids=["done", "failed"])
def test_a_task_that_cannot_be_answered_brings_its_message_again(handler: Handler) -> None:
    sqs = Sqs(a_body("ValidateFile", task_token="t"))
    worker_on(sqs, handler, AwayAnswers()).poll_once()
    assert sqs.calls == ["receive", "visible in 0"]


@pytest.mark.parametrize(
    "body", ["not json", a_body("AcquireLock")], ids=["no message", "not ours"]
)
def test_a_message_that_cannot_be_kept_as_a_dead_letter_comes_again(body: str) -> None:
    sqs = Sqs(body)
    worker_on(sqs, done, dead_letters=AwayDeadLetters()).poll_once()
    assert sqs.calls == ["receive", "visible in 0"]


def test_a_dead_letter_is_kept_before_its_message_is_deleted() -> None:
    order: list[str] = []

    class Noted(RecordedDeadLetters):
        def put(self, *_: str) -> None:
            order.append("kept")

    class NotedSqs(Sqs):
        def delete_message(self, **_request: Any) -> None:
            order.append("deleted")

    worker_on(NotedSqs("not json"), done, dead_letters=Noted()).poll_once()
    assert order == ["kept", "deleted"]


def test_a_message_that_cannot_be_deleted_does_not_end_the_worker() -> None:
    sqs = Sqs(a_body("ValidateFile", task_token="t"), failing=("delete",))
    answers = InMemoryTaskCallbacks()
    worker = worker_on(sqs, done, answers)
    worker.run(on_sign_of_life=lambda: worker.stop() if "delete" in sqs.calls else None)
    assert sqs.calls[:2] == ["receive", "delete"]
    assert answers.succeeded == {"t": {"outcome": "VALIDATED"}}


@pytest.mark.medium
@pytest.mark.parametrize("name", HOSTILE)
def test_a_worker_lives_on_and_keeps_what_is_no_message(name: str) -> None:
    sqs, letters = Sqs(HOSTILE[name], a_body("ValidateFile", task_token="t")), RecordedDeadLetters()
    answers = InMemoryTaskCallbacks()
    worker = worker_on(sqs, done, answers, letters)
    worker.run(on_sign_of_life=lambda: worker.stop() if len(sqs.calls) == 4 else None)
    assert sqs.calls[:4] == ["receive", "delete", "receive", "delete"]
    [(queue, body, reason)] = letters.letters
    assert (queue, body) == (QUEUE, HOSTILE[name])
    assert reason
    assert answers.succeeded == {"t": {"outcome": "VALIDATED"}}


def test_no_hostile_record_of_a_lambda_batch_brings_the_others_again() -> None:
    letters, answers = RecordedDeadLetters(), InMemoryTaskCallbacks()
    consumer = CommandConsumer({"ValidateFile": done}, answers, letters)
    bodies = [*HOSTILE.values(), a_body("ValidateFile", task_token="t")]
    assert handle_sqs_records(_records(*bodies), consumer.handle) == {"batchItemFailures": []}
    assert [body for _, body, _ in letters.letters] == list(HOSTILE.values())
    assert "t" in answers.succeeded


@pytest.mark.parametrize(
    "record",
    [{"body": None}, {"eventSourceARN": None}, {"body": 7}, {"body": ["x"]}],
    ids=["no body", "no queue", "a number", "a list"],
)
def test_a_record_of_another_shape_fails_alone(record: dict[str, Any]) -> None:
    records = _records("first", "second")
    records["Records"][0] = {**records["Records"][0], **record}
    taken: list[str] = []
    answer = handle_sqs_records(records, lambda body, _: taken.append(body.strip()))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert taken == ["second"]


def test_what_a_handler_can_never_take_is_a_dead_letter_and_its_task_is_told_so() -> None:
    def refusing(_message: Message) -> None:
        raise Refused("there is no lock 'x'")

    letters, answers = RecordedDeadLetters(), InMemoryTaskCallbacks()
    consumer = CommandConsumer({"ValidateFile": refusing}, answers, letters)
    for body in (a_body("ValidateFile", task_token="t"), a_body("ValidateFile")):
        consumer.handle(body, QUEUE)
    assert [reason for _, _, reason in letters.letters] == ["there is no lock 'x'"] * 2
    assert answers.failed == {"t": ("ContractViolation", "there is no lock 'x'")}


def test_a_heartbeat_that_fails_in_any_way_is_followed_by_the_next() -> None:
    beats: list[int] = []

    def beat(_message: Message) -> None:
        beats.append(1)
        raise KeyError("fence")

    def slow(_message: Message) -> dict[str, Any]:
        while len(beats) < 3:
            pass
        return {"outcome": "VALIDATED"}

    sqs, answers = Sqs(a_body("ValidateFile", task_token="t")), InMemoryTaskCallbacks()
    consumer = CommandConsumer({"ValidateFile": slow}, answers, RecordedDeadLetters())
    QueueWorker(sqs, QUEUE_URL, consumer, answers, beat, heartbeat_seconds=0.01).poll_once()
    assert len(beats) >= 3
    assert sqs.calls[-1] == "delete"


def _records(*bodies: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "body": body,
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{QUEUE}",
            }
            for number, body in enumerate(bodies)
        ]
    }


def test_a_reason_of_a_fault_with_odd_letters_can_be_sent() -> None:
    def odd(_message: Message) -> None:
        raise ValueError("\ud800")

    sent: list[dict[str, str]] = []

    class Client:
        def send_task_failure(self, **arguments: str) -> None:
            json.dumps(arguments, ensure_ascii=False).encode()
            sent.append(arguments)

    from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks

    answers = StepFunctionsTaskCallbacks(Client())
    consumer = CommandConsumer({"ValidateFile": odd}, answers, RecordedDeadLetters())
    consumer.handle(a_body("ValidateFile", task_token="t"), QUEUE)
    assert [one["error"] for one in sent] == ["ValueError"]
