"""The published KPIs, chosen and sorted for reading; how they are computed is the transformer's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from infra.ecp.names import CATEGORY_KPIS_TABLE, ORDER_KPIS_TABLE
from services.api.adapters import KpiTables
from services.api.kpis.periods import Span
from services.runtime.storage import items
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

MAX_DAYS_BY_KEY = 366
"""A longer period is most of what there is: the table is read whole."""

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

    def days(self) -> list[date] | None:
        """Each of them, where they can be asked for one by one."""
        if self.first is None or self.last is None:
            return None
        span = Span(self.first, self.last)
        return list(span.dates()) if span.days <= MAX_DAYS_BY_KEY else None


def order_kpis(dynamodb: Any, period: Period) -> list[Kpi]:
    """OrderKPIs of a period, by day; money in units of the currency."""
    days = period.days()
    found = (
        items.scan(dynamodb, ORDER_KPIS_TABLE) if days is None else _by_key(dynamodb).orders(days)
    )
    return choose(found, ORDER_FIELDS, period)


def category_kpis(dynamodb: Any, period: Period, category: str | None = None) -> list[Kpi]:
    """CategoryKPIs of a period, by category and day; of one category where it is given."""
    days = period.days()
    if category is not None:
        found = items.query(dynamodb, CATEGORY_KPIS_TABLE, {"category": category})
    elif days is not None:
        found = _by_key(dynamodb).categories(days)
    else:
        found = items.scan(dynamodb, CATEGORY_KPIS_TABLE)
    return choose(found, CATEGORY_FIELDS, period)


def _by_key(dynamodb: Any) -> KpiTables:
    return KpiTables(dynamodb, ORDER_KPIS_TABLE, CATEGORY_KPIS_TABLE)


def categories(dynamodb: Any) -> set[str]:
    """The names of all categories that have a KPI."""
    return {str(item["category"]) for item in items.scan(dynamodb, CATEGORY_KPIS_TABLE)}


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
