"""The KPIs worked out plainly, batch after batch, in dictionaries and Decimal.

Independent of the pipeline: it shares no code and no SQL with it, and follows the rules
(docs/design.md, Facts and KPIs). A row is a dictionary of the texts of a CSV row, a file its rows,
a batch its files in the order of the sealed manifest.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

Row = Mapping[str, str]
CENT = Decimal("0.01")
TEN_THOUSANDTH = Decimal("0.0001")


class File(NamedTuple):
    """One input, or its rows of one kind; files that share a `statement` are one together.

    A `whole` file states its orders whole: each order that has a row in it, of orders or of lines.
    """

    kind: str
    rows: Sequence[Row]
    statement: str | None = None
    whole: bool = False


class _Stated(NamedTuple):
    """What an order or a product says, and the file that says it last."""

    row: Row
    file: tuple[int, int]


@dataclass
class _Line:
    order_id: str
    product_id: str
    line_id: str
    quantity: int
    unit_price: Decimal
    amount: Decimal
    added_to_total: Decimal
    category: str | None = None

    @property
    def content(self) -> tuple[Any, ...]:
        return self.product_id, self.quantity, self.unit_price, self.amount, self.added_to_total


@dataclass
class ShopModel:
    """What stands after the batches so far; `restated` and `guests` are the newest batch's."""

    _orders: dict[str, _Stated] = field(default_factory=dict)
    _products: dict[str, _Stated] = field(default_factory=dict)
    _lines: dict[str, list[_Line]] = field(default_factory=dict)
    restated: dict[str, int] = field(default_factory=dict)
    guests: int = 0
    _batches: int = 0

    def apply(
        self,
        orders: Iterable[Row] = (),
        order_items: Iterable[Row] = (),
        products: Iterable[Row] = (),
    ) -> "ShopModel":
        """Take one batch with one file of each kind."""
        return self.take(
            [
                File("orders", list(orders)),
                File("order_items", list(order_items)),
                File("products", list(products)),
            ]
        )

    def take(self, files: Sequence[File]) -> "ShopModel":
        """Take one batch: what a newer statement says replaces what an older one said."""
        self._batches += 1
        self.restated = dict.fromkeys(("orders", "order_items", "products"), 0)
        counted_under = {
            (line.order_id, line.product_id): line.category
            for lines in self._lines.values()
            for line in lines
        }
        for statement in _in_statements(files):
            new_lines: list[_Line] = []
            whole_orders: set[str] = set()
            for index, file in statement:
                rows = [{name: value.strip() for name, value in row.items()} for row in file.rows]
                if file.whole:
                    whole_orders |= {row["order_id"] for row in rows if "order_id" in row}
                if file.kind == "orders":
                    self._state(self._orders, "order_id", file.kind, rows, index)
                elif file.kind == "products":
                    self._state(self._products, "product_id", file.kind, rows, index)
                else:
                    new_lines += map(_line, rows)
            self._replace_lines(new_lines, whole_orders)
        for lines in self._lines.values():
            for line in lines:
                if line.category is None:
                    line.category = counted_under.get((line.order_id, line.product_id))
                if line.category is None and line.product_id in self._products:
                    line.category = self._products[line.product_id].row["category"]
        self.guests = sum(
            stated.file[0] == self._batches and not stated.row["user_id"]
            for stated in self._orders.values()
        )
        return self

    def _state(
        self, known: dict[str, _Stated], name: str, kind: str, rows: Iterable[Row], index: int
    ) -> None:
        """The last statement stands; it restates what another file had said otherwise."""
        file = self._batches, index
        for row in rows:
            before = known.get(row[name])
            if before and before.file != file and _content(before.row) != _content(row):
                self.restated[kind] += 1
            known[row[name]] = _Stated(row, file)

    def _replace_lines(self, stated: list[_Line], whole_orders: set[str]) -> None:
        """The lines of one statement against those of all statements before it."""
        new: dict[tuple[str, object], _Line] = {}
        for line in stated:
            key = line.order_id, line.line_id or object()
            same_id = new.pop(key, line)
            self.restated["order_items"] += same_id.content != line.content
            new[key] = line
        by_order: dict[str, list[_Line]] = defaultdict(list)
        for line in new.values():
            by_order[line.order_id].append(line)
        for order_id in by_order.keys() | whole_orders:
            new_of_order, is_whole = by_order.get(order_id, []), order_id in whole_orders
            stays = self._standing_beside(new_of_order, order_id, is_whole=is_whole)
            self._lines[order_id] = stays + new_of_order

    def _standing_beside(self, new: list[_Line], order_id: str, *, is_whole: bool) -> list[_Line]:
        """The older lines of an order that its new lines do not replace."""
        stays: list[_Line] = []
        unanswered: Counter[tuple[Any, ...]] = Counter()
        for old in self._lines.get(order_id, []):
            same_id = [one for one in new if _same_id(one, old)]
            of_pair = [one for one in new if one.product_id == old.product_id]
            if same_id:
                self.restated["order_items"] += same_id[0].content != old.content
            elif is_whole or (
                of_pair and (not old.line_id or any(not one.line_id for one in of_pair))
            ):
                unanswered[old.content] += 1
            else:
                stays.append(old)
        unanswered -= Counter(one.content for one in new)
        self.restated["order_items"] += unanswered.total()
        return stays

    @property
    def orders(self) -> dict[str, Row]:
        """The order rows that stand, by order_id."""
        return {order_id: stated.row for order_id, stated in self._orders.items()}

    @property
    def lines(self) -> dict[tuple[str, str], list[_Line]]:
        """The order lines that stand, by order and product."""
        found: dict[tuple[str, str], list[_Line]] = defaultdict(list)
        for lines in self._lines.values():
            for line in lines:
                found[line.order_id, line.product_id].append(line)
        return found

    @property
    def waiting_order_items(self) -> int:
        """Lines whose order is not known."""
        return sum(len(v) for order_id, v in self._lines.items() if order_id not in self._orders)

    def order_kpis(self) -> list[dict[str, Any]]:
        """OrderKPIs by order_date."""
        days: dict[str, list[str]] = defaultdict(list)
        for order_id, order in self._orders.items():
            days[order.row["order_date"]].append(order_id)
        return [self._order_day(day, order_ids) for day, order_ids in sorted(days.items())]

    def kpi_counts(self) -> list[tuple[str, str, int, int]]:
        """By category (empty: all) and day: how many orders, and how many of them returned."""
        holders: dict[tuple[str, str], set[str]] = defaultdict(set)
        for order_id, order in self._orders.items():
            day = order.row["order_date"]
            holders["", day].add(order_id)
            for line in self._lines.get(order_id, []):
                holders[line.category or "Unknown", day].add(order_id)
        return [
            (*key, len(order_ids), sum(map(self._is_returned, order_ids)))
            for key, order_ids in sorted(holders.items())
        ]

    def category_kpis(self) -> list[dict[str, Any]]:
        """CategoryKPIs by order_date and category."""
        revenue: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        holders: dict[tuple[str, str], set[str]] = defaultdict(set)
        for order_id, lines in self._lines.items():
            if order_id not in self._orders:
                continue
            for line in lines:
                key = self._orders[order_id].row["order_date"], line.category or "Unknown"
                revenue[key] += line.amount
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

    def _order_day(self, day: str, order_ids: list[str]) -> dict[str, Any]:
        rows = [self._orders[order_id].row for order_id in order_ids]
        customers = [row["user_id"] for row in rows if row["user_id"]]
        return {
            "order_date": day,
            "total_orders": len(rows),
            "total_revenue": sum(map(self._total, order_ids), Decimal("0.00")),
            "total_items_sold": sum(
                line.quantity for order_id in order_ids for line in self._lines.get(order_id, [])
            ),
            "return_rate": self._return_rate(order_ids),
            "unique_customers": len(set(customers)),
            "guests": len(rows) - len(customers),
        }

    def _total(self, order_id: str) -> Decimal:
        """As it is stated; an order with a `total_extra` has that and what its lines come to."""
        row = self._orders[order_id].row
        if "total_extra" not in row:
            return Decimal(row["total_amount"])
        lines = self._lines.get(order_id, [])
        return Decimal(row["total_extra"]) + sum(one.amount + one.added_to_total for one in lines)

    def _return_rate(self, order_ids: Iterable[str]) -> Decimal:
        returned = [self._is_returned(order_id) for order_id in order_ids]
        return _round(Decimal(sum(returned)) / len(returned), TEN_THOUSANDTH)

    def _is_returned(self, order_id: str) -> bool:
        return bool(self._orders[order_id].row["status"].lower() == "returned")


def _in_statements(files: Sequence[File]) -> list[list[tuple[int, File]]]:
    """Each statement's files with their indexes; it is stated when the last of them is."""
    last = {file.statement: index for index, file in enumerate(files) if file.statement}
    found: dict[int, list[tuple[int, File]]] = defaultdict(list)
    for index, file in enumerate(files):
        found[last.get(file.statement, index)].append((index, file))
    return [files_of for _, files_of in sorted(found.items())]


def _line(row: Row) -> _Line:
    quantity, unit_price = int(row["quantity"]), Decimal(row["unit_price"])
    amount = row.get("line_amount") or str(quantity * unit_price)
    line_id = row.get("line_id", "")
    added = Decimal(row.get("added_to_total") or 0)
    known_by = row["order_id"], row["product_id"], line_id
    return _Line(*known_by, quantity, unit_price, Decimal(amount), added)


def _same_id(one: _Line, other: _Line) -> bool:
    both = one.line_id, other.line_id
    return bool(one.line_id) and both[0] == both[1] and one.order_id == other.order_id


def _content(row: Row) -> tuple[Any, ...]:
    """What a row says, however it is written."""
    money = ("total_amount", "total_extra", "price")
    return tuple(
        (name, Decimal(value) if name in money else value.lower() if name == "status" else value)
        for name, value in sorted(row.items())
    )


def _round(value: Decimal, places: Decimal) -> Decimal:
    return value.quantize(places, ROUND_HALF_UP)
