"""The pipeline's queues: how many wait; dead letters shown, sent back, and dropped on record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from contracts.clock import to_rfc3339
from contracts.errors import ContractViolation
from contracts.foreign import json_object
from contracts.layout import dropped_letter_key
from services.runtime.messaging import dead_letters as kept

DEAD_LETTER_SUFFIX = "-dlq"
OWNERS = (
    "aggregator-",
    "lock-",
    "validator-",
    "transformer-",
    "archiver-",
    "event-relay-",
    "lineage-",
    "guard-",
    "api-",
    "saga-",
)
WAITING, IN_WORK = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
HELD_SECONDS = 30
"""How long letters are hidden from others at most, should whoever looks at them die meanwhile."""
RECEIVED_AT_ONCE = 10
"""Limit of ReceiveMessage (AWS API reference)."""
LAST_LOOK_SECONDS = 1
"""Long polling asks all of SQS's servers; an answer without it may leave letters out."""
COUNTED_AT_ONCE = 8
HIDDEN_TOKEN = "(hidden: task tokens are secrets)"  # noqa: S105
HEAD_CHARACTERS = 1_000
LONGEST_REASON = 2_000
"""Why a letter is dropped, in characters."""


@dataclass(frozen=True)
class Letter:
    """One message of a dead-letter queue.

    `reason` is None when it was not refused but failed too often. `body` is the message as it came,
    `content` what it says without its task token, which is a secret; `awaits_answer` says that it
    had one. `attributes` are all of the message, by name.
    """

    message_id: str
    queue: str
    sent_at: str
    first_received_at: str | None
    receives: int
    reason: str | None
    event_type: str | None
    batch_id: str | None
    awaits_answer: bool
    content: Any
    body: str
    receipt: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def can_be_sent(self) -> bool:
        """Whether SQS takes its body as it is."""
        return kept.can_be_sent(self.body)

    @property
    def shown_body(self) -> str:
        """The body exactly as it came, but for its task token."""
        token = _token(self.body)
        if token is None:
            return self.body
        hidden = self.body
        for spelled in {token, *(json.dumps(token, ensure_ascii=a)[1:-1] for a in (True, False))}:
            hidden = hidden.replace(spelled, HIDDEN_TOKEN)
        return hidden


@dataclass(frozen=True)
class Told:
    """Who drops a letter, why, and when."""

    who: str
    why: str
    now: datetime


def dead_letters(sqs: Any, prefix: str = "") -> dict[str, int]:
    """Approximate number of visible messages per dead-letter queue of the pipeline."""
    return {one.name: one.waiting for one in depths(sqs, prefix) if is_dead_letter_queue(one.name)}


@dataclass(frozen=True)
class Depth:
    """A queue, and about how many of its messages wait and are in work."""

    name: str
    waiting: int
    in_work: int


def depths(sqs: Any, prefix: str = "") -> list[Depth]:
    """Every queue of the pipeline, by name without the `prefix` of its stage."""
    pages = sqs.get_paginator("list_queues").paginate()
    urls = [str(url) for page in pages for url in page.get("QueueUrls", ())]
    ours = [url for url in urls if _is_ours(_name_of(url), prefix)]
    with ThreadPoolExecutor(COUNTED_AT_ONCE, thread_name_prefix="depths") as threads:
        found = list(threads.map(lambda url: _depth(sqs, url), ours))
    plain = [replace(one, name=one.name.removeprefix(prefix)) for one in found]
    return sorted(plain, key=lambda one: one.name)


def _is_ours(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and name.removeprefix(prefix).startswith(OWNERS)


def _depth(sqs: Any, queue_url: str) -> Depth:
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[WAITING, IN_WORK])
    counts = answer["Attributes"]
    return Depth(_name_of(queue_url), int(counts[WAITING]), int(counts[IN_WORK]))


def _name_of(queue_url: str) -> str:
    return queue_url.rsplit("/", 1)[-1]


def is_dead_letter_queue(name: str) -> bool:
    """Whether a queue's name is `<service>-...-dlq` of one of our stacks."""
    return name.endswith(DEAD_LETTER_SUFFIX) and name.startswith(OWNERS)


def read_letters(sqs: Any, queue_url: str) -> list[Letter]:
    """All letters of a queue, oldest first; they stay in it and can be received again at once."""
    with held(sqs, queue_url) as letters:
        return letters


def send_back(
    sqs: Any, queue_url: str, source_url: str, message_id: str | None = None
) -> tuple[list[Letter], list[Letter]]:
    """Send the letters that are there now to the queue they came from: those sent, those left.

    All, or the one of that id. Each is deleted only after it was sent: a crash in between sends
    one twice, and loses none. One that dies again meanwhile is not sent again. Left is what SQS
    takes no more, by its characters.
    """
    sent, left = [], []
    with held(sqs, queue_url, message_id) as letters:
        for letter in letters:
            if message_id not in (None, letter.message_id):
                continue
            if not letter.can_be_sent:
                left.append(letter)
                continue
            sqs.send_message(QueueUrl=source_url, MessageBody=letter.body)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=letter.receipt)
            sent.append(letter)
    return sent, left


@contextmanager
def held(sqs: Any, queue_url: str, message_id: str | None = None) -> Iterator[list[Letter]]:
    """All letters, hidden from others meanwhile; afterwards those that are still there are not.

    Where one is wanted by its id: it and others, as soon as it is there. A dead-letter queue has no
    redrive policy of its own, so that looking drops none.
    """
    letters: dict[str, Letter] = {}
    try:
        _receive(sqs, queue_url, letters, message_id)
        yield sorted(letters.values(), key=lambda one: (one.sent_at, one.message_id))
    finally:
        for letter in letters.values():
            _let_go(sqs, queue_url, letter)


def _receive(
    sqs: Any, queue_url: str, letters: dict[str, Letter], wanted: str | None = None
) -> None:
    """Receive until nothing more comes; SQS answers some at a time, and may repeat one.

    An answer without any may leave some out: it is believed where SQS counts no more than there
    are (its counts are behind by a minute at most), else a long poll has the last word, which takes
    a second.
    """
    empty_answers = 0
    while empty_answers < 2 and wanted not in letters:
        if empty_answers and _are_all(_depth(sqs, queue_url), len(letters)):
            return
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=RECEIVED_AT_ONCE,
            VisibilityTimeout=HELD_SECONDS,
            WaitTimeSeconds=LAST_LOOK_SECONDS if empty_answers else 0,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        name = _name_of(queue_url)
        received = [letter_of(message, name) for message in answer.get("Messages", ())]
        news = [letter for letter in received if letter.message_id not in letters]
        empty_answers = 0 if news else empty_answers + 1
        letters.update((letter.message_id, letter) for letter in received)


def _are_all(depth: Depth, held_letters: int) -> bool:
    return not depth.waiting and depth.in_work <= held_letters


def _let_go(sqs: Any, queue_url: str, letter: Letter) -> None:
    """Nothing for one that was deleted, or that somebody else holds by now."""
    try:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
        )
    except sqs.exceptions.ClientError as error:
        if error.response["Error"]["Code"].rsplit(".", 1)[-1] not in NOT_HELD:
            raise


NOT_HELD = frozenset(("MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"))


def letter_of(message: Mapping[str, Any], queue: str = "") -> Letter:
    """Read what can be read of an SQS message; nothing in it is taken for granted."""
    said = message.get("Attributes", {})
    attributes = {
        name: value.get("StringValue", value.get("BinaryValue"))
        for name, value in message.get("MessageAttributes", {}).items()
    }
    texts = {name: value for name, value in attributes.items() if isinstance(value, str)}
    body = kept.body_of(kept.Letter(message["Body"], texts))
    envelope = _envelope(body)
    return Letter(
        message_id=message["MessageId"],
        queue=queue,
        sent_at=_moment(said.get("SentTimestamp")) or "",
        first_received_at=_moment(said.get("ApproximateFirstReceiveTimestamp")),
        receives=int(said.get("ApproximateReceiveCount", 0)),
        reason=texts.get("reason"),
        event_type=_text(envelope, "event_type", "detail-type"),
        batch_id=_text(envelope, "correlation_id"),
        awaits_answer="task_token" in envelope,
        content={name: value for name, value in envelope.items() if name != "task_token"} or body,
        body=body,
        receipt=message["ReceiptHandle"],
        attributes={
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in attributes.items()
        },
    )


def drop_letter(clients: Mapping[str, Any], letter: Letter, bucket: str, told: Told) -> str:
    """Remove a letter that is held, its record written first; returns the record's key."""
    key = dropped_letter_key(letter.queue, letter.message_id)
    record = record_of(letter, told.who, told.why, told.now)
    s3, sqs = clients["s3"], clients["sqs"]
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=json.dumps(record, indent=2).encode(),
        ContentType="application/json",
    )
    url = sqs.get_queue_url(QueueName=letter.queue)["QueueUrl"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt)
    return key


def document_of(letter: Letter) -> dict[str, Any]:
    """The letter as `ecp dlq show --json` gives it."""
    fields = {name: value for name, value in vars(letter).items() if name != "receipt"}
    return {**fields, "body": letter.shown_body}


def record_of(letter: Letter, who: str, why: str, now: datetime) -> dict[str, Any]:
    """What is kept of a letter that was dropped: who, when and why, its hash and its beginning."""
    body = letter.body.encode(errors="surrogatepass")
    return {
        "queue": letter.queue,
        "message_id": letter.message_id,
        "dropped_at": to_rfc3339(now),
        "dropped_by": who,
        "why": why,
        "reason": letter.reason,
        "sent_at": letter.sent_at,
        "event_type": letter.event_type,
        "batch_id": letter.batch_id,
        "sha256": hashlib.sha256(body).hexdigest(),
        "size_bytes": len(body),
        "head": letter.shown_body[:HEAD_CHARACTERS],
    }


def _moment(milliseconds: str | None) -> str | None:
    if milliseconds is None:
        return None
    return to_rfc3339(datetime.fromtimestamp(int(milliseconds) / 1000, UTC))


def _envelope(body: str) -> Mapping[str, Any]:
    """The message's own JSON, or that inside its bus wrapper; empty when it is none."""
    try:
        parsed = json_object(body)
    except ContractViolation:
        return {}
    inner = parsed.get("detail")
    return inner if isinstance(inner, dict) and "event_type" in inner else parsed


def _token(body: str) -> str | None:
    token = _envelope(body).get("task_token")
    return token if isinstance(token, str) and token else None


def _text(envelope: Mapping[str, Any], *names: str) -> str | None:
    return next((envelope[name] for name in names if isinstance(envelope.get(name), str)), None)


def documents_of(letters: Sequence[Letter]) -> Iterator[dict[str, Any]]:
    """The letters as `ecp dlq show --json` gives them."""
    return map(document_of, letters)
