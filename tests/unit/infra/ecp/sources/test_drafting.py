"""`ecp sources draft`: what names and values of columns say, in files that nobody knows."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.sources.parser import parse_source
from infra.ecp.sources.drafting import Draft, draft
from infra.ecp.sources.measuring import Head, NotReadable, read_head
from services.runtime.sources.compilation import check_source, compile_source
from tests.support.examples import examples

pytestmark = pytest.mark.medium

ETSY = """\
"Sale Date","Item Name",Buyer,Quantity,Price,"Order Shipping","Item Total",Currency,\
"Transaction ID","Listing ID","Order ID","Order Type",SKU
12/30/25,"Mug, blue",mia_k,2,12.50,4.90,25.00,EUR,401,171,301,online,MUG-1
12/30/25,Plate,mia_k,1,9.99,4.90,9.99,EUR,402,172,301,online,
12/28/25,Plate,,3,9.99,0.00,29.97,EUR,403,172,302,online,PL-1
"""
EBAY = """\

"Sales Record Number","Order Number","Buyer Username","Item Number","Item Title","Quantity",\
"Sold For","Total Price","Sale Date"
"101","12-1","buyer1","110011","Mug","2","£12.50","£38.48","14-Oct-26"
"101","12-1","buyer1","110012","Plate","1","£9.98","","14-Oct-26"
"102","12-3","buyer2","110012","Plate","1","£1,009.98","£1,009.98","15-Oct-26"
"""
GERMAN = """\
Bestellnummer;Bestelldatum;Kundennummer;Artikelnummer;Menge;Einzelpreis;Gesamtbetrag;Währung;Status
B-1;14.10.2026 08:15;K-7;A-1;2;1.012,50;2.034,95;EUR;Erstattet
B-1;14.10.2026 08:15;K-7;A-2;1;9,95;2.034,95;EUR;Erstattet
B-2;15.10.2026 09:00;;A-1;1;12,50;12,50;EUR;Bezahlt
"""
SQUARE = """\
Date,Category,Item,Qty,SKU,Net Sales,Transaction ID,Customer ID
2026-10-14,Coffee,Latte,2.0,LAT,$7.20,T1,C1
2026-10-14,Food,Bagel,1.0,BAG,$3.50,T1,C1
2026-10-15,Food,Bagel,-1.0,BAG,($3.50),T2,
"""
STRIPE = """\
id,Created (UTC),Amount,Currency,Status,Customer ID
ch_1,2026-10-14 08:15,45.00,eur,Paid,cus_1
ch_2,2026-10-15 09:15,12.00,eur,Refunded,
"""
PRODUCTS = "sku|title|price|product type\nA-1|Tasse|1,50 €|Küche, Neu\nA-2|Teller|2,00 €|Küche\n"


def drafted(text: str, tmp_path: Path, encoding: str = "utf-8") -> tuple[Draft, dict[str, str]]:
    path = tmp_path / "Orders (3).csv"
    path.write_bytes(text.encode(encoding))
    found = draft(read_head(path))
    source = parse_source(found.text.encode(), "draft")
    compile_source(source, read_head(path).records(source.file)[0])
    return found, {f"{one.kind}.{one.column}": one.expression for one in found.columns}


def is_in(expected: dict[str, str], found: dict[str, str]) -> None:
    assert {name: found.get(name) for name in expected} == expected


def test_lines_with_a_total_nowhere_and_shipping_of_the_order(tmp_path: Path) -> None:
    found, values = drafted(ETSY, tmp_path)
    assert (found.rows, found.name) == ("order_lines", "orders-3")
    is_in(
        {
            "orders.order_id": '"Order ID"',
            "orders.user_id": '"Buyer"',
            "orders.order_date": "day(\"Sale Date\", '%m/%d/%y')",
            "orders.total_amount": 'sum_of_lines + coalesce(amount("Order Shipping"), 0)',
            "orders.currency": '"Currency"',
            "order_items.line_id": '"Transaction ID"',
            "order_items.product_id": 'coalesce(text("SKU"), "Item Name")',
            "order_items.quantity": '"Quantity"',
            "order_items.line_amount": '"Item Total"',
        },
        values,
    )
    assert "products.category" not in values


def test_a_line_above_the_header_and_signs_of_currency(tmp_path: Path) -> None:
    found, values = drafted(EBAY, tmp_path)
    file = parse_source(found.text.encode(), "draft").file
    assert (file.skip_lines, file.thousands, file.decimal) == (1, ",", ".")
    is_in(
        {
            "orders.order_date": "day(\"Sale Date\", '%d-%b-%y')",
            "orders.total_amount": "amount(regexp_replace(\"Total Price\", '[^0-9.,+-]', '', 'g'))",
            "order_items.unit_price": "amount(regexp_replace(\"Sold For\", '[^0-9.,+-]', '', 'g'))",
            "order_items.line_id": "row_number",
        },
        values,
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_decimal_commas_and_other_languages_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    found, values = drafted(GERMAN, tmp_path, encoding)
    file = parse_source(found.text.encode(), "draft").file
    assert (file.encoding, file.delimiter) == (encoding, ";")
    assert (file.decimal, file.thousands) == (",", ".")
    is_in(
        {
            "orders.order_id": '"Bestellnummer"',
            "orders.order_date": "day(\"Bestelldatum\", '%d.%m.%Y %H:%M')",
            "orders.total_amount": '"Gesamtbetrag"',
            "orders.status": (
                "case when lower(\"Status\") in ('erstattet') then 'returned' else \"Status\" end"
            ),
            "orders.currency": '"Währung"',
            "order_items.unit_price": '"Einzelpreis"',
        },
        values,
    )


def test_a_total_that_differs_within_an_order_is_the_line_s(tmp_path: Path) -> None:
    _, values = drafted(SQUARE.replace("Net Sales", "Total Collected"), tmp_path)
    is_in(
        {
            "orders.total_amount": "sum_of_lines",
            "order_items.line_amount": (
                "amount(regexp_replace(regexp_replace(\"Total Collected\", '^\\(', '-'), "
                "'[^0-9.,+-]', '', 'g'))"
            ),
            "products.category": '"Category"',
        },
        values,
    )


def test_negative_quantities_are_left_out_with_a_reason(tmp_path: Path) -> None:
    found, _ = drafted(SQUARE, tmp_path)
    source = parse_source(found.text.encode(), "draft")
    assert {name: each.text for name, each in source.leave_out.items()} == {
        "negative_quantity": "\"Qty\" like '-%'"
    }


def test_rows_that_are_orders(tmp_path: Path) -> None:
    found, values = drafted(STRIPE, tmp_path)
    assert found.rows == "orders"
    is_in(
        {
            "orders.order_id": '"id"',
            "orders.total_amount": '"Amount"',
            "orders.order_date": "day(\"Created (UTC)\", '%Y-%m-%d %H:%M')",
            "orders.currency": '"Currency"',
        },
        values,
    )


def test_rows_that_are_products(tmp_path: Path) -> None:
    found, values = drafted(PRODUCTS, tmp_path)
    assert found.rows == "products"
    assert values == {
        "products.product_id": '"sku"',
        "products.category": "split_part(\"product type\", ', ', 1)",
        "products.name": '"title"',
        "products.price": "amount(regexp_replace(\"price\", '[^0-9.,+-]', '', 'g'))",
    }


def test_a_day_that_could_be_two_is_doubted(tmp_path: Path) -> None:
    rows = "order id,date,total\n{}\n"
    doubted, _ = drafted(rows.format("1,03/04/2026,1"), tmp_path)
    certain, _ = drafted(rows.format("1,13/04/2026,1"), tmp_path)
    [before, after] = [
        next(one for one in found.columns if one.column == "order_date")
        for found in (doubted, certain)
    ]
    assert (before.confidence < 0.7, after.confidence > 0.9) == (True, True)
    assert "the other way round" in before.why
    assert after.expression == "day(\"date\", '%d/%m/%Y')"


def test_what_fits_nothing_is_said_to(tmp_path: Path) -> None:
    found, values = drafted("alpha,beta\nx,y\n", tmp_path)
    assert found.confidence == 0.0
    assert values["orders.order_date"] == "day(null, '%Y-%m-%d')"
    assert "nothing fits: name the column" in found.text


CELLS = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=examples(50))
@given(st.lists(st.lists(CELLS, min_size=1, max_size=6), min_size=1, max_size=5))
def test_whatever_a_file_holds_its_draft_is_a_source(rows: Any) -> None:
    text = "\n".join(",".join(row) for row in rows)
    head = Head(Path("a.csv"), text.encode(), is_all=True)
    try:
        found = draft(head)
    except NotReadable:
        return
    check_source(parse_source(found.text.encode(), "draft"))
