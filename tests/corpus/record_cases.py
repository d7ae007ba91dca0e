"""Pollution of single records: quotes, delimiters, alien lines; only the record is touched."""

from collections.abc import Iterator

from tests.corpus.cases import COLUMNS, Case, Sheet, at_each_place

_BROKEN_ORDERS = {
    "stray quote opens the first field": ('"1,u,2025-07-07,1.00,paid', "record.quote"),
    "stray quote opens a middle field": ('1,"u,2025-07-07,1.00,paid', "record.quote"),
    "stray quote opens the last field": ('1,u,2025-07-07,1.00,"paid', "record.quote"),
    "stray quote inside a field": ('1,u"x,2025-07-07,1.00,paid', "record.quote"),
    "stray quote ends a field": ('1,ux",2025-07-07,1.00,paid', "record.quote"),
    "stray quote ends the record": ('1,u,2025-07-07,1.00,paid"', "record.quote"),
    "lone quote is the record": ('"', "record.quote"),
    "lone quote is a field": ('1,",2025-07-07,1.00,paid', "record.quote"),
    "three quotes": ('1,""",2025-07-07,1.00,paid', "record.quote"),
    "text after a closing quote": ('1,"u"x,2025-07-07,1.00,paid', "record.quote"),
    "quote not doubled": ('1,"u"x"y",2025-07-07,1.00,paid', "record.quote"),
    "quote escaped by a backslash": ('1,"u\\"x",2025-07-07,1.00,paid', "record.quote"),
    "the whole record quoted": ('"1,u,2025-07-07,1.00,paid"', "record.fields"),
    "quoted with apostrophes": ("'1','u','2025-07-07','1.00','paid'", "order_date.format"),
    "lost delimiter": ("1u,2025-07-07,1.00,paid", "record.fields"),
    "extra delimiter inside": ("1,u,,2025-07-07,1.00,paid", "record.fields"),
    "extra delimiter at the end": ("1,u,2025-07-07,1.00,paid,x", "record.fields"),
    "extra delimiter at the start": (",1,u,2025-07-07,1.00,paid", "record.fields"),
    "fifteen fields": ("1,u,2025-07-07,1.00,paid" + ",x" * 10, "record.fields"),
    "one field": ("1", "record.fields"),
    "only delimiters": (",,,,", "order_id.required"),
    "only quotes and delimiters": ('"","","","",""', "order_id.required"),
    "semicolons": ("1;u;2025-07-07;1.00;paid", "record.fields"),
    "tabs": ("1\tu\t2025-07-07\t1.00\tpaid", "record.fields"),
    "two rows without a line end between": (
        "1,u,2025-07-07,1.00,paid2,u,2025-07-07,1.00,paid",
        "record.fields",
    ),
    "row cut short": ("1,u,2025-0", "record.fields"),
    "second header": (",".join(COLUMNS["orders"]), "order_date.format"),
    "second header with a byte order mark": (
        "\ufeff" + ",".join(COLUMNS["orders"]),
        "order_id.pattern",
    ),
    "byte order mark before a row": ("\ufeff1,u,2025-07-07,1.00,paid", "order_id.pattern"),
    "header of another table": (",".join(COLUMNS["products"]), "record.fields"),
    "footer of a total": ("Total,,,123.00,", "order_date.required"),
    "footer of prose": ("(12 rows affected)", "record.fields"),
    "comment": ("# exported by the shop", "record.fields"),
    "ruler": ("----,----,----,----,----", "order_date.format"),
    "merge conflict mark": ("<<<<<<< HEAD", "record.fields"),
    "JSON": ('{"order_id": 1, "user_id": "u"}', "record.quote"),
    "HTML": ("<tr><td>1</td></tr>", "record.fields"),
    "end-of-file mark of DOS": ("\x1a", "record.fields"),
    "NUL byte in a field": ("1,u\0x,2025-07-07,1.00,paid", "record.nul"),
    "NUL byte as a field": ("1,\0,2025-07-07,1.00,paid", "record.nul"),
    "NUL bytes as a line": ("\0" * 40, "record.nul"),
    "NUL byte in a quoted field": ('1,"u\0",2025-07-07,1.00,paid', "record.nul"),
    "NUL byte and a stray quote": ('1,"u\0,2025-07-07,1.00,paid', "record.nul"),
}
_BROKEN_PRODUCTS = {
    "inch sign": ('9,Screens,24" screen,5.00', "record.quote"),
    "quoted inch sign, not doubled": ('9,Screens,"24" screen",5.00', "record.quote"),
    "NUL byte in a name": ("9,Toys,Be\0ar,5.00", "record.nul"),
    "comma in a bare name": ("9,Toys,Bear, big,5.00", "record.fields"),
    "second header of products": ("product_id,category,name,price", "price.format"),
}
_ODD_PRODUCTS = {
    "quoted comma": ('9,Toys,"Bear, big",5.00', "Bear, big", 1),
    "doubled quote": ('9,Toys,"24"" screen",5.00', '24" screen', 1),
    "field of one doubled quote": ('9,Toys,"""",5.00', '"', 1),
    "quoted LF": ('9,Toys,"Big\nBear",5.00', "Big\nBear", 2),
    "quoted CRLF": ('9,Toys,"Big\r\nBear",5.00', "Big\r\nBear", 2),
    "quoted blank line": ('9,Toys,"Big\n\nBear",5.00', "Big\n\nBear", 3),
    "quoted CR": ('9,Toys,"Big\rBear",5.00', "Big\rBear", 1),
    "twelve quoted lines": (
        '9,Toys,"' + "\n".join("abcdefghijkl") + '",5.00',
        "\n".join("abcdefghijkl"),
        12,
    ),
    "quoted lines with commas and quotes": (
        '9,Toys,"a, ""b""\n,,\n""c"",",5.00',
        'a, "b"\n,,\n"c",',
        3,
    ),
    "quoted text like a header": (
        '9,Toys,"x\nproduct_id,category,name,price",5.00',
        "x\nproduct_id,category,name,price",
        2,
    ),
    "apostrophes": ("9,Toys,'Bear',5.00", "'Bear'", 1),
    "backslash": ("9,Toys,Bear\\n,5.00", "Bear\\n", 1),
    "bare CR in a name": ("9,Toys,Big\rBear,5.00", "Big\rBear", 1),
}


def record_cases() -> Iterator[Case]:
    """Every one at four places of its file."""
    for name, (written, rule) in _BROKEN_ORDERS.items():
        yield from at_each_place(name, "record", "orders", written, rule)
    for name, (written, rule) in _BROKEN_PRODUCTS.items():
        yield from at_each_place(name, "record", "products", written, rule)
    for name, (written, product, lines) in _ODD_PRODUCTS.items():
        cells = ("9", "Toys", product, "5.00")
        yield from at_each_place(name, "record", "products", written, cells, lines)
    yield from _several_broken()
    yield from _very_long()


def _several_broken() -> Iterator[Case]:
    """Neighbours that could swallow one another, or healthy rows between them."""
    sheet = Sheet("products").rows()
    sheet.broken('8,Toys,"Bear,5.00', "record.quote").row()
    sheet.broken('9,Toys,Bear",5.00', "record.quote").rows()
    yield sheet.case("stray quotes before and after a healthy row", "record")

    sheet = Sheet("products").rows()
    sheet.broken('8,Toys,"Bear', "record.quote").broken("x", "record.fields")
    sheet.broken('9,Toys,Bear",5.00,x', "record.quote").rows(20)
    yield sheet.case("two stray quotes whose span has too many fields", "record")

    sheet = Sheet().rows()
    sheet.broken('1,"u', "record.quote").broken('x",2025-07-07,1.00,paid', "record.quote").rows()
    yield sheet.case("line break where the column may hold none", "record")

    sheet = Sheet("products").rows()
    sheet.broken('8,Toys,"Be\0ar\nBig",5.00', "record.nul", lines=2).rows()
    yield sheet.case("NUL byte in a record of two lines", "record")

    sheet = Sheet().rows()
    sheet.broken('1,"u,2025-07-07,1.00,paid', "record.quote")
    sheet.broken("2,\0,2025-07-07,1.00,paid", "record.nul").rows()
    yield sheet.case("stray quote before a NUL byte", "record")

    sheet = Sheet().rows(24)
    for number in range(5):
        sheet.broken(f'{number},"u,2025-07-07,1.00,paid', "record.quote")
    yield sheet.case("five stray quotes at the end", "record")

    sheet = Sheet().rows()
    sheet.broken("p1,Toys", "record.fields").broken("p2,Tools", "record.fields").rows()
    yield sheet.case("a narrower table in between", "record")

    sheet = Sheet().rows(30).other("")
    sheet.broken(",".join(COLUMNS["order_items"]), "record.fields")
    sheet.broken("1,2001,2,75.00", "record.fields").broken("2,2002,1,5.00", "record.fields")
    yield sheet.case("a table of another shape appended", "record")

    sheet = Sheet("order_items").rows(30).other("")
    sheet.broken(",".join(COLUMNS["products"]), "quantity.format")
    sheet.broken("p1,Toys,Bear,5.00", "quantity.format")
    yield sheet.case("a table of another kind but equal width appended", "record")

    sheet = Sheet().rows(6).broken(",".join(COLUMNS["orders"]), "order_date.format").rows(6)
    yield sheet.case("two files in one", "record")


def _very_long() -> Iterator[Case]:
    mebibyte = 1 << 20
    for name, field in {
        "a field of 5 MB": "x" * 5_000_000,
        "a quoted field of 5 MB": '"' + "x" * 5_000_000 + '"',
        "a stray quote before 5 MB": '"' + "x" * 5_000_000,
        "a field of 5 MB of two-byte characters": "ä" * 2_500_000,
        "a field just above the limit": "x" * mebibyte,
    }.items():
        yield (
            Sheet()
            .rows(6)
            .broken(f"1,{field},2025-07-07,1.00,paid", "record.length")
            .rows(6)
            .case(name, "record")
        )
    sheet = Sheet().rows(6).broken(f"1,{'x' * 100_000},2025-07-07,1.00,paid", "user_id.maxLength")
    yield sheet.rows(6).case("a field of 100 kB", "record")
    sheet = Sheet(header=",".join(COLUMNS["orders"]) + ",note").rows(0)
    for number in range(1, 5):
        cells = (f"{number}", "u", "2025-07-07", "1.00", "paid")
        sheet.row(cells, ",".join(cells) + "," + "x" * 1_000_000)
    yield sheet.case("an unknown column of 1 MB in each row", "record")
    sheet = Sheet("products").rows(6)
    sheet.broken('9,Toys,"a', "record.quote")
    for _ in range(2):
        sheet.broken("b" * 600_000, "record.fields")
    sheet.broken('c",5.00', "record.quote")
    yield sheet.rows(20).case("a quoted field over lines of more than 1 MiB", "record")
