"""What files read by their sources come to, worked out plainly: dictionaries and Decimal, no SQL.

Independent of the pipeline from the shaped rows on (docs/design.md, Sources; Facts and KPIs): an
order is counted whole or not at all, money is cents, ratios are rounded half up once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.runtime.sources.shaped import Shaped

Row = Mapping[str, Any]
CENT, RATE = Decimal("0.01"), Decimal("0.0001")


@dataclass
class Shop:
    """Orders as dictionaries of columns, their lines, and the category of each product."""

    currency: str = "EUR"
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    categories: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Orders of which a row cannot be used."""

    def take(self, found: Shaped, bad_rows: Collection[int] = ()) -> "Shop":
        """The rows of one file; `bad_rows` are those whose text was broken already."""
        faulty = {*found.faults["row"].to_pylist(), *bad_rows}
        for row in _rows(found, "products"):
            if row.get("category"):
                self.categories[row["product_id"]] = row["category"]
        for row in _rows(found, "orders"):
            stated = self.orders.setdefault(row["order_id"], {})
            for name, value in row.items():
                if stated.get(name) is None:
                    stated[name] = value
            self._judge(row, faulty)
        for row in _rows(found, "order_items"):
            self.lines[row["order_id"]].append(row)
            self._judge(row, faulty)
            if not row.get("line_amount") and not row.get("unit_price"):
                self.refused.add(row["order_id"])
        return self

    def _judge(self, row: Row, faulty: Collection[int]) -> None:
        if row["row"] in faulty or (row.get("currency") or self.currency) != self.currency:
            self.refused.add(row["order_id"])

    def by_day(self) -> dict[str, tuple[int, Decimal, int, Decimal, int]]:
        """Orders, revenue, pieces, return rate and known customers of each day."""
        days: dict[str, list[str]] = defaultdict(list)
        for order_id in self._standing():
            days[self.orders[order_id]["order_date"]].append(order_id)
        return {
            day: (
                len(ids),
                sum((self._total(each) for each in ids), Decimal(0)),
                sum(int(Decimal(line["quantity"])) for each in ids for line in self.lines[each]),
                self._returned(ids),
                len({self.orders[each].get("user_id") for each in ids} - {None}),
            )
            for day, ids in sorted(days.items())
        }

    def by_category(self) -> dict[tuple[str, str], tuple[Decimal, Decimal, Decimal]]:
        """Revenue, mean of an order and return rate of each category and day."""
        amounts: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        for order_id in self._standing():
            for line in self.lines[order_id]:
                category = self.categories.get(line["product_id"], "Unknown")
                amounts[category, self.orders[order_id]["order_date"]][order_id] += _amount(line)
        return {
            key: (
                revenue := sum(orders.values(), Decimal(0)),
                _half_up(revenue / len(orders), CENT),
                self._returned(orders),
            )
            for key, orders in sorted(amounts.items())
        }

    def _standing(self) -> Iterator[str]:
        return (each for each in self.orders if each not in self.refused)

    def _total(self, order_id: str) -> Decimal:
        order = self.orders[order_id]
        if order.get("total_amount") is not None:
            return Decimal(order["total_amount"])
        added = (Decimal(line.get("added_to_total") or 0) for line in self.lines[order_id])
        lines = sum(map(_amount, self.lines[order_id]), Decimal(order["total_extra"]))
        return lines + sum(added, Decimal(0))

    def _returned(self, ids: Collection[str]) -> Decimal:
        returned = sum(self.orders[each].get("status") == "returned" for each in ids)
        return _half_up(Decimal(returned) / len(ids), RATE)


def _rows(found: Shaped, kind: Any) -> Iterable[Row]:
    table = found.kinds.get(kind)
    return [] if table is None else table.to_pylist()


def _amount(line: Row) -> Decimal:
    if line.get("line_amount") is not None:
        return Decimal(line["line_amount"])
    return _half_up(Decimal(line["quantity"]) * Decimal(line["unit_price"]), CENT)


def _half_up(value: Decimal, step: Decimal) -> Decimal:
    return value.quantize(step, ROUND_HALF_UP)
