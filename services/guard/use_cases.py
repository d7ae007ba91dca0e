"""What the guard does when days were stated anew: gather, decide, apply."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from contracts.clock import Clock
from contracts.envelope import Message, MessageContext
from contracts.messages import KpisPublished
from services.guard.domain import (
    AFTER_A_CHANGE,
    BEFORE_A_CHANGE,
    Completeness,
    Said,
    sayings,
    standing,
    stream_of,
)
from services.guard.history import History
from services.guard.judging import NEEDED_DAYS
from services.guard.notifications import SnsNotification, told
from services.runtime.event_store import EventStore, StreamAppend, retry_on_conflict

SOURCE = "ecommerce-pipeline/guard"
NEWEST_DAYS = 4
REBUILT_DAYS = 90
MOST_EVENTS = 98
"""Of one append: a transaction takes 100 items, and each stream is guarded by one."""


class Kpis(Protocol):
    """The published KPIs, read by key."""

    def history(self, first: date, last: date, judged_from: date) -> History:
        """Both tables from `first` to `last`, of categories that were sold shortly before."""


class People(Protocol):
    """Whoever listens to the pipeline's notifications."""

    def tell(self, notice: SnsNotification) -> None:
        """Send it to all of them."""


@dataclass(frozen=True)
class Ports:
    """What the use cases reach the world with."""

    store: EventStore
    kpis: Kpis
    people: People
    clock: Clock
    completeness: Completeness


def kpis_published(message: Message, ports: Ports) -> None:
    """Judge the days of a batch, and those around them."""
    event: KpisPublished = message.data
    if event.first_day is None or event.last_day is None:
        return
    first, last = date.fromisoformat(event.first_day), date.fromisoformat(event.last_day)
    judge_days(first, last, ports, causation_id=message.event_id)


def kpis_rebuilt(message: Message, ports: Ports) -> None:
    """Judge the last three months: any number may have been mended."""
    today = ports.clock().date()
    first = today - timedelta(REBUILT_DAYS)
    judge_days(first, today, ports, causation_id=message.event_id)


def sweep(ports: Ports) -> None:
    """Judge the newest days, which were perhaps not complete when they were stated."""
    today = ports.clock().date()
    judge_days(today - timedelta(NEWEST_DAYS), today, ports, causation_id=None)


def judge_days(first: date, last: date, ports: Ports, causation_id: str | None) -> list[Said]:
    """Say what is new of the days from `first` to `last` and around them; in all, once."""
    earliest = first - timedelta(BEFORE_A_CHANGE)
    latest = last + timedelta(AFTER_A_CHANGE)
    history = ports.kpis.history(earliest - timedelta(NEEDED_DAYS), latest, earliest)
    days = [day for day in history.days() if earliest <= day <= latest]
    findings = history.findings(_complete(days, history, ports))
    context = MessageContext(SOURCE, causation_id=causation_id)

    def attempt() -> list[Said]:
        new: list[tuple[str, int, list[Said]]] = []
        for day, found in sorted(findings.items()):
            stream_id = stream_of(day)
            messages = ports.store.read(stream_id)
            said = sayings(day, found, standing(messages), history.published_by(day))
            if said:
                new.append((stream_id, len(messages), said))
        everything = [one for _, _, said in new for one in said]
        if everything:
            # People first: what is in the store is never told again.
            ports.people.tell(told(everything))
        for stream_id, version, said in new:
            _append(ports.store, stream_id, version, said, context)
        return everything

    return retry_on_conflict(attempt)


def _complete(days: Iterable[date], history: History, ports: Ports) -> Collection[date]:
    now, found = ports.clock(), []
    for day in days:
        stated_at = history.stated_at(day)
        if stated_at and ports.completeness.is_complete(day, stated_at, now):
            found.append(day)
    return found


def _append(
    store: EventStore, stream_id: str, version: int, said: list[Said], context: MessageContext
) -> None:
    for start in range(0, len(said), MOST_EVENTS):
        part = said[start : start + MOST_EVENTS]
        store.append(StreamAppend(stream_id, version + start, part), context=context)
