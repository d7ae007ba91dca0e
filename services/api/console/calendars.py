"""Months as weeks of days, each with what is published of it; pure."""

from calendar import Calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from services.api.kpis.periods import Span, month_end

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class CalendarDay:
    """A day and, where it is published, by which batch and when; `ahead`: it has not come."""

    day: date
    state: Literal["published", "missing", "ahead"]
    updated_at: str = ""
    batch_id: str = ""


@dataclass(frozen=True)
class Month:
    """Weeks from Monday; None is a day of another month."""

    first: date
    weeks: list[list[CalendarDay | None]]

    @property
    def published(self) -> int:
        """How many days have KPIs."""
        return sum(day.state == "published" for week in self.weeks for day in week if day)

    @property
    def days(self) -> int:
        """How many days have come."""
        return sum(day.state != "ahead" for week in self.weeks for day in week if day)


def months_to(last: date, count: int) -> list[date]:
    """The first days of so many months, that of `last` being the last."""
    index = last.year * 12 + last.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(index - count + 1, index + 1)]


def month_of(first: date, items: Mapping[str, Mapping[str, Any]], today: date) -> Month:
    """The month from the published OrderKPIs by day."""
    weeks = [
        [
            _day(day, items.get(str(day)), today) if day.month == first.month else None
            for day in week
        ]
        for week in Calendar().monthdatescalendar(first.year, first.month)
    ]
    return Month(first, weeks)


def whole_months(firsts: list[date]) -> Span:
    """All days of months that follow each other."""
    return Span(firsts[0], month_end(firsts[-1]))


def _day(day: date, item: Mapping[str, Any] | None, today: date) -> CalendarDay:
    if item is not None:
        return CalendarDay(day, "published", item["updated_at"], item["batch_id"])
    return CalendarDay(day, "ahead" if day > today else "missing")
