"""The envelope: strict in what is sent, tolerant in what is read, and tokens only on commands."""

import json
from typing import Any

import pytest

from contracts.envelope import (
    MAX_MESSAGE_BYTES,
    Message,
    kind_of_type,
    model_of,
    parse,
    task_token_of,
)
from contracts.errors import ContractViolation
from contracts.messages import AcquireLock, BatchCompleted
from tests.contract.builders import BATCH, a_body, a_failure, an_envelope, on_the_bus


def a_message(data: Any, **changes: Any) -> Message:
    fields: dict[str, Any] = an_envelope() | {"event_type": type(data).__name__, "data": data}
    return Message(**fields | changes)


def room_for_a_reason() -> int:
    """How many bytes a BatchFailed may spend on its reason, which has one at least."""
    return MAX_MESSAGE_BYTES - len(a_message(a_failure("x")).to_json()) + 1


def test_a_message_survives_the_wire() -> None:
    message = parse(a_body("BatchCompleted"))
    assert parse(message.to_json()) == message
    assert isinstance(message.data, BatchCompleted)
    assert message.data.batch_id == BATCH


def test_a_command_brings_its_token() -> None:
    message = parse(a_body("AcquireLock", task_token="token-1"))
    assert message.task_token == "token-1"
    assert isinstance(message.data, AcquireLock)
    assert json.loads(message.to_json())["task_token"] == "token-1"


def test_a_message_without_a_token_is_written_without_the_field() -> None:
    assert "task_token" not in json.loads(parse(a_body("ExtendLease")).to_json())


def test_unknown_fields_are_ignored_when_read() -> None:
    envelope = an_envelope(trace="new") | {"data": an_envelope()["data"] | {"colour": "blue"}}
    assert "colour" not in parse(envelope).to_json()


def test_an_event_off_the_bus_is_unwrapped() -> None:
    envelope = an_envelope("BatchCompleted")
    assert parse(on_the_bus(envelope)) == parse(envelope)
    assert parse(json.dumps(on_the_bus(envelope))) == parse(envelope)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "not JSON"),
        ("", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "event_type"),
        ({"detail-type": "x", "detail": "not json"}, "not JSON"),
        ({"detail-type": "x", "detail": [1]}, "not a JSON object"),
        (an_envelope() | {"event_type": "BatchVanished"}, "BatchVanished.*not a known"),
        (an_envelope() | {"event_type": "FileReport"}, "FileReport.*not a known"),
        (an_envelope(schema_version=2), "BatchCompleted v2"),
        (an_envelope(schema_version="1"), "schema_version"),
        (an_envelope(occurred_at="yesterday"), "occurred_at"),
        (an_envelope(event_id="17"), "event_id"),
        (an_envelope(data={"batch_id": BATCH}), "execution_id"),
        (an_envelope(data=None), "data"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_the_reason(body: Any, reason: str) -> None:
    with pytest.raises(ContractViolation, match=f"(?s){reason}"):
        parse(body)


def test_an_event_with_a_token_is_refused_on_both_ways() -> None:
    with pytest.raises(ContractViolation, match="BatchCompleted is an event"):
        parse(an_envelope("BatchCompleted", task_token="token-1"))
    with pytest.raises(ContractViolation, match="BatchFailed is an event"):
        a_message(a_failure("x"), task_token="token-1").to_json()


def test_what_is_sent_is_held_to_its_schema() -> None:
    with pytest.raises(ContractViolation, match="batch_id"):
        a_message(a_failure("x").model_copy(update={"batch_id": "nonsense"})).to_json()


def test_data_of_another_type_is_not_sent_even_if_it_says_all_that_is_asked_for() -> None:
    rejected = parse(an_envelope("BatchRejected")).data
    with pytest.raises(ContractViolation, match="BatchFailed"):
        a_message(rejected, event_type="BatchFailed").to_dict()


def test_json_is_written_without_needless_characters() -> None:
    text = a_message(a_failure("größer")).to_json()
    assert "größer" in text
    assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def test_an_empty_token_is_none() -> None:
    assert task_token_of('{"task_token": "t"}') == "t"
    assert task_token_of('{"task_token": ""}') is None


def test_a_message_of_200_kb_passes_and_one_byte_more_does_not() -> None:
    room = room_for_a_reason()
    assert len(a_message(a_failure("x" * room)).to_json()) == MAX_MESSAGE_BYTES
    with pytest.raises(ContractViolation, match="ObjectRef"):
        a_message(a_failure("x" * (room + 1))).to_json()


def test_size_is_counted_in_bytes_not_characters() -> None:
    room = room_for_a_reason()
    with pytest.raises(ContractViolation, match="200000"):
        a_message(a_failure("é" * (room // 2 + 1))).to_json()


def test_a_type_is_a_command_or_an_event_or_unknown() -> None:
    assert kind_of_type("AcquireLock") == "commands"
    assert kind_of_type("LockGranted") == "events"
    assert model_of("AcquireLock") is AcquireLock
    with pytest.raises(ContractViolation):
        kind_of_type("ObjectRef")
