"""The rules of the guard: which days are judged, and what is said of them; pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contracts.envelope import Message
from contracts.messages import KpiAnomalyDetected, KpiAnomalyResolved

SeriesKey = tuple[str, str | None]
"""Name of a series and, of `category_revenue`, the category."""
Said = KpiAnomalyDetected | KpiAnomalyResolved
AFTER_A_CHANGE = 10
"""Days after one that changed, whose expectation it changes most."""
BEFORE_A_CHANGE = 7
"""Days before one that changed, which nobody stated if they have no numbers."""
ALWAYS_SETTLED = timedelta(days=3)


@dataclass(frozen=True)
class Finding:
    """A day of a series, judged; numbers in units of the currency, rates from 0 to 1."""

    key: SeriesKey
    value: float
    expected: float
    lowest: float
    highest: float
    score: float
    is_odd: bool


@dataclass(frozen=True)
class Completeness:
    """When a day may be judged: its files may still be coming, in pieces."""

    day_is_over: timedelta
    settle: timedelta

    def is_complete(self, day: date, stated_at: datetime, now: datetime) -> bool:
        """Whether a day is over everywhere on earth, and its numbers have stood for a while.

        `stated_at`: when they were set last; of a day without any, when those of the next were. A
        day is taken for complete after three days, however often it is stated anew.
        """
        midnight = datetime(day.year, day.month, day.day, tzinfo=now.tzinfo) + timedelta(days=1)
        if now < midnight + self.day_is_over:
            return False
        return now - midnight >= ALWAYS_SETTLED or now - stated_at >= self.settle


def stream_of(day: date) -> str:
    """The stream of all that was said of a day."""
    return f"kpi-anomaly/{day.isoformat()}"


def standing(messages: Iterable[Message]) -> dict[SeriesKey, KpiAnomalyDetected]:
    """What of a day's stream is odd still."""
    found: dict[SeriesKey, KpiAnomalyDetected] = {}
    for message in messages:
        match message.data:
            case KpiAnomalyDetected() as event:
                found[event.series, event.category] = event
            case KpiAnomalyResolved() as event:
                found.pop((event.series, event.category), None)
    return found


def sayings(
    day: date,
    findings: Collection[Finding],
    known: Mapping[SeriesKey, KpiAnomalyDetected],
    published_by: str | None,
) -> list[Said]:
    """What is new: odd numbers that were not known or are others, and those odd no longer."""
    found: list[Said] = []
    for finding in sorted(findings, key=lambda one: (one.key[0], one.key[1] or "")):
        before = known.get(finding.key)
        if finding.is_odd and (before is None or before.value != finding.value):
            found.append(
                KpiAnomalyDetected(score=finding.score, **_told(day, finding, published_by))
            )
        elif before is not None and not finding.is_odd:
            found.append(
                KpiAnomalyResolved(odd_value=before.value, **_told(day, finding, published_by))
            )
    return found


def _told(day: date, finding: Finding, published_by: str | None) -> dict[str, object]:
    series, category = finding.key
    return {
        "series": series,
        "category": category,
        "order_date": day.isoformat(),
        "value": finding.value,
        "expected": finding.expected,
        "lowest": finding.lowest,
        "highest": finding.highest,
        "published_by": published_by,
    }
