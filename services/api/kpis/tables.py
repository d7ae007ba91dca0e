"""Rows of answers as flat tables: the columns, in the order that CSV, Parquet and others have."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from services.api.kpis.domain import CATEGORY_MEASURES, ORDER_MEASURES
from services.api.kpis.periods import Compare

Row = Mapping[str, Any]
ANOMALY_COLUMNS = (
    *("order_date", "series", "category", "status", "value", "expected", "lowest", "highest"),
    *("score", "odd_value", "published_by", "told_at"),
)
SERIES_MEASURES = {
    "orders": "total_orders",
    "revenue": "total_revenue",
    "items": "total_items_sold",
    "return_rate": "return_rate",
    "category_revenue": "daily_revenue",
}
"""What the guard watches, by its name for it: the measure of the KPIs that it is."""
PERIOD = ("period", "order_date", "last_date")
COMPARED = "compared_"


class Kind(StrEnum):
    """What a column holds: days and instants as text of ISO 8601, amounts as Decimal.

    `number`: one of several measures, as the row says; a float.
    """

    TEXT = "text"
    DAY = "day"
    INSTANT = "instant"
    COUNT = "count"
    MONEY = "money"
    RATE = "rate"
    NUMBER = "number"


_KINDS = {
    **dict.fromkeys(("order_date", "last_date"), Kind.DAY),
    **dict.fromkeys(("updated_at", "told_at"), Kind.INSTANT),
    **dict.fromkeys(("total_orders", "total_items_sold", "unique_customers", "guests"), Kind.COUNT),
    **dict.fromkeys(("total_revenue", "daily_revenue", "avg_order_value"), Kind.MONEY),
    **dict.fromkeys(("return_rate", "avg_return_rate"), Kind.RATE),
    **dict.fromkeys(("value", "expected", "lowest", "highest", "score", "odd_value"), Kind.NUMBER),
}


def kind_of(column: str) -> Kind:
    """Of a column of KPIs, also of one that is compared."""
    return _KINDS.get(column.removeprefix(COMPARED), Kind.TEXT)


def order_columns(compare: Compare | None) -> list[str]:
    """Of KPIs over all orders."""
    return _columns((), ORDER_MEASURES, compare)


def category_columns(compare: Compare | None) -> list[str]:
    """Of KPIs by category."""
    return _columns(("category",), CATEGORY_MEASURES, compare)


def _columns(first: Sequence[str], measures: Sequence[str], compare: Compare | None) -> list[str]:
    told = [*PERIOD, *measures]
    return [*first, *told, "updated_at", *(f"{COMPARED}{name}" for name in told if compare)]


def flat(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Each row in one piece: what it is compared with is `compared_<name>` beside it."""
    return [
        {name: value for name, value in row.items() if name != "compared"}
        | {f"{COMPARED}{name}": value for name, value in (row.get("compared") or {}).items()}
        for row in rows
    ]


def csv_text(columns: Sequence[str], rows: Iterable[Row], newline: str = "\r\n") -> str:
    """RFC 4180 with a header; what there is none of is empty.

    Values are what they are: a spreadsheet may take a name that begins with `=` for a formula.
    """
    told = ([row.get(name) for name in columns] for row in rows)
    return csv_lines([columns], newline) + csv_lines(told, newline)


def csv_lines(rows: Iterable[Sequence[Any]], newline: str = "\r\n") -> str:
    """Rows without a header, as `csv_text` writes them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else value
