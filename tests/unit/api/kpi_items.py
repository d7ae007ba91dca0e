"""Published KPI items made of orders, and what a plain model says of any days of theirs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.batch.publication import Stamp, stored_item

STAMP = Stamp("3f2a9c0d1e4b5a67", 3, "2025-07-08T00:00:00.000Z")


@dataclass(frozen=True)
class Order:
    """`lines`: by category what was paid, in cents."""

    day: date
    user: str
    is_returned: bool
    lines: tuple[tuple[str, int], ...]

    @property
    def cents(self) -> int:
        return sum(cents for _, cents in self.lines)


def published(orders: Sequence[Order]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """OrderKPIs by day, CategoryKPIs by day and category, as the transformer puts them."""
    days, categories = defaultdict(list), defaultdict(list)
    for one in orders:
        days[one.day].append(one)
        for category in {name for name, _ in one.lines}:
            categories[one.day, category].append(one)
    order_items = {
        str(day): stored_item(
            OrderDay(
                day,
                len(found),
                sum(one.cents for one in found),
                sum(len(one.lines) for one in found),
                sum(one.is_returned for one in found),
                len({one.user for one in found if one.user}),
                sum(not one.user for one in found),
            ),
            STAMP,
        )
        for day, found in days.items()
    }
    category_items = [
        stored_item(
            CategoryDay(
                day,
                category,
                sum(cents for one in found for name, cents in one.lines if name == category),
                len(found),
                sum(one.is_returned for one in found),
            ),
            STAMP,
        )
        for (day, category), found in sorted(categories.items())
    ]
    return order_items, category_items


def plain_orders(orders: Sequence[Order]) -> dict[str, Any]:
    """KPIs over these orders, computed from them and from nothing between."""
    return {
        "total_orders": len(orders),
        "total_revenue": float(Decimal(sum(one.cents for one in orders)) / 100),
        "total_items_sold": sum(len(one.lines) for one in orders),
        "return_rate": rounded(sum(one.is_returned for one in orders), len(orders), "0.0001"),
        "guests": sum(not one.user for one in orders),
    }


def plain_category(orders: Sequence[Order], category: str) -> dict[str, Any]:
    """KPIs of a category over these orders."""
    found = [one for one in orders if any(name == category for name, _ in one.lines)]
    cents = sum(cents for one in found for name, cents in one.lines if name == category)
    return {
        "daily_revenue": float(Decimal(cents) / 100),
        "avg_order_value": rounded(Decimal(cents) / 100, len(found), "0.01"),
        "avg_return_rate": rounded(sum(one.is_returned for one in found), len(found), "0.0001"),
    }


def rounded(part: Decimal | int, whole: int, places: str) -> float:
    value = Decimal(part) / whole if whole else Decimal(0)
    return float(value.quantize(Decimal(places), ROUND_HALF_UP))


def of(orders: Sequence[Order], name: Callable[[Order], str]) -> dict[str, list[Order]]:
    """Orders by what `name` calls their period."""
    found = defaultdict(list)
    for one in orders:
        found[name(one)].append(one)
    return found
