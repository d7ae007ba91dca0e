"""The published KPIs, chosen and sorted for reading; how they are computed is the transformer's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from infra.ecp.names import CATEGORY_KPIS_TABLE, ORDER_KPIS_TABLE, table
from services.api.adapters import KpiTables
from services.api.kpis.answers import OrdersOnce
from services.api.kpis.bounds import MAX_DAYS_OF_ALL_CATEGORIES
from services.api.kpis.periods import DAY, Span
from services.transformer.batch.kpis import DEFAULT_MEASURES

ORDER_FIELDS = (
    "order_date",
    "total_orders",
    "total_revenue",
    "total_items_sold",
    "return_rate",
    "unique_customers",
    "guests",
)
CATEGORY_FIELDS = (
    "category",
    "order_date",
    "daily_revenue",
    "avg_order_value",
    "avg_return_rate",
)
SET_BY_FIELDS = ("batch_id", "epoch", "updated_at")
"""Which batch set a KPI last, as the transformer's how many-th attempt, and when; for programs."""
MONEY_FIELDS = frozenset({"total_revenue", "daily_revenue", "avg_order_value"})
RATE_FIELDS = frozenset({"return_rate", "avg_return_rate"})

FIRST_DAY = date(1970, 1, 1)
"""No file may hold an earlier order_date, nor one after tomorrow (contracts/files/orders)."""
DAYS_AT_ONCE = 1600
"""Sixteen requests of a hundred days side by side."""
DAYS_FOR_NAMES = 31

Kpi = dict[str, Any]


@dataclass(frozen=True)
class Period:
    """Days from `first` to `last`, both included; an open end is None."""

    first: date | None = None
    last: date | None = None

    def __contains__(self, order_date: str) -> bool:
        return (self.first is None or str(self.first) <= order_date) and (
            self.last is None or order_date <= str(self.last)
        )


class PublishedKpis:
    """The KPI tables, read by key only, however long a span is.

    Which days have KPIs is found by asking for each day's OrderKPIs item: without `--from` and
    `--to` these are all days that a file may hold, 1970 to tomorrow, which are 200 requests of a
    hundred keys. Categories of more than a year are asked for on the days that have such an item: a
    category's KPIs are made of orders, and so its day has them too.
    """

    def __init__(self, dynamodb: Any, today: date) -> None:
        self._tables = KpiTables(dynamodb, table(ORDER_KPIS_TABLE), table(CATEGORY_KPIS_TABLE))
        self._latest = today + DAY
        self._orders = OrdersOnce(self._tables)

    def orders(self, days: Iterable[date]) -> list[Kpi]:
        """OrderKPIs of the days that have some, by day; each day is asked for once."""
        return self._orders.orders(day for day in days if FIRST_DAY <= day <= self._latest)

    def category(self, name: str, span: Span) -> list[Kpi]:
        """CategoryKPIs of one category in a span."""
        return self._tables.category(name, span)

    def categories(self, days: Iterable[date]) -> list[Kpi]:
        """CategoryKPIs of the days that have some."""
        wanted = {day for day in days if FIRST_DAY <= day <= self._latest}
        if len(wanted) > MAX_DAYS_OF_ALL_CATEGORIES:
            wanted = {date.fromisoformat(item["order_date"]) for item in self.orders(wanted)}
        return self._tables.categories(wanted)

    def has_category(self, name: str) -> bool:
        """Whether there is any KPI of it, on whatever day."""
        return bool(self.category(name, Span(FIRST_DAY, self._latest)))

    def span(self, period: Period, category: str | None = None) -> Span | None:
        """The period with its open ends closed by the first and the last day that has KPIs.

        `category`: that has KPIs of it. None when an end is open and no day has any.
        """
        if period.first and period.last:
            return Span(period.first, period.last)
        whole = Span(period.first or FIRST_DAY, period.last or self._latest)
        found = self.category(category, whole) if category else self.orders(whole.dates())
        if not found:
            return None
        earliest, latest = (date.fromisoformat(found[at]["order_date"]) for at in (0, -1))
        return Span(period.first or earliest, period.last or latest)

    def recent_categories(self) -> set[str]:
        """Names of the categories of the newest days that have KPIs; enough to guess one by."""
        last, days = self._latest, list[date]()
        while last >= FIRST_DAY and len(days) < DAYS_FOR_NAMES:
            first = max(last - (DAYS_AT_ONCE - 1) * DAY, FIRST_DAY)
            found = self.orders(Span(first, last).dates())
            days += [date.fromisoformat(item["order_date"]) for item in reversed(found)]
            last = first - DAY
        return {str(item["category"]) for item in self.categories(days[:DAYS_FOR_NAMES])}


def order_kpis(kpis: PublishedKpis, period: Period) -> list[Kpi]:
    """OrderKPIs of a period, by day; money in units of the currency."""
    span = kpis.span(period)
    return choose(kpis.orders(span.dates()) if span else [], ORDER_FIELDS, period)


def category_kpis(kpis: PublishedKpis, period: Period, category: str | None = None) -> list[Kpi]:
    """CategoryKPIs of a period, by category and day; of one category where it is given."""
    span = kpis.span(period, category)
    if span is None:
        return []
    found = kpis.categories(span.dates()) if category is None else kpis.category(category, span)
    return choose(found, CATEGORY_FIELDS, period)


def choose(
    found: Iterable[Mapping[str, Any]], fields: tuple[str, ...], period: Period
) -> list[Kpi]:
    """The public fields of items within a period and who set them, sorted by their keys."""
    kept = [
        {name: item.get(name, DEFAULT_MEASURES.get(name)) for name in (*fields, *SET_BY_FIELDS)}
        for item in found
        if str(item["order_date"]) in period
    ]
    return sorted(kept, key=lambda kpi: (kpi.get("category", ""), kpi["order_date"]))


def for_people(kpi: Kpi, fields: tuple[str, ...]) -> tuple[object, ...]:
    """A table row: money with two decimals, rates in percent."""
    return tuple(_shown(name, kpi[name]) for name in fields)


def _shown(name: str, value: Any) -> object:
    if value is None:
        return None
    if name in MONEY_FIELDS:
        return Decimal(value).quantize(Decimal("0.01"))
    if name in RATE_FIELDS:
        return f"{Decimal(value) * 100:.2f} %"
    return value
