"""An order of a file of order lines counts whole or not at all, wherever its rows lie."""

import random
from typing import Any

import pytest

from services.validator.reading import duplicates
from tests.support.examples import some
from tests.support.source_files import Read, read_by

pytestmark = pytest.mark.medium

SOURCE = """\
source: my-shop
version: 1
title: Mine
rows: order_lines
leave_out:
  draft: Status = 'draft'
  refund: case when Status like '%!' then amount(Status) < 0 else false end
orders:
  order_id: '"Order"'
  user_id: '"E-Mail"'
  order_date: day("Date", '%d.%m.%Y')
  total_amount: Total
  status: lower(Status)
  currency: Currency
order_items:
  order_id: '"Order"'
  line_id: LINE
  product_id: Sku
  quantity: Qty
  unit_price: Price
"""
HEADER = "Order,E-Mail,Date,Total,Status,Currency,Sku,Qty,Price,Line"


def source(line_id: str = "row_number") -> str:
    return SOURCE.replace("LINE", line_id)


def a_row(order: str, sku: str = "S", **cells: Any) -> str:
    """A row that says all of its order."""
    given = {
        "mail": "m@x.example", "date": "02.11.2026", "total": "3.00", "status": "Paid",
        "currency": "EUR", "qty": "1", "price": "3.00", "line": "",
    } | cells  # fmt: skip
    names = ("mail", "date", "total", "status", "currency")
    return ",".join(
        [order, *(given[n] for n in names), sku, *(given[n] for n in ("qty", "price", "line"))]
    )


def a_file(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


@pytest.fixture(params=[1, 200, 1 << 20])
def block_bytes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def read(*rows: str, block_bytes: int = 1 << 20, line_id: str = "row_number", **given: Any) -> Read:
    return read_by(source(line_id), a_file(*rows), block_bytes=block_bytes, **given)


def test_an_order_is_what_its_rows_say_together(block_bytes: int) -> None:
    found = read(
        a_row("1", "A", mail="", status=""),
        a_row("2", "B"),
        a_row("1", "C", total="", date="", currency=""),
        block_bytes=block_bytes,
    )
    first, second = found.rows["orders"]
    assert (first["order_id"], first["user_id"], first["status"]) == ("1", "m@x.example", "paid")
    assert (first["total_amount_cents"], first["source_line"]) == (300, 2)
    assert second["source_line"] == 3
    assert [(row["order_id"], row["line_id"]) for row in found.rows["order_items"]] == [
        ("1", "1"), ("2", "1"), ("1", "2"),
    ]  # fmt: skip
    assert found.check.whole_orders
    assert (found.kind("orders").duplicates, found.check.duplicates) == (1, 0)


def test_a_row_at_fault_takes_the_others_of_its_order_with_it(block_bytes: int) -> None:
    found = read(
        a_row("1", "A"), a_row("2", "B"), a_row("1", "C", qty="x"), a_row("1", "D"), a_row("3"),
        block_bytes=block_bytes,
    )  # fmt: skip
    assert found.said() == [
        (2, "order.incomplete"), (4, "quantity.format"), (5, "order.incomplete"),
    ]  # fmt: skip
    assert 'line 4: Qty = "x" gives no amount (quantity) (rule quantity.format, my-shop v1)' in (
        found.message(4)
    )
    assert "line 2: order 1 counts whole or not at all, and its line 4 is quarantined" in (
        found.message(2)
    )
    assert found.raw(2) == a_row("1", "A")
    assert (found.ids(), found.ids("order_items")) == (["2", "3"], ["2", "3"])


@pytest.mark.parametrize(
    ("bad", "rule"),
    some(
        [
            (a_row("1") + ",more", "record.fields"),
            ("1,m@x.example", "record.fields"),
            ('1,"m" x,02.11.2026,3,Paid,EUR,S,1,3,', "record.quote"),
            (a_row("1", currency="USD"), "currency.other"),
            (a_row("1", currency="Euro"), "currency.format"),
            (a_row("1", qty="0"), "quantity.minimum"),
            (a_row("1", status="oops!"), "leave_out.format"),
            (a_row("1", price="-1"), "unit_price.minimum"),
            (a_row("1", sku=""), "product_id.required"),
            (a_row("1", date="32.10.2026"), "order_date.format"),
            (a_row("1", date="01.01.1969"), "order_date.minimum"),
            (a_row("1", total="3.999"), "total_amount.format"),
            (a_row("1", date="03.11.2026"), "order_id.contradicted"),
            (a_row("1", mail="other@x.example"), "order_id.contradicted"),
            (a_row("1", total="4"), "order_id.contradicted"),
        ]
    ),
)
def test_whatever_is_wrong_with_a_row(bad: str, rule: str, block_bytes: int) -> None:
    rows = [a_row("1", "A"), a_row("9"), bad, a_row("8")]
    found = read(*rows, block_bytes=block_bytes, currency="EUR")
    assert found.said() == [(2, "order.incomplete"), (4, rule)]
    assert found.ids() == ["9", "8"]
    assert found.raw(4) == bad


def test_a_contradiction_names_both_values_and_hides_who() -> None:
    found = read(a_row("1"), a_row("1", total="4", mail="b@x.example"))
    assert "order 1 is stated otherwise in line 2: " in found.message(3)
    assert "another user_id" in found.message(3) or "total_amount 4.00 here, 3.00 there" in (
        found.message(3)
    )
    assert "m@x.example" not in found.message(3)


def test_what_no_row_of_an_order_says_is_told_at_its_first() -> None:
    found = read(a_row("1", date=""), a_row("1", date=""), a_row("2"))
    assert found.said() == [(2, "order_date.required"), (3, "order.incomplete")]
    assert "no row of order 1 says its order_date" in found.message(2)


def test_what_only_a_row_at_fault_says_is_not_told_to_lack() -> None:
    found = read(a_row("1", qty="x"), a_row("1", date="", total="", status=""))
    assert found.said() == [(2, "quantity.format"), (3, "order.incomplete")]


def test_equal_rows_of_an_order_are_two_lines(block_bytes: int) -> None:
    found = read(a_row("1"), a_row("1"), block_bytes=block_bytes)
    assert found.ids("order_items", "line_id") == ["1", "2"]
    assert found.check.duplicates == 0


def test_a_line_id_of_the_file_that_comes_again_is_a_duplicate_or_a_contradiction() -> None:
    same, other = a_row("1", "A", line="7"), a_row("2", "B", line="7")
    found = read(same, other, same, a_row("2", "C", line="8"), line_id="Line")
    assert found.check.duplicates == 1
    assert [row["source_line"] for row in found.rows["order_items"]] == [3, 4, 5]
    found = read(same, a_row("1", "B", line="7"), other, line_id="Line")
    assert found.said() == [(2, "line_id.contradicted"), (3, "order.incomplete")]
    assert found.ids() == ["2"]


def test_left_out_rows_are_counted_and_take_nothing_with_them() -> None:
    found = read(a_row("1"), a_row("1", "B", status="draft"), a_row("2", status="draft"))
    assert found.check.left_out == {"draft": 2}
    assert (found.ids(), found.ids("order_items", "product_id")) == (["1"], ["S"])


def test_rows_that_fall_with_their_order_do_not_reject_the_file() -> None:
    rows = [a_row("1") for _ in range(10)]
    found = read(*rows, a_row("1", qty="x"), a_row("2"), max_rejected_fraction=0.2)
    assert (found.check.rule, found.check.quarantined, found.ids()) == (None, 11, ["2"])
    found = read(*[a_row(str(n), qty="x") for n in range(4)], a_row("9"), max_rejected_fraction=0.2)
    assert (found.check.rule, found.check.quarantined) == ("file.too_many_bad_rows", 5)


@pytest.mark.slow
def test_an_order_of_very_many_lines_and_one_at_fault() -> None:
    rows = [a_row("1", str(n)) for n in range(100_000)]
    found = read(*rows, a_row("1", qty="-"), a_row("2"), block_bytes=1 << 18)
    assert (found.check.accepted, found.check.quarantined, found.ids()) == (1, 100_001, ["2"])
    assert found.message(100_000).count("its line 100,002 is quarantined") == 1


def test_it_makes_no_difference_what_spills_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates.Pile.__init__, "__defaults__", (1,))
    chance = random.Random(7)
    rows = [a_row(str(n % 40), str(n)) for n in range(400)]
    chance.shuffle(rows)
    rows[17] = a_row("3", qty="x")
    found = read(*rows, block_bytes=2000)
    assert len(found.rows["orders"]) == 39
    assert {row.rule for row in found.bad} == {"order.incomplete", "quantity.format"}
    assert len(found.bad) == sum(row.startswith("3,") for row in rows)
