"""Keeping the lock while a worker works: the ExtendLease that goes with each heartbeat."""

from datetime import datetime, timedelta
from typing import Any

from contracts.clock import Clock, NewId, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import ExtendLease
from services.runtime.messaging.worker import OnHeartbeat

LOCK_ID = "ecommerce-pipeline-lock"
"""The only lock there is (docs/design.md, Lock)."""

EXTEND_EVERY = timedelta(seconds=60)
"""A lease lasts 15 minutes and each extension is an event: not every heartbeat is worth one."""


def extend_lease_of(
    sqs: Any, lock_queue_url: str, source: str, clock: Clock, new_id: NewId
) -> OnHeartbeat:
    """What a worker does on each heartbeat: once a minute, ask the lock to extend the lease.

    The owner and fence are those of the command (`execution_id`, `fence`): a stale one extends
    nothing, and one that works without the lock has none to extend. The request carries no token,
    nobody answers it.
    """

    asked: dict[tuple[str, int], datetime] = {}

    def extend(command: Message) -> None:
        if not hasattr(command.data, "fence"):
            return
        grant = command.data.execution_id, command.data.fence
        if grant in asked and clock() - asked[grant] < EXTEND_EVERY:
            return
        asked.clear()
        asked[grant] = clock()
        request = extend_lease(command, source, new_id(), to_rfc3339(clock()))
        sqs.send_message(QueueUrl=lock_queue_url, MessageBody=request.to_json())

    return extend


def extend_lease(command: Message, source: str, message_id: str, now: str) -> Message:
    """The ExtendLease for the execution that sent this command."""
    request = ExtendLease(
        lock_id=LOCK_ID, execution_id=command.data.execution_id, fence=command.data.fence
    )
    context = MessageContext(source, command.correlation_id, command.event_id)
    return unanswered_command(request, context, f"lock/{LOCK_ID}", message_id, now)
