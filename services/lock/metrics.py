"""What the sweeper says of the lock once a minute: how long it is held, how many wait."""

from collections.abc import Sequence
from datetime import datetime

from contracts.clock import from_rfc3339
from services.lock.domain import Lock
from services.runtime.observability.metrics import Measure, Metric


def sweep_metrics(lock: Lock, now: datetime) -> Sequence[Measure]:
    """Both at that moment; a free lock is held for 0 seconds, so that silence means no sweep."""
    held = now - from_rfc3339(lock.holder.granted_at) if lock.holder else None
    seconds = max(held.total_seconds(), 0.0) if held else 0.0
    return Metric.LOCK_HELD.of(seconds), Metric.LOCK_WAITERS.of(len(lock.waiters))
