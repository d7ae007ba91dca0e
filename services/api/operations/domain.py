"""What is well and what wants somebody, of lock, workers and queues; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.clock import from_rfc3339
from services.api.operations.advice import advice_for
from services.api.operations.letters import DEAD_LETTER_SUFFIX, Depth
from services.api.views.models import LockView, SignOfLife

HELD_LONG = timedelta(hours=2)
"""As long as a lock may be held before the alarm `lock-is-held-too-long` (services/lock)."""
WORKERS = ("aggregator", "lock", "validator", "transformer", "archiver", "event-relay", "api")
"""Services in the order in which a batch passes them, as their queues and events name them."""

State = Literal["at work", "waiting", "idle"]


@dataclass(frozen=True)
class Work:
    """A service: its queues together, and the last that was heard of it."""

    service: str
    state: State
    waiting: int
    in_work: int
    sign: SignOfLife | None
    advice: str


@dataclass(frozen=True)
class DeadLetters:
    """A dead-letter queue that holds something, or nothing."""

    queue: str
    letters: int
    advice: str


def work(depths: Iterable[Depth], signs: Iterable[SignOfLife]) -> list[Work]:
    """Each service that has a queue or was heard of."""
    queues = [one for one in depths if not one.name.endswith(DEAD_LETTER_SUFFIX)]
    last = {one.service: one for one in signs}
    owned = {service: _owned(queues, service) for service in _services(queues, last)}
    return [_work(service, mine, last.get(service)) for service, mine in owned.items()]


def _services(queues: Sequence[Depth], last: Iterable[str]) -> list[str]:
    others = {one.name.partition("-")[0] for one in queues if not one.name.startswith(WORKERS)}
    named = {name for name in WORKERS if _owned(queues, name)} | others | set(last)
    return sorted(named, key=lambda name: (_place(name), name))


def _place(service: str) -> int:
    return WORKERS.index(service) if service in WORKERS else len(WORKERS)


def _owned(queues: Iterable[Depth], service: str) -> list[Depth]:
    return [one for one in queues if one.name.startswith(f"{service}-")]


def _work(service: str, queues: Sequence[Depth], sign: SignOfLife | None) -> Work:
    waiting, in_work = sum(one.waiting for one in queues), sum(one.in_work for one in queues)
    if in_work:
        return Work(service, "at work", waiting, in_work, sign, "")
    if waiting:
        return Work(service, "waiting", waiting, 0, sign, WAITS)
    return Work(service, "idle", 0, 0, sign, "")


WAITS = (
    "Nobody has taken these yet. A worker that starts takes a minute; if they still wait then, "
    "`ecp status` says which worker is missing, and `ecp logs BATCH_ID` why."
)


def dead_letters(depths: Iterable[Depth]) -> list[DeadLetters]:
    """Every dead-letter queue, those that hold something first."""
    found = [
        DeadLetters(one.name, one.waiting + one.in_work, advice_for(one.name))
        for one in depths
        if one.name.endswith(DEAD_LETTER_SUFFIX)
    ]
    return sorted(found, key=lambda one: (not one.letters, one.queue))


def lock_advice(lock: LockView, waiting: int, now: datetime) -> str:
    """What to do about the lock; empty where nothing is."""
    if lock.at is None:
        return ""
    if not lock.is_held:
        return FREE_BUT_AWAITED if waiting else ""
    if lock.lease_until is not None and from_rfc3339(lock.lease_until) < now:
        return LEASE_IS_OVER
    return HELD_TOO_LONG if now - from_rfc3339(lock.at) > HELD_LONG else ""


FREE_BUT_AWAITED = (
    "The lock is free and batches wait for it: the next sweep, within a minute, lets the first one "
    "in. If it does not, see the alarm lock-sweep-is-silent in the runbook."
)
LEASE_IS_OVER = (
    "The lease is over: the next sweep, within a minute, takes the lock away. If it does not, see "
    "the alarm lock-sweep-is-silent in the runbook."
)
HELD_TOO_LONG = (
    "One batch holds the lock for over two hours. Does it get on? Its page says so. It hangs: "
    '`ecp lock break --reason "WHY"` lets the next one in; what the old holder still writes is '
    "refused."
)
