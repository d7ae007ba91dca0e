"""Every line says which batch and message it is about, and none speaks of the one before."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from contracts.envelope import Message, parse
from contracts.errors import Transient
from services.relay.handler import relay
from services.runtime.event_store.dynamodb import to_item
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker
from services.runtime.observability.logs import about, keys_of, logger
from tests.contract.builders import BATCH, a_body, an_envelope, on_the_bus
from tests.support.doubles import RecordedDeadLetters
from tests.support.log_lines import recorded_lines

QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:lock-commands"
OTHER = "00000000000000ff"
E0, E1, E2, E3, C1 = (
    f"0199f0a2-7d6e-7c3a-8a7f-0000000000{end}" for end in ("e0", "e1", "e2", "e3", "c1")
)
KEYS = (
    "batch_id", "event_type", "event_id", "causation_id", "execution", "key", "left_behind",
)  # fmt: skip
Line = dict[str, Any]


def keys_in(line: Line) -> Line:
    return {name: line[name] for name in KEYS if name in line}


def test_a_message_of_ours_has_its_keys_bare_or_from_the_bus() -> None:
    envelope = an_envelope("FileValidated", correlation_id=BATCH, causation_id=C1, event_id=E1)
    expected = {
        "batch_id": BATCH, "event_type": "FileValidated", "event_id": E1, "causation_id": C1,
    }  # fmt: skip
    assert keys_of(json.dumps(envelope)) == expected
    assert keys_of(json.dumps(on_the_bus(envelope))) == expected


@pytest.mark.parametrize(
    ("execution", "batch_id"),
    [(BATCH, BATCH), (f"{BATCH}-r2", BATCH), ("manual-execution-1", None)],
)
def test_the_notice_of_an_execution_has_its_batch_if_it_names_one(
    execution: str, batch_id: str | None
) -> None:
    arn = f"arn:aws:states:us-east-1:000000000000:execution:ecsJob:{execution}"
    notice = {"detail-type": "Step Functions Execution Status Change"}
    expected = {"execution": execution} | ({"batch_id": batch_id} if batch_id else {})
    assert keys_of(json.dumps(notice | {"detail": {"executionArn": arn}})) == expected


@pytest.mark.parametrize(
    "body",
    ["not json", "[]", "{}", '{"detail": 7}', '{"detail": {"object": "x"}}',
     '{"correlation_id": 7, "event_type": null}'],
)  # fmt: skip
def test_what_cannot_be_read_has_no_keys_and_breaks_nothing(body: str) -> None:
    assert keys_of(body) == {}


def test_what_breaks_its_contract_is_still_known_by_its_batch() -> None:
    assert keys_of(a_body("AcquireLock", correlation_id=BATCH, data={}))["batch_id"] == BATCH


def fail_inside() -> None:
    with about(batch_id=OTHER, key=None):
        logger.info("inner")
        raise Transient("away")


def test_keys_end_with_their_scope_however_it_ends() -> None:
    with recorded_lines() as lines:
        with about(batch_id=BATCH, key="outer"):
            with pytest.raises(Transient):
                fail_inside()
            logger.info("outer")
        logger.info("after")
    assert [keys_in(line) for line in lines] == [
        {"batch_id": OTHER, "key": "outer"},
        {"batch_id": BATCH, "key": "outer"},
        {},
    ]


def consumer_of(handle: Callable[[Message], Any]) -> CommandConsumer:
    handlers = {"AcquireLock": handle, "BatchOverdue": handle}
    return CommandConsumer(handlers, InMemoryTaskCallbacks(), RecordedDeadLetters())


def records(*bodies: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": str(number), "body": body, "eventSourceARN": QUEUE_ARN}
            for number, body in enumerate(bodies)
        ]
    }


def test_a_warm_function_takes_no_key_from_one_message_to_the_next() -> None:
    def handle(message: Message) -> None:
        logger.info("at work")
        logger.append_keys(left_behind="x")

    bodies = (
        a_body("AcquireLock", event_id=E1, correlation_id=BATCH, causation_id=C1),
        a_body("BatchOverdue", event_id=E2, correlation_id=None, causation_id=None),
        a_body("AcquireLock", event_id=E3, correlation_id=OTHER, causation_id=None),
    )
    with recorded_lines() as lines:
        handle_sqs_records(records(*bodies), consumer_of(handle).handle)
        handle_sqs_records(records("not json"), consumer_of(handle).handle)
    said = {(line["message"], line.get("event_id")): line for line in lines}
    for message, left in (("at work", {}), ("message handled", {"left_behind": "x"})):
        first, second, third = (said[message, event_id] for event_id in (E1, E2, E3))
        assert keys_in(first) == left | {
            "batch_id": BATCH, "event_type": "AcquireLock", "event_id": E1, "causation_id": C1,
        }  # fmt: skip
        assert keys_in(second) == left | {"event_type": "BatchOverdue", "event_id": E2}
        assert keys_in(third) == left | {
            "batch_id": OTHER, "event_type": "AcquireLock", "event_id": E3,
        }  # fmt: skip
    assert keys_in(said["message refused", None]) == {}


def test_the_line_of_a_fault_has_the_keys_of_what_will_come_again() -> None:
    def fail(_message: Message) -> None:
        raise Transient("away")

    with recorded_lines() as lines:
        body = a_body("AcquireLock", correlation_id=BATCH)
        answer = handle_sqs_records(records(body), consumer_of(fail).handle)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert [line["batch_id"] for line in lines] == [BATCH]
    assert "Transient: away" in lines[0]["exception"]


class OneMessage:
    """A queue that gives one body, and keeps what is asked about it."""

    def __init__(self, body: str) -> None:
        self._body = body

    def receive_message(self, **_request: Any) -> dict[str, Any]:
        return {"Messages": [{"Body": self._body, "ReceiptHandle": "r"}]}

    def delete_message(self, **_request: Any) -> None: ...

    def change_message_visibility(self, **_request: Any) -> None: ...


def test_a_workers_heartbeats_and_faults_have_the_keys_of_the_message_in_hand() -> None:
    has_beaten = threading.Event()

    def beat(_message: Message) -> None:
        if not has_beaten.is_set():
            logger.info("beating")
            has_beaten.set()

    def fail(_message: Message) -> None:
        has_beaten.wait(60)
        raise Transient("away")

    body = a_body("AcquireLock", event_id=E1, correlation_id=BATCH)
    worker = QueueWorker(
        OneMessage(body), "http://queue/lock-commands", consumer_of(fail), InMemoryTaskCallbacks(),
        on_heartbeat=beat, heartbeat_seconds=0.01,
    )  # fmt: skip
    with recorded_lines() as lines:
        worker.poll_once()
        logger.info("idle")
    assert [line["message"] for line in lines] == [
        "beating", "message will be delivered again", "idle",
    ]  # fmt: skip
    assert [line.get("batch_id") for line in lines] == [BATCH, BATCH, None]


def test_the_relay_tells_of_each_event_by_its_batch() -> None:
    class Bus:
        def put_events(self, Entries: list[Any]) -> dict[str, Any]:
            return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}

    events = [
        an_envelope("FileValidated", event_id=event_id, correlation_id=batch_id)
        for event_id, batch_id in ((E0, BATCH), (E1, OTHER), (E2, None))
    ]
    stream = [
        {"eventName": "INSERT",
         "dynamodb": {"NewImage": to_item(parse(event)), "SequenceNumber": str(number)}}
        for number, event in enumerate(events)
    ]  # fmt: skip
    with recorded_lines() as lines:
        relay(stream, Bus(), "bus")
    instrumented = [(line["message"], line.get("batch_id"), line["event_id"]) for line in lines]
    assert instrumented == [
        ("event relayed", BATCH, E0),
        ("event relayed", OTHER, E1),
        ("event relayed", None, E2),
    ]
