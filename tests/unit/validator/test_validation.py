"""The rules of docs/design.md, Validation, one by one, as rows and files meet them."""

import gzip
import io
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from contracts.file_contracts import file_contract
from services.validator.reading import block_checks, verdict
from services.validator.reading.file_check import check_file
from services.validator.reading.line_blocks import BLOCK_BYTES
from services.validator.reading.quarantined_rows import QuarantinedRow
from services.validator.reading.verdict import FileCheck
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv
from tests.support.standing_rows import that_stand

TODAY = date(2025, 7, 8)
HEADER = b"order_id,user_id,order_date,total_amount,status\n"
ROW = b"1,u1,2025-07-07,10.00,completed\n"
GZIPPED = gzip.compress(HEADER + ROW, mtime=0)


@dataclass(frozen=True)
class Checked:
    """The outcome, the accepted rows and the bad ones."""

    outcome: FileCheck
    rows: list[dict[str, Any]]
    bad: list[QuarantinedRow]


def check(
    content: str | bytes,
    kind: str = "orders",
    name: str = "a.csv",
    limit: float = 1,
    currency: str | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Any:
    rows: list[dict[str, Any]] = []
    bad: list[QuarantinedRow] = []
    outcome = check_file(
        lambda: io.BytesIO(content.encode() if isinstance(content, str) else content),
        file_contract(kind),
        name=f"{kind}/{name}",
        today=TODAY,
        max_rejected_fraction=limit,
        on_accepted=lambda table: rows.extend(table.to_pylist()),
        on_quarantined=bad.extend,
        currency=currency,
        block_bytes=block_bytes,
    )
    return Checked(outcome, that_stand(outcome, rows), sorted(bad, key=lambda row: row.line))


def the_row(content: str | bytes, kind: str = "orders") -> dict[str, Any]:
    """The only row of a file, which is accepted."""
    checked = check(content, kind)
    assert checked.bad == []
    [row] = checked.rows
    return dict(row)


def the_rule(content: str | bytes, kind: str = "orders") -> str:
    """The rule that the only row of a file breaks."""
    checked = check(content, kind)
    assert checked.rows == []
    [bad] = checked.bad
    return str(bad.rule)


def test_an_order_is_staged_with_its_day_cents_and_line() -> None:
    assert the_row(orders_csv(an_order(total_amount="150.5", status="Shipped"))) == {
        "order_id": "1",
        "user_id": "u1",
        "order_date": date(2025, 7, 7),
        "total_amount_cents": 15050,
        "status": "shipped",
        "source_line": 2,
    }


def test_an_order_line_is_staged_with_its_cents() -> None:
    row = the_row(items_csv(an_item(quantity="3", unit_price="75")), "order_items")
    assert (row["quantity"], row["unit_price_cents"]) == (3, 7500)


def test_a_product_is_staged_with_its_cents() -> None:
    row = the_row(products_csv(a_product(name="Ürün ☕", price="9999999999.99")), "products")
    assert (row["name"], row["price_cents"]) == ("Ürün ☕", 999_999_999_999)


def test_a_bad_row_is_named_by_key_line_column_rule_value_and_contract() -> None:
    checked = check(orders_csv(an_order(), an_order("2", order_date="2025-02-30"), an_order("3")))
    [bad] = checked.bad
    assert bad == QuarantinedRow(
        line=3,
        column="order_date",
        rule="order_date.format",
        message="orders/a.csv line 3: order_date '2025-02-30' is not a date "
        "(rule order_date.format, orders v2)",
        raw="2,u1,2025-02-30,10.00,completed",
    )
    assert [row["order_id"] for row in checked.rows] == ["1", "3"]
    assert (checked.outcome.rows_in, checked.outcome.accepted, checked.outcome.quarantined) == (
        3,
        2,
        1,
    )


def test_a_row_with_two_faults_tells_both() -> None:
    [bad] = check(orders_csv(an_order(total_amount="x", status=""))).bad
    assert bad.rule == "total_amount.format"
    assert "status is empty (rule status.required" in bad.message


@pytest.mark.parametrize("order_id", ["1001", "0b7cf5b8-4d3c-4d51-9a6c-1f6ab1a2c3d4", "x" * 64])
def test_an_id_is_any_printable_text_of_up_to_64_characters(order_id: str) -> None:
    assert the_row(orders_csv(an_order(order_id)))["order_id"] == order_id


@pytest.mark.parametrize(
    ("order_id", "rule"),
    [
        ("", "order_id.required"),
        ("x" * 65, "order_id.maxLength"),
        ("a\x07b", "order_id.pattern"),
        ("a\u200bb", "order_id.pattern"),
    ],
)
def test_an_id_that_is_empty_long_or_invisible_is_bad(order_id: str, rule: str) -> None:
    assert the_rule(orders_csv(an_order(order_id))) == rule


def hidden_characters() -> list[str]:
    """Controls and format characters, but those that are seen: they stand above numbers."""
    seen = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    every = map(chr, sorted(set(range(0x110000)) - seen))
    return [each for each in every if unicodedata.category(each) in ("Cc", "Cf")]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("kind", "column", "allowed"),
    [
        ("orders", "order_id", ""),
        ("orders", "user_id", ""),
        ("products", "category", "\u200c\u200d"),
    ],
)
def test_no_character_that_nobody_sees_stands_in_an_id_or_a_category(
    kind: str, column: str, allowed: str
) -> None:
    a_row, a_file = (an_order, orders_csv) if kind == "orders" else (a_product, products_csv)
    wrong = [each for each in hidden_characters() if each not in f"\0\r\n{allowed}"]
    assert {"\u061c", "\u180e", "\u2066", "\u2069", "\U000e0041"} < set(wrong)
    checked = check(a_file(*(a_row(**{column: f"a{each}b"}) for each in wrong)), kind)
    assert [bad.rule for bad in checked.bad] == [f"{column}.pattern"] * len(wrong)
    for each, bad in zip(wrong, checked.bad, strict=True):
        assert f"holds U+{ord(each):04X} (" in bad.message


def test_joiners_and_marks_of_direction_stay_in_the_name_of_a_product() -> None:
    name = "\u0645\u06cc\u200c\u062e \u2067a\u2069"
    assert the_row(products_csv(a_product(name=name)), "products")["name"] == name


@pytest.mark.parametrize("day", ["1970-01-01", "2024-02-29", "2025-07-09"])
def test_a_date_is_a_real_day_from_1970_to_tomorrow(day: str) -> None:
    assert the_row(orders_csv(an_order(order_date=day)))["order_date"] == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("day", "rule"),
    [
        ("2025-02-29", "order_date.format"),
        ("2025-7-7", "order_date.format"),
        ("07/07/2025", "order_date.format"),
        ("20250707", "order_date.format"),
        ("2025-07-07T10:00:00", "order_date.format"),
        ("1969-12-31", "order_date.minimum"),
        ("2025-07-10", "order_date.maximum"),
        ("", "order_date.required"),
    ],
)
def test_any_other_date_is_bad(day: str, rule: str) -> None:
    assert the_rule(orders_csv(an_order(order_date=day))) == rule


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("0", 0), ("0.1", 10), ("12.50", 1250), ("007.00", 700), ("9999999999.99", 999_999_999_999)],
)
def test_money_is_exact_in_cents(amount: str, cents: int) -> None:
    assert the_row(orders_csv(an_order(total_amount=amount)))["total_amount_cents"] == cents


@pytest.mark.parametrize(
    ("amount", "rule"),
    [
        ("19.999", "total_amount.format"),
        ("$12.00", "total_amount.format"),
        ("12 00", "total_amount.format"),
        ('"1,200.00"', "total_amount.format"),
        ("1e3", "total_amount.format"),
        ("NaN", "total_amount.format"),
        ("+5", "total_amount.format"),
        ("-0.01", "total_amount.minimum"),
        ("10000000000.00", "total_amount.maximum"),
        ("", "total_amount.required"),
    ],
)
def test_any_other_money_is_bad(amount: str, rule: str) -> None:
    assert the_rule(orders_csv(an_order(total_amount=amount))) == rule


@pytest.mark.parametrize("quantity", ["1", "1000000"])
def test_a_quantity_is_1_to_a_million(quantity: str) -> None:
    row = the_row(items_csv(an_item(quantity=quantity)), "order_items")
    assert row["quantity"] == int(quantity)


@pytest.mark.parametrize(
    ("quantity", "rule"),
    [
        ("0", "quantity.minimum"),
        ("-2", "quantity.minimum"),
        ("1000001", "quantity.maximum"),
        ("1.5", "quantity.format"),
        ("two", "quantity.format"),
        ("9" * 40, "quantity.maximum"),
    ],
)
def test_any_other_quantity_is_bad(quantity: str, rule: str) -> None:
    assert the_rule(items_csv(an_item(quantity=quantity)), "order_items") == rule


@pytest.mark.parametrize(("status", "staged"), [("Returned", "returned"), ("wartet", "wartet")])
def test_a_status_is_any_word_in_lower_case(status: str, staged: str) -> None:
    assert the_row(orders_csv(an_order(status=status)))["status"] == staged


def test_an_empty_status_is_bad() -> None:
    assert the_rule(orders_csv(an_order(status=" "))) == "status.required"


@pytest.mark.parametrize(
    "text",
    [
        "order_id,user_id,order_date,total_amount,status\n1, 1001, 2025-07-07, 150.00, completed\n",
        "order_id , user_id,\torder_date,total_amount,status\n1\t,1001,2025-07-07 ,150.0,completed",
        " ORDER_ID,User_Id,order_date,total_amount,status\r\n1,1001,2025-07-07,150,completed\r\n",
        '\ufeff"order_id","user_id",order_date,total_amount,status\n"1","1001",2025-07-07,150.0,'
        '"completed"\n',
        "status,total_amount,order_date,user_id,order_id\ncompleted,150.00,2025-07-07,1001,1\n",
        "\n\norder_id,user_id,order_date,total_amount,status\n\n1,1001,2025-07-07,150,completed\n\n",
    ],
    ids=["spaces", "tabs", "case and CRLF", "BOM and quotes", "order", "blank lines"],
)
def test_spaces_case_order_bom_crlf_and_blank_lines_do_not_matter(text: str) -> None:
    row = the_row(text)
    assert (row["order_id"], row["user_id"], row["status"]) == ("1", "1001", "completed")
    assert (row["order_date"], row["total_amount_cents"]) == (date(2025, 7, 7), 15000)


def test_unknown_columns_are_ignored_and_reported() -> None:
    checked = check(
        b"order_id,note,user_id,order_date,total_amount,status,Coupon\n"
        b"1,hello,u1,2025-07-07,10.00,completed,X\n"
    )
    assert checked.outcome.unknown_columns == ("note", "Coupon")
    assert checked.rows[0]["user_id"] == "u1"


def test_a_quoted_field_may_hold_commas_quotes_and_line_breaks() -> None:
    text = 'product_id,category,name,price\np1,"Toys, games","24"" bear\nwith hat",5\np2,Toys,b,1\n'
    checked = check(text, "products")
    assert [row["name"] for row in checked.rows] == ['24" bear\nwith hat', "b"]
    assert checked.rows[0]["category"] == "Toys, games"
    assert [row["source_line"] for row in checked.rows] == [2, 4]


def test_a_stray_quote_costs_one_row_and_not_the_lines_after_it() -> None:
    checked = check(orders_csv(an_order("1"), '2,"u2,2025-07-07,1.00,paid', an_order("3")))
    assert [row["order_id"] for row in checked.rows] == ["1", "3"]
    [bad] = checked.bad
    assert (bad.line, bad.column, bad.rule) == (3, None, "record.quote")
    assert bad.raw == '2,"u2,2025-07-07,1.00,paid'


def test_a_row_with_too_few_or_too_many_fields_is_bad() -> None:
    checked = check(orders_csv("1,u1,2025-07-07,10.00", an_order() + ",x", an_order("3")))
    assert [(bad.line, bad.rule) for bad in checked.bad] == [
        (2, "record.fields"),
        (3, "record.fields"),
    ]
    assert "the row has 4 fields, the header has 5" in checked.bad[0].message


def test_a_row_with_a_nul_byte_is_bad() -> None:
    checked = check(HEADER + b"1,\0,2025-07-07,1,x\n" + ROW)
    [bad] = checked.bad
    assert (bad.line, bad.column, bad.rule) == (2, None, "record.nul")
    assert len(checked.rows) == 1


def test_lines_may_end_in_a_carriage_return_alone_as_old_spreadsheets_write_them() -> None:
    checked = check((HEADER + ROW + b"2" + ROW[1:]).replace(b"\n", b"\r"))
    assert [(row["order_id"], row["source_line"]) for row in checked.rows] == [("1", 2), ("2", 3)]


def test_a_line_of_more_than_a_mebibyte_is_bad_and_its_text_is_cut() -> None:
    checked = check(orders_csv("x" * (1 << 20) + ",", an_order()))
    [bad] = checked.bad
    assert (bad.rule, bad.line) == ("record.length", 2)
    assert len(bad.raw) < 70_000
    assert bad.raw.endswith("[cut: the record is longer than 65,536 bytes]")
    assert len(checked.rows) == 1


def test_gzip_of_several_members_is_read_whole() -> None:
    packed = gzip.compress(HEADER + ROW) + gzip.compress(b"2" + ROW[1:])
    assert [row["order_id"] for row in check(packed, name="a.CSV.GZ").rows] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "name", "rule", "reason"),
    [
        (b"", "a.csv", "file.empty", "the file is empty"),
        (b" \n\r\n", "a.csv", "file.empty", "the file is empty"),
        (HEADER, "a.csv", "file.no_rows", "a header but no rows"),
        (ROW, "a.csv", "file.header", "the first line is not a header"),
        (HEADER.replace(b"user_id,", b""), "a.csv", "file.header", "column user_id missing"),
        (
            HEADER.replace(b",", b";").replace(b"status", b"status;x"),
            "a.csv",
            "file.header",
            "separated by semicolons",
        ),
        (HEADER[:-1] + b",STATUS\n" + ROW, "a.csv", "file.header", "status in the header more"),
        (
            HEADER + b"1,\xe9t\xe9,2025-07-07,1,x\n",
            "a.csv",
            "file.encoding",
            "line 2.*Windows-1252",
        ),
        ((HEADER + ROW).decode().encode("utf-16"), "a.csv", "file.encoding", "UTF-16"),
        (b"PK\x03\x04...", "a.csv", "file.binary", "Excel workbook"),
        (GZIPPED, "a.csv", "file.binary", r"a name that ends in \.csv\.gz"),
        (HEADER + ROW, "a.csv.gz", "file.gzip", "not readable as gzip"),
        (GZIPPED[:-9], "a.csv.gz", "file.gzip", "ends too early"),
    ],
)
def test_a_file_that_cannot_be_used_is_rejected_whole_with_the_reason(
    content: bytes, name: str, rule: str, reason: str
) -> None:
    outcome = check(content, name=name).outcome
    assert outcome.is_rejected
    assert outcome.rule == rule
    assert outcome.accepted == 0
    assert re.search(reason, str(outcome.reason)), outcome.reason


def test_one_bad_row_in_five_is_still_a_good_file() -> None:
    rows = [*(an_order(str(n)) for n in range(4)), an_order(status="")]
    assert not check(orders_csv(*rows), limit=0.2).outcome.is_rejected


def test_more_than_one_bad_row_in_five_rejects_the_file_and_names_the_commonest_rule() -> None:
    rows = [*(an_order(str(n)) for n in range(7)), an_order(status=""), *[an_order("")] * 2]
    outcome = check(orders_csv(*rows), limit=0.2).outcome
    assert outcome.rule == "file.too_many_bad_rows"
    assert "3 of 10 rows are bad, more than 20%" in str(outcome.reason)
    assert "most often order_id.required (2 rows, the first in lines 10, 11)" in str(outcome.reason)
    assert str(outcome.reason).endswith("orders/a.csv line 10: order_id is empty")
    assert (outcome.rows_in, outcome.accepted, outcome.quarantined) == (10, 0, 10)


def test_the_reason_names_no_rule_twice_where_its_example_breaks_two() -> None:
    """That of the example stands before it, and that of the file is said beside the reason."""
    outcome = check(orders_csv(an_order(), ",u1,2025-07-07,1.00,"), limit=0.2).outcome
    assert str(outcome.reason).count("order_id.required") == 1
    assert "order_id is empty" in str(outcome.reason)
    assert str(outcome.reason).endswith("; status is empty")
    assert "(rule " not in str(outcome.reason)


def test_one_bad_row_is_told_in_the_singular() -> None:
    outcome = check(orders_csv(an_order(), an_order(status="")), limit=0.2).outcome
    assert str(outcome.reason).startswith("1 of 2 rows is bad, more than 20%; ")


def test_reading_stops_when_a_file_is_hopeless_and_the_reason_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four rows fit into a block: what was counted is what was read, and the rest is unknown."""
    monkeypatch.setattr(verdict, "MAX_BAD_ROWS", 3)
    row = f"1,u1,2025-07-07,,{'x' * 15}\n"
    outcome = check(HEADER.decode() + row * 100, limit=0.2, block_bytes=4 * len(row)).outcome
    assert outcome.rule == "file.too_many_bad_rows"
    assert 3 < outcome.rows_in < 20
    assert (outcome.accepted, outcome.quarantined) == (0, outcome.rows_in)
    read = f"{outcome.rows_in} of {outcome.rows_in} rows that were read are bad, more than 20%"
    assert f"{read}; reading stopped there, at over 3 bad rows" in str(outcome.reason)


@pytest.mark.medium
def test_reading_stops_where_the_verdict_is_certain_and_the_reason_says_of_what(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One in five lines of the whole file has to be bad, also where all of them come first."""
    monkeypatch.setattr(verdict, "ENOUGH_BAD_ROWS", 3)
    monkeypatch.setattr(block_checks, "PORTION_ROWS", 2)
    bad, good = "1,u1,2025-07-07,,x", [an_order(str(n)) for n in range(79)]
    few = check(orders_csv(*[bad] * 19, *good), limit=0.2, block_bytes=50).outcome
    assert (few.rule, few.rows_in, few.quarantined) == (None, 98, 19)
    as_many = check(orders_csv(*[bad] * 20, *good[1:]), limit=0.2, block_bytes=50).outcome
    assert (as_many.rule, as_many.rows_in) == ("file.too_many_bad_rows", 98)
    many = check(orders_csv(*[bad] * 60, *good), limit=0.2, block_bytes=1 << 20).outcome
    assert many.rule == "file.too_many_bad_rows"
    assert (many.rows_in, many.read, many.bad) == (30, 0, 30)
    assert (
        "30 rows are bad, more than 20% of all that the file's 141 lines can hold; reading stopped "
        "there: what follows was neither checked nor counted; most often total_amount.required "
        "(30 rows, the first in lines 2, 3, 4)" in str(many.reason)
    )


def test_a_fault_of_the_whole_file_is_told_also_where_reading_would_have_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "ENOUGH_BAD_ROWS", 3)
    text = HEADER + b"1,u1,2025-07-07,,x\n" * 50 + b"2,\xff,2025-07-07,1,x\n"
    outcome = check(text, limit=0.2, block_bytes=30).outcome
    assert outcome.rule == "file.encoding"
    assert "line 52 holds byte 0xFF" in str(outcome.reason)


@pytest.mark.parametrize(("after", "stopped"), [(b"", False), (b"1,u1,2025-07-07,1.00,x\n", True)])
def test_reading_has_stopped_only_where_something_follows(
    after: bytes, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "MAX_BAD_ROWS", 3)
    text = HEADER + b"1,u1,2025-07-07,,x\n" * 10
    outcome = check(text + after, limit=0.2, block_bytes=len(text)).outcome
    assert outcome.rule == "file.too_many_bad_rows"
    assert outcome.rows_in == 10
    assert ("reading stopped" in str(outcome.reason)) is stopped
