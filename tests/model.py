"""The KPIs worked out plainly, batch after batch, in dictionaries and Decimal.

Independent of the pipeline: it shares no code and no SQL with it. A row is a dictionary of the
texts of a CSV row; a batch is its rows in order of statement.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = Mapping[str, str]
CENT = Decimal("0.01")
TEN_THOUSANDTH = Decimal("0.0001")


@dataclass
class _Line:
    quantity: int
    unit_price: Decimal
    category: str | None


@dataclass
class ShopModel:
    """What stands after the batches so far."""

    orders: dict[str, Row] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    lines: dict[tuple[str, str], list[_Line]] = field(default_factory=dict)

    def apply(
        self,
        orders: Iterable[Row] = (),
        order_items: Iterable[Row] = (),
        products: Iterable[Row] = (),
    ) -> "ShopModel":
        """Take one batch: later statements win, the lines of a pair replace the earlier ones."""
        for order in orders:
            self.orders[order["order_id"].strip()] = {
                name: value.strip() for name, value in order.items()
            }
        for product in products:
            self.categories[product["product_id"].strip()] = product["category"].strip()
        stated: dict[tuple[str, str], list[_Line]] = defaultdict(list)
        for item in order_items:
            pair = item["order_id"].strip(), item["product_id"].strip()
            before = self.lines.get(pair, [])
            stated[pair].append(
                _Line(
                    int(item["quantity"]),
                    Decimal(item["unit_price"].strip()),
                    before[0].category if before else None,
                )
            )
        self.lines.update(stated)
        for (_, product_id), lines in self.lines.items():
            for line in lines:
                if line.category is None:
                    line.category = self.categories.get(product_id)
        return self

    @property
    def waiting_order_items(self) -> int:
        """Lines whose order is not known."""
        return sum(len(v) for (order_id, _), v in self.lines.items() if order_id not in self.orders)

    def order_kpis(self) -> list[dict[str, Any]]:
        """OrderKPIs by order_date."""
        days: dict[str, list[str]] = defaultdict(list)
        for order_id, order in self.orders.items():
            days[order["order_date"]].append(order_id)
        sold: dict[str, int] = defaultdict(int)
        for (order_id, _), lines in self.lines.items():
            sold[order_id] += sum(line.quantity for line in lines)
        return [self._order_day(day, order_ids, sold) for day, order_ids in sorted(days.items())]

    def category_kpis(self) -> list[dict[str, Any]]:
        """CategoryKPIs by order_date and category."""
        revenue: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        holders: dict[tuple[str, str], set[str]] = defaultdict(set)
        for (order_id, _), lines in self.lines.items():
            if order_id not in self.orders:
                continue
            for line in lines:
                key = self.orders[order_id]["order_date"], line.category or "Unknown"
                revenue[key] += line.quantity * line.unit_price
                holders[key].add(order_id)
        return [
            {
                "category": category,
                "order_date": day,
                "daily_revenue": _round(total, CENT),
                "avg_order_value": _round(total / len(holders[day, category]), CENT),
                "avg_return_rate": self._return_rate(holders[day, category]),
            }
            for (day, category), total in sorted(revenue.items())
        ]

    def _order_day(self, day: str, order_ids: list[str], sold: Mapping[str, int]) -> dict[str, Any]:
        return {
            "order_date": day,
            "total_orders": len(order_ids),
            "total_revenue": sum(
                (Decimal(self.orders[order_id]["total_amount"]) for order_id in order_ids),
                Decimal("0.00"),
            ),
            "total_items_sold": sum(sold[order_id] for order_id in order_ids),
            "return_rate": self._return_rate(order_ids),
            "unique_customers": len({self.orders[order_id]["user_id"] for order_id in order_ids}),
        }

    def _return_rate(self, order_ids: Iterable[str]) -> Decimal:
        statuses = [self.orders[order_id]["status"].lower() for order_id in order_ids]
        return _round(Decimal(statuses.count("returned")) / len(statuses), TEN_THOUSANDTH)


def _round(value: Decimal, places: Decimal) -> Decimal:
    return value.quantize(places, ROUND_HALF_UP)
