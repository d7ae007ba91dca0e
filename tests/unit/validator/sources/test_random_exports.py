"""Random shops, written as random exports and read back: the same as from plain files.

The exports are written here letter by letter; nothing of the code's own CSV or SQL is used.
"""

import io
import random
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.file_contracts import file_contract
from services.validator.reading.file_check import check_file
from tests.support.examples import examples
from tests.support.source_files import TODAY, a_source, read_by

LETTERS = "abcXYZ09 -#ÄßéŒ€/'"
TEXTS = ("Käse", "a,b", "x;y", 'say "hi"', "two\nlines", "tab\there", "back\\slash", "", "-", "|")
FORMATS = {
    "%Y-%m-%d": "{0.year}-{0.month:02}-{0.day:02}",
    "%d.%m.%Y": "{0.day:02}.{0.month:02}.{0.year}",
    "%m/%d/%Y %H:%M": "{0.month}/{0.day}/{0.year} 8:05",
    "%Y-%m-%dT%H:%M:%S%z": "{0.year}-{0.month:02}-{0.day:02}T23:59:59-08:00",
}
NAMES = {
    "order_id": ("Order", "Bestell Nr.", "id"), "user_id": ("E-Mail", "Kunde"),
    "order_date": ("Date", "Datum"), "total_amount": ("Total (EUR)", "Summe"),
    "status": ("State", "Status"), "product_id": ("SKU", "Artikel"), "quantity": ("Qty", "Menge"),
    "unit_price": ("Price", "Preis"), "line_id": ("Line", "Position"), "name": ("Title", "Name"),
    "category": ("Type", "Kategorie"), "price": ("List price", "Listenpreis"),
}  # fmt: skip
NUMBERS = ("total_amount", "unit_price", "quantity", "price")
ORDER = ("order_id", "user_id", "order_date", "total_amount", "status")
LINE = ("order_id", "product_id", "quantity", "unit_price", "line_id")
PRODUCT = ("product_id", "category", "name", "price")


class Shape:
    """How an export is written."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.quoting = chance.choice(("doubled", "backslash", "none"))
        self.delimiter = chance.choice("\t|" if self.quoting == "none" else ",;\t|")
        self.encoding = chance.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
        self.decimal, self.thousands = chance.choice(
            ((".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", " "))
        )
        self.end = chance.choice(("\n", "\r\n"))
        self.skipped = chance.randrange(3)
        self.form = chance.choice([*FORMATS])
        self.names = {column: chance.choice(names) for column, names in NAMES.items()}

    def file(self) -> dict[str, Any]:
        return {
            "delimiter": "tab" if self.delimiter == "\t" else self.delimiter,
            "quoting": self.quoting, "encoding": self.encoding, "decimal": self.decimal,
            "thousands": self.thousands, "skip_lines": self.skipped, "missing": ["", "NULL"],
        }  # fmt: skip

    def cell(self, text: str) -> str:
        if self.quoting == "none":
            for taken in (self.delimiter, "\n", "\r"):
                text = text.replace(taken, "_")
            return text
        needed = any(each in text for each in (self.delimiter, '"', "\n", "\r"))
        if self.quoting == "backslash":
            text = text.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"' if needed or self.chance.random() < 0.2 else text
        if needed or self.chance.random() < 0.2:
            return '"' + text.replace('"', '""') + '"'
        return text

    def number(self, text: str) -> str:
        whole, point, decimals = text.partition(".")
        if self.thousands and self.chance.random() < 0.7:
            groups = []
            while len(whole) > 3:
                groups.insert(0, whole[-3:])
                whole = whole[:-3]
            whole = self.thousands.join([whole, *groups])
        return whole + (self.decimal + decimals if point else "")

    def written(self, column: str, value: str) -> str:
        if not value:
            return self.chance.choice(("", "NULL", " "))
        if column == "order_date":
            return FORMATS[self.form].format(date.fromisoformat(value))
        return self.number(value) if column in NUMBERS else value

    def content(self, columns: list[str], rows: list[dict[str, str]]) -> bytes:
        """Columns in any order, with others between them that nobody knows."""
        places: list[str | None] = [*columns, *[None] * self.chance.randrange(4)]
        self.chance.shuffle(places)
        title = [f'Report, of "all" {number}' for number in range(self.skipped)]
        header = [
            self.cell(self.names[place] if place else f"Remark {number}")
            for number, place in enumerate(places)
        ]
        lines = [*title, self.delimiter.join(header)]
        for row in rows:
            cells = [
                self.cell(self.written(place, row[place]) if place else self.chance.choice(TEXTS))
                for place in places
            ]
            lines.append(self.delimiter.join(cells))
        return self.end.join([*lines, ""]).encode(self.encoding)

    def expressions(self, columns: tuple[str, ...]) -> dict[str, str]:
        quoted = {column: '"' + self.names[column] + '"' for column in columns}
        if "order_date" in quoted:
            quoted["order_date"] = f"day({quoted['order_date']}, '{self.form}')"
        return quoted

    def source(self, rows: str, **kinds: Any) -> Any:
        document = {"source": "my-shop", "version": 1, "title": "Mine", "rows": rows}
        text = yaml.safe_dump({**document, "file": self.file(), **kinds}, allow_unicode=True)
        return a_source(text)


class Shop:
    """What a shop has, as the plain files say it."""

    def __init__(self, chance: random.Random) -> None:
        def word() -> str:
            return "".join(chance.choice(LETTERS) for _ in range(chance.randint(1, 9))).strip()

        def money() -> str:
            return f"{chance.choice((0, 7, 1234, 9876543))}.{chance.randrange(100):02}"

        self.products = [
            {"product_id": f"P{n}{word()}", "category": word() or "c", "name": word() or "n",
             "price": money()}
            for n in range(chance.randint(1, 5))
        ]  # fmt: skip
        self.orders, self.lines = [], []
        for n in range(chance.randint(1, 12)):
            order_id = f"{n}{word()}"
            self.orders.append(
                {
                    "order_id": order_id, "user_id": chance.choice(("", f"u{word()}")),
                    "order_date": f"202{chance.randint(0, 5)}-{chance.randint(1, 12):02}-07",
                    "total_amount": money(), "status": chance.choice(("paid", "Returned", "x")),
                }
            )  # fmt: skip
            for line in range(chance.randint(1, 4)):
                product = chance.choice(self.products)["product_id"]
                self.lines.append(
                    {
                        "order_id": order_id, "product_id": product, "line_id": str(line + 1),
                        "quantity": str(chance.choice((1, 3, 1200))), "unit_price": money(),
                    }
                )  # fmt: skip


def plain(kind: str, columns: tuple[str, ...], rows: list[dict[str, str]]) -> list[Any]:
    """What the reader of plain files stages."""
    lines = [",".join(columns)]
    for row in rows:
        quoted = ['"' + row[column].replace('"', '""') + '"' for column in columns]
        lines.append(",".join(quoted))
    accepted: list[Any] = []
    check = check_file(
        lambda: io.BytesIO("\n".join([*lines, ""]).encode()), file_contract(kind),
        name=f"{kind}/a.csv", today=TODAY, max_rejected_fraction=0,
        on_accepted=lambda table: accepted.extend(table.to_pylist()),
        on_quarantined=lambda _: None,
    )  # fmt: skip
    assert not check.is_rejected, check.reason
    return without_places(accepted)


def without_places(rows: list[dict[str, Any]]) -> list[Any]:
    dropped = ("source_line", "total_from_lines", "total_extra_cents", "added_to_total_cents")
    return sorted(
        [sorted((name, str(value)) for name, value in row.items() if name not in dropped)
         for row in rows]
    )  # fmt: skip


def check_back(source: Any, content: bytes, expected: dict[str, Any], block_bytes: int) -> None:
    read = read_by(source, content, block_bytes=block_bytes)
    assert (read.check.rule, read.check.reason, read.bad) == (None, None, [])
    assert {kind: without_places(rows) for kind, rows in read.rows.items()} == expected


@pytest.mark.medium
@given(st.integers(0, 10**9))
@settings(max_examples=examples(40))
def test_what_was_written_is_read_back(seed: int) -> None:
    chance = random.Random(seed)
    shop, shape = Shop(chance), Shape(chance)
    expected = {
        "orders": plain("orders", ORDER, shop.orders),
        "order_items": plain("order_items", LINE, shop.lines),
        "products": plain("products", PRODUCT, shop.products),
    }
    block_bytes = chance.choice((1, 40, 300, 1 << 20))
    line_id = {"line_id": chance.choice(("row_number", '"' + shape.names["line_id"] + '"'))}
    orders, lines = shape.expressions(ORDER), shape.expressions(LINE) | line_id
    products = shape.expressions(PRODUCT)
    if chance.random() < 0.5:
        only_first = chance.random() < 0.5
        by_id = {order["order_id"]: order for order in shop.orders}
        of_product = {product["product_id"]: product for product in shop.products}
        rows, seen = [], set()
        for line in shop.lines:
            order = by_id[line["order_id"]]
            if only_first and line["order_id"] in seen:
                order = dict.fromkeys(order, "")
            seen.add(line["order_id"])
            rows.append({**order, **of_product[line["product_id"]], **line})
        if chance.random() < 0.5 and line_id["line_id"] != "row_number":
            first = [row for row in rows if row["status"]]
            rest = [row for row in rows if not row["status"]]
            chance.shuffle(first)
            chance.shuffle(rest)
            rows = first + rest
        columns = [*dict.fromkeys((*ORDER, *LINE, *PRODUCT))]
        sold = {line["product_id"] for line in shop.lines}
        of_sold = [each for each in shop.products if each["product_id"] in sold]
        expected["products"] = plain("products", PRODUCT, of_sold)
        source = shape.source("order_lines", orders=orders, order_items=lines, products=products)
        check_back(source, shape.content(columns, rows), expected, block_bytes)
        return
    for kind, grain, mapping, columns, rows in (
        ("orders", "orders", orders, ORDER, shop.orders),
        ("order_items", "order_lines", lines, LINE, shop.lines),
        ("products", "products", products, PRODUCT, shop.products),
    ):
        content = shape.content([*columns], rows)
        source = shape.source(grain, **{kind: mapping})
        check_back(source, content, {kind: expected[kind]}, block_bytes)
