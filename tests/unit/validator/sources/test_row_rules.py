"""Rows of a source are held to the contracts as rows of plain files are, and told in its words."""

import pytest

from tests.support.source_files import Read, read_by

ORDERS = """\
source: my-orders
version: 1
title: Mine
rows: orders
orders:
  order_id: '"Nr"'
  user_id: Kunde
  order_date: day(Datum, '%d.%m.%Y')
  total_amount: Summe
"""
HEADER = "Nr,Kunde,Datum,Summe\n"


def orders(*rows: str, source: str = ORDERS, header: str = HEADER, block_bytes: int = 64) -> Read:
    content = header + "".join(f"{row}\n" for row in rows)
    return read_by(source, content, block_bytes=block_bytes)


@pytest.mark.parametrize(
    ("row", "rule", "said"),
    [
        (",u,01.11.2026,1", "order_id.required", 'Nr = "": order_id is empty'),
        ("x" * 65 + ",u,01.11.2026,1", "order_id.maxLength", "is longer than 64 characters"),
        ("#N/A,u,01.11.2026,1", "order_id.error", 'Nr = "#N/A": order_id'),
        ("1,u,2026-11-01,1", "order_date.format", 'Datum = "2026-11-01" gives no day (order_date)'),
        ("1,u,30.02.2026,1", "order_date.format", 'Datum = "30.02.2026" gives no day (order_date)'),
        ("1,u,01.12.2026,1", "order_date.maximum", 'Datum = "01.12.2026": order_date'),
        ("1,u,01.11.2026,", "total_amount.required", 'Summe = "": total_amount is empty'),
        ("1,u,01.11.2026,-1", "total_amount.minimum", "Summe = \"-1\": total_amount '-1' is less"),
        ("1,u,01.11.2026,1.005", "total_amount.format", "has more than 2 decimals"),
        ("1,u,01.11.2026,1e3", "total_amount.format", 'Summe = "1e3" gives no amount'),
        ("1,a\0b,01.11.2026,1", "record.nul", "NUL byte"),
        ("Summe aller Zeilen: 3", "record.fields", "the row has 1 field, the header has 4"),
        (HEADER.strip(), "order_date.format", "the line repeats the header"),
    ],
)
def test_a_row_at_fault_is_told_with_the_export_s_column_and_value(
    row: str, rule: str, said: str
) -> None:
    read = orders("9,u,01.11.2026,1", row, "8,u,01.11.2026,1")
    assert read.said() == [(3, rule)]
    assert said in read.message(3)
    assert read.message(3).startswith("incoming/s/a.csv line 3: ")
    assert read.message(3).endswith(f"(rule {rule}, my-orders v1)")
    assert read.raw(3) == row
    assert read.ids() == ["9", "8"]


def test_what_is_not_mapped_has_a_plain_default() -> None:
    [row] = orders("1,,01.11.2026,1").rows["orders"]
    assert (row["status"], row["user_id"]) == ("unknown", None)
    [product] = read_by(
        "source: ps\nversion: 1\ntitle: P\nrows: products\nproducts: {product_id: id}\n", "id\n7\n"
    ).rows["products"]
    del product["source_line"]
    assert product == {"product_id": "7", "category": "Unknown", "name": "7", "price_cents": 0}


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_a_repeated_order_is_a_duplicate_or_a_contradiction(block_bytes: int) -> None:
    read = orders(
        "1,u,01.11.2026,1", "1,u,1.11.2026,1.00", "2,u,01.11.2026,1", "2,,01.11.2026,2",
        "3,u,01.11.2026,1", block_bytes=block_bytes,
    )  # fmt: skip
    assert read.check.duplicates == 1
    assert read.said() == [(4, "order_id.contradicted")]
    assert "total_amount 1.00 here, 2.00 there" in read.message(4)
    assert [row["source_line"] for row in read.rows["orders"]] == [3, 5, 6]
    assert (read.check.guests, read.raw(4)) == (1, "2,u,01.11.2026,1")


def test_an_unclosed_quote_does_not_swallow_the_rows_after_it() -> None:
    read = orders('1,"u,01.11.2026,1', "2,u,01.11.2026,1", '3,"a', 'b",01.11.2026,3')
    assert read.said() == [(2, "record.quote"), (4, "user_id.pattern")]
    assert (read.ids(), read.raw(4)) == (["2"], '3,"a\nb",01.11.2026,3')


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
def test_two_stray_quotes_do_not_take_the_row_between_them_for_a_text(block_bytes: int) -> None:
    rows = '1,"a,01.11.2026,1', "2,u,01.11.2026,1", '3,b",01.11.2026,1'
    read = orders(*rows, block_bytes=block_bytes)
    assert (read.ids(), read.said()) == (["2"], [(2, "record.quote"), (4, "record.quote")])


def test_a_text_of_several_lines_is_one_row_where_nobody_asks_for_it() -> None:
    header = "Nr,Kunde,Datum,Summe,Notiz\n"
    read = orders('1,u,01.11.2026,1,"a', "", 'b ""c"" , d"', "2,u,01.11.2026,1,", header=header)
    assert [(row["order_id"], row["source_line"]) for row in read.rows["orders"]] == [
        ("1", 2), ("2", 5),
    ]  # fmt: skip


def test_empty_fields_beyond_the_header_are_fine() -> None:
    read = orders("1,u,01.11.2026,1,,", "2,u,01.11.2026,1", "3,u,01.11.2026,1,,x")
    assert (read.ids(), read.said()) == (["1", "2"], [(4, "record.fields")])


KINDS = """\
source: mixed
version: 1
title: Mixed
rows: order_lines
leave_out:
  remark: row_text like '--%'
orders: {where: type = 'order', order_id: id, order_date: day_, total_amount: amount_}
order_items:
  where: type = 'line'
  leave_out: {nothing: quantity_ = '0'}
  order_id: id
  product_id: sku
  quantity: quantity_
  line_amount: amount_
"""


def test_a_row_is_of_the_kind_that_its_where_says() -> None:
    read = read_by(
        KINDS,
        "type,id,day_,amount_,sku,quantity_\n"
        "order,1,2026-11-01,3.00,,\n"
        "line,1,,1.00,A,1\n"
        "line,1,,2.00,A,0\n"
        "-- 3 rows\n"
        "sum,,,3.00,,\n"
        "order,2,2026-11-01,5.00,,\n",
    )
    assert read.said() == [(6, "row.of_no_kind")]
    assert "the row gives no orders nor order items, and has no reason" in read.message(6)
    assert read.check.left_out == {"nothing": 1, "remark": 1}
    assert (read.check.rows_in, read.check.accepted) == (6, 3)
    assert read.ids() == ["1", "2"]
    assert read.kind("order_items").left_out == {"remark": 1, "nothing": 1}
    assert read.kind("orders").left_out == {"remark": 1}


def test_of_a_source_of_one_kind_where_says_which_rows_are_rows() -> None:
    mapping = "products: {where: id is not null, product_id: id}"
    source = f"source: ps\nversion: 1\ntitle: P\nrows: products\n{mapping}\n"
    read = read_by(source, "id,image\n7,a\n,b\n,c\n8,d\n")
    assert (read.check.rows_in, read.ids("products", "product_id")) == (2, ["7", "8"])
    assert read_by(source, "id,image\n,b\n").check.rule == "file.no_rows"


LINES = """\
source: lines
version: 1
title: Lines
rows: order_lines
order_items: {order_id: id, product_id: sku, quantity: n, unit_price: price, currency: cur}
products: {product_id: sku, name: title, price: list}
"""


def lines(*rows: str, **given: object) -> Read:
    content = "id,sku,n,price,cur,title,list\n" + "".join(f"{row}\n" for row in rows)
    return read_by(LINES, content, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_of_products_on_every_row_the_last_value_stands(block_bytes: int) -> None:
    read = lines(
        "1,A,1,2,,Old,5", "2,B,1,2,,Bee,", "3,A,1,2,,New,", "4,A,1,2,,,", block_bytes=block_bytes
    )
    found = {row["product_id"]: row for row in read.rows["products"]}
    assert (found["A"]["name"], found["A"]["price_cents"]) == ("New", 500)
    assert (found["B"]["price_cents"], read.kind("products").duplicates) == (0, 2)


def test_the_first_right_row_says_the_currency() -> None:
    read = lines("1,A,x,2,USD,a,1", "2,A,1,2,,a,1", "3,A,1,2,eur,a,1", "4,A,1,2,CHF,a,1")
    assert read.said() == [(2, "quantity.format"), (5, "currency.other")]
    assert "cur = \"CHF\": currency 'CHF' is not EUR, which the rows before it" in read.message(5)
    assert read.check.currency == "EUR"


def test_a_line_costs_its_quantity_times_its_price_to_the_cent() -> None:
    read = lines("1,A,3,1.115,,a,1", "2,A,2,0.0049,,a,1", "3,A,1,,,a,1")
    costs = [
        (row["line_amount_cents"], row["unit_price_cents"]) for row in read.rows["order_items"]
    ]
    assert costs == [(335, 112), (1, 0)]
    assert read.said() == [(4, "unit_price.required")]


@pytest.mark.medium
def test_very_many_bad_rows_end_the_reading() -> None:
    rows = [f"{n},A,x,1,,a,1" for n in range(60_000)]
    read = lines(*rows, block_bytes=1 << 16, max_rejected_fraction=0.2)
    assert read.check.rule == "file.too_many_bad_rows"
    assert "reading stopped there" in (read.check.reason or "")
    assert len(read.bad) < 40_000
