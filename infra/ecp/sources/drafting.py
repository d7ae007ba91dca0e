"""A source drafted from a file that nobody knows: by the names and the values of its columns.

A draft is a text to edit; whatever the file holds, it is a source that the parser takes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.sources.model import FileFormat, Rows
from infra.ecp.sources.draft_text import DraftedColumn, draft_text, named
from infra.ecp.sources.measuring import Head, NotReadable
from infra.ecp.sources.profiles import ZONE_NAME, Profile, missing_of, numbers_of, profiles_of
from infra.ecp.sources.roles import Part, parts_of
from infra.ecp.sources.several_lines import SeveralLines, several_lines

_RETURNED = frozenset(
    {"refunded", "returned", "erstattet", "retourniert", "remboursé", "reembolsado", "rimborsato"}
)
_AMOUNTS = frozenset({"total_amount", "unit_price", "line_amount", "price"})
_NEEDED = frozenset({"order_id", "order_date", "total_amount", "product_id", "unit_price"})
_SURE = 0.9
"""From here on a name alone is enough to be the amount of a line."""
_DOUBT = 0.3
"""What a day loses of its confidence that could be read with day and month exchanged."""


@dataclass(frozen=True)
class Draft:
    """The YAML and how each of its values was found."""

    name: str
    text: str
    rows: Rows
    columns: tuple[DraftedColumn, ...]

    @property
    def confidence(self) -> float:
        """That of the value that is least sure."""
        return min((each.confidence for each in self.columns), default=0.0)


def draft(head: Head) -> Draft:
    """A source for a file, to be edited; raises NotReadable when it has no header."""
    file = head.format
    records = head.records(file)
    if not records:
        raise NotReadable(f"{head.path}: it has no header that can be read")
    header, rows = records[0], records[1:]
    count, apart = len(rows), several_lines(header, rows)
    if apart:
        header, rows = apart.header, [*apart.rows]
    decimal, thousands = numbers_of(rows)
    file = replace(file, decimal=decimal, thousands=thousands, missing=missing_of(rows))
    given = apart.given if apart else {}
    columns = [
        replace(column, given=given.get(column.name, "") if column.place >= len(records[0]) else "")
        for column in profiles_of(header, rows, file)
    ]
    return drafted(_name_of(head.path), file, columns, count, apart, records[0])


def drafted(
    name: str,
    file: FileFormat,
    columns: Sequence[Profile],
    rows: int,
    apart: SeveralLines | None = None,
    header: Sequence[str] = (),
) -> Draft:
    """The draft of columns whose names and values are known; pure."""
    parts = _by_order(parts_of(columns))
    shape = _shape(parts)
    apart = apart if shape == "order_lines" else None
    values = tuple(_values(shape, parts))
    text = draft_text(name, file, columns, rows, shape, values, apart, header)
    return Draft(name, text, shape, values)


def _by_order(parts: Mapping[str, Part]) -> dict[str, Part]:
    """The parts, without a total that differs from row to row of an order: it is a line's then."""
    order, total = parts.get("order_id"), parts.get("total_amount")
    line = parts.get("line_amount")
    if order and line and "unit_price" in parts and not line.column.varies_within(order.column):
        others = {role: part for role, part in parts.items() if role != "line_amount"}
        parts = parts if line.confidence > _SURE else others
    others = {role: part for role, part in parts.items() if role != "total_amount"}
    if order is None or total is None or not total.column.varies_within(order.column):
        return dict(parts)
    why = f"{total.why}; it differs within orders, so it is the line's"
    line = replace(total, role="line_amount", confidence=0.5, why=why)
    return {"line_amount": line} | others


def _shape(parts: Mapping[str, Part]) -> Rows:
    """What a row is, by the parts that there are."""
    there = parts.keys()
    has_lines = there & {"quantity", "unit_price", "line_amount", "line_id"}
    if "order_id" in there and there & {"product_id", "product_name"} and has_lines:
        return "order_lines"
    if "product_id" in there and not there & {"order_date", "total_amount"}:
        return "products"
    return "orders"


def _values(shape: Rows, parts: Mapping[str, Part]) -> Iterator[DraftedColumn]:
    if shape == "products":
        yield from _product(parts)
        yield from _value("products", "price", "price", parts)
        return
    if shape == "orders" or "order_date" in parts:
        yield from _order(shape, parts)
    if shape == "order_lines":
        yield from _value("order_items", "order_id", "order_id", parts)
        yield from _line(parts)
        if "category" in parts:
            yield from _product(parts)


def _order(shape: Rows, parts: Mapping[str, Part]) -> Iterator[DraftedColumn]:
    for column in ("order_id", "user_id", "order_date"):
        yield from _value("orders", column, column, parts)
    if shape == "orders" or "total_amount" in parts:
        yield from _value("orders", "total_amount", "total_amount", parts)
    else:
        yield _from_lines(parts)
    for column in ("status", "currency"):
        yield from _value("orders", column, column, parts)


def _from_lines(parts: Mapping[str, Part]) -> DraftedColumn:
    why, expression = "no column is the order's total: it is the sum of its lines", "sum_of_lines"
    shipping, order = parts.get("shipping"), parts["order_id"]
    if shipping and not shipping.column.varies_within(order.column):
        expression += f" + coalesce({_number(shipping)}, 0)"
        why += f", and {shipping.column.name.strip()} of the order, is it?"
    return DraftedColumn("orders", "total_amount", expression, 0.5, why)


def _line(parts: Mapping[str, Part]) -> Iterator[DraftedColumn]:
    if "line_id" in parts:
        yield from _value("order_items", "line_id", "line_id", parts)
    else:
        why = "no column tells the lines of an order apart: their position does"
        yield DraftedColumn("order_items", "line_id", "row_number", 0.8, why)
    product, name = parts.get("product_id"), parts.get("product_name")
    if product and name and product.column.filled < 1:
        expression = f"coalesce(text({_quoted(product)}), {_quoted(name)})"
        why = f"{product.why}; where it is empty, the name"
        yield DraftedColumn("order_items", "product_id", expression, product.confidence, why)
    else:
        yield from _value("order_items", "product_id", _id_of_product(parts), parts)
    if "quantity" in parts:
        yield from _value("order_items", "quantity", "quantity", parts)
    else:
        why = "no column counts pieces: a row is one"
        yield DraftedColumn("order_items", "quantity", "1", 0.3, why)
    yield from _price(parts)


def _price(parts: Mapping[str, Part]) -> Iterator[DraftedColumn]:
    roles = ("quantity", "unit_price", "line_discount")
    quantity, price, discount = (parts.get(role) for role in roles)
    if "line_amount" in parts:
        yield from _value("order_items", "line_amount", "line_amount", parts)
    elif quantity and price and discount:
        product = f"{_number(quantity)} * {_number(price)}"
        expression = f"{product} - coalesce({_number(discount)}, 0)"
        why = "a discount stands beside the price: is it the whole line's?"
        yield DraftedColumn("order_items", "line_amount", expression, 0.5, why)
    else:
        yield from _value("order_items", "unit_price", "unit_price", parts)


def _product(parts: Mapping[str, Part]) -> Iterator[DraftedColumn]:
    yield from _value("products", "product_id", _id_of_product(parts), parts)
    yield from _value("products", "category", "category", parts)
    yield from _value("products", "name", "product_name", parts)


def _id_of_product(parts: Mapping[str, Part]) -> str:
    return "product_id" if "product_id" in parts else "product_name"


def _value(kind: str, column: str, role: str, parts: Mapping[str, Part]) -> Iterator[DraftedColumn]:
    """What gives a column; a column that must be there is there without any, too."""
    part = parts.get(role)
    if part is not None:
        expression, why = _expression(column, part)
        doubt = _DOUBT if column == "order_date" and part.column.is_ambiguous_day else 0.0
        yield DraftedColumn(kind, column, expression, round(part.confidence - doubt, 2), why)
    elif column in _NEEDED:
        expression = "day(null, '%Y-%m-%d')" if column == "order_date" else "null"
        yield DraftedColumn(kind, column, expression, 0.0, "nothing fits: name the column")


def _expression(column: str, part: Part) -> tuple[str, str]:
    """What gives a value, and why: the column as it is where nothing more is needed."""
    text, profile, why = _quoted(part), part.column, part.why
    if column == "order_date":
        return _day(part)
    if profile.has_more and column in _AMOUNTS:
        return _number(part), f"{why}; a sign of currency is taken away"
    found = sorted({value for value in profile.values if value.lower() in _RETURNED})
    if column == "status" and found:
        words = ", ".join(f"'{word}'" for word in sorted({value.lower() for value in found}))
        expression = f"case when lower({text}) in ({words}) then 'returned' else {text} end"
        return expression, f"{why}; {', '.join(found)} counts as returned"
    if column == "category" and any(", " in value for value in profile.values):
        return f"split_part({text}, ', ', 1)", f"{why}; the first of several"
    return text, why


def _day(part: Part) -> tuple[str, str]:
    text, profile = _quoted(part), part.column
    if profile.cuts_zone_name:
        text = f"regexp_replace({text}, '{ZONE_NAME}', '')"
    form = profile.day or "%Y-%m-%d"
    said = f"{part.why}; its values are days as {form}"
    if profile.is_ambiguous_day:
        said += ", and with day and month the other way round: which is it?"
    return f"day({text}, '{form}')", said


def _number(part: Part) -> str:
    text = _quoted(part)
    if part.column.has_parentheses:
        text = f"regexp_replace({text}, '^\\(', '-')"
    if part.column.has_more:
        text = f"regexp_replace({text}, '[^0-9.,+-]', '', 'g')"
    return f"amount({text})"


def _quoted(part: Part) -> str:
    return named(part.column)


def _name_of(path: Path) -> str:
    """The name of a source after that of a file: `Orders (3).csv.gz` is orders-3."""
    stem = path.name.lower().removesuffix(".gz").rpartition(".")
    words = re.findall(r"[a-z0-9]+", stem[0] or stem[2])
    name = "-".join(words).lstrip("0123456789-")[:40].rstrip("-")
    return name if len(name) > 1 else "my-shop"
