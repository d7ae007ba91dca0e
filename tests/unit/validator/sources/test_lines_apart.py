"""Rows that hold several order lines: in parts of a cell, or in numbered columns."""

import io
import random
from typing import Any

import pytest

from contracts.sources.faults import InvalidSource
from services.validator.quarantine.export_rows import ExportFormat, as_export, records, starts_of
from services.validator.quarantine.source_rows import read_file
from services.validator.sources import lines_apart
from tests.support.source_files import Read, a_source, read_by

pytestmark = pytest.mark.medium

SOURCE = """\
source: my-shop
version: 1
title: Mine
rows: order_lines
explode: EXPLODE
leave_out:
  test_order: Status = 'test'
orders:
  order_id: '"Order"'
  user_id: Mail
  order_date: day(Day, '%Y-%m-%d')
  total_amount: sum_of_lines
order_items:
  order_id: '"Order"'
  line_id: row_number
  product_id: SKU
  quantity: QTY
  unit_price: '2'
"""
CELLS = (
    SOURCE.replace("EXPLODE", '{columns: [Lines], separator: "|"}')
    .replace("SKU", "split_part(Lines, 'x', 2)")
    .replace("QTY", "split_part(Lines, 'x', 1)")
)
NUMBERED = (
    SOURCE.replace("EXPLODE", '{numbered: ["Item {n} Sku", "Item {n} Qty"]}')
    .replace("SKU", "'\"Item {n} Sku\"'")
    .replace("QTY", "'\"Item {n} Qty\"'")
)
HEADER = "Order,Day,Mail,Status,Lines"


def row(order: str, lines: str, status: str = "paid", day: str = "2026-11-02") -> str:
    return f"{order},{day},m@x.example,{status},{lines}"


def read(*rows: str, **given: Any) -> Read:
    return read_by(CELLS, "\n".join([HEADER, *rows, ""]), **given)


def items(found: Read) -> list[tuple[Any, ...]]:
    names = ("order_id", "line_id", "product_id", "quantity", "source_line")
    return [tuple(each[name] for name in names) for each in found.rows.get("order_items", [])]


@pytest.mark.parametrize("block_bytes", [1, 60, 1 << 20])
def test_each_part_is_a_line_of_its_order(block_bytes: int) -> None:
    found = read(row("1", "2xA|1xB"), row("2", "3xA"), block_bytes=block_bytes)
    assert items(found) == [("1", "1", "A", 2, 2), ("1", "2", "B", 1, 2), ("2", "1", "A", 3, 3)]
    assert found.ids() == ["1", "2"]
    assert (found.check.rows_in, found.check.accepted) == (3, 3)
    assert (found.kind("orders").rows_in, found.kind("orders").duplicates) == (3, 1)


@pytest.mark.parametrize("cell", ["2xA||1xB|", "|2xA|1xB", " | 2xA | |1xB|  ", "2xA|1xB||||"])
def test_parts_without_text_are_no_lines(cell: str) -> None:
    assert items(read(row("1", cell))) == [("1", "1", "A", 2, 2), ("1", "2", "B", 1, 2)]


@pytest.mark.parametrize("cell", ["", "|", "| |", '""'])
def test_a_row_without_any_part_stays_a_row_and_is_never_lost(cell: str) -> None:
    found = read(row("1", cell), row("2", "1xA"))
    assert [line for line, _ in found.said()] == [2]
    assert (found.check.rows_in, found.ids()) == (2, ["2"])


def test_as_many_lines_as_are_allowed_and_one_more() -> None:
    most = "|".join(f"1xS{number}" for number in range(lines_apart.MAX_LINES))
    found = read(row("1", most), row("2", f"{most}|1xT"), row("3", "1xA"))
    assert len(items(found)) == lines_apart.MAX_LINES + 1
    assert found.said() == [(3, lines_apart.TOO_MANY)]
    assert "holds up to 1,001 order lines" in found.message(3)
    assert found.raw(3) == row("2", f"{most}|1xT")


def test_a_row_that_would_outgrow_memory_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_apart, "MAX_ROW_BYTES", 200)
    found = read(row("1", "1xA|1xB"), row("2", "|".join(["1xA"] * 9)))
    assert (found.ids(), found.said()) == (["1"], [(3, lines_apart.TOO_MANY)])


def test_a_bad_part_takes_its_order_along_wherever_its_rows_lie() -> None:
    found = read(row("1", "1xA|?xB|2xC"), row("2", "1xA"), row("1", "4xD"))
    assert found.said() == [
        (2, "order.incomplete"), (2, "order.incomplete"), (2, "quantity.format"),
        (4, "order.incomplete"),
    ]  # fmt: skip
    assert {each.raw for each in found.bad if each.line == 2} == {row("1", "1xA|?xB|2xC")}
    said = [each.message for each in found.bad]
    assert sum("another line that stands in this row is quarantined" in each for each in said) == 2
    assert sum("its line 2 is quarantined" in each for each in said) == 1
    assert any('Lines = "?xB" gives no amount (quantity)' in each for each in said)
    assert (found.ids(), found.check.accepted, found.check.quarantined) == (["2"], 1, 4)


def test_rows_that_are_no_records_stay_whole() -> None:
    found = read(row("1", "1xA|1x\0B"), row("2", "1xA|1xB") + ",more", row("3", "1xA|1xB"))
    assert [line for line, _ in found.said()] == [2, 3]
    assert [each[0] for each in items(found)] == ["3", "3"]
    assert found.check.rows_in == 4


def test_what_is_left_out_is_counted_line_by_line() -> None:
    found = read(row("1", "1xA|1xB", status="test"), row("2", "1xA"))
    assert found.check.left_out == {"test_order": 2}
    assert (found.check.rows_in, found.ids()) == (3, ["2"])


def test_several_columns_are_taken_apart_together_and_what_lacks_is_told() -> None:
    source = CELLS.replace("[Lines]", "[Skus, Counts]").replace("split_part(Lines, 'x', 2)", "Skus")
    source = source.replace("split_part(Lines, 'x', 1)", "Counts")
    text = "Order,Day,Mail,Status,Skus,Counts\n1,2026-11-02,m,paid,A|B,2|1\n"
    found = read_by(source, f"{text}2,2026-11-02,m,paid,A|B,2\n")
    assert [each[:4] for each in items(found)] == [("1", "1", "A", 2), ("1", "2", "B", 1)]
    assert found.said() == [(3, "order.incomplete"), (3, "quantity.required")]


def test_numbered_columns_are_lines_by_their_numbers_as_far_as_they_say_something() -> None:
    header = "Order,Day,Mail,Status,item 10 sku,item 10 qty,Item 1 Sku,Item 1 Qty,Item 2 Sku"
    found = read_by(
        NUMBERED,
        f"{header}\n1,2026-11-02,m,paid,C,4,A,2,\n2,2026-11-02,m,paid,,,A,1,B\n"
        "3,2026-11-02,m,paid,C,1,,,\n4,2026-11-02,m,paid,,,,,\n",
    )
    assert [each[:4] for each in items(found)] == [
        ("1", "1", "A", 2), ("1", "2", "C", 4), ("3", "1", "C", 1),
    ]  # fmt: skip
    lines = [line for line, _ in found.said()]
    assert lines == [3, 3, 5]
    assert found.check.unknown_columns == ()


def test_a_numbered_column_that_lacks_is_named() -> None:
    found = read_by(NUMBERED, "Order,Day,Mail,Status,Item 1 Sku\n1,2026-11-02,m,paid,A\n")
    assert found.check.rule == "file.header"
    assert 'there is no column "Item {n} Qty"' in str(found.check.reason)


def test_what_is_taken_apart_is_what_a_row_for_each_line_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines_apart, "BYTES_AT_ONCE", 300)
    chance = random.Random(7)
    parts = [
        [f"{chance.choice('1234?')}x{chance.choice('ABC')}" for _ in range(chance.randint(1, 9))]
        for _ in range(60)
    ]
    together = read(*(row(f"B-{n}", "|".join(each)) for n, each in enumerate(parts)))
    apart = read(*(row(f"B-{n}", part) for n, each in enumerate(parts) for part in each))
    assert [each[:4] for each in items(together)] == [each[:4] for each in items(apart)]
    assert together.ids() == apart.ids()
    assert (together.check.rows_in, together.check.quarantined) == (
        apart.check.rows_in, apart.check.quarantined,
    )  # fmt: skip
    assert together.check.quarantined > 0


def test_a_quarantined_row_comes_back_once_with_all_of_its_lines() -> None:
    found = read(row("1", "1xA|?xB"), row("1", "1xC"))
    names = {"columns": '["Order", "Day", "Mail", "Status", "Lines"]', "skip_lines": "0"}
    said = {"source": "my-shop v1", "delimiter": ",", "quoting": "doubled", "encoding": "utf-8"}
    rows = [
        {
            "batch_id": "b", "key": "k", "version_id": "v", "line": each.line, "raw": each.raw,
            "export": said | names,
        }
        for each in sorted(found.bad)
    ]  # fmt: skip
    form = ExportFormat.of(rows[0])
    assert form is not None
    of_file = records(rows)
    assert [each["line"] for each in of_file] == [2, 3]
    content = as_export(form, of_file)
    assert content.decode() == "\n".join([HEADER, row("1", "1xA|?xB"), row("1", "1xC"), ""])
    again = read_file(lambda: io.BytesIO(content), a_source(CELLS), {}, name="x.csv")
    assert [(each.line, each.identity) for each in again.rows] == [(2, "1"), (3, "1")]
    assert starts_of(form, of_file) == [2, 3]


@pytest.mark.parametrize(
    ("explode", "why"),
    [
        ("{columns: [Lines]}", "say columns with their separator"),
        ('{separator: "|"}', "say columns with their separator"),
        ('{columns: [Lines], separator: "|", numbered: ["a {n}"]}', "say columns with their"),
        ('{numbered: ["Item Sku"]}', "has to have one {n}"),
        ('{numbered: ["{n} {n}"]}', "has to have one {n}"),
        ('{columns: [Lines], separator: ""}', "this is empty"),
        ('{colums: [Lines], separator: "|"}', 'did you mean "columns"?'),
    ],
)
def test_what_says_nothing_that_can_be_done_is_refused(explode: str, why: str) -> None:
    with pytest.raises(InvalidSource, match=why.replace("{", r"\{").replace("?", r"\?")):
        a_source(SOURCE.replace("EXPLODE", explode))


def test_only_order_lines_are_taken_apart() -> None:
    text = CELLS[: CELLS.index("order_items:")].replace("rows: order_lines", "rows: orders")
    with pytest.raises(InvalidSource, match="each part is an order line, and rows are orders"):
        a_source(text.replace("sum_of_lines", "Total"))
