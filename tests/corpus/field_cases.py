"""Pollution of single fields: the row is accepted as meant, or quarantined for that column."""

from collections.abc import Iterator

from tests.corpus.cases import COLUMNS, HEALTHY_ROWS, Case, Sheet, at_each_place, healthy_cells

_ARABIC_DATE = "\u0662\u0660\u0662\u0665-\u0660\u0667-\u0660\u0667"
_WIDE_DIGITS = "\uff11\uff12"
_BAD_FIELDS = [
    ("orders", "order_id", "", "required"),
    ("orders", "order_id", "   ", "required"),
    ("orders", "order_id", '" "', "required"),
    ("orders", "order_id", "x" * 65, "maxLength"),
    ("orders", "order_id", "a\x07b", "pattern"),
    ("orders", "order_id", "a\u200bb", "pattern"),
    ("orders", "order_id", "7.41099E+12", "shortened"),
    ("orders", "order_id", '"1,23457E+12"', "shortened"),
    ("orders", "order_id", "1E+12", "shortened"),
    ("orders", "user_id", "-1.5e-05", "shortened"),
    ("order_items", "product_id", "7.41099E12", "shortened"),
    ("orders", "order_id", "#N/A", "error"),
    ("orders", "order_id", "#REF!", "error"),
    ("orders", "user_id", "#DIV/0!", "error"),
    ("order_items", "product_id", "#NAME?", "error"),
    ("products", "product_id", "########", "error"),
    ("orders", "order_id", "a\u200db", "pattern"),
    ("orders", "order_id", "a\x7fb", "pattern"),
    ("orders", "user_id", '"u\tx"', "pattern"),
    ("orders", "order_date", "", "required"),
    ("orders", "order_date", "2025-02-30", "format"),
    ("orders", "order_date", "2023-02-29", "format"),
    ("orders", "order_date", "2025-13-01", "format"),
    ("orders", "order_date", "2025-7-7", "format"),
    ("orders", "order_date", "07/07/2025", "format"),
    ("orders", "order_date", "07.07.2025", "format"),
    ("orders", "order_date", "20250707", "format"),
    ("orders", "order_date", "2025-07-07T00:00:00Z", "format"),
    ("orders", "order_date", "45845", "format"),
    ("orders", "order_date", _ARABIC_DATE, "format"),
    ("orders", "order_date", "0000-00-00", "format"),
    ("orders", "order_date", "1969-12-31", "minimum"),
    ("orders", "order_date", "2026-11-25", "maximum"),
    ("orders", "order_date", "9999-12-31", "maximum"),
    ("orders", "total_amount", "", "required"),
    ("orders", "total_amount", "12.345", "format"),
    ("orders", "total_amount", '"12,50"', "format"),
    ("orders", "total_amount", '"1,000.00"', "format"),
    ("orders", "total_amount", "$10.00", "format"),
    ("orders", "total_amount", "10.00 EUR", "format"),
    ("orders", "total_amount", "1e3", "format"),
    ("orders", "total_amount", "NaN", "format"),
    ("orders", "total_amount", "inf", "format"),
    ("orders", "total_amount", "0x10", "format"),
    ("orders", "total_amount", "1_000", "format"),
    ("orders", "total_amount", "+1.00", "format"),
    ("orders", "total_amount", ".50", "format"),
    ("orders", "total_amount", "5.", "format"),
    ("orders", "total_amount", "(5.00)", "format"),
    ("orders", "total_amount", _WIDE_DIGITS, "format"),
    ("orders", "total_amount", "=1+1", "format"),
    ("orders", "total_amount", "-0.01", "minimum"),
    ("orders", "total_amount", "10000000000.00", "maximum"),
    ("orders", "total_amount", "9" * 400, "maximum"),
    ("orders", "status", "", "required"),
    ("orders", "status", "x" * 65, "maxLength"),
    ("order_items", "quantity", "0", "minimum"),
    ("order_items", "quantity", "-1", "minimum"),
    ("order_items", "quantity", "1000001", "maximum"),
    ("order_items", "quantity", "1.0001", "format"),
    ("order_items", "quantity", "1.", "format"),
    ("orders", "total_amount", "36.3901", "format"),
    ("orders", "total_amount", "5.0050", "format"),
    ("order_items", "quantity", "two", "format"),
    ("order_items", "unit_price", "-1.00", "minimum"),
    ("order_items", "product_id", "", "required"),
    ("products", "category", "", "required"),
    ("products", "category", "x" * 257, "maxLength"),
    ("products", "name", "", "required"),
    ("products", "name", "x" * 1025, "maxLength"),
    ("products", "price", "free", "format"),
    ("products", "price", "None", "format"),
]
_GOOD_FIELDS = [
    ("orders", "order_id", "007", "007"),
    ("orders", "order_id", "x" * 64, "x" * 64),
    ("orders", "order_id", "ä" * 64, "ä" * 64),
    (
        "orders",
        "order_id",
        "6f1c9f0e-6f4b-4d1c-9b1a-2f6d3c0c7a11",
        "6f1c9f0e-6f4b-4d1c-9b1a-2f6d3c0c7a11",
    ),
    ("orders", "order_id", "NULL", "NULL"),
    ("orders", "order_id", "#1001", "#1001"),
    ("orders", "order_id", "#1!", "#1!"),
    ("orders", "order_id", "##", "##"),
    ("orders", "order_id", "=1+1", "=1+1"),
    ("orders", "order_id", "1E12", "1E12"),
    ("orders", "order_id", "12E+4", "12E+4"),
    ("orders", "order_id", "a\u00a0b", "a b"),
    ("orders", "order_id", "\u00a0a\u3000", "a"),
    ("orders", "order_id", "cafe\u0301", "caf\u00e9"),
    ("orders", "order_id", '="0001"', "0001"),
    ("orders", "order_id", '"=""0001"""', "0001"),
    ("orders", "order_id", '="a,b"', "a,b"),
    ("orders", "order_id", ' ="0""1" ', '0"1'),
    ("orders", "total_amount", '="7.50"', "7.50"),
    ("orders", "total_amount", "36.3900", "36.39"),
    ("orders", "total_amount", "5.000", "5.00"),
    ("orders", "total_amount", "5.2500000000000000000000000000000000", "5.25"),
    ("orders", "user_id", "", "None"),
    ("orders", "user_id", "\u00a0", "None"),
    ("orders", "user_id", "\\N", "None"),
    ("orders", "user_id", "NaN", "None"),
    ("orders", "user_id", "N/A", "None"),
    ("orders", "user_id", '=""', "None"),
    ("order_items", "quantity", "1.0000", "1"),
    ("products", "category", "بر\u200cبر", "بر\u200cبر"),
    ("products", "category", "Cafe\u0301\u00a0Cre\u0300me", "Café Crème"),
    ("products", "name", "x\u200dy\u2009z", "x\u200dy z"),
    ("orders", "user_id", "名前", "名前"),
    ("orders", "user_id", "😀", "😀"),
    ("orders", "user_id", '"u,1"', "u,1"),
    ("orders", "user_id", ' "u" ', "u"),
    ("orders", "user_id", '" u "', "u"),
    ("orders", "order_date", "2024-02-29", "2024-02-29"),
    ("orders", "order_date", "1970-01-01", "1970-01-01"),
    ("orders", "order_date", "2026-11-24", "2026-11-24"),
    ("orders", "order_date", '"2025-07-07"', "2025-07-07"),
    ("orders", "total_amount", "0", "0.00"),
    ("orders", "total_amount", "-0.00", "0.00"),
    ("orders", "total_amount", "7", "7.00"),
    ("orders", "total_amount", "7.5", "7.50"),
    ("orders", "total_amount", "0007.50", "7.50"),
    ("orders", "total_amount", "0" * 40 + "7.50", "7.50"),
    ("orders", "total_amount", "9999999999.99", "9999999999.99"),
    ("orders", "total_amount", " 7.50\t", "7.50"),
    ("orders", "status", "RETURNED", "returned"),
    ("orders", "status", "İ", "i̇"),
    ("order_items", "quantity", "1000000", "1000000"),
    ("order_items", "quantity", "007", "7"),
    ("products", "name", "x" * 1024, "x" * 1024),
    ("products", "name", "a\tb", "a\tb"),
    ("products", "name", "é", "é"),
]


def field_cases() -> Iterator[Case]:
    """One bad field in the middle and as the last row, and odd but right ones."""
    for table, column, written, rule in _BAD_FIELDS:
        name = f"{column} {_short(written)!a} is bad"
        line = ",".join(_with(table, column, written))
        yield from list(at_each_place(name, "field", table, line, f"{column}.{rule}"))[1::2]
    for table, column, written, meant in _GOOD_FIELDS:
        sheet = Sheet(table).rows(6)
        sheet.row(_with(table, column, meant), ",".join(_with(table, column, written)))
        yield sheet.rows(6).case(f"{column} {_short(written)!a} is right", "field")
    yield from _whole_columns()


def _with(table: str, column: str, text: str) -> tuple[str, ...]:
    cells = list(healthy_cells(table, 99))
    cells[COLUMNS[table].index(column)] = text
    return tuple(cells)


def _short(text: str) -> str:
    return text if len(text) < 20 else f"{text[:6]} and so on ({len(text)})"


def _whole_columns() -> Iterator[Case]:
    """Formats that a whole file has, as Pollock pollutes columns."""
    for name, start, end in (
        ("spaces after commas", ", ", ""),
        ("spaces around commas", " , ", ""),
        ("tabs around commas", "\t,\t", ""),
        ("everything quoted", '","', '"'),
        ("everything quoted, spaces after commas", '", "', '"'),
        ("everything quoted, spaces inside the quotes", ' "," ', '"'),
    ):
        for table in COLUMNS:
            sheet = Sheet(table, header=end + start.join(COLUMNS[table]) + end)
            for number in range(HEALTHY_ROWS):
                cells = healthy_cells(table, number)
                sheet.row(cells, end + start.join(cells) + end)
            yield sheet.case(f"{name}, {table}", "field")
    for column, written, rule in (
        ("order_date", "07/07/2025", "order_date.format"),
        ("total_amount", '"7,50"', "total_amount.format"),
        ("total_amount", "$7.50", "total_amount.format"),
    ):
        sheet = Sheet()
        for _ in range(HEALTHY_ROWS):
            sheet.broken(",".join(_with("orders", column, written)), rule)
        yield sheet.rejected(
            f"all of {column} as {written!a}", "field", "file.too_many_bad_rows", rule
        )
