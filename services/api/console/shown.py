"""How values are written for people: numbers, changes, days and instants; templates call these."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from contracts.clock import from_rfc3339

DASH, MINUS = "\u2013", "\u2212"


class Form(StrEnum):
    """What a number is."""

    MONEY = "money"
    COUNT = "count"
    RATE = "rate"


@dataclass(frozen=True)
class Measure:
    """A number of the KPIs; `why_missing`: why it can be null where there are orders."""

    name: str
    label: str
    form: Form
    why_missing: str = ""


NO_COUNTS = "Some of these days were published before KPIs had counts; ecp rebuild gives them"
NOT_OF_DAYS = "Known for single days only: who orders on two days is one customer"
REVENUE = Measure("total_revenue", "Revenue", Form.MONEY)
ORDERS = Measure("total_orders", "Orders", Form.COUNT)
RETURN_RATE = Measure("return_rate", "Return rate", Form.RATE, NO_COUNTS)
OF_ORDERS = (
    REVENUE,
    ORDERS,
    Measure("total_items_sold", "Items sold", Form.COUNT),
    RETURN_RATE,
    Measure("unique_customers", "Customers", Form.COUNT, NOT_OF_DAYS),
    Measure("guests", "Guests", Form.COUNT),
)
CATEGORY_REVENUE = Measure("daily_revenue", "Revenue", Form.MONEY)
OF_CATEGORIES = (
    CATEGORY_REVENUE,
    Measure("avg_order_value", "Average order", Form.MONEY, NO_COUNTS),
    Measure("avg_return_rate", "Return rate", Form.RATE, NO_COUNTS),
)


def number(value: Any, form: Form) -> str:
    """`1,234.50`, `1,234` or `4.25 %`; an en dash for None."""
    if value is None:
        return DASH
    if form == Form.RATE:
        return f"{Decimal(value) * 100:,.2f}\u00a0%".replace("-", MINUS)
    text = f"{Decimal(value):,.2f}" if form == Form.MONEY else f"{int(value):,}"
    return text.replace("-", MINUS)


def signed_number(value: Any, form: Form) -> str:
    """`+1,234.50`: how much more, or less."""
    return f"+{number(value, form)}" if value > 0 else number(value, form)


def short_number(value: float, form: Form) -> str:
    """For an axis: `1.2M`, `12k`, `4 %`."""
    if form == Form.RATE:
        return f"{value * 100:.3g}\u00a0%"
    units = (("G", 1e9), ("M", 1e6), ("k", 1e3))
    unit, factor = next((one for one in units if abs(value) >= one[1]), ("", 1.0))
    return f"{value / factor:.3g}{unit}".replace("-", MINUS)


def change(now: Any, before: Any, form: Form) -> str:
    """`+12.5 %`, of rates in percentage points; empty where it cannot be reckoned."""
    if now is None or before is None:
        return ""
    now, before = Decimal(now), Decimal(before)
    if form == Form.RATE:
        return f"{_signed((now - before) * 100)}\u00a0pp"
    if not before:
        return "new" if now else ""
    return f"{_signed((now - before) / abs(before) * 100)}\u00a0%"


def _signed(value: Decimal) -> str:
    rounded = value.quantize(Decimal("0.1"), ROUND_HALF_UP)
    if not rounded:
        return "\u00b10.0"
    return f"{rounded:+,.1f}".replace("-", MINUS)


def long_day(day: str | date) -> str:
    """`Thu 31 Jul 2025`."""
    found = day if isinstance(day, date) else date.fromisoformat(day)
    return f"{found:%a} {found.day} {found:%b %Y}"


def instant(text: str) -> str:
    """`2025-07-31 12:03:04`, in UTC."""
    return f"{from_rfc3339(text):%Y-%m-%d %H:%M:%S}"


def seconds_between(first: str, last: str | datetime) -> float:
    """From one instant (RFC 3339) to another."""
    end = last if isinstance(last, datetime) else from_rfc3339(last)
    return (end - from_rfc3339(first)).total_seconds()


def span_of_time(seconds: float) -> str:
    """`0.4 s`, `45 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}\u00a0s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}\u00a0h {minutes}\u00a0min"
    return f"{minutes}\u00a0min {left}\u00a0s" if minutes else f"{left}\u00a0s"
