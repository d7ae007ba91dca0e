"""A plain shop for the guard's tests: numbers that a person can follow, and where they are kept."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from services.guard.adapters import SOLD_BEFORE_DAYS
from services.guard.history import History, by_day

FIRST = date(2025, 1, 6)
"""A Monday."""
BATCH = "3f2a9c0d1e4b5a67"
SHARES = {"Books": 0.5, "Games": 0.3, "Music": 0.2}


def day(at: int) -> date:
    return FIRST + timedelta(at)


def a_day(at: int, factor: float = 1.0, **stated: float) -> dict[str, Any]:
    """An item of OrderKPIs: 1,000 orders, half as many at weekends, up and down by 4 % in turns."""
    wobble = (1.04, 1.0, 0.96, 1.02, 0.98)[at % 5]
    orders = round(1000 * (0.5 if day(at).weekday() >= 5 else 1) * wobble * factor)
    return {
        "order_date": str(day(at)),
        "total_orders": orders,
        "total_revenue": orders * 40.0,
        "total_items_sold": orders * 2,
        "return_rate": (0.05, 0.06, 0.04)[at % 3],
        "updated_at": f"{day(at + 1)}T01:00:00.000Z",
        "batch_id": BATCH,
        **stated,
    }


def of_category(item: Mapping[str, Any], share: float) -> dict[str, Any]:
    """A category's item of that day."""
    return {
        "order_date": item["order_date"],
        "daily_revenue": round(item["total_revenue"] * share, 2),
        "avg_order_value": 20.0,
    }


class PublishedKpis:
    """Both tables in dictionaries; `days` of the plain shop, changed at will."""

    def __init__(self, days: int) -> None:
        self.orders = {day(at): a_day(at) for at in range(days)}
        self.categories = {
            name: {one: of_category(item, share) for one, item in self.orders.items()}
            for name, share in SHARES.items()
        }
        self.asked: list[tuple[date, date]] = []

    def state(self, at: int, item: Mapping[str, Any], without: tuple[str, ...] = ()) -> None:
        """A day stated anew, of all categories but these."""
        self.orders[day(at)] = dict(item)
        for name, share in SHARES.items():
            self.categories[name].pop(day(at), None)
            if name not in without:
                self.categories[name][day(at)] = of_category(item, share)

    def lose(self, at: int) -> None:
        """A day without any number."""
        for items in (self.orders, *self.categories.values()):
            items.pop(day(at), None)

    def history(self, first: date, last: date, judged_from: date) -> History:
        self.asked.append((first, last))
        shortly_before = judged_from - timedelta(SOLD_BEFORE_DAYS)
        return History(
            by_day(item for one, item in self.orders.items() if first <= one <= last),
            {
                name: {one: item for one, item in items.items() if first <= one <= last}
                for name, items in self.categories.items()
                if any(shortly_before <= one <= last for one in items)
            },
        )


def at_noon(at: int) -> datetime:
    """Noon of the day after, when the day is over everywhere."""
    return datetime.fromisoformat(f"{day(at + 1)}T12:00:00+00:00")
