"""KPI items and how they are packed into transactions; money and rates are rounded only here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar, TypeAlias, TypeVar

from contracts.messages import PublishedCounts

T = TypeVar("T")
MONEY_PLACES = Decimal("0.01")
RATE_PLACES = Decimal("0.0001")
ORDER_MEASURES = (
    *("total_orders", "total_revenue", "total_items_sold", "return_rate"),
    *("unique_customers", "guests"),
)
CATEGORY_MEASURES = ("daily_revenue", "avg_order_value", "avg_return_rate")
PLACES: Mapping[str, Decimal] = {
    **dict.fromkeys(("total_revenue", "daily_revenue", "avg_order_value"), MONEY_PLACES),
    **dict.fromkeys(("return_rate", "avg_return_rate"), RATE_PLACES),
}
MAX_TRANSACTION_ITEMS = 99
"""TransactWriteItems takes 100 (AWS API reference); one is the check of the writer's epoch."""


DEFAULT_MEASURES: Mapping[str, Any] = {"guests": 0}
"""Measures that items published before them lack, with their values there."""


@dataclass(frozen=True)
class OrderDay:
    """Whole-number measures of one order_date, as the SQL gives them; of no category."""

    category: ClassVar[None] = None
    order_date: date
    total_orders: int
    total_revenue_cents: int
    total_items_sold: int
    returned_orders: int
    unique_customers: int
    guests: int = 0
    """Orders without a known user; none of them is a known customer's."""

    def item(self) -> dict[str, Any]:
        """The OrderKPIs attributes."""
        return {
            "order_date": self.order_date.isoformat(),
            "total_orders": self.total_orders,
            "total_revenue": money(self.total_revenue_cents),
            "total_items_sold": self.total_items_sold,
            "return_rate": rate(self.returned_orders, self.total_orders),
            "unique_customers": self.unique_customers,
            "guests": self.guests,
        }

    def counts(self) -> dict[str, int]:
        """What the rate is made of; those of longer periods need it."""
        return {"returned_orders": self.returned_orders}


@dataclass(frozen=True)
class CategoryDay:
    """Whole-number measures of one category on one order_date, as the SQL gives them."""

    order_date: date
    category: str
    daily_revenue_cents: int
    orders_with_category: int
    returned_orders: int

    def item(self) -> dict[str, Any]:
        """The CategoryKPIs attributes."""
        return {
            "category": self.category,
            "order_date": self.order_date.isoformat(),
            "daily_revenue": money(self.daily_revenue_cents),
            "avg_order_value": money(self.daily_revenue_cents, self.orders_with_category),
            "avg_return_rate": rate(self.returned_orders, self.orders_with_category),
        }

    def counts(self) -> dict[str, int]:
        """What its averages are made of; those of longer periods need it."""
        return {"orders": self.orders_with_category, "returned_orders": self.returned_orders}


@dataclass(frozen=True)
class KpiKey:
    """One KPI item: of a category on a day, or (category None) of the day."""

    order_date: date
    category: str | None


KpiItem: TypeAlias = OrderDay | CategoryDay | KpiKey


@dataclass(frozen=True)
class KpiChange:
    """What the affected days' KPI items become: these are set, those are deleted."""

    order_days: Sequence[OrderDay]
    category_days: Sequence[CategoryDay]
    gone: Sequence[KpiKey]

    @staticmethod
    def between(
        published: Iterable[KpiKey],
        order_days: Sequence[OrderDay],
        category_days: Sequence[CategoryDay],
    ) -> "KpiChange":
        """Set everything that stands; delete what was published and stands no more."""
        days: list[OrderDay | CategoryDay] = [*order_days, *category_days]
        standing = {KpiKey(day.order_date, day.category) for day in days}
        return KpiChange(order_days, category_days, tuple(set(published) - standing))

    def standing(self) -> "list[OrderDay | CategoryDay]":
        """All that the days have from now on."""
        return [*self.order_days, *self.category_days]

    def counts(self) -> PublishedCounts:
        """How many items are set and deleted, for the batch's result."""
        return PublishedCounts(
            order_kpis=len(self.order_days),
            category_kpis=len(self.category_days),
            deleted=len(self.gone),
        )

    def transactions(self) -> Iterator[list["KpiItem"]]:
        """What is set and deleted, packed by day; a day's own item comes before its categories."""
        everything: list[KpiItem] = [*self.order_days, *self.category_days, *self.gone]
        everything.sort(key=lambda item: (item.order_date, item.category or ""))
        return packed_by_day((item.order_date, item) for item in everything)


def packed_by_day(changes: Iterable[tuple[date | str, T]]) -> Iterator[list[T]]:
    """Whole days packed together, in their order; only a day of more than 99 changes is cut."""
    packed: list[T] = []
    for _, of_day in groupby(changes, key=itemgetter(0)):
        day = [change for _, change in of_day]
        if packed and len(packed) + len(day) > MAX_TRANSACTION_ITEMS:
            yield packed
            packed = []
        packed.extend(day)
        while len(packed) > MAX_TRANSACTION_ITEMS:
            yield packed[:MAX_TRANSACTION_ITEMS]
            packed = packed[MAX_TRANSACTION_ITEMS:]
    if packed:
        yield packed


def money(cents: int | Decimal, parts: int = 1) -> Decimal:
    """Cents divided by a count, as an amount with two places, rounded half up."""
    return _rounded(Decimal(int(cents)) / 100 / parts, MONEY_PLACES)


def cents(amount: Decimal) -> int:
    """An amount with two places in cents."""
    return int(amount.scaleb(2))


def rate(part: int, whole: int) -> Decimal:
    """A ratio with four places, rounded half up; of nothing it is 0."""
    return _rounded(Decimal(part) / whole, RATE_PLACES) if whole else Decimal("0.0000")


def measure_text(name: str, value: Any) -> str | None:
    """A measure as decimal text; a store gives 10 for 10.00."""
    if value is None:
        return None
    return f"{Decimal(value).quantize(PLACES[name]):f}" if name in PLACES else str(int(value))


def _rounded(value: Decimal, places: Decimal) -> Decimal:
    return value.quantize(places, ROUND_HALF_UP)
