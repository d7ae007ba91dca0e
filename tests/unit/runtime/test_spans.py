"""Spans out of messages: whoever has the message knows where it belongs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.envelope import Message, parse
from services.runtime.observability.spans import (
    Span,
    handled,
    message_span_id,
    parent_span_id,
    relayed,
    root_span_id,
    trace_id_of,
)
from tests.contract.builders import BATCH, OTHER_BATCH, an_envelope

EVENT_ID = "0199f0a2-7d6e-7c3a-8a7f-0000000000e1"
CAUSE = "0199f0a2-7d6e-7c3a-8a7f-0000000000c1"
SENT_AT = datetime(2025, 7, 7, 12, tzinfo=UTC)
LATER = SENT_AT + timedelta(seconds=3)


def a_message(event_type: str, **changes: Any) -> Message:
    return parse(an_envelope(event_type, **{"event_id": EVENT_ID} | changes))


def the_cause() -> int:
    return message_span_id(a_message("ValidateFile", event_id=CAUSE))


def handle(message: Message, span_id: int = 7, fault: str = "") -> list[Span]:
    began = SENT_AT + timedelta(seconds=1)
    return list(handled(message, "lock", span_id, began, LATER, fault))


def test_a_batch_is_one_trace_and_another_batch_another() -> None:
    [first] = relayed(a_message("FileValidated"), LATER)
    [second] = relayed(a_message("BatchCompleted", event_id=CAUSE), LATER)
    [other] = relayed(a_message("BatchCompleted", correlation_id=OTHER_BATCH), LATER)
    assert first.trace_id == second.trace_id == trace_id_of(BATCH)
    assert other.trace_id != first.trace_id
    assert 0 < first.trace_id < 2**128
    assert 0 < first.span_id < 2**64
    assert first.span_id != second.span_id


def test_what_belongs_to_no_batch_has_no_span() -> None:
    message = a_message("FileDetected", correlation_id=None)
    assert list(relayed(message, LATER)) == []
    assert handle(message) == []


@pytest.mark.parametrize("event_type", ["BatchSealed", "RebuildKpis", "MaintainFacts"])
def test_the_root_is_known_without_having_seen_it(event_type: str) -> None:
    root = a_message(event_type, causation_id=CAUSE)
    assert message_span_id(root) == root_span_id(BATCH)
    assert parent_span_id(root) == 0


@pytest.mark.parametrize(
    ("event_type", "stream_id"),
    [("FileValidated", f"validation/{BATCH}/0001"), ("BatchArchived", f"archive/{BATCH}"),
     ("BatchCompleted", f"batch/{BATCH}"), ("ExtendLease", "lock/ecommerce-pipeline-lock")],
)  # fmt: skip
def test_a_message_lies_under_what_caused_it(event_type: str, stream_id: str) -> None:
    message = a_message(event_type, stream_id=stream_id, causation_id=CAUSE)
    assert parent_span_id(message) == the_cause()


@pytest.mark.parametrize(
    ("event_type", "stream_id"),
    [("LockGranted", "lock/ecommerce-pipeline-lock"), ("FileSetSealed", "file-set/bucket/1"),
     ("BatchStarted", f"batch/{BATCH}")],
)  # fmt: skip
def test_what_another_batch_may_have_caused_lies_under_its_own_root(
    event_type: str, stream_id: str
) -> None:
    message = a_message(event_type, stream_id=stream_id, causation_id=CAUSE)
    assert parent_span_id(message) == root_span_id(BATCH)
    [span] = relayed(message, LATER)
    assert span.attributes["causation_id"] == CAUSE


def test_an_event_takes_until_it_is_on_the_bus() -> None:
    [span] = relayed(a_message("FileValidated", source="ecommerce-pipeline/validator"), LATER)
    assert (span.name, span.service, span.kind) == ("FileValidated", "validator", "PRODUCER")
    assert (span.began, span.ended) == (SENT_AT, LATER)


def test_a_clock_that_is_behind_makes_no_span_end_before_it_began() -> None:
    [span] = relayed(a_message("FileValidated"), SENT_AT - timedelta(seconds=1))
    assert span.began == span.ended


def test_a_command_is_sent_and_handled_and_the_event_only_handled() -> None:
    step, handling = handle(a_message("AcquireLock", source="ecommerce-pipeline/saga"))
    assert (step.service, step.kind, step.parent_id) == ("saga", "PRODUCER", root_span_id(BATCH))
    assert (handling.service, handling.kind) == ("lock", "CONSUMER")
    assert handling.parent_id == step.span_id
    assert step.began < handling.began < handling.ended == step.ended
    [only] = handle(a_message("BatchSealed"))
    assert only.parent_id == root_span_id(BATCH)


def test_a_message_that_comes_again_is_handled_again_under_the_same_parent() -> None:
    message = a_message("AcquireLock")
    (step, first), (again, second) = handle(message, 7, "Transient: away"), handle(message, 8)
    assert (step.span_id, step.parent_id) == (again.span_id, again.parent_id)
    assert first.parent_id == second.parent_id == step.span_id
    assert (first.span_id, second.span_id) == (7, 8)
    assert (first.fault, second.fault) == ("Transient: away", "")
