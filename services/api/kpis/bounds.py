"""How much may be asked of the KPIs at once, and how a longer span is cut into such questions."""

from collections.abc import Iterator
from datetime import date, timedelta

from services.api.kpis.periods import DAY, By, Span, periods

MAX_DAYS = 731
MAX_DAYS_OF_ALL_CATEGORIES = 366
"""Each day is a query of its own."""
USUAL_DAYS = 30
FIRST_DAY, LAST_DAY = date(1972, 1, 1), date(2199, 12, 31)
"""What is compared with them can be reckoned too."""


def usual_span(last: date) -> Span:
    """What is meant where nobody names a first day."""
    return Span(last - timedelta(days=USUAL_DAYS - 1), last)


def pieces(span: Span, by: By, most: int) -> Iterator[Span]:
    """The span in parts of at most so many days, cut only where a week or a month begins anew.

    The rows of the parts, one after the other, are those of the whole.
    """
    first = span.first
    last = first - DAY
    for period in periods(span, by):
        if (period.last - first).days + 1 > most:
            yield Span(first, last)
            first = period.first
        last = period.last
    if first <= last:
        yield Span(first, last)
