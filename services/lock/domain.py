"""The rules of the single-writer lock: a state folded from events, and decisions as new events.

No clock, no ids, no I/O: what time it is and which executions have ended is passed in. How the
state is laid out in `ProcessingLockTable` is in `items.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from contracts.clock import from_rfc3339, to_rfc3339
from contracts.errors import Refused, Transient
from contracts.messages import (
    FenceRaised,
    LeaseExtended,
    LockGranted,
    LockQueued,
    LockRecovered,
    LockReleased,
    WaiterSkipped,
)
from services.runtime.fences import is_never_granted

LOCK_ID = "ecommerce-pipeline-lock"

LockEvent: TypeAlias = (
    LockQueued
    | LockGranted
    | LeaseExtended
    | LockReleased
    | LockRecovered
    | WaiterSkipped
    | FenceRaised
)
RecoveryReason: TypeAlias = Literal["EXECUTION_ENDED", "LEASE_EXPIRED", "BROKEN"]


class Recorded(Protocol):
    """What replay needs of a stored message: its event and when it was written (RFC 3339)."""

    @property
    def data(self) -> object: ...
    @property
    def occurred_at(self) -> str: ...


@dataclass(frozen=True)
class Waiter:
    """An execution in line, with the batch that it wants to write."""

    execution_id: str
    batch_id: str


@dataclass(frozen=True)
class Holder:
    """The one execution that may write; `fence` is over all that were granted before.

    `granted_at` and `lease_until` are RFC 3339 UTC. `granted_at` is for people and is not part of
    equality: the fold takes it from the envelope, a decision from the clock a moment before.
    """

    execution_id: str
    batch_id: str
    fence: int
    lease_until: str
    granted_at: str = field(compare=False)


@dataclass(frozen=True)
class Terms:
    """What a grant made now would promise: the time it is made, and for how long it lasts."""

    now: datetime
    lease: timedelta

    @property
    def lease_until(self) -> str:
        return to_rfc3339(self.now + self.lease)


@dataclass(frozen=True)
class Lock:
    """The lock after `version` events. Nobody waits while nobody holds."""

    lock_id: str = LOCK_ID
    version: int = 0
    holder: Holder | None = None
    waiters: tuple[Waiter, ...] = ()
    highest_fence: int = 0
    """Granted or raised; the version of the stream is one that might have been, too."""

    # -- fold ------------------------------------------------------------------------------

    def replay(self, recorded: Iterable[Recorded]) -> Lock:
        """This lock after the stored messages that follow its version, in order."""
        lock = self
        for message in recorded:
            lock = lock._after(message.data, message.occurred_at)
        return lock

    def evolve(self, events: Iterable[LockEvent], now: datetime) -> Lock:
        """This lock after events that were just decided."""
        lock = self
        for event in events:
            lock = lock._after(event, to_rfc3339(now))
        return lock

    def _after(self, event: object, at: str) -> Lock:
        lock = replace(self, version=self.version + 1)
        match event:
            case LockQueued(execution_id=execution_id, batch_id=batch_id):
                if self.waits(execution_id):
                    return lock
                return replace(lock, waiters=(*self.waiters, Waiter(execution_id, batch_id)))
            case LockGranted():
                holder = Holder(
                    event.execution_id, event.batch_id, event.fence, event.lease_until, at
                )
                return replace(
                    lock,
                    holder=holder,
                    waiters=self._without({event.execution_id}),
                    highest_fence=max(self.highest_fence, event.fence),
                )
            case FenceRaised():
                return replace(lock, highest_fence=max(self.highest_fence, event.fence))
            case LeaseExtended() if self.holder is not None:
                return replace(lock, holder=replace(self.holder, lease_until=event.lease_until))
            case LockReleased() | LockRecovered():
                return replace(lock, holder=None)
            case WaiterSkipped():
                return replace(lock, waiters=self._without({event.execution_id}))
        raise TypeError(f"lock {self.lock_id}: {type(event).__name__} is no event of this stream")

    # -- questions -------------------------------------------------------------------------

    def holds(self, execution_id: str, fence: int | None = None) -> bool:
        """Whether this execution is the holder (under exactly this fence, if one is given)."""
        return (
            self.holder is not None
            and self.holder.execution_id == execution_id
            and fence in (None, self.holder.fence)
        )

    def waits(self, execution_id: str) -> bool:
        return any(waiter.execution_id == execution_id for waiter in self.waiters)

    def parties(self) -> tuple[str, ...]:
        """The execution ids of the holder and of those in line, in the order of their turns."""
        holder = () if self.holder is None else (self.holder.execution_id,)
        return holder + tuple(waiter.execution_id for waiter in self.waiters)

    def lease_expired(self, now: datetime) -> bool:
        return self.holder is not None and from_rfc3339(self.holder.lease_until) <= now

    # -- decisions -------------------------------------------------------------------------

    def acquire(self, applicant: Waiter, terms: Terms) -> tuple[LockEvent, ...]:
        """Grant a free lock, extend the applicant's own, or put it in line (it keeps its place).

        Every acquire says something, so that the applicant's token is stored in a transaction
        that the stream version guards (docs/design.md, Lock).
        """
        if self.holder is None:
            return (self._grant(applicant, terms, after=0),)
        if self.holds(applicant.execution_id):
            return (self._extended(self.holder, terms),)
        in_line = [waiter.execution_id for waiter in self.waiters]
        return (
            LockQueued(
                lock_id=self.lock_id,
                execution_id=applicant.execution_id,
                batch_id=applicant.batch_id,
                position=[*in_line, applicant.execution_id].index(applicant.execution_id) + 1,
            ),
        )

    def release(self, execution_id: str, fence: int, terms: Terms) -> tuple[LockEvent, ...]:
        """Free the lock and grant the next in line; nothing unless owner and fence both match."""
        if not self.holds(execution_id, fence):
            return ()
        released = LockReleased(lock_id=self.lock_id, execution_id=execution_id, fence=fence)
        return self._hand_over((released,), self.waiters, terms)

    def extend(self, execution_id: str, fence: int, terms: Terms) -> tuple[LockEvent, ...]:
        """Move the holder's lease on; nothing unless owner and fence match and it gains time."""
        if self.holder is None or not self.holds(execution_id, fence):
            return ()
        if terms.now + terms.lease <= from_rfc3339(self.holder.lease_until):
            return ()
        return (self._extended(self.holder, terms),)

    def recover(self, ended: Mapping[str, str], terms: Terms) -> tuple[LockEvent, ...]:
        """Take the lock from a holder whose execution ended, skip the waiters that ended.

        `ended` maps the id of an execution that is over to its status; ids that are not party to
        the lock are ignored, so repeated or late notices change nothing.
        """
        skipped: tuple[LockEvent, ...] = tuple(
            WaiterSkipped(
                lock_id=self.lock_id,
                execution_id=waiter.execution_id,
                reason=f"the execution ended {ended[waiter.execution_id]} while it waited",
            )
            for waiter in self.waiters
            if waiter.execution_id in ended
        )
        if self.holder is None or self.holder.execution_id not in ended:
            return skipped
        status = ended[self.holder.execution_id]
        recovered = self._recovered(
            self.holder, "EXECUTION_ENDED", f"the execution ended {status} without a release"
        )
        left = tuple(waiter for waiter in self.waiters if waiter.execution_id not in ended)
        return self._hand_over((*skipped, recovered), left, terms)

    def expire(self, terms: Terms, unnotified: str | None = None) -> tuple[LockEvent, ...]:
        """Take the lock from a holder whose lease ran out, though its execution may still run.

        The stores refuse its fence from then on (docs/design.md, Lock: stale writers lose there). A
        holder that does not know yet that it has the lock (`unnotified`, an execution id) could not
        extend its lease and would wait for ever for its answer: it gets a new lease instead.
        """
        if self.holder is None or not self.lease_expired(terms.now):
            return ()
        if self.holder.execution_id == unnotified:
            return (self._extended(self.holder, terms),)
        recovered = self._recovered(
            self.holder, "LEASE_EXPIRED", f"no heartbeat; the lease ended {self.holder.lease_until}"
        )
        return self._hand_over((recovered,), self.waiters, terms)

    def sweep(
        self, ended: Mapping[str, str], terms: Terms, unnotified: str | None = None
    ) -> tuple[LockEvent, ...]:
        """Both of the above, recovering once: an ended execution explains more than a late lease.

        A lease that a recovery has just granted is fresh, so it never expires in the same sweep.
        """
        recovered = self.recover(ended, terms)
        return (*recovered, *self.evolve(recovered, terms.now).expire(terms, unnotified))

    def break_open(
        self, fence: int, who: str, why: str, terms: Terms, unnotified: str | None = None
    ) -> tuple[LockEvent, ...]:
        """Take the lock from the holder of this fence on a person's word; nothing otherwise.

        The fence is what the person saw: a copy of the command, or one that comes late, must not
        take the lock from whoever was granted it since. Raises Transient for a holder that has to
        be told first (`unnotified`, an execution id).
        """
        if self.holder is None or self.holder.fence != fence:
            return ()
        if self.holder.execution_id == unnotified:
            raise Transient(f"{unnotified} is not told yet that it holds {self.lock_id}")
        recovered = self._recovered(self.holder, "BROKEN", f"broken by {who}: {why}")
        return self._hand_over((recovered,), self.waiters, terms)

    def raise_fence(self, seen: int, who: str, why: str) -> tuple[LockEvent, ...]:
        """Grant only fences above one that a writer has seen; nothing when that is so already.

        Raises Refused for one that is so far above that it can come from no lock of this kind.
        """
        may_be_granted = max(self.version, self.highest_fence)
        if seen <= may_be_granted:
            return ()
        if is_never_granted(seen, beside=may_be_granted):
            raise Refused(f"fence {seen} is too far above {may_be_granted}: raise it by steps")
        return (self.raised_to(seen, who, why),)

    def raised_to(self, fence: int, who: str, why: str) -> FenceRaised:
        """That every fence from now on is above this one."""
        return FenceRaised(lock_id=self.lock_id, fence=fence, requested_by=who, reason=why)

    # -- parts of decisions ----------------------------------------------------------------

    def _hand_over(
        self, events: tuple[LockEvent, ...], waiters: tuple[Waiter, ...], terms: Terms
    ) -> tuple[LockEvent, ...]:
        if not waiters:
            return events
        return (*events, self._grant(waiters[0], terms, after=len(events)))

    def _grant(self, applicant: Waiter, terms: Terms, after: int) -> LockGranted:
        return LockGranted(
            lock_id=self.lock_id,
            execution_id=applicant.execution_id,
            batch_id=applicant.batch_id,
            fence=max(self.version + after, self.highest_fence) + 1,
            lease_until=terms.lease_until,
        )

    def _extended(self, holder: Holder, terms: Terms) -> LeaseExtended:
        return LeaseExtended(
            lock_id=self.lock_id,
            execution_id=holder.execution_id,
            fence=holder.fence,
            lease_until=max(holder.lease_until, terms.lease_until),
        )

    def _recovered(self, holder: Holder, reason: RecoveryReason, detail: str) -> LockRecovered:
        return LockRecovered(
            lock_id=self.lock_id,
            execution_id=holder.execution_id,
            fence=holder.fence,
            reason=reason,
            detail=detail,
        )

    def _without(self, execution_ids: set[str]) -> tuple[Waiter, ...]:
        return tuple(w for w in self.waiters if w.execution_id not in execution_ids)
