"""Checked rows of a source as they are staged (services/transformer, STAGED_COLUMNS)."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.file_contracts import file_contract
from contracts.sources.model import Kind
from services.validator.reading.staged_rows import LINE_AMOUNT, accepted_schema

NOT_STATED = "Unknown"
_MORE = {
    "orders": [pa.field("total_from_lines", pa.bool_()), pa.field("total_extra_cents", pa.int64())],
    "order_items": [pa.field("added_to_total_cents", pa.int64())],
    "products": [],
}


def staged_schema(kind: Kind) -> Any:
    """The columns of a kind's rows that a source gives."""
    return pa.schema([*accepted_schema(file_contract(kind)), *_MORE[kind]])


def as_staged_kind(kind: Kind, rows: Any, *, total_from_lines: bool = False) -> Any:
    """Checked rows with what they say between the lines; their source_line is that of the file.

    A line that states its amount and no price has the price that comes nearest: it is shown, and
    counts nowhere. A product whose category is not said is of category Unknown, as one that nobody
    knows; without a name it is called by its id, and costs nothing where no price is said.
    """
    columns = {name: rows[name] for name in rows.column_names}
    if kind == "order_items":
        _price(columns)
    elif kind == "products":
        columns["category"] = pc.fill_null(columns["category"], NOT_STATED)
        columns["name"] = pc.coalesce(columns["name"], columns["product_id"])
        columns["price_cents"] = pc.fill_null(columns["price_cents"], 0)
    else:
        columns["status"] = pc.fill_null(columns["status"], NOT_STATED.lower())
        if total_from_lines:
            columns["total_from_lines"] = pa.array([True] * rows.num_rows, pa.bool_())
            columns["total_extra_cents"] = pc.fill_null(columns["total_extra_cents"], 0)
    schema = staged_schema(kind)
    return pa.Table.from_arrays(
        [columns.get(field.name, pa.nulls(rows.num_rows, field.type)) for field in schema],
        schema=schema,
    )


def _price(columns: dict[str, Any]) -> None:
    quantity, price = columns["quantity"], columns["unit_price_cents"]
    amount = columns.get(LINE_AMOUNT)
    if amount is None or amount.null_count:
        product = pc.multiply(quantity, price)
        columns[LINE_AMOUNT] = product if amount is None else pc.coalesce(amount, product)
    if price.null_count:
        doubled = pc.add(pc.multiply(columns[LINE_AMOUNT], 2), quantity)
        nearest = pc.divide(doubled, pc.multiply(quantity, 2))
        columns["unit_price_cents"] = pc.coalesce(price, nearest)
