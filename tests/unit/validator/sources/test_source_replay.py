"""Corrected rows of an export find the quarantined rows that they answer, and go in whole."""

import io
from collections.abc import Sequence
from typing import Any

import pytest

from services.runtime.quarantine.replays import RowId
from services.validator.quarantine.current_rows import CurrentRow, Origin, Precedence
from services.validator.quarantine.export_rows import ExportFormat, as_export, starts_of
from services.validator.quarantine.replay_plan import PlacedRow
from services.validator.quarantine.source_replay import (
    Answer,
    Corrected,
    HeldRow,
    Product,
    ReadRow,
    answers,
    kept_whole,
    restated,
    undone,
)
from services.validator.quarantine.source_rows import ReadFile, read_file
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.support.source_files import a_source

KEY = "incoming/my-shop/a.csv"
LINES = Corrected("my-shop.csv", "my-shop v2", "order_items", "order_id")
SINGLE = Corrected("my-shop.csv", "my-shop v2", "orders", "order_id")


def held(line: int, identity: str | None, text: str = "old", batch: str = BATCH) -> HeldRow:
    return HeldRow(RowId(batch, KEY, "v1", line), identity, text)


def row(line: int, identity: str | None, text: str = "new", product: str | None = None) -> ReadRow:
    return ReadRow(line, identity, text, product)


def judged(
    rows: Sequence[ReadRow], of: Sequence[HeldRow], faults: dict[int, str] | None = None
) -> list[Answer]:
    return answers(LINES, rows, faults or {}, of)


def states(found: Sequence[Answer]) -> list[tuple[str, int]]:
    return [(each.verdict.state, each.verdict.correction.row_id.line) for each in found]


def test_each_row_of_an_order_answers_the_quarantined_one_in_its_place() -> None:
    found = judged(
        [row(2, "1"), row(3, "2"), row(4, "1", "old")], [held(7, "1"), held(9, "1"), held(8, "2")]
    )
    assert states(found) == [("fixed", 7), ("fixed", 8), ("fixed", 9)]
    assert [each.verdict.changed for each in found] == [("text",), ("text",), ()]


def test_a_row_that_is_still_wrong_says_why_and_one_that_nobody_touched_is_unchanged() -> None:
    found = judged(
        [row(2, "1"), row(3, "1", "old")], [held(7, "1"), held(8, "1")], {2: "a", 3: "b"}
    )
    assert [(each.verdict.state, each.verdict.message) for each in found] == [
        ("wrong", "a"),
        ("unchanged", "b"),
    ]


def test_an_order_with_fewer_rows_than_were_quarantined_is_refused_whole() -> None:
    [found] = judged([row(2, "1")], [held(7, "1"), held(8, "1")])
    assert found.verdict.state == "refused"
    said = found.verdict.message or ""
    assert f"order_id 1 has 1 of the 2 rows that were quarantined together ({KEY} line 7, 8" in said
    assert "put the others back" in said


def test_an_order_with_more_rows_is_a_new_statement() -> None:
    found = judged([row(2, "1"), row(3, "1")], [held(7, "1")])
    assert {each.verdict.state for each in found} == {"refused"}
    assert "`ecp submit --source my-shop`" in (found[0].verdict.message or "")


def test_of_an_order_that_two_files_had_quarantined_the_newer_one_is_answered() -> None:
    of = [held(7, "1"), held(8, "1"), held(3, "1", batch=OTHER_BATCH)]
    [found] = judged([row(2, "1")], of)
    assert found.verdict.correction.row_id == RowId(OTHER_BATCH, KEY, "v1", 3)
    twice = judged([row(2, "1"), row(3, "1"), row(4, "1")], of)
    assert {each.verdict.state for each in twice} == {"refused"}
    assert OTHER_BATCH in (twice[0].verdict.message or "")


def test_a_row_of_an_order_that_is_not_in_quarantine_is_refused() -> None:
    [found] = judged([row(2, "5")], [held(7, None), held(8, "1")])
    assert states([found]) == [("refused", 2)]
    assert "no row of order_id 5" in (found.verdict.message or "")


def test_a_row_that_states_nothing_is_refused_and_a_broken_one_wrong() -> None:
    found = judged([row(2, None), row(3, None)], [held(7, None)], {3: "a stray quote"})
    assert [each.verdict.state for each in found] == ["refused", "wrong"]
    assert "leaves this row out" in (found[0].verdict.message or "")
    assert found[1].verdict.message == "a stray quote"


def test_an_order_is_kept_out_with_all_of_its_rows() -> None:
    found = judged(
        [row(2, "1"), row(3, "2"), row(4, "1")], [held(7, "1"), held(8, "1"), held(9, "2")]
    )
    kept = kept_whole(found, {"1": "for a reason"})
    assert [each.verdict.message for each in kept] == ["for a reason", None, "for a reason"]
    assert [each.verdict.state for each in kept] == ["refused", "fixed", "refused"]


def stands(epoch: int, line: int, file: int = 0) -> PlacedRow:
    current = CurrentRow(("1",), OTHER_BATCH, "orders/b.csv", line)
    place = Precedence(epoch, file, line)
    return PlacedRow(current, Origin(OTHER_BATCH, "orders/b.csv", line), place)


@pytest.mark.parametrize(
    ("file", "there", "is_refused"),
    [
        (LINES, stands(4, 99), False),
        (LINES, stands(5, 99), False),
        (LINES, stands(5, 1, file=1), True),
        (LINES, stands(6, 1), True),
        (SINGLE, stands(5, 6), False),
        (SINGLE, stands(5, 8), True),
    ],
)
def test_what_was_stated_after_a_row_is_not_undone(
    file: Corrected, there: PlacedRow, *, is_refused: bool
) -> None:
    found = answers(file, [row(2, "1")], {}, [held(7, "1")])
    places = {found[0].verdict.correction.row_id: Precedence(5, 0, 7)}
    refusals = restated(file, found, places, {"1": [stands(3, 1), there]})
    assert bool(refusals) is is_refused
    if is_refused:
        assert f"stated again by batch {OTHER_BATCH} (orders/b.csv line" in refusals["1"]


@pytest.mark.parametrize(
    ("epoch", "name", "is_refused"), [(6, "Mug", True), (6, "Cup", False), (5, "Mug", False)]
)
def test_what_was_said_of_a_product_since_is_not_taken_back(
    epoch: int, name: str, *, is_refused: bool
) -> None:
    found = judged([row(2, "1", product="A")], [held(7, "1")])
    places = {found[0].verdict.correction.row_id: Precedence(5, 0, 7)}
    product = Product(stands(epoch, 1), ("Cups", name, 150), ("Cups", "Cup", 150))
    refusals = undone(found, places, {"A": product})
    assert bool(refusals) is is_refused
    if is_refused:
        assert "name 'Cup', price 1.50" in refusals["1"]
        assert "name 'Mug'" in refusals["1"]


SOURCE = """\
source: my-shop
version: 2
title: Mine
file: {delimiter: ";", quoting: backslash, encoding: cp1252, skip_lines: 1}
rows: order_lines
leave_out:
  draft: state = 'draft'
orders: {order_id: id, order_date: bought, total_amount: sum_of_lines, status: state}
order_items: {order_id: id, line_id: row_number, product_id: sku, quantity: qty, unit_price: price}
"""
FORM = ExportFormat(
    "my-shop", ("id", "bought", "state", "sku", "qty", "price"), ";", "backslash", "cp1252", 1
)


def read(content: bytes, source: str = SOURCE) -> ReadFile:
    return read_file(lambda: io.BytesIO(content), a_source(source), {}, name="a.csv")


def test_quarantined_rows_are_read_again_from_their_text_each_on_its_line() -> None:
    texts = [
        '1;2025-07-01;paid;"A\n\\"x\\"";2;1',
        "1;2025-07-01;paid;Ö;x;1",
        "2;2025-07-01;draft;B;1;1",
        '="03";2025-07-01;paid;B;1;1',
        ";2025-07-01;paid;B;1;1",
    ]
    rows: list[dict[str, Any]] = [{"raw": text} for text in texts]
    found = read(as_export(FORM, rows))
    assert starts_of(FORM, rows) == [each.line for each in found.rows] == [3, 5, 6, 7, 8]
    assert [each.text for each in found.rows] == texts
    assert [each.identity for each in found.rows] == ["1", "1", None, "03", None]
    assert found.names == FORM.names


def test_an_id_that_a_spreadsheet_wrote_as_a_formula_is_what_it_shows() -> None:
    source = SOURCE.replace("{order_id: id", "{order_id: \"id || ''\"")
    text = '="03";2025-07-01;paid;B;1;1'
    assert [each.identity for each in read(as_export(FORM, [{"raw": text}]), source).rows] == ["03"]


def test_rows_of_a_products_export_are_found_by_their_product() -> None:
    source = (
        "source: my-products\nversion: 1\ntitle: Mine\nrows: products\n"
        "products: {product_id: sku, price: price, where: kind = 'p'}\n"
    )
    found = read(b"sku;price;kind\nA;x;p\nB;1;image\n".replace(b";", b","), source)
    assert [(each.line, each.identity) for each in found.rows] == [(2, "A"), (3, None)]
