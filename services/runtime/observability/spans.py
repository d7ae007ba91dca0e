"""The spans of a batch, made of what its messages say of themselves; nothing is sent from here.

An envelope travels through tables, streams and queues that carry no trace headers. It needs none:
`correlation_id` gives the trace, `event_id` the span of the message, `causation_id` its parent. So
whoever has the message knows where its span belongs, in whatever process, however late.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.clock import from_rfc3339
from contracts.envelope import Message, kind_of_type

ROOTS = frozenset({"BatchSealed", "RebuildKpis", "MaintainFacts"})
"""Messages with which a correlation begins: nothing of it happened before."""
CAUSED_ELSEWHERE = frozenset({"BatchStarted"})
"""Events in a batch's own stream that a message about another batch may have caused."""


@dataclass(frozen=True)
class Span:
    """Something that took its time. Ids are numbers as OpenTelemetry has them, 0 is no id.

    `service`: whose it is, `kind`: `PRODUCER` of a message that was sent, `CONSUMER` of one that
    was handled. `fault`: what was raised, empty when nothing was.
    """

    trace_id: int
    span_id: int
    parent_id: int
    name: str
    service: str
    kind: str
    began: datetime
    ended: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


def trace_id_of(correlation_id: str) -> int:
    """128 bits that all messages of a batch have in common."""
    return _number(f"trace/{correlation_id}", 16)


def message_span_id(message: Message) -> int:
    """64 bits of the message itself; the root's are those of its batch, which all can know."""
    if message.event_type in ROOTS:
        return root_span_id(message.correlation_id or "")
    return _number(f"message/{message.event_id}", 8)


def root_span_id(correlation_id: str) -> int:
    """64 bits of the message with which the correlation began."""
    return _number(f"root/{correlation_id}", 8)


def parent_span_id(message: Message) -> int:
    """The message that caused this one, if it is surely of the same trace; else the root.

    A cause may belong to another batch, or be a notice of AWS: the lock is granted to one batch
    when another gives it back. In a stream of the batch's own, and for a command, it is of it.
    """
    if message.event_type in ROOTS:
        return 0
    correlation_id = message.correlation_id or ""
    is_command = kind_of_type(message.event_type) == "commands"
    is_own = is_command or correlation_id in message.stream_id.split("/")
    if message.causation_id is None or not is_own or message.event_type in CAUSED_ELSEWHERE:
        return root_span_id(correlation_id)
    return _number(f"message/{message.causation_id}", 8)


def relayed(event: Message, now: datetime) -> Sequence[Span]:
    """The span of an event: from when it was stored to when it was on the bus."""
    return [_sent(event, now)] if event.correlation_id else []


def handled(
    message: Message, service: str, span_id: int, began: datetime, ended: datetime, fault: str
) -> Sequence[Span]:
    """The span of one handling, and of a command also that of the message: nobody relays it.

    `span_id` is new for each handling: a message that comes again is handled again, under the
    same parent. A command's span lasts from its sending to the end of its handling.
    """
    if not message.correlation_id:
        return []
    handling = Span(
        trace_id=trace_id_of(message.correlation_id),
        span_id=span_id,
        parent_id=message_span_id(message),
        name=f"handle {message.event_type}",
        service=service,
        kind="CONSUMER",
        began=began,
        ended=max(began, ended),
        attributes=_attributes(message),
        fault=fault,
    )
    if kind_of_type(message.event_type) != "commands":
        return [handling]
    return [_sent(message, ended), handling]


def _sent(message: Message, until: datetime) -> Span:
    began = from_rfc3339(message.occurred_at)
    return Span(
        trace_id=trace_id_of(message.correlation_id or ""),
        span_id=message_span_id(message),
        parent_id=parent_span_id(message),
        name=message.event_type,
        service=message.source.rsplit("/", 1)[-1],
        kind="PRODUCER",
        began=began,
        ended=max(began, until),
        attributes=_attributes(message),
    )


def _attributes(message: Message) -> dict[str, str]:
    given = {
        "batch_id": message.correlation_id,
        "event_type": message.event_type,
        "causation_id": message.causation_id,
        "stream_id": message.stream_id,
        "messaging.message.id": message.event_id,
        "messaging.message.conversation_id": message.correlation_id,
    }
    return {name: value for name, value in given.items() if value}


def _number(text: str, size_bytes: int) -> int:
    """A number of that size, never 0, the same for the same text everywhere."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:size_bytes], "big") or 1
