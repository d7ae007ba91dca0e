"""From items of the KPI tables to series of consecutive days, and their judgement; pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from contracts.clock import from_rfc3339
from services.guard.domain import Finding, SeriesKey
from services.guard.expectation import Floats
from services.guard.judging import Judgement, Measure, Series, judge

Item = Mapping[str, Any]
OF_ALL_ORDERS = {
    "orders": ("total_orders", Measure.COUNT),
    "revenue": ("total_revenue", Measure.MONEY),
    "items": ("total_items_sold", Measure.COUNT),
    "return_rate": ("return_rate", Measure.RATE),
}
_PLACES = {Measure.COUNT: 0, Measure.MONEY: 2, Measure.RATE: 4}


@dataclass(frozen=True)
class History:
    """What is published: OrderKPIs by day, CategoryKPIs by category and day.

    Between the first and the last day that has orders, a day without is a day of none. A category
    begins with the first day that it is sold on.
    """

    orders: Mapping[date, Item]
    categories: Mapping[str, Mapping[date, Item]] = field(default_factory=dict)

    def days(self) -> list[date]:
        """From the first to the last day with orders."""
        if not self.orders:
            return []
        first, last = min(self.orders), max(self.orders)
        return [first + timedelta(at) for at in range((last - first).days + 1)]

    def stated_at(self, day: date) -> datetime | None:
        """When the day, or else the next that there is, was set last; None after the last."""
        later = [one for one in self.orders if one >= day]
        return from_rfc3339(str(self.orders[min(later)]["updated_at"])) if later else None

    def published_by(self, day: date) -> str | None:
        """The batch that set the day's numbers last."""
        item = self.orders.get(day)
        return None if item is None else item.get("batch_id")

    def findings(self, days: Collection[date]) -> dict[date, list[Finding]]:
        """Every series' judgement of these days; days that cannot be judged have none."""
        found: dict[date, list[Finding]] = defaultdict(list)
        for key, series in self._series():
            judgement = judge(series)
            for day in days:
                at = (day - series.first_day).days
                if 0 <= at < len(series.values) and np.isfinite(judgement.score[at]):
                    found[day].append(_finding(key, series, judgement, at))
        return found

    def _series(self) -> Iterator[tuple[SeriesKey, Series]]:
        days = self.days()
        if not days:
            return
        orders = _numbers(self.orders, days, "total_orders")
        for name, (attribute, measure) in OF_ALL_ORDERS.items():
            values = _numbers(self.orders, days, attribute)
            if measure is Measure.RATE:
                values = np.where(orders > 0, values, np.nan)
            yield (name, None), Series(measure, days[0], values, orders)
        for category, items in sorted(self.categories.items()):
            known = days[max(0, (min(items) - days[0]).days) :]
            revenue = _numbers(items, known, "daily_revenue")
            each = _numbers(items, known, "avg_order_value")
            bought = np.divide(revenue, each, out=np.zeros(len(known)), where=each > 0)
            yield ("category_revenue", category), Series(Measure.MONEY, known[0], revenue, bought)


def by_day(items: Iterable[Item]) -> dict[date, Item]:
    """Items by their `order_date`."""
    return {date.fromisoformat(str(item["order_date"])): item for item in items}


def _numbers(items: Mapping[date, Item], days: Iterable[date], attribute: str) -> Floats:
    return np.array([float(items[day][attribute]) if day in items else 0.0 for day in days])


def _finding(key: SeriesKey, series: Series, judgement: Judgement, at: int) -> Finding:
    places = _PLACES[series.measure]
    return Finding(
        key=key,
        value=round(float(series.values[at]), places),
        expected=round(float(judgement.expected[at]), places),
        lowest=round(float(judgement.lowest[at]), places),
        highest=round(float(judgement.highest[at]), places),
        score=round(float(judgement.score[at]), 1),
        is_odd=bool(judgement.is_odd[at]),
    )
