"""Whatever bytes somebody sends: read as a message, or refused as a ContractViolation; no third."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import schemas
from contracts.envelope import Message, parse, task_token_of
from contracts.errors import ContractViolation
from contracts.foreign import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    MAX_NUMBER,
    json_document,
    json_value,
    shown,
)
from contracts.printable import printable
from services.aggregator import aws_events as incoming
from services.lock import aws_events as notices
from services.runtime.messaging.dead_letters import Letter, body_of, can_be_sent, letter_of
from services.runtime.observability.logs import keys_of
from services.runtime.observability.spans import handled
from tests.contract.builders import a_body, an_envelope, on_the_bus
from tests.support.examples import examples
from tests.support.hostile_bodies import HOSTILE

TYPES = sorted(one.name for one in schemas.all_schemas() if one.kind in ("commands", "events"))
any_text = st.text(st.characters(), max_size=40)
"""Lone surrogates too."""
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=20,
)


def read(body: str) -> Message | None:
    """As a message, or None when it is refused; a third thing fails the test."""
    task_token_of(body)
    keys = keys_of(body)
    assert all(printable(value) == value for value in keys.values())
    for reader in (incoming.parse_file_message, incoming.parse_aws_event, notices.parse_aws_event):
        try:
            reader(body)
        except ContractViolation as error:
            letter_of(body, str(error))
    try:
        return parse(body)
    except ContractViolation:
        return None


def can_be_held(message: Message) -> None:
    """What later code does with every message: store, log, trace, send on."""
    again = parse(message.to_json())
    assert (again.event_id, again.data) == (message.event_id, message.data)
    assert all(type(one) is int for one in (message.schema_version, message.stream_version))
    handled(message, "s", 1, _NOW, _NOW, "")


_NOW = datetime(2025, 7, 7, tzinfo=UTC)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_body_that_is_no_message_is_refused(name: str) -> None:
    assert read(HOSTILE[name]) is None


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(ContractViolation):
        json_value(content)
    read(content.decode("utf-8", "surrogateescape"))
    read(content.decode("latin-1"))


@given(any_json)
def test_any_json_is_read_or_refused(value: Any) -> None:
    read(json.dumps(value))
    read(json.dumps(value, ensure_ascii=False))


@pytest.mark.medium
@settings(max_examples=examples(400))
@given(st.sampled_from(TYPES), st.data())
def test_a_mutated_message_is_read_whole_or_refused(event_type: str, data: st.DataObject) -> None:
    envelope = an_envelope(event_type)
    places = [(envelope, name) for name in envelope]
    places += [(envelope["data"], name) for name in envelope["data"]]
    for holder, name in data.draw(st.lists(st.sampled_from(places), max_size=3)):
        if data.draw(st.booleans()):
            holder[name] = data.draw(any_json)
        else:
            holder.pop(name, None)
    if data.draw(st.booleans()):
        envelope["task_token"] = data.draw(any_json)
    body = json.dumps(on_the_bus({"event_type": 0, "source": 0} | envelope))
    if data.draw(st.booleans()):
        body = json.dumps(envelope)
    message = read(body)
    if message is not None:
        can_be_held(message)


@given(st.data())
def test_a_message_cut_or_changed_by_a_byte_is_read_or_refused(data: st.DataObject) -> None:
    text = a_body(data.draw(st.sampled_from(TYPES)))
    place = data.draw(st.integers(0, len(text)))
    inserted = data.draw(st.text(st.characters(), max_size=2))
    message = read(text[:place] + inserted + text[place + data.draw(st.integers(0, 3)) :])
    if message is not None:
        can_be_held(message)


@pytest.mark.medium
def test_each_message_of_ours_is_read() -> None:
    for event_type in TYPES:
        message = read(a_body(event_type))
        assert message is not None
        can_be_held(message)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (str(MAX_NUMBER), True),
        (f"-{MAX_NUMBER}", True),
        (str(MAX_NUMBER + 1), False),
        (f"-{MAX_NUMBER + 1}", False),
        (f"{MAX_NUMBER}.0", True),
        ("1e16", False),
        ("NaN", False),
        ("-Infinity", False),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, True),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), False),
        (json.dumps("x" * (MAX_BODY_BYTES - 2)), True),
        (json.dumps("x" * (MAX_BODY_BYTES - 1)), False),
        ('{"a": 1, "b": {"a": 1}}', True),
        ('{"a": 1, "a": 1}', False),
        ('{"\\ud800": 1}', False),
    ],
)
def test_the_limits_are_where_they_are_said_to_be(text: str, taken: bool) -> None:
    if taken:
        json_value(text)
    else:
        with pytest.raises(ContractViolation):
            json_value(text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'\xef\xbb\xbf{"a": 1}', None),
        ('{"a": "\u00e9"}'.encode(), None),
        (b'{"a": "\xe9"}', "it is not UTF-8 text: byte 8 is none"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8 text: byte 1 is none"),
        (b'{"a": "\\ud800"}', "it has half a character, a lone surrogate"),
        (b"[]", "it is not a JSON object"),
        (b"{", "it is not JSON: "),
        (b'{"a": ' + b"9" * 17 + b"}", "it holds the number 99999999999999999: beyond 2^53"),
        (b"[" * 100_000, "it is nested deeper than the 64 levels that are read"),
        (b'{"a": "0123456789"}', "it has 19 bytes, more than 18"),
    ],
)
def test_a_document_is_read_as_a_message_is_and_may_begin_with_a_byte_order_mark(
    content: bytes, reason: str | None
) -> None:
    limit = 18 if reason and "18" in reason else 1_000_000
    if reason is None:
        assert "a" in json_document(content, limit)
    else:
        with pytest.raises(ContractViolation, match=re.escape(reason)):
            json_document(content, limit)


@pytest.mark.parametrize("text", ["\ufeff{}", b"\xef\xbb\xbf{}"])
def test_a_message_has_no_byte_order_mark(text: str | bytes) -> None:
    with pytest.raises(ContractViolation, match="message is not JSON"):
        json_value(text)


def test_what_is_cut_says_how_long_it_was() -> None:
    assert shown("x" * 200) == "x" * 200
    assert shown("x" * 201) == "x" * 200 + "… (201 characters)"


def test_the_name_that_is_said_twice_is_told() -> None:
    with pytest.raises(ContractViolation, match="says 'b' twice"):
        json_value('{"a": 1, "b": 2, "b": 3}')


@given(st.text(st.characters(), max_size=60))
def test_what_is_shown_can_be_printed_everywhere(text: str) -> None:
    said = shown(text)
    assert printable(said) == said
    said.encode()
    if text.isprintable():
        assert said == text


@given(st.text(st.characters(), min_size=1, max_size=200), any_text)
def test_a_letter_keeps_body_and_reason_in_letters_that_sqs_takes(body: str, reason: str) -> None:
    letter = letter_of(body, reason)
    assert body_of(letter) == body
    for text in (letter.body, *letter.attributes.values()):
        assert can_be_sent(text)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("plain", None),
        ("\x00 and \ud800", "json"),
        ("x" * 1_048_576, "gzip+base64"),
        ("\x00" * 1_000_000, "gzip+base64"),
        ("", "gzip+base64"),
    ],
    ids=["as it came", "characters", "too long", "too long when escaped", "nothing"],
)
def test_a_letter_is_written_in_the_plainest_way_that_sqs_takes(
    body: str, encoding: str | None
) -> None:
    letter = letter_of(body, "why")
    assert letter.attributes.get("encoding") == encoding
    assert letter.attributes["reason"] == "why"
    assert can_be_sent(letter.body)
    assert body_of(letter) == body


@pytest.mark.parametrize(
    ("body", "encoding"),
    [("[" * 3000, "json"), ("7", "json"), ("%", "gzip+base64"), ("aGVsbG8=", "gzip+base64")],
)
def test_a_letter_that_lies_about_its_encoding_is_its_own_body(body: str, encoding: str) -> None:
    assert body_of(Letter(body, {"encoding": encoding})) == body
