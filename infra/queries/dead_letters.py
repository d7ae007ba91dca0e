"""The dead-letter queues: how many messages wait, what they say, and sending them back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.clock import to_rfc3339

DEAD_LETTER_SUFFIX = "-dlq"
OWNERS = (
    "aggregator-",
    "lock-",
    "validator-",
    "transformer-",
    "archiver-",
    "event-relay-",
    "saga-",
)
HELD_SECONDS = 120
"""How long letters are hidden from others while they are looked at or sent back."""
RECEIVED_AT_ONCE = 10
"""Limit of ReceiveMessage (AWS API reference)."""


@dataclass(frozen=True)
class Letter:
    """One message of a dead-letter queue.

    `reason` is None when it was not refused but failed too often. `content` is the message without
    its task token, which is a secret; `awaits_answer` says that it had one.
    """

    message_id: str
    sent_at: str
    reason: str | None
    event_type: str | None
    batch_id: str | None
    awaits_answer: bool
    content: Any
    body: str
    receipt: str


def dead_letters(sqs: Any) -> dict[str, int]:
    """Approximate number of visible messages per dead-letter queue of the pipeline."""
    counts: dict[str, int] = {}
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", ()):
            name = str(url).rsplit("/", 1)[-1]
            if is_dead_letter_queue(name):
                answer = sqs.get_queue_attributes(
                    QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
                )
                counts[name] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    return dict(sorted(counts.items()))


def is_dead_letter_queue(name: str) -> bool:
    """Whether a queue's name is `<service>-...-dlq` of one of our stacks."""
    return name.endswith(DEAD_LETTER_SUFFIX) and name.startswith(OWNERS)


def read_letters(sqs: Any, queue_url: str) -> list[Letter]:
    """All letters of a queue, oldest first; they stay in it and can be received again at once."""
    letters = _hold(sqs, queue_url)
    _let_go(sqs, queue_url, letters)
    return letters


def send_back(sqs: Any, queue_url: str, source_url: str) -> list[Letter]:
    """Send the letters that are there now to the queue they came from; returns those sent.

    Each is deleted only after it was sent: a crash in between sends one twice, and loses none. One
    that dies again meanwhile is not sent again.
    """
    letters = _hold(sqs, queue_url)
    sent: list[Letter] = []
    try:
        for letter in letters:
            sqs.send_message(QueueUrl=source_url, MessageBody=letter.body)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=letter.receipt)
            sent.append(letter)
    finally:
        _let_go(sqs, queue_url, letters[len(sent) :])
    return sent


def _hold(sqs: Any, queue_url: str) -> list[Letter]:
    """Receive until nothing more comes; SQS answers some at a time, and may repeat one."""
    held: dict[str, Letter] = {}
    empty_answers = 0
    while empty_answers < 2:
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=RECEIVED_AT_ONCE,
            VisibilityTimeout=HELD_SECONDS,
            WaitTimeSeconds=1 if empty_answers else 0,
            MessageAttributeNames=["reason"],
            AttributeNames=["SentTimestamp"],
        )
        received = [letter_of(message) for message in answer.get("Messages", ())]
        empty_answers = 0 if received else empty_answers + 1
        held |= {letter.message_id: letter for letter in received}
    return sorted(held.values(), key=lambda letter: (letter.sent_at, letter.message_id))


def _let_go(sqs: Any, queue_url: str, letters: Sequence[Letter]) -> None:
    for letter in letters:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
        )


def letter_of(message: Mapping[str, Any]) -> Letter:
    """Read what can be read of an SQS message; nothing in it is taken for granted."""
    attributes = message.get("MessageAttributes", {})
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    envelope = _envelope(message["Body"])
    return Letter(
        message_id=message["MessageId"],
        sent_at=to_rfc3339(sent_at),
        reason=attributes.get("reason", {}).get("StringValue"),
        event_type=_text(envelope, "event_type", "detail-type"),
        batch_id=_text(envelope, "correlation_id"),
        awaits_answer="task_token" in envelope,
        content={name: value for name, value in envelope.items() if name != "task_token"}
        or message["Body"],
        body=message["Body"],
        receipt=message["ReceiptHandle"],
    )


def _envelope(body: str) -> Mapping[str, Any]:
    """The message's own JSON, or that inside its bus wrapper; empty when it is none."""
    try:
        parsed = json.loads(body)
    except json.JSONDecodeError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    inner = parsed.get("detail")
    return inner if isinstance(inner, dict) and "event_type" in inner else parsed


def _text(envelope: Mapping[str, Any], *names: str) -> str | None:
    return next((envelope[name] for name in names if isinstance(envelope.get(name), str)), None)


def documents_of(letters: Sequence[Letter]) -> Iterator[dict[str, Any]]:
    """The letters as `ecp dlq show --json` gives them."""
    for letter in letters:
        fields = vars(letter)
        yield {name: fields[name] for name in fields if name not in ("body", "receipt")}
