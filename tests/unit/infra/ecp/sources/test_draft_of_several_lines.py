"""Drafts of files whose rows hold several order lines, and of what names and days alone tell."""

from pathlib import Path
from typing import Any

import pytest

from contracts.sources.model import Source
from contracts.sources.parser import parse_source
from infra.ecp.sources.drafting import draft
from infra.ecp.sources.measuring import read_head
from tests.support.source_files import Read, read_by

pytestmark = pytest.mark.medium

CELLS = """\
Order ID,Customer ID,Order Date,Order Status,Order Total (inc tax),Product Details
1,7,29/10/2026,Shipped,30.00,"Product ID: 1, Product Qty: 2, Product SKU: A, \
Product Name: Cup, blue, Product Unit Price: 10.00|Product ID: 2, Product Qty: 1, \
Product SKU: , Product Name: Pot, Product Unit Price: 10.00"
2,8,30/10/2026,Shipped,5.00,"Product ID: 1, Product Qty: 1, Product SKU: A, Product Name: Cup, \
Product Unit Price: 5.00"
"""
NUMBERED = """\
Order Number,Order Date,Email,Tax 1 Name,Tax 2 Name,Order Total,Line Item 1 SKU,\
Line Item 1 Quantity,Line Item 1 Price,Line Item 2 SKU,Line Item 2 Quantity,Line Item 2 Price
1,2026-10-29,a@x.example,,,30.00,A,2,10.00,B,1,10.00
2,2026-10-30,b@x.example,,,5.00,A,1,5.00,,,
"""
GERMAN = """\
Auftragsnr.;Belegdatum;Kundennr.;Materialnummer;Materialbezeichnung;Warengruppe;\
Auftragsmenge;Nettowert
45001;28.10.2026;K1;A;Tasse;Küche;2,000;1.020,50
45001;28.10.2026;K1;B;Kanne;Küche;1,000;9,50
45002;29.10.2026;K2;A;Tasse;Küche;1,000;510,25
"""
TITLES = """\
Order number,Date created,Contact email,SKU,Qty,Price,Payment status,Ship State,Total,Net amount
1,10/01/26,a@x.example,A,2,10.00,Paid,NY,25.00,25.00
1,10/01/26,a@x.example,B,1,5.00,Paid,NY,25.00,25.00
2,10/02/26,b@x.example,B,1,5.00,Paid,NJ,5.00,5.00
3,10/03/26,b@x.example,B,1,5.00,Paid,NJ,5.00,5.00
"""


def drafted(tmp_path: Path, text: str) -> tuple[Source, Read]:
    """The source that a draft is, and what it makes of its file."""
    path = tmp_path / "shop.csv"
    path.write_text(text)
    source = parse_source(draft(read_head(path)).text.encode(), "draft.yaml")
    return source, read_by(source, text)


def lines(read: Read) -> list[tuple[Any, ...]]:
    names = ("order_id", "product_id", "quantity")
    return [tuple(row[name] for name in names) for row in read.rows["order_items"]]


def test_a_cell_of_several_products_is_taken_apart_by_its_keys(tmp_path: Path) -> None:
    source, read = drafted(tmp_path, CELLS.replace("Product SKU: ,", "Product SKU: P,"))
    assert source.explode is not None
    assert (source.explode.columns, source.explode.separator) == (("Product Details",), "|")
    assert lines(read) == [("1", "A", 2), ("1", "P", 1), ("2", "A", 1)]
    assert [row["unit_price_cents"] for row in read.rows["order_items"]] == [1000, 1000, 500]
    assert read.bad == []


def test_numbered_columns_of_lines_are_one_column_each(tmp_path: Path) -> None:
    source, read = drafted(tmp_path, NUMBERED)
    assert source.explode is not None
    assert set(source.explode.numbered) == {
        f"Line Item {{n}} {name}" for name in ("SKU", "Quantity", "Price")
    }
    assert lines(read) == [("1", "A", 2), ("1", "B", 1), ("2", "A", 1)]


def test_other_numbered_columns_and_texts_with_bars_are_left_as_they_are(tmp_path: Path) -> None:
    text = "Order ID,Order Date,Total,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Notes\n"
    source, _ = drafted(tmp_path, text + "1,2026-10-29,5.00,a,1,b,2,Call: me|Room: 7\n")
    assert source.explode is None


def test_german_names_are_known_and_their_short_forms(tmp_path: Path) -> None:
    source, read = drafted(tmp_path, GERMAN)
    orders, items, products = source.mappings
    assert orders.columns["user_id"].text == '"Kundennr."'
    assert items.columns["line_amount"].text == '"Nettowert"'
    assert products.columns["category"].text == '"Warengruppe"'
    assert lines(read) == [("45001", "A", 2), ("45001", "B", 1), ("45002", "A", 1)]


@pytest.mark.parametrize(
    ("days", "form"),
    [
        (("10/01/26", "10/02/26", "10/03/26"), "%m/%d/%y"),
        (("01/10/26", "02/10/26", "03/10/26"), "%d/%m/%y"),
    ],
)
def test_of_two_ways_to_read_a_day_days_differ_more_than_months(
    days: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    text = TITLES
    for place, day in enumerate(days, start=1):
        text = text.replace(f"10/0{place}/26", day)
    source, _ = drafted(tmp_path, text)
    assert source.mappings[0].columns["order_date"].text == f"day(\"Date created\", '{form}')"


def test_what_says_the_same_on_all_lines_of_an_order_is_no_amount_of_a_line(tmp_path: Path) -> None:
    source, read = drafted(tmp_path, TITLES)
    orders, items = source.mappings
    assert items.columns["unit_price"].text == '"Price"'
    assert "line_amount" not in items.columns
    assert orders.columns["status"].text == '"Payment status"'
    assert lines(read)[0] == ("1", "A", 2)


def test_what_a_status_says_of_rows_that_may_be_no_orders_is_offered_to_be_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "payments.csv"
    rows = "ch_1,2026-10-29,5.00,Paid\nch_2,2026-10-30,5.00,Failed\nch_3,2026-10-30,5.00,Paid\n"
    path.write_text(f"id,Created (UTC),Amount,Status\n{rows}")
    text = draft(read_head(path)).text
    [offered] = [line for line in text.splitlines() if "failed:" in line]
    taken = text.replace("# leave_out:     rows", "leave_out: # rows").replace(offered, offered[1:])
    assert read_by(taken, path.read_text()).check.left_out == {"failed": 1}
