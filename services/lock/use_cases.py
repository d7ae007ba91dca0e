"""What the lock does with each message: gather, decide, apply; then deliver a pending grant.

The rules are in `domain.py`. A token item of the current holder means that its AcquireLock is not
answered yet; whoever handles the next message, or the sweeper, answers it. So a crash between the
grant and its answer costs a minute at most, and no answer is ever given before its grant is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from contracts.clock import Clock
from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict, Refused
from contracts.foreign import shown
from contracts.messages import AcquireLock, BreakLock, ExtendLease, RaiseFence, ReleaseLock
from services.lock.domain import LOCK_ID, Lock, LockEvent, Terms, Waiter
from services.lock.items import lock_from, lock_item, lock_key, token_item, token_key
from services.runtime.event_store import (
    DeleteItem,
    EventStore,
    PutItem,
    StateTables,
    StateWrite,
    StreamAppend,
    retry_on_conflict,
)
from services.runtime.messaging.executions import may_be_asked_about
from services.runtime.messaging.task_callbacks import TaskCallbacks
from services.runtime.observability.logs import about, logger

SOURCE = "ecommerce-pipeline/lock"
MAX_ATTEMPT = 1000
SWEPT_AT_ONCE = 40
"""Parties that one sweep looks at: all of them may leave in one transaction of 100 items."""

Decision = Callable[[Lock, Terms], tuple[LockEvent, ...]]


@dataclass(frozen=True)
class Change:
    """The lock after a decision, and whether that decision changed it."""

    lock: Lock
    happened: bool


class Store(EventStore, StateTables, Protocol):
    """The event store together with the tables that change in its transactions."""


class Executions(Protocol):
    """What the lock asks of Step Functions."""

    def ended(self, execution_id: str) -> str | None:
        """The status with which an execution ended; None while it may still go on.

        Raises Transient when it cannot be told now.
        """


@dataclass(frozen=True)
class Ports:
    """All that the lock talks to, and its one tunable."""

    store: Store
    answers: TaskCallbacks
    executions: Executions
    clock: Clock
    table: str
    lease: timedelta

    def terms(self) -> Terms:
        return Terms(now=self.clock(), lease=self.lease)


def acquire_lock(message: Message, ports: Ports) -> None:
    """Grant the lock or queue the execution; its token is answered once it holds the lock.

    A late copy of an earlier attempt never takes the place of a newer attempt's token: each token
    is kept with an event, so one that comes after the lock was loaded makes the append fail.
    """
    command: AcquireLock = message.data
    _check_lock_id(command.lock_id)
    _check_applicant(command)
    token = message.task_token
    if token is None:
        raise Refused(
            f"AcquireLock of {command.execution_id} carries no task token, so nobody could be told"
        )
    applicant = Waiter(command.execution_id, command.batch_id)
    pending_grant = token_item(command.lock_id, command.execution_id, token, command.attempt)

    def queue_or_grant() -> Lock:
        loaded = _load(ports)
        standing = ports.store.get_item(
            ports.table, token_key(command.lock_id, command.execution_id)
        )
        if standing is not None and standing["attempt"] > command.attempt:
            logger.info("attempt %s of %s came late", command.attempt, command.execution_id)
            return loaded
        change = _change(
            ports,
            lambda lock, terms: lock.acquire(applicant, terms),
            MessageContext(SOURCE, command.batch_id, message.event_id),
            PutItem(ports.table, pending_grant),
            load=lambda _: loaded,
        )
        return change.lock

    deliver_pending_grant(retry_on_conflict(queue_or_grant), ports, message.event_id)


def release_lock(message: Message, ports: Ports) -> Mapping[str, str]:
    """Free the lock and grant the next in line; the answer for the releasing execution."""
    command: ReleaseLock = message.data
    _check_lock_id(command.lock_id)
    release = _decide(
        ports,
        lambda lock, terms: lock.release(command.execution_id, command.fence, terms),
        MessageContext(SOURCE, message.correlation_id, message.event_id),
    )
    deliver_pending_grant(release.lock, ports, message.event_id)
    return {"outcome": "RELEASED" if release.happened else "NOT_HELD"}


def extend_lease(message: Message, ports: Ports) -> None:
    """Move the lease of owner and fence on; anyone else's heartbeat is noted in the log only."""
    command: ExtendLease = message.data
    _check_lock_id(command.lock_id)
    extension = _decide(
        ports,
        lambda lock, terms: lock.extend(command.execution_id, command.fence, terms),
        MessageContext(SOURCE, message.correlation_id, message.event_id),
    )
    if not extension.happened:
        logger.info(
            "lease not extended: %s with fence %s does not hold %s, or gains no time",
            command.execution_id,
            command.fence,
            command.lock_id,
        )
    deliver_pending_grant(extension.lock, ports, message.event_id)


def break_lock(message: Message, ports: Ports) -> None:
    """Take the lock from the holder that a person saw, and grant the next in line.

    The execution may still run: what it writes under its old fence is refused at the stores. One
    that does not know yet that it has the lock is told first: it would wait for ever for a token
    that went with the lock. If that holder is gone already, nothing changes, and the log says so.
    """
    command: BreakLock = message.data
    _check_lock_id(command.lock_id)
    deliver_pending_grant(_load(ports), ports, message.event_id)

    def break_open(lock: Lock, terms: Terms) -> tuple[LockEvent, ...]:
        unnotified = _unnotified_holder(lock, ports)
        return lock.break_open(
            command.fence, command.requested_by, command.reason, terms, unnotified=unnotified
        )

    breach = _decide(ports, break_open, MessageContext(SOURCE, causation_id=message.event_id))
    logger.warning(
        "%s %s under fence %s, asked for by %s: %s",
        command.lock_id,
        "was broken" if breach.happened else "is not broken, for nobody holds it",
        command.fence,
        command.requested_by,
        command.reason,
    )
    deliver_pending_grant(breach.lock, ports, message.event_id)


def raise_fence(message: Message, ports: Ports) -> None:
    """Let every fence from now on be above one that a writer has seen.

    Where the lock's table remembers more than its stream does, the event store was put back to an
    earlier time: what the table remembers is let go of, and fences go on above it.
    """
    command: RaiseFence = message.data
    _check_lock_id(command.lock_id)
    context = MessageContext(SOURCE, message.correlation_id, message.event_id)

    def decide(lock: Lock, _terms: Terms) -> tuple[LockEvent, ...]:
        return lock.raise_fence(command.seen_fence, command.requested_by, command.reason)

    def decide_again(lock: Lock, _terms: Terms) -> tuple[LockEvent, ...]:
        forgotten = lock_from(ports.store.get_item(ports.table, lock_key(LOCK_ID)), LOCK_ID)
        highest = max(command.seen_fence, forgotten.version, forgotten.highest_fence)
        return (lock.raised_to(highest, command.requested_by, command.reason),)

    if _remembers_more_than_its_stream(ports):
        change = retry_on_conflict(
            lambda: _change(ports, decide_again, context, load=_load_from_the_stream)
        )
    else:
        change = _decide(ports, decide, context)
    logger.warning(
        "fence %s was seen by %s: %s",
        command.seen_fence,
        shown(command.requested_by),
        "granted are only higher ones now" if change.happened else "nothing new to the lock",
    )
    deliver_pending_grant(change.lock, ports, message.event_id)


def execution_ended(execution_id: str, status: str, causation_id: str, ports: Ports) -> None:
    """An execution is over: recover the lock from it, or take it out of the line."""
    lock = _recover(ports, {execution_id: status}, causation_id)
    deliver_pending_grant(lock, ports, causation_id)


def sweep(lock_id: str, ports: Ports) -> Lock:
    """Ask Step Functions about the holder and the first in line, and recover what is dead.

    A lease that ran out is taken even from a running execution: the stores refuse its fence. Only
    a holder that was never told of its lock gets a new lease, and then its answer.
    """
    _check_lock_id(lock_id)
    parties = _load(ports).parties()[:SWEPT_AT_ONCE]
    asked = {execution_id: ports.executions.ended(execution_id) for execution_id in parties}
    ended = {execution_id: status for execution_id, status in asked.items() if status is not None}
    swept = _decide(
        ports,
        lambda lock, terms: lock.sweep(ended, terms, _unnotified_holder(lock, ports)),
        MessageContext(SOURCE),
    )
    return deliver_pending_grant(swept.lock, ports, causation_id=None)


def deliver_pending_grant(lock: Lock, ports: Ports, causation_id: str | None) -> Lock:
    """Answer the holder's AcquireLock if that was not done; pass over holders that are dead.

    A token that is gone was answered a moment ago by another handler, or timed out: only Step
    Functions knows whether its execution lives. If it does, it has its answer or asks again.
    """
    while lock.holder is not None:
        holder = lock.holder
        key = token_key(LOCK_ID, holder.execution_id)
        pending_grant = ports.store.get_item(ports.table, key)
        if pending_grant is None:
            return lock
        answer: dict[str, Any] = {
            "outcome": "GRANTED",
            "fence": holder.fence,
            "lease_until": holder.lease_until,
        }
        with about(batch_id=holder.batch_id):
            if not ports.answers.succeed(pending_grant["task_token"], answer):
                status = ports.executions.ended(holder.execution_id)
                if status is not None:
                    lock = _recover(ports, {holder.execution_id: status}, causation_id)
                    continue
                logger.info("the token of %s is gone, its execution runs", holder.execution_id)
            else:
                logger.info("the lock was granted", fence=holder.fence)
            _forget_token(ports, key, pending_grant["task_token"])
        return lock
    return lock


def _unnotified_holder(lock: Lock, ports: Ports) -> str | None:
    """The holder's execution id while its AcquireLock is not answered."""
    if lock.holder is None:
        return None
    holder = lock.holder.execution_id
    pending_grant = ports.store.get_item(ports.table, token_key(lock.lock_id, holder))
    return holder if pending_grant is not None else None


def _recover(ports: Ports, ended: Mapping[str, str], causation_id: str | None) -> Lock:
    context = MessageContext(SOURCE, causation_id=causation_id)
    return _decide(ports, lambda lock, terms: lock.recover(ended, terms), context).lock


def _decide(ports: Ports, decision: Decision, context: MessageContext) -> Change:
    """Gather, decide, apply; again from the start when another writer was faster."""
    return retry_on_conflict(lambda: _change(ports, decision, context))


def _change(
    ports: Ports,
    decision: Decision,
    context: MessageContext,
    *also: StateWrite,
    load: Callable[[Ports], Lock] | None = None,
) -> Change:
    lock = (load or _load)(ports)
    terms = ports.terms()
    events = decision(lock, terms)
    if not events:
        return Change(lock, happened=False)
    after = lock.evolve(events, terms.now)
    left = [party for party in lock.parties() if party not in after.parties()]
    ports.store.append(
        StreamAppend(_stream(lock.lock_id), lock.version, events),
        context=context if context.correlation_id else _correlated(context, lock, left),
        writes=[
            PutItem(ports.table, lock_item(after)),
            *(DeleteItem(ports.table, token_key(lock.lock_id, party)) for party in left),
            *also,
        ],
    )
    return Change(after, happened=True)


def _load(ports: Ports) -> Lock:
    """The lock from its snapshot and the events after it: the stream grows for ever."""
    snapshot = lock_from(ports.store.get_item(ports.table, lock_key(LOCK_ID)), LOCK_ID)
    return snapshot.replay(ports.store.read(_stream(LOCK_ID), snapshot.version))


def _remembers_more_than_its_stream(ports: Ports) -> bool:
    version = lock_from(ports.store.get_item(ports.table, lock_key(LOCK_ID)), LOCK_ID).version
    return version > 0 and not ports.store.read(_stream(LOCK_ID), version - 1)


def _load_from_the_stream(ports: Ports) -> Lock:
    """The lock as the whole stream tells it."""
    return Lock(LOCK_ID).replay(ports.store.read(_stream(LOCK_ID)))


def _correlated(context: MessageContext, lock: Lock, left: list[str]) -> MessageContext:
    """Without a batch of its own, a change belongs to the batch of the first that left."""
    batches = {waiter.execution_id: waiter.batch_id for waiter in lock.waiters}
    if lock.holder is not None:
        batches[lock.holder.execution_id] = lock.holder.batch_id
    batch_id = next((batches[party] for party in left), None)
    return MessageContext(context.source, batch_id, context.causation_id)


def _forget_token(ports: Ports, key: dict[str, str], task_token: str) -> None:
    paid = DeleteItem(ports.table, key, expected={"task_token": task_token})
    try:
        ports.store.append(context=MessageContext(SOURCE), writes=[paid])
    except ConcurrencyConflict:
        logger.info("%s was already forgotten, or replaced by a newer attempt", key)


def _stream(lock_id: str) -> str:
    return f"lock/{lock_id}"


def _check_lock_id(lock_id: str) -> None:
    if lock_id != LOCK_ID:
        raise Refused(f"there is no lock {shown(lock_id)!r}; the only one is {LOCK_ID!r}")


def _check_applicant(command: AcquireLock) -> None:
    """Who waits is asked about at each sweep and lies in the lock's one item, so it must be small.

    A later attempt takes the place of an earlier one, so a number that no retry reaches would keep
    the execution's own attempts out.
    """
    if not may_be_asked_about(command.execution_id):
        raise Refused(f"{shown(command.execution_id)!r} is the ARN of no execution")
    if command.attempt > MAX_ATTEMPT:
        raise Refused(
            f"{command.execution_id} tries for the {command.attempt}th time: no saga does"
        )
