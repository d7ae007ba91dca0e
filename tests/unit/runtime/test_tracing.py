"""Sending spans: they come whole; a collector that is away, or none at all, costs nothing."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.envelope import Message, parse
from contracts.errors import Transient
from services.relay.handler import relay
from services.runtime.event_store.dynamodb import to_item
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker
from services.runtime.observability import tracing
from services.runtime.observability.logs import SERVICE
from services.runtime.observability.spans import Span
from services.runtime.observability.tracing import Outbox, otlp_exporter
from tests.contract.builders import BATCH, OTHER_BATCH, a_body, an_envelope
from tests.contract.declared import PROJECT
from tests.support.collector import Collector, faults_of, running_collector
from tests.support.doubles import RecordedDeadLetters
from tests.support.log_lines import recorded_lines

QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:lock-commands"
NOON = datetime(2025, 7, 7, 12, tzinfo=UTC)
E1, E2 = (f"0199f0a2-7d6e-7c3a-8a7f-0000000000{end}" for end in ("e1", "e2"))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with running_collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv(SERVICE, "lock")
        otlp_exporter.cache_clear()
        monkeypatch.setattr(tracing, "outbox", Outbox())
        yield running
        otlp_exporter.cache_clear()


def consumer_of(*faults: Exception | None) -> CommandConsumer:
    """Its handler raises these, one after the other, and then nothing."""
    planned = list(faults)

    def handle(_message: Message) -> None:
        fault = planned.pop(0) if planned else None
        if fault is not None:
            raise fault

    handlers = {"AcquireLock": handle, "BatchSealed": handle}
    return CommandConsumer(handlers, InMemoryTaskCallbacks(), RecordedDeadLetters())


def deliver(consumer: CommandConsumer, *bodies: str) -> None:
    records = [
        {"messageId": str(number), "body": body, "eventSourceARN": QUEUE_ARN}
        for number, body in enumerate(bodies)
    ]
    handle_sqs_records({"Records": records}, consumer.handle)


def relay_events(*envelopes: dict[str, Any]) -> None:
    class Bus:
        def put_events(self, Entries: list[Any]) -> dict[str, Any]:
            return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}

    stream = [
        {"eventName": "INSERT",
         "dynamodb": {"NewImage": to_item(parse(envelope)), "SequenceNumber": str(number)}}
        for number, envelope in enumerate(envelopes)
    ]  # fmt: skip
    relay(stream, Bus(), "bus")


def test_an_invocations_spans_come_in_one_request_and_make_one_tree(collector: Collector) -> None:
    sealed = an_envelope("BatchSealed", event_id=E1, source="ecommerce-pipeline/aggregator")
    relay_events(sealed, an_envelope("FileDetected", correlation_id=None))
    acquire = a_body("AcquireLock", event_id=E2, source="ecommerce-pipeline/saga")
    deliver(consumer_of(), acquire, a_body("BatchSealed", event_id=E1))
    assert collector.calls == 2
    assert faults_of(collector.spans) == []
    assert sorted((span.service, span.name, span.kind) for span in collector.spans) == [
        ("aggregator", "BatchSealed", "PRODUCER"),
        ("lock", "handle AcquireLock", "CONSUMER"),
        ("lock", "handle BatchSealed", "CONSUMER"),
        ("saga", "AcquireLock", "PRODUCER"),
    ]
    assert {span.attributes["batch_id"] for span in collector.spans} == {BATCH}


def test_a_message_that_comes_again_gives_a_second_span_and_no_broken_tree(
    collector: Collector,
) -> None:
    relay_events(an_envelope("BatchSealed", event_id=E1))
    consumer, body = consumer_of(Transient("away")), a_body("AcquireLock", event_id=E2)
    deliver(consumer, body)
    deliver(consumer, body)
    handlings = [span for span in collector.spans if span.kind == "CONSUMER"]
    assert [span.is_error for span in handlings] == [True, False]
    assert len({span.span_id for span in handlings}) == 2
    assert len({span.parent_id for span in handlings}) == 1
    assert faults_of(collector.spans) == []


def test_batches_are_traces_of_their_own(collector: Collector) -> None:
    for batch_id in (BATCH, OTHER_BATCH):
        relay_events(an_envelope("BatchSealed", correlation_id=batch_id))
    assert len({span.trace_id for span in collector.spans}) == 2


def test_a_worker_sends_after_each_message(collector: Collector) -> None:
    class Queue:
        def receive_message(self, **_request: Any) -> dict[str, Any]:
            return {"Messages": [{"Body": a_body("AcquireLock"), "ReceiptHandle": "r"}]}

        def delete_message(self, **_request: Any) -> None:
            assert collector.spans == []

    worker = QueueWorker(
        Queue(), "http://queue/lock-commands", consumer_of(), InMemoryTaskCallbacks(),
        on_heartbeat=lambda _message: None,
    )  # fmt: skip
    worker.poll_once()
    assert [span.name for span in collector.spans] == ["AcquireLock", "handle AcquireLock"]


def a_span() -> Span:
    return Span(1, 2, 0, "x", "lock", "CONSUMER", NOON, NOON)


def test_a_collector_that_fails_is_left_alone_for_a_minute(collector: Collector) -> None:
    now = [1000.0]
    outbox = Outbox(now=lambda: now[0])
    collector.status = 500
    with recorded_lines() as lines:
        for seconds in (0, 30, 29, 2):
            now[0] += seconds
            outbox.put([a_span()])
            outbox.flush()
    assert collector.calls == 2
    assert [line["message"] for line in lines] == ["spans are not sent"] * 2
    collector.status = 200
    now[0] += 61
    outbox.put([a_span()])
    outbox.flush()
    assert len(collector.spans) == 1


def test_a_collector_that_is_gone_costs_no_message(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    with recorded_lines() as lines:
        deliver(consumer_of(), a_body("AcquireLock"), a_body("AcquireLock"))
    assert [line["message"] for line in lines] == [
        "message handled", "message handled", "spans are not sent",
    ]  # fmt: skip


def test_an_exporter_that_breaks_costs_no_message() -> None:
    class Broken:
        def export(self, _spans: Any) -> Any:
            raise RuntimeError("broken")

    outbox = Outbox(exporter=Broken)
    outbox.put([a_span()])
    with recorded_lines() as lines:
        outbox.flush()
    assert [line["message"] for line in lines] == [
        "the collector cannot be reached", "spans are not sent",
    ]  # fmt: skip


OFF = """
import sys
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
consumer = CommandConsumer({"AcquireLock": lambda _: None}, InMemoryTaskCallbacks(), None)
record = {"messageId": "1", "body": sys.argv[1], "eventSourceARN": "arn:x:lock-commands"}
assert handle_sqs_records({"Records": [record]}, consumer.handle) == {"batchItemFailures": []}
print([name for name in sys.modules if name.startswith(("opentelemetry", "google", "requests"))])
"""


@pytest.mark.medium
def test_without_a_collector_nothing_of_opentelemetry_is_imported() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", OFF, a_body("AcquireLock")],
        capture_output=True, text=True, check=True, cwd=PROJECT,
        env={"PYTHONPATH": str(PROJECT), "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    )  # fmt: skip
    assert finished.stdout.splitlines()[-1] == "[]"
