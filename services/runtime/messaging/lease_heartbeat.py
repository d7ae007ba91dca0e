"""Keeping the lock while a worker works: the ExtendLease that goes with each heartbeat."""

from datetime import datetime, timedelta
from typing import Any, TypeAlias

from contracts.clock import Clock, NewId, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import ExtendLease

LOCK_ID = "ecommerce-pipeline-lock"
"""The only lock there is (docs/design.md, Lock)."""

Grant: TypeAlias = tuple[str, int]

EXTEND_EVERY = timedelta(seconds=60)
"""A lease lasts 15 minutes and each extension is an event: not every heartbeat is worth one."""


class LeaseHeartbeat:
    """What a worker does on each heartbeat: once a minute, ask the lock to extend the lease.

    The owner and fence are those of the command (`execution_id`, `fence`): a stale one extends
    nothing, and one that works without the lock has none to extend. The request carries no token,
    nobody answers it.
    """

    def __init__(
        self, sqs: Any, lock_queue_url: str, source: str, clock: Clock, new_id: NewId
    ) -> None:
        self._sqs, self._lock_queue_url, self._source = sqs, lock_queue_url, source
        self._clock, self._new_id = clock, new_id
        self._asked: dict[Grant, datetime] = {}
        self._first_taken: dict[Grant, datetime] = {}

    def __call__(self, command: Message) -> None:
        """The first heartbeat of a grant asks at once."""
        grant = _grant_of(command)
        if grant is not None and self._is_due(self._asked.get(grant)):
            self._ask(grant, command)

    def took(self, command: Message) -> None:
        """A message is in hand: many short ones keep the lease too, without a heartbeat."""
        grant = _grant_of(command)
        if grant is None:
            return
        last = self._asked.get(grant) or self._first_taken.get(grant)
        if last is None:
            self._first_taken = {grant: self._clock()}
        elif self._is_due(last):
            self._ask(grant, command)

    def _is_due(self, last: datetime | None) -> bool:
        return last is None or self._clock() - last >= EXTEND_EVERY

    def _ask(self, grant: Grant, command: Message) -> None:
        self._asked = {grant: self._clock()}
        request = extend_lease(command, self._source, self._new_id(), to_rfc3339(self._clock()))
        self._sqs.send_message(QueueUrl=self._lock_queue_url, MessageBody=request.to_json())


def _grant_of(command: Message) -> Grant | None:
    if not hasattr(command.data, "fence"):
        return None
    return command.data.execution_id, command.data.fence


def extend_lease(command: Message, source: str, message_id: str, now: str) -> Message:
    """The ExtendLease for the execution that sent this command."""
    request = ExtendLease(
        lock_id=LOCK_ID, execution_id=command.data.execution_id, fence=command.data.fence
    )
    context = MessageContext(source, command.correlation_id, command.event_id)
    return unanswered_command(request, context, f"lock/{LOCK_ID}", message_id, now)
