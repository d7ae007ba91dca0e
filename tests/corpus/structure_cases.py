"""Pollution of a file's structure: headers, columns, preambles, what stands around the table."""

from collections.abc import Iterator

from tests.corpus.cases import COLUMNS, HEALTHY_ROWS, Case, Sheet, healthy_cells

_ORDERS = ",".join(COLUMNS["orders"])


def structure_cases() -> Iterator[Case]:
    """Headers and columns that are right in another way, then wrong ones."""
    yield from _odd_headers()
    yield from _other_columns()
    yield from _wrong_headers()
    yield from _blank_lines()
    for table in COLUMNS:
        yield Sheet(table).rows().case(f"healthy {table}", "structure")
        yield Sheet(table).rows(1).case(f"one row of {table}", "structure")


def _odd_headers() -> Iterator[Case]:
    names = COLUMNS["orders"]
    for name, header in {
        "header in upper case": _ORDERS.upper(),
        "header in mixed case": "Order_Id,User_ID,order_Date,TOTAL_amount,Status",
        "header with spaces": ", ".join(names) + " ",
        "header with tabs": "\t,\t".join(names),
        "header quoted": ",".join(f'"{name}"' for name in names),
        "header quoted, spaces inside": ",".join(f'" {name} "' for name in names),
    }.items():
        yield Sheet(header=header).rows().case(name, "structure")
    yield Sheet().rows().case("byte order mark", "structure", prefix=b"\xef\xbb\xbf")
    sheet = Sheet(header=",".join(f'"{name}"' for name in names)).rows()
    yield sheet.case("byte order mark before a quote", "structure", prefix=b"\xef\xbb\xbf")
    sheet = Sheet(end="\r\n").rows()
    yield sheet.case("byte order mark and CRLF", "structure", prefix=b"\xef\xbb\xbf")


def _other_columns() -> Iterator[Case]:
    for table, names in COLUMNS.items():
        for shift in range(1, len(names)):
            order = [*range(shift, len(names)), *range(shift)]
            yield _arranged(f"columns of {table} moved by {shift}", table, order)
        backwards = list(range(len(names)))[::-1]
        yield _arranged(f"columns of {table} backwards", table, backwards)
        for place, where in (("first", 0), ("in the middle", 2), ("last", len(names))):
            order = list(range(len(names)))
            order.insert(where, -1)
            yield _arranged(f"an extra column of {table}, {place}", table, order)
    everywhere = [-1, 0, -1, 1, -1, 2, -1, 3, -1, 4, -1]
    yield _arranged("an extra column everywhere", "orders", everywhere)
    yield _arranged("a thousand extra columns", "orders", [0, 1, 2, 3, 4] + [-1] * 1000)
    for name, extra, text in (
        ("an extra column without a name", "", "x"),
        ("extra columns of one name", "note,note", "x,y"),
        ("trailing commas in all lines", ",,", ",,"),
        ("an extra column of quoted lines", "note", '"x\ny"'),
        ("an extra column with a very long name", "n" * 100_000, ""),
    ):
        sheet = Sheet(header=f"{_ORDERS},{extra}" if extra != ",," else _ORDERS + extra)
        for number in range(HEALTHY_ROWS):
            cells = healthy_cells("orders", number)
            tail = text if text == ",," else f",{text}"
            sheet.row(cells, ",".join(cells) + tail, lines=1 + text.count("\n"))
        yield sheet.case(name, "structure")
    yield _stray_quote_in_an_extra_column()


def _stray_quote_in_an_extra_column() -> Case:
    sheet = Sheet(header=f"{_ORDERS},note")
    for number in range(HEALTHY_ROWS):
        cells = healthy_cells("orders", number)
        line = ",".join(cells)
        if number == 5:
            sheet.broken(f'{line},"note', "record.quote")
        elif number == 8:
            sheet.broken(f'{line},note"', "record.quote")
        else:
            sheet.row(cells, f"{line},note")
    return sheet.case("stray quotes in an extra column", "structure")


def _arranged(name: str, table: str, order: list[int]) -> Case:
    """Columns in that order; -1 stands for one that is not in the contract."""
    names = COLUMNS[table]
    sheet = Sheet(table, header=",".join("note" if n < 0 else names[n] for n in order))
    for number in range(HEALTHY_ROWS):
        cells = healthy_cells(table, number)
        sheet.row(cells, ",".join("x" if n < 0 else cells[n] for n in order))
    return sheet.case(name, "structure")


def _wrong_headers() -> Iterator[Case]:
    without_header = _ORDERS.replace(",", "\n")
    for name, header, because in (
        ("no header", ",".join(healthy_cells("orders", 0)), "the first line is not a header"),
        ("one line of preamble", f"Orders of July\n{_ORDERS}", "the first line is not a header"),
        ("delimited preamble", f"Orders,of,July,,\n{_ORDERS}", "the first line is not a header"),
        ("preamble after a blank line", f"\nShop\n{_ORDERS}", "the first line is not a header"),
        ("a comment before the header", f"# orders\n{_ORDERS}", "the first line is not a header"),
        ("names one below the other", without_header, "user_id, order_date, total_amount"),
        ("missing column", "order_id,user_id,order_date,total_amount", "column status missing"),
        ("two missing columns", "order_id,order_date,status", "user_id, total_amount missing"),
        ("renamed column", _ORDERS.replace("user_id", "customer"), "column user_id missing"),
        ("a name cut short", _ORDERS[:-1], "column status missing"),
        ("a name with a space inside", _ORDERS.replace("_d", " d"), "column order_date missing"),
        ("repeated column", f"{_ORDERS},order_id", "column order_id in the header more than once"),
        ("repeated in upper case", f"{_ORDERS},STATUS", "column status in the header more than"),
        ("header of products", ",".join(COLUMNS["products"]), "the first line is not a header"),
        ("header of order_items", ",".join(COLUMNS["order_items"]), "missing from the header"),
        ("stray quote in the header", '"' + _ORDERS, "the header line is not readable"),
        ("a quoted line break in the header", '"order_\nid",user_id', "not readable"),
        ("header of 5 MB", f"{_ORDERS},{'x' * 5_000_000}", "the header line is not readable"),
    ):
        yield Sheet(header=header).rows().rejected(name, "structure", "file.header", because)
    for delimiter, what in (
        ("|", "bars"),
        (":", "colons"),
        (" ", "spaces"),
        ("\t\t", "tabs"),
        ("\\t", "backslashes"),
    ):
        for quote in ("", '"'):
            lines = [
                delimiter.join(f"{quote}{cell}{quote}" for cell in cells)
                for cells in (COLUMNS["orders"], healthy_cells("orders", 1))
            ]
            name = f"delimited by {delimiter!a}" + (", quoted" if quote else "")
            sheet = Sheet(header="\n".join(lines))
            yield sheet.rejected(name, "structure", "file.header", f"separated by {what}")
    yield from _understood()
    sheet = Sheet()
    for number in range(HEALTHY_ROWS):
        sheet.other(";".join(healthy_cells("orders", number)))
    yield sheet.rejected(
        "semicolons below a header of commas", "structure", "file.too_many_bad_rows", "12 of 12"
    )


def _blank_lines() -> Iterator[Case]:
    yield Sheet(header=f"\n\n{_ORDERS}").rejected(
        "blank lines first, no rows", "structure", "file.no_rows", "no rows"
    )
    for name, blank in (("empty", ""), ("of spaces", "   "), ("of tabs", "\t\t")):
        sheet = Sheet().rows(3).other(blank).rows(3).other(blank).other(blank).rows(3)
        yield sheet.other(blank).case(f"blank lines {name}", "structure")
        sheet = Sheet(header=blank)
        sheet.other(_ORDERS).rows(3)
        yield sheet.case(f"blank lines {name} before the header", "structure")
    yield Sheet().rows().other(" ", end="").case("spaces at the end", "structure")
    yield Sheet().rows().other("\n" * 50, end="", lines=50).case("many at the end", "structure")
    sheet = (
        Sheet("products")
        .rows(3)
        .row(("9", "Toys", "a\n\n \nb", "5.00"), lines=4, written=('9,Toys,"a\n\n \nb",5.00'))
    )
    yield sheet.other("").rows(3).case("blank lines inside and outside quotes", "structure")


def _understood() -> Iterator[Case]:
    """Headers and delimiters that can only mean one thing."""
    for name, header, delimiter in (
        ("semicolons", _ORDERS.replace(",", ";"), ";"),
        ("tabs", _ORDERS.replace(",", "\t"), "\t"),
        ("a sep line and semicolons", "sep=;\n" + _ORDERS.replace(",", ";"), ";"),
        ("a quoted sep line", '"sep=,"\n' + _ORDERS, ","),
        ("a sep line with delimiters", "SEP=,,,,,\n" + _ORDERS, ","),
        ("a sep line and a byte order mark", "sep=,\n\ufeff" + _ORDERS, ","),
        ("two byte order marks", "\ufeff\ufeff" + _ORDERS, ","),
        ("three byte order marks", "\ufeff\ufeff\ufeff" + _ORDERS, ","),
        ("empty names at the end", _ORDERS + ",,", ","),
        ("empty names at the end, semicolons", _ORDERS.replace(",", ";") + ";;", ";"),
        ("no-break spaces around names", _ORDERS.replace(",", "\u00a0,\u00a0"), ","),
        ("names as text formulas", ",".join(f'="{each}"' for each in _ORDERS.split(",")), ","),
    ):
        for extra in ("", delimiter, 5 * delimiter, f" {delimiter}\u00a0{delimiter}"):
            sheet = Sheet(header=header)
            sheet._line += header.count("\n")
            for number in range(HEALTHY_ROWS):
                cells = healthy_cells("orders", number)
                sheet.row(cells, delimiter.join(cells) + extra)
            sheet.row(healthy_cells("orders", 99), delimiter.join(healthy_cells("orders", 99)))
            faulty = delimiter.join(healthy_cells("orders", 3)) + 3 * delimiter + "x"
            sheet.broken(faulty, "record.fields")
            yield sheet.case(f"{name}, rows ending in {extra!a}", "structure")
