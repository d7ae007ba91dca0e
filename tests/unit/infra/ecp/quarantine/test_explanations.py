"""A caret under what is wrong, and advice on every rule that a row can break."""

import pytest

from contracts.file_contracts import file_contract
from contracts.layout import KINDS
from infra.ecp.quarantine.explanations import (
    LONGEST_SHOWN,
    advice,
    pointed_at,
    replacement,
    resubmission,
)


def a_row(raw: str, column: str | None, message: str = "", rule: str = "") -> dict[str, object]:
    rule = rule or f"{column}.format"
    return {"kind": "orders", "raw": raw, "column": column, "message": message, "rule": rule}


def underlined(row: dict[str, object]) -> str:
    shown, carets = pointed_at(row)
    return "".join(
        letter
        for letter, caret in zip(shown.ljust(len(carets)), carets, strict=False)
        if caret == "^"
    )


@pytest.mark.parametrize(
    ("raw", "column", "message", "under"),
    [
        ("1,7,2025-02-30,1.00,ok", "order_date", "'2025-02-30' is not a date", "2025-02-30"),
        ("5,5,2025-07-01,5,ok", "total_amount", "'5' is too small", "5"),
        ("1,7,2025-07-01,-1,ok", "total_amount", "below 0", "-1"),
        ('1,"7,2025-07-01,1,ok', None, "a quote is not closed", '1,"7,2025-07-01,1,ok'),
        ("1,7,2025-07-01", "status", "missing", "1,7,2025-07-01"),
    ],
)
def test_the_caret_is_under_the_fault(raw: str, column: str, message: str, under: str) -> None:
    assert underlined(a_row(raw, column, message)) == under


def test_a_value_that_stands_twice_is_underlined_in_its_own_column() -> None:
    _, carets = pointed_at(a_row("5,5,2025-07-01,5,ok", "total_amount", "'5' is too small"))
    assert carets == " " * 15 + "^"


def test_an_empty_value_has_one_caret_where_it_should_stand() -> None:
    raw = ",7,2025-07-01,1.00,ok"
    assert pointed_at(a_row(raw, "order_id", "order_id is empty")) == (raw, "^")


def test_a_long_line_is_cut_around_the_fault_and_says_so() -> None:
    raw = "x" * 500 + "WRONG" + "y" * 500
    shown, carets = pointed_at(a_row(raw, "user_id", "'WRONG' is wrong"))
    assert (shown[:3], shown[-3:]) == ("...", "...")
    assert len(shown) == LONGEST_SHOWN + 6
    assert shown[carets.index("^") : len(carets)] == "WRONG"


@pytest.mark.parametrize("raw", [None, "", "\n"])
def test_a_row_without_text_is_no_reason_to_fail(raw: str) -> None:
    assert pointed_at(a_row(raw, None)) == ("", "^")


def test_only_the_first_line_of_a_record_is_shown() -> None:
    assert pointed_at(a_row("1,ab\ncd,3", None))[0] == "1,ab"


RULES = [
    f"{column}.{constraint}"
    for kind in KINDS
    for column in file_contract(kind).columns
    for constraint in ("required", "format", "maximum", "minimum", "pattern")
]


@pytest.mark.parametrize("rule", ["record.quote", "record.fields", "record.length", *RULES])
def test_every_rule_has_advice(rule: str) -> None:
    said = advice(a_row("", rule.split(".")[0], rule=rule))
    assert len(said) > 5


def test_advice_on_an_unknown_rule_names_the_column() -> None:
    assert advice(a_row("", "colour", rule="colour.enum")) == "correct colour"
    assert advice(a_row("", None, rule="record.odd")) == "correct the line"


def test_corrected_rows_are_exported_and_replayed() -> None:
    said = resubmission("orders/a.csv", {"orders", "order_items"})
    assert "`ecp quarantine export orders/a.csv --to corrections`" in said
    assert "replay corrections/order_items.csv corrections/orders.csv --wait`" in said


def test_a_refused_file_is_given_back_and_uploaded_again() -> None:
    assert "`ecp quarantine export orders/a.csv --to FILE`" in replacement("orders/a.csv")
