"""What each event says in numbers: decided here for all services, from the event alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from contracts.messages import (
    BatchAbandoned,
    BatchArchived,
    BatchCompleted,
    BatchFailed,
    BatchOverdue,
    BatchRedriven,
    BatchRejected,
    BatchSealed,
    FileDetected,
    FileIgnored,
    FileRejected,
    FileValidated,
    KpisPublished,
    LockRecovered,
    WaiterSkipped,
)
from services.runtime.observability.metrics import Measure, Metric


def service_of(event: Message) -> str:
    """Whose event it is: the last part of its source."""
    return event.source.rsplit("/", 1)[-1]


def metrics_of(event: Message) -> Sequence[Measure]:
    """The measures of one event of the store; none for an event that only says what was decided.

    An event happens once, however often a command is tried, so its measures count what happened.
    """
    measure = _MEASURES.get(type(event.data))
    return measure(event.data) if measure else ()


def lag_seconds(event: Message, now: datetime) -> float:
    """How long ago the event happened; never negative, though clocks differ."""
    return max((now - from_rfc3339(event.occurred_at)).total_seconds(), 0.0)


def relay_metrics(sent: Sequence[Message], refused: int, now: datetime) -> Sequence[Measure]:
    """What the relay says of itself: events put on the bus, the longest lag, events refused."""
    measures = [Metric.EVENTS_REFUSED.of(refused)]
    if sent:
        longest = max(lag_seconds(event, now) for event in sent)
        measures += [Metric.EVENTS_RELAYED.of(len(sent)), Metric.RELAY_LAG.of(longest)]
    return measures


def _once(metric: Metric, *dimensions: str) -> Callable[[Any], Sequence[Measure]]:
    return lambda _event: (metric.of(1, *dimensions),)


def _validated(event: FileValidated) -> Sequence[Measure]:
    return (
        Metric.FILES_VALIDATED.of(1),
        Metric.ROWS_IN.of(event.rows_in),
        Metric.ROWS_ACCEPTED.of(event.accepted),
        Metric.ROWS_QUARANTINED.of(event.quarantined),
    )


def _published(event: KpisPublished) -> Sequence[Measure]:
    return (
        Metric.TRANSFORM_SECONDS.of(event.duration_seconds, event.engine),
        Metric.AFFECTED_DAYS.of(event.affected_days),
        Metric.KPIS_WRITTEN.of(event.order_kpis + event.category_kpis),
        Metric.WAITING_ORDER_ITEMS.of(event.waiting_order_items),
    )


def _archived(event: BatchArchived) -> Sequence[Measure]:
    return Metric.FILES_ARCHIVED.of(event.file_count), Metric.BYTES_ARCHIVED.of(event.size_bytes)


def _recovered(event: LockRecovered) -> Sequence[Measure]:
    return (Metric.LOCKS_RECOVERED.of(1, event.reason),)


_MEASURES: Mapping[type, Callable[[Any], Sequence[Measure]]] = {
    FileDetected: _once(Metric.FILES_DETECTED),
    FileIgnored: _once(Metric.FILES_IGNORED),
    BatchSealed: _once(Metric.SETS_SEALED),
    BatchOverdue: _once(Metric.SETS_OVERDUE),
    BatchCompleted: _once(Metric.BATCHES_ENDED, "COMPLETED"),
    BatchRejected: _once(Metric.BATCHES_ENDED, "REJECTED"),
    BatchFailed: _once(Metric.BATCHES_ENDED, "FAILED"),
    BatchRedriven: _once(Metric.BATCHES_REDRIVEN),
    LockRecovered: _recovered,
    WaiterSkipped: _once(Metric.WAITERS_SKIPPED),
    FileValidated: _validated,
    FileRejected: _once(Metric.FILES_REJECTED),
    KpisPublished: _published,
    BatchAbandoned: _once(Metric.BATCHES_ABANDONED),
    BatchArchived: _archived,
}
