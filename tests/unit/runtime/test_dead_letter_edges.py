"""Dead letters at their edges: the longest body, none at all, and what a letter only claims."""

import base64
import gzip

import pytest

from services.runtime.messaging.dead_letters import (
    GZIP,
    MAX_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    ROOM_FOR_ATTRIBUTES,
    Letter,
    body_of,
    can_be_sent,
    letter_of,
)


@pytest.mark.parametrize(
    ("body", "is_sent"),
    [
        ("{}", True),
        ("", False),
        ("a\x00b", False),
        ("x" * MAX_MESSAGE_BYTES, True),
        ("x" * (MAX_MESSAGE_BYTES + 1), False),
        ("é" * (MAX_MESSAGE_BYTES // 2), True),
        ("é" * (MAX_MESSAGE_BYTES // 2 + 1), False),
        ("\x00" * (MAX_MESSAGE_BYTES + 1), False),
    ],
    ids=range(8),
)
def test_sqs_takes_texts_of_xml_up_to_a_mebibyte(body: str, is_sent: bool) -> None:
    assert can_be_sent(body) is is_sent


@pytest.mark.parametrize(("beyond", "encoding"), [(0, None), (1, GZIP)])
def test_a_body_is_left_as_it_came_while_its_attributes_have_room(
    beyond: int, encoding: str | None
) -> None:
    letter = letter_of("x" * (MAX_MESSAGE_BYTES - ROOM_FOR_ATTRIBUTES + beyond), "why")
    assert letter.attributes.get("encoding") == encoding


@pytest.mark.medium
def test_a_long_body_of_lone_surrogates_is_read_back_whole() -> None:
    body = "\ud800" * MAX_MESSAGE_BYTES
    letter = letter_of(body, "not UTF-8")
    assert letter.attributes["encoding"] == GZIP
    assert body_of(letter) == body


def test_a_letter_that_unpacks_without_end_is_read_only_so_far() -> None:
    packed = base64.b64encode(gzip.compress(b"x" * (MAX_BODY_BYTES + 1_000))).decode()
    assert len(body_of(Letter(packed, {"encoding": GZIP}))) == MAX_BODY_BYTES
