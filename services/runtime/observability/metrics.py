"""What is counted and timed: the metrics by name, and writing them so that CloudWatch takes them.

A metric goes out as one line of embedded metric format (EMF) on standard output: from a function
and from a worker alike it reaches CloudWatch Logs, which makes the metric of it. No call, no right.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from aws_lambda_powertools.metrics import EphemeralMetrics
from aws_lambda_powertools.metrics.exceptions import SchemaValidationError

from services.runtime.observability.logs import logger

NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
"""The environment variable without which nothing is written: only deployed code is measured."""
COUNT, SECONDS, BYTES = "Count", "Seconds", "Bytes"


class Metric(Enum):
    """Every metric: its name, its unit, and the dimensions that it has beside `service`."""

    FILES_DETECTED = ("FilesDetected", COUNT)
    FILES_IGNORED = ("FilesIgnored", COUNT)
    SETS_SEALED = ("SetsSealed", COUNT)
    SETS_OVERDUE = ("SetsOverdue", COUNT)
    OPEN_SET_AGE = ("OpenSetAgeSeconds", SECONDS)
    OPEN_SET_FILES = ("OpenSetFiles", COUNT)
    UNFINISHED_BATCHES = ("UnfinishedBatches", COUNT)
    BATCHES_ENDED = ("BatchesEnded", COUNT, "outcome")
    BATCHES_REDRIVEN = ("BatchesRedriven", COUNT)
    LOCK_HELD = ("LockHeldSeconds", SECONDS)
    LOCK_WAITERS = ("LockWaiters", COUNT)
    LOCKS_RECOVERED = ("LocksRecovered", COUNT, "reason")
    WAITERS_SKIPPED = ("WaitersSkipped", COUNT)
    FILES_VALIDATED = ("FilesValidated", COUNT)
    FILES_REJECTED = ("FilesRejected", COUNT)
    ROWS_IN = ("RowsIn", COUNT)
    ROWS_ACCEPTED = ("RowsAccepted", COUNT)
    ROWS_QUARANTINED = ("RowsQuarantined", COUNT)
    TRANSFORM_SECONDS = ("TransformSeconds", SECONDS, "engine")
    AFFECTED_DAYS = ("AffectedDays", COUNT)
    KPIS_WRITTEN = ("KpisWritten", COUNT)
    WAITING_ORDER_ITEMS = ("WaitingOrderItems", COUNT)
    FILES_PER_DAY_MAX = ("FilesPerDayMax", COUNT)
    FILES_PER_DAY_P95 = ("FilesPerDayP95", COUNT)
    INDEX_FILES = ("IndexFiles", COUNT)
    WASTED_ROWS = ("WastedRows", COUNT)
    ROWS_COMPACTED = ("RowsCompacted", COUNT)
    BATCHES_ABANDONED = ("BatchesAbandoned", COUNT)
    FILES_ARCHIVED = ("FilesArchived", COUNT)
    BYTES_ARCHIVED = ("BytesArchived", BYTES)
    EVENTS_RELAYED = ("EventsRelayed", COUNT)
    EVENTS_REFUSED = ("EventsRefused", COUNT)
    RELAY_LAG = ("RelayLagSeconds", SECONDS)
    HANDLING_SECONDS = ("HandlingSeconds", SECONDS, "event_type")
    HANDLER_FAULTS = ("HandlerFaults", COUNT, "event_type")
    MESSAGES_REFUSED = ("MessagesRefused", COUNT)

    def __init__(self, label: str, unit: str, *dimensions: str) -> None:
        self.label, self.unit, self.dimensions = label, unit, dimensions

    def of(self, value: float, *dimension_values: str) -> Measure:
        """One value of it, with a value for each of its dimensions."""
        named = zip(self.dimensions, dimension_values, strict=True)
        return Measure(self, value, tuple(named))


@dataclass(frozen=True)
class Measure:
    """One value of a metric."""

    metric: Metric
    value: float
    dimensions: tuple[tuple[str, str], ...] = ()


def write(service: str, measures: Iterable[Measure], about: Mapping[str, str]) -> None:
    """Write the measures of a service, those of the same dimensions on one line.

    `about`: what the line is found by, such as batch_id; no dimension of the metric. A line that
    cannot be written is said in the log and costs no message.
    """
    namespace = os.environ.get(NAMESPACE)
    if not namespace:
        return
    lines: dict[tuple[tuple[str, str], ...], list[Measure]] = defaultdict(list)
    for measure in measures:
        lines[measure.dimensions].append(measure)
    for dimensions, alike in lines.items():
        try:
            _write_line(namespace, {"service": service, **dict(dimensions)}, alike, about)
        except (OSError, ValueError, SchemaValidationError):
            logger.exception("metrics are not written", metrics=[one.metric.label for one in alike])


def _write_line(
    namespace: str,
    dimensions: Mapping[str, str],
    measures: Iterable[Measure],
    about: Mapping[str, str],
) -> None:
    line = EphemeralMetrics(namespace=namespace, service=dimensions["service"])
    for name, value in dimensions.items():
        line.add_dimension(name, value)
    for key, text in about.items():
        if key not in dimensions:
            line.add_metadata(key, text)
    for measure in measures:
        line.add_metric(measure.metric.label, measure.metric.unit, measure.value)
    line.flush_metrics()
