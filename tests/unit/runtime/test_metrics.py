"""Measures: what events say in numbers, each once, as lines that CloudWatch takes."""

import io
import sys
from typing import Any

import pytest

from contracts.envelope import Message, parse
from contracts.errors import Transient
from services.relay.handler import relay
from services.runtime.event_store.dynamodb import to_item
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.observability import metrics
from services.runtime.observability.event_metrics import metrics_of
from services.runtime.observability.logs import SERVICE
from services.runtime.observability.metrics import NAMESPACE, Metric
from tests.contract.builders import BATCH, a_body, an_envelope, an_example
from tests.support.doubles import RecordedDeadLetters
from tests.support.emf import Sample, samples_in
from tests.support.log_lines import recorded_lines

QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:lock-commands"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMESPACE, "EcommercePipeline")
    monkeypatch.setenv(SERVICE, "lock")


def said_of(event_type: str, **changes: Any) -> dict[str, float]:
    event = parse(an_envelope(event_type, data=an_example(event_type, **changes)))
    return {
        " ".join([one.metric.label, *(value for _, value in one.dimensions)]): one.value
        for one in metrics_of(event)
    }


def test_a_checked_file_counts_its_rows() -> None:
    assert said_of("FileValidated", rows_in=10, accepted=7, quarantined=3) == {
        "FilesValidated": 1, "RowsIn": 10, "RowsAccepted": 7, "RowsQuarantined": 3,
    }  # fmt: skip


def test_a_publication_is_timed_by_engine() -> None:
    said = said_of(
        "KpisPublished", engine="spark", duration_seconds=2.5, affected_days=3, order_kpis=3,
        category_kpis=5, waiting_order_items=4,
    )  # fmt: skip
    assert said == {
        "TransformSeconds spark": 2.5, "AffectedDays": 3, "KpisWritten": 8, "WaitingOrderItems": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event_type", "changes", "expected"),
    [
        ("BatchCompleted", {}, {"BatchesEnded COMPLETED": 1}),
        ("BatchRejected", {}, {"BatchesEnded REJECTED": 1}),
        ("BatchFailed", {}, {"BatchesEnded FAILED": 1}),
        ("LockRecovered", {"reason": "LEASE_EXPIRED"}, {"LocksRecovered LEASE_EXPIRED": 1}),
        ("BatchArchived", {"file_count": 3, "size_bytes": 9},
         {"FilesArchived": 3, "BytesArchived": 9}),
        ("LeaseExtended", {}, {}),
    ],
)  # fmt: skip
def test_an_event_is_counted_as_what_it_is(
    event_type: str, changes: dict[str, Any], expected: dict[str, float]
) -> None:
    assert said_of(event_type, **changes) == expected


def test_measures_of_one_kind_share_a_line_that_is_found_by_its_batch(capsys: Capture) -> None:
    measures = [Metric.ROWS_IN.of(10), Metric.TRANSFORM_SECONDS.of(2, "spark"),
                Metric.FILES_VALIDATED.of(1)]  # fmt: skip
    metrics.write("validator", measures, {"batch_id": BATCH, "event_type": "FileValidated"})
    output = capsys.readouterr().out
    assert len(output.splitlines()) == 2
    samples = {sample.name: sample for sample in samples_in(output)}
    assert samples["RowsIn"].values == (10.0,)
    assert samples["RowsIn"].unit == "Count"
    assert samples["RowsIn"].dimensions == {"service": "validator"}
    assert samples["TransformSeconds"].dimensions == {"service": "validator", "engine": "spark"}
    assert {sample.line["batch_id"] for sample in samples.values()} == {BATCH}
    assert samples["RowsIn"].line["event_type"] == "FileValidated"


def test_without_a_namespace_nothing_is_written(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NAMESPACE)
    metrics.write("validator", [Metric.ROWS_IN.of(10)], {})
    assert capsys.readouterr().out == ""


class BrokenPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError("nobody reads")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [BrokenPipe(), closed()], ids=["broken", "closed"])
def test_output_that_nobody_reads_costs_no_message(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    with recorded_lines() as lines:
        answer = handle_sqs_records(records(a_body("AcquireLock")), consumer_of(None).handle)
    assert answer == {"batchItemFailures": []}
    instrumented = [line["message"] for line in lines]
    assert instrumented == ["metrics are not written", "message handled"]


def consumer_of(fault: Exception | None) -> CommandConsumer:
    def handle(_message: Message) -> None:
        if fault is not None:
            raise fault

    return CommandConsumer({"AcquireLock": handle}, InMemoryTaskCallbacks(), RecordedDeadLetters())


def records(*bodies: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": str(number), "body": body, "eventSourceARN": QUEUE_ARN}
            for number, body in enumerate(bodies)
        ]
    }


def counted(samples: list[Sample]) -> dict[tuple[str, ...], int]:
    """How many values each metric has, by name and dimensions beside the service."""
    found: dict[tuple[str, ...], int] = {}
    for one in samples:
        assert one.dimensions["service"] == "lock"
        others = (value for name, value in one.dimensions.items() if name != "service")
        identity = (one.name, *others)
        found[identity] = found.get(identity, 0) + len(one.values)
    return found


def test_each_message_is_timed_and_each_fault_is_counted(capsys: Capture) -> None:
    good, bad = a_body("AcquireLock"), a_body("AcquireLock", task_token="t")
    handle_sqs_records(records(good, "not json"), consumer_of(None).handle)
    handle_sqs_records(records(good, bad), consumer_of(Transient("away")).handle)
    assert counted(samples_in(capsys.readouterr().out)) == {
        ("HandlingSeconds", "AcquireLock"): 3,
        ("HandlerFaults", "AcquireLock"): 2,
        ("MessagesRefused",): 1,
    }


def test_a_refused_message_is_counted_once_and_found_by_its_batch(capsys: Capture) -> None:
    body = a_body("AcquireLock", data={})
    handle_sqs_records(records(body), consumer_of(None).handle)
    [refused] = samples_in(capsys.readouterr().out)
    assert (refused.name, refused.values) == ("MessagesRefused", (1,))
    assert (refused.line["batch_id"], refused.line["event_type"]) == (BATCH, "AcquireLock")


class Bus:
    """Refuses the stream versions in `refused`, once each; or is away for a call."""

    def __init__(self, *refused: int, away_at_call: int = 0) -> None:
        self._refused, self._away_at_call, self._calls = set(refused), away_at_call, 0

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self._calls += 1
        if self._calls == self._away_at_call:
            raise ConnectionError("away")
        results = [self._put(parse(entry["Detail"]).stream_version) for entry in Entries]
        return {"FailedEntryCount": sum("ErrorCode" in one for one in results), "Entries": results}

    def _put(self, version: int) -> dict[str, str]:
        if version in self._refused:
            self._refused.remove(version)
            return {"ErrorCode": "ThrottlingException"}
        return {"EventId": "e"}


@pytest.mark.parametrize(
    "bus", [Bus(), Bus(1), Bus(4, 6, 17), Bus(25), Bus(away_at_call=2)],
    ids=["all goes well", "first", "several", "last", "away in between"],
)  # fmt: skip
def test_however_often_the_stream_comes_each_event_is_counted_once(
    bus: Bus, capsys: Capture
) -> None:
    stream = [
        {"eventName": "INSERT",
         "dynamodb": {
             "NewImage": to_item(parse(an_envelope("BatchArchived", stream_version=version))),
             "SequenceNumber": str(version)}}
        for version in range(1, 26)
    ]  # fmt: skip
    waiting = stream
    while waiting:
        try:
            failures = relay(waiting, bus, "bus")["batchItemFailures"]
        except ConnectionError:
            continue
        if not failures:
            break
        waiting = stream[int(failures[0]["itemIdentifier"]) - 1 :]
    samples = samples_in(capsys.readouterr().out)
    versions = [one.values[0] for one in samples if one.name == "FilesArchived"]
    assert len(versions) == 25
    assert sum(one.values[0] for one in samples if one.name == "EventsRelayed") == 25
