"""Dead letters: what a refused message becomes so that SQS takes it, and reading it back whole.

SQS takes only the characters of XML 1.0, and 1 MiB with all attributes. A body that it would not
take is written in another way, which the attribute `encoding` names; `reason` says why it is here.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts.foreign import shown

MAX_MESSAGE_BYTES = 1_048_576
"""Body and attributes together (SendMessage, AWS API reference)."""
ROOM_FOR_ATTRIBUTES = 8_192
MAX_BODY_BYTES = 6 * MAX_MESSAGE_BYTES
"""No body that came by SQS is longer, whatever its characters; a letter may claim to be."""
MAX_REASON_CHARACTERS = 1_024
JSON_TEXT, GZIP = "json", "gzip+base64"
_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class DeadLetters(Protocol):
    """Where messages go that no handler could ever take."""

    def put(self, queue_name: str, body: str, reason: str) -> None:
        """Keep the message in the dead-letter queue of that queue, with the reason."""


@dataclass(frozen=True)
class Letter:
    """A message as its dead-letter queue holds it; attributes are texts."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def letter_of(body: str, reason: str) -> Letter:
    """The body as it came if SQS takes that, else in the first encoding that it takes.

    As JSON text when only characters are in the way, compressed when it is too long. What is too
    long even so is not cut: SQS refuses it, and its queue moves it whole after five receives.
    """
    attributes = {"reason": shown(reason, MAX_REASON_CHARACTERS) or "no reason was given"}
    if body and not _NO_XML.search(body) and _fits(body):
        return Letter(body, attributes)
    text = json.dumps(body)
    if _fits(text) and body:
        return Letter(text, {**attributes, "encoding": JSON_TEXT})
    packed = base64.b64encode(gzip.compress(body.encode(errors="surrogatepass"))).decode()
    return Letter(packed, {**attributes, "encoding": GZIP})


def body_of(letter: Letter) -> str:
    """The message as it came; the letter's own body where its encoding is not one of ours."""
    match letter.attributes.get("encoding"):
        case "json":
            return _json_text(letter.body)
        case "gzip+base64":
            return _unpacked(letter.body)
    return letter.body


def can_be_sent(body: str) -> bool:
    """Whether SQS takes the body as it is."""
    return bool(body) and not _NO_XML.search(body) and len(body.encode()) <= MAX_MESSAGE_BYTES


class SqsDeadLetters:
    """`<queue>-dlq` on SQS; reason and encoding are message attributes."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, queue_name: str, body: str, reason: str) -> None:
        """Send the letter; a fault is raised, and the message comes again."""
        url = self._client.get_queue_url(QueueName=f"{queue_name}-dlq")["QueueUrl"]
        letter = letter_of(body, reason)
        self._client.send_message(
            QueueUrl=url,
            MessageBody=letter.body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in letter.attributes.items()
            },
        )


def _fits(body: str) -> bool:
    return len(body.encode()) <= MAX_MESSAGE_BYTES - ROOM_FOR_ATTRIBUTES


def _json_text(body: str) -> str:
    try:
        text = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return text if isinstance(text, str) else body


def _unpacked(body: str) -> str:
    try:
        packed = io.BytesIO(base64.b64decode(body, validate=True))
        return gzip.GzipFile(fileobj=packed).read(MAX_BODY_BYTES).decode(errors="surrogatepass")
    except (ValueError, OSError, EOFError):
        return body
