"""Letting the lock hear of a fence for which somebody was refused: it alone knows its grants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from contracts.clock import Clock, NewId, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.errors import StaleWriter
from contracts.messages import RaiseFence
from services.runtime.messaging.lease_heartbeat import LOCK_ID

Answer = TypeVar("Answer")
AskTheLock = Callable[[Message, StaleWriter], None]


def asking_when_stale(
    handler: Callable[[Message], Answer], ask: AskTheLock
) -> Callable[[Message], Answer]:
    """The handler; when it refuses a fence for a higher one, the lock hears of that one.

    The lock alone knows whether it granted it. If it did, nothing happens; if not, it grants only
    higher ones from then on, so that at most the batch in work is refused for it.
    """

    def handle(message: Message) -> Answer:
        try:
            return handler(message)
        except StaleWriter as error:
            if error.seen_fence is not None:
                ask(message, error)
            raise

    return handle


def ask_the_lock(
    sqs: Any, lock_queue_url: str, source: str, clock: Clock, new_id: NewId
) -> AskTheLock:
    """Sends RaiseFence to the lock's queue; nobody waits for an answer."""

    def ask(message: Message, error: StaleWriter) -> None:
        request = raise_fence(message, error, source, new_id(), to_rfc3339(clock()))
        sqs.send_message(QueueUrl=lock_queue_url, MessageBody=request.to_json())

    return ask


def raise_fence(
    message: Message, error: StaleWriter, source: str, message_id: str, now: str
) -> Message:
    """The RaiseFence for the fence that made a command stale."""
    request = RaiseFence(
        lock_id=LOCK_ID,
        seen_fence=error.seen_fence or 1,
        requested_by=source,
        reason=f"{message.event_type} of {message.correlation_id} was refused: {error}",
    )
    context = MessageContext(source, message.correlation_id, message.event_id)
    return unanswered_command(request, context, f"lock/{LOCK_ID}", message_id, now)
