"""Days, ISO weeks and months of a span, and what each is compared with; pure."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

DAY = timedelta(days=1)
YEAR_OF_WEEKS = timedelta(weeks=52)


class By(StrEnum):
    """How long a row's period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Compare(StrEnum):
    """What a row is compared with: the period before it, or the same one a year ago."""

    PREVIOUS = "previous"
    LAST_YEAR = "last_year"


@dataclass(frozen=True)
class Span:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    def dates(self) -> Iterator[date]:
        """Each day, in order."""
        return (self.first + n * DAY for n in range(self.days))


def periods(span: Span, by: By) -> list[Span]:
    """The span cut where weeks (on Mondays) or months begin; those at its ends may be parts."""
    found = []
    first = span.first
    while first <= span.last:
        last = min(_end(first, by), span.last)
        found.append(Span(first, last))
        first = last + DAY
    return found


def label(period: Span, by: By) -> str:
    """`2025-07-07`, `2025-W28` (ISO 8601) or `2025-07`."""
    if by is By.MONTH:
        return f"{period.first:%Y-%m}"
    if by is By.WEEK:
        year, week, _ = period.first.isocalendar()
        return f"{year}-W{week:02d}"
    return period.first.isoformat()


def compared(period: Span, by: By, compare: Compare) -> Span:
    """What a row's period is compared with.

    The day, week or month before; or the same date or month of the year before, and for a week the
    one 52 weeks before, which begins on a Monday too. A day that a month lacks is its last one.
    """
    if by is By.MONTH:
        months = -1 if compare is Compare.PREVIOUS else -12
        return _moved(period, months)
    if compare is Compare.LAST_YEAR:
        return _moved(period, -12) if by is By.DAY else _shifted(period, YEAR_OF_WEEKS)
    return _shifted(period, DAY if by is By.DAY else 7 * DAY)


def compared_whole(span: Span, compare: Compare) -> Span:
    """What the totals are compared with.

    As many whole months before where the span is whole months, else as many days; or the same dates
    of the year before.
    """
    if compare is Compare.LAST_YEAR:
        return _moved(span, -12)
    if span.first.day == 1 and span.last == month_end(span.last):
        months = (span.last.year - span.first.year) * 12 + span.last.month - span.first.month + 1
        return _moved(span, -months)
    return _shifted(span, span.days * DAY)


def _end(first: date, by: By) -> date:
    if by is By.WEEK:
        return first + (6 - first.weekday()) * DAY
    if by is By.MONTH:
        return month_end(first)
    return first


def month_end(day: date) -> date:
    """The last day of its month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def _shifted(span: Span, by: timedelta) -> Span:
    return Span(span.first - by, span.last - by)


def _moved(span: Span, months: int) -> Span:
    """Whole months stay whole: the last day of a month becomes the last day of the other."""
    first, last = _add_months(span.first, months), _add_months(span.last, months)
    if span.first.day == 1 and span.last == month_end(span.last):
        last = month_end(last)
    return Span(first, last)


def _add_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
