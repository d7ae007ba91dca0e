"""KPIs of longer periods from those of days: sums of sums and of counts, and rates of these.

A rate is never a mean of rates. What days cannot tell is None and never near: a customer who orders
on two days is one of a month's customers, so `unique_customers` is there for single days only; an
order with two categories is one order, so `avg_order_value` is there for single categories only.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Item = Mapping[str, Any]
Measures = dict[str, Decimal | int | None]

ORDER_MEASURES = (
    *("total_orders", "total_revenue", "total_items_sold", "return_rate"),
    *("unique_customers", "guests"),
)
CATEGORY_MEASURES = ("daily_revenue", "avg_order_value", "avg_return_rate")
MONEY, RATE = Decimal("0.01"), Decimal("0.0001")
_PLACES = {
    **dict.fromkeys(("total_revenue", "daily_revenue", "avg_order_value"), MONEY),
    **dict.fromkeys(("return_rate", "avg_return_rate"), RATE),
}


def orders_of(days: Sequence[Item]) -> Measures:
    """OrderKPIs over some days (items of the table); of one day they are its own."""
    if len(days) == 1:
        return {name: _placed(name, days[0].get(name, 0)) for name in ORDER_MEASURES}
    orders = sum(day["total_orders"] for day in days)
    return {
        "total_orders": orders,
        "total_revenue": sum((Decimal(day["total_revenue"]) for day in days), Decimal("0.00")),
        "total_items_sold": sum(day["total_items_sold"] for day in days),
        "return_rate": _ratio(_total(days, "returned_orders"), orders, RATE),
        "unique_customers": None if days else 0,
        "guests": sum(day.get("guests", 0) for day in days),
    }


def category_of(days: Sequence[Item]) -> Measures:
    """CategoryKPIs of one category over some days; an order is of one day, so its orders add up."""
    if len(days) == 1:
        return {name: _placed(name, days[0][name]) for name in CATEGORY_MEASURES}
    revenue = revenue_of(days)
    orders = _total(days, "orders")
    return {
        "daily_revenue": revenue,
        "avg_order_value": _ratio(revenue, orders, MONEY),
        "avg_return_rate": _ratio(_total(days, "returned_orders"), orders, RATE),
    }


def revenue_of(days: Iterable[Item]) -> Decimal:
    """The revenue of some CategoryKPIs, of whichever categories: lines are of one category."""
    return sum((Decimal(day["daily_revenue"]) for day in days), Decimal("0.00"))


def _placed(name: str, value: Any) -> Any:
    """As it was published; DynamoDB gives 10 for 10.00."""
    return Decimal(value).quantize(_PLACES[name]) if name in _PLACES else value


def _total(days: Sequence[Item], count: str) -> int | None:
    """None where an item was published before it had the count (`ecp rebuild` gives it)."""
    counts = [day.get(count) for day in days]
    return None if None in counts else sum(counts)  # type: ignore[arg-type]


def _ratio(part: Decimal | int | None, whole: int | None, places: Decimal) -> Decimal | None:
    if part is None or whole is None:
        return None
    if not whole:
        return Decimal(0).quantize(places)
    return (Decimal(part) / whole).quantize(places, ROUND_HALF_UP)
