"""What the sweep says once a minute: how long files wait, how many batches are not closed."""

from collections.abc import Sequence
from datetime import datetime

from services.aggregator.open_set.domain import FileSet
from services.runtime.observability.metrics import Measure, Metric


def sweep_metrics(open_set: FileSet, unfinished: int, now: datetime) -> Sequence[Measure]:
    """All at that moment; an empty set has waited for 0 seconds, so that silence means no sweep."""
    since = open_set.waiting_since
    age = max((now - since).total_seconds(), 0.0) if since else 0.0
    return (
        Metric.OPEN_SET_AGE.of(age),
        Metric.OPEN_SET_FILES.of(len(open_set.files)),
        Metric.UNFINISHED_BATCHES.of(unfinished),
    )
