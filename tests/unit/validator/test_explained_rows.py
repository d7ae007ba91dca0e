"""Bad rows named by whole columns against the same rows named one by one: nothing may differ."""

import io
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.file_contracts import Field, FileContract, file_contract
from services.validator.reading import regular_rows, segments
from services.validator.reading.file_check import check_file
from services.validator.reading.quarantined_rows import (
    MAX_RAW_BYTES,
    QuarantinedRow,
    QuarantinedRows,
    without_line_ends,
)
from tests.support.examples import examples
from tests.unit.validator.plain_reader import TODAY

HEADERS = {
    "orders": (
        "order_id,user_id,order_date,total_amount,status",
        "order_id,user_id,order_date,total_amount,status,currency",
        "id of ours,order_id,user_id,order_date,total_amount,status",
        "order_id,note,user_id,order_date,total_amount,status,,",
        "order_id;user_id;order_date;total_amount;status;currency",
    ),
    "products": ("product_id,category,name,price", "name,price,category,product_id"),
    "order_items": ("order_id,product_id,quantity,unit_price,line_id,line_amount",),
}
CELLS = st.sampled_from(
    [
        *(
            "1",
            "2",
            "7",
            "u1",
            "x",
            "Toys",
            "2025-07-07",
            "10.00",
            "5",
            "EUR",
            "eur",
            "USD",
            "paid",
        ),
        *("", "", " ", "\u00a0", "x\u00a0y", "\u00a0z", '="07"', '="', '=""', '="1E+5"', "=1"),
        *("7.41E+12", "#N/A", "#REF!", "2025-07-07 10:00:00", "01/02/2025", "2025-02-30"),
        *("-1", "-0.00", "1,5", "1.234", "abc", "99999999999999999999", "+1", "NULL", "12%"),
        *("Total", "total:", "Sum", "order_id", "ORDER_ID", "product_id", "\ufefforder_id"),
        *('"a,b"', '"a""b"', '" 9 "', ' "9" ', '"a', 'b"', "e\u0301", "ä", "\u200b", "\x01", "\t"),
        *('"a\nb"', "a\rb", "x" * 65, "\ufeff", "'", "Euro"),
    ]
)


@st.composite
def files(draw: Any) -> tuple[str, str]:
    kind = draw(st.sampled_from(sorted(HEADERS)))
    header = draw(st.sampled_from(HEADERS[kind]))
    delimiter = ";" if ";" in header else ","
    width = header.count(delimiter) + 1
    right = {
        "orders": ["1", "u1", "2025-07-07", "10.00", "paid", "EUR", "", ""],
        "products": ["1", "Toys", "Bear", "5"],
        "order_items": ["1", "2", "3", "4", "5", "6"],
    }[kind][:width]
    right += [""] * (width - len(right))
    lines = []
    for _ in range(draw(st.integers(0, 12))):
        cells = list(right)
        cells[0] = draw(st.sampled_from(["1", "2", "3", cells[0]]))
        for at in draw(st.lists(st.integers(0, width - 1), max_size=3)):
            cells[at] = draw(CELLS)
        cells += draw(st.sampled_from([[], [], [], [""], ["x"], ["", "y"], ["\u00a0"]]))
        cells = cells[: draw(st.sampled_from([99, 99, 99, width - 1, 1]))]
        if draw(st.integers(0, 9)) == 0:
            cells = draw(st.sampled_from([header.split(delimiter), [""] * width, ["", "", "x"]]))
        lines.append(delimiter.join(cells))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return kind, end.join([header, *lines, ""])


def read(
    kind: str, text: str, block_bytes: int, contract: FileContract | None = None
) -> tuple[Any, ...]:
    accepted: list[Any] = []
    bad: list[QuarantinedRow] = []
    outcome = check_file(
        lambda: io.BytesIO(text.encode()),
        contract or file_contract(kind),
        name=f"{kind}/a.csv",
        today=TODAY,
        max_rejected_fraction=1.0,
        on_accepted=lambda rows: accepted.extend(rows.to_pylist()),
        on_quarantined=bad.extend,
        block_bytes=block_bytes,
    )
    return outcome.rule, outcome.reason, outcome.rows_in, outcome.quarantined, accepted, bad


def explained_by(module: Any, *functions: str) -> Any:
    """The same fast paths, which know nothing of any row."""

    def silent(function: Any) -> Any:
        def none(*given: Any) -> Any:
            return function(*given).between(0, 0)

        return none

    return patch.multiple(module, **{name: silent(getattr(module, name)) for name in functions})


@pytest.mark.medium
@settings(max_examples=examples(300))
@given(files(), st.sampled_from([1, 60, 8 << 20]))
@example(("orders", HEADERS["orders"][0] + "\n1,u,x,y,paid\n2,u,x,y\nTotal,,x,1,paid\n"), 8 << 20)
@example(("orders", HEADERS["orders"][1] + "\n1,u,2025-07-07,1,p,EUR\n2,u,x,1,p,USD\n"), 8 << 20)
@example(("orders", HEADERS["orders"][0] + '\n"1,u,2025-07-07,1,paid"\n1,"u"\n'), 8 << 20)
@example(("orders", HEADERS["orders"][0] + "\n1,u,,,\n2,,,,\n"), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n7.41E+12,a\u00a0b,x,1\n="1E+5",a,b,1\n'), 8 << 20)
def test_rows_explained_at_once_are_explained_as_one_by_one(
    file: tuple[str, str], block_bytes: int
) -> None:
    kind, text = file
    found = read(kind, text, block_bytes)
    with explained_by(regular_rows, "explained_rows", "explained_narrow_rows"):
        assert found == read(kind, text, block_bytes)


def test_a_row_without_a_value_is_called_that_also_where_only_one_is_missing() -> None:
    """Where more are required, several problems leave such a row to the slow path anyway."""
    fields = (Field("order_id", "string", ""), Field("note", "string", "", required=False))
    contract = FileContract("orders", 9, fields, ())
    given = "orders", "order_id,note\n,\n1,a\n,b\n", 8 << 20, contract
    found = read(*given)
    with explained_by(regular_rows, "explained_rows", "explained_narrow_rows"):
        assert found == read(*given)
    assert ["no value" in row.message for row in found[-1]] == [True, False]


PIECES = st.sampled_from(
    [
        *('"', '"', '""', '"""', ',"', '",', '\\"', '="', ' "', '" ', '"\t', '\t "', '" "', '= "'),
        *(
            ",",
            ",",
            ";",
            "x",
            "a b",
            "=",
            "1,u1,2025-07-07,10.00,paid",
            "Toys",
            "5",
            "\0",
            "\r",
            "ä",
        ),
        *(
            '1,"u1,2025-07-07,10.00,paid',
            "1,Toys,Bear,5",
            '1,Toys,"24\\" Bear",5',
            "\n1,Toys,B,5\n",
        ),
    ]
)


@st.composite
def ill_files(draw: Any) -> tuple[str, str]:
    kind = draw(st.sampled_from(["orders", "products"]))
    line = st.lists(PIECES, max_size=6).map("".join)
    lines = draw(st.lists(line, max_size=10))
    return kind, draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])).join(
        [draw(st.sampled_from(HEADERS[kind])), *lines, ""]
    )


@pytest.mark.medium
@settings(max_examples=examples(600))
@given(ill_files(), st.sampled_from([1, 60, 8 << 20]))
@example(("orders", HEADERS["orders"][0] + '\n1,"u,2025-07-07,1,x\n2,u,2025-07-07,1,x\n'), 8 << 20)
@example(("orders", HEADERS["orders"][0] + '\n1,"u,2025-07-07,1,x\n2,u,2025-07-07,x,x\n'), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n1,a,"b\\" c",5\n="1",a,="b"c",5\n'), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n1,"a",b"c,5\n2,a,"b","5"6\n'), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n1,"a""b"c,d,5\n'), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n1,a,b,5,"x\n2,a,b,5\n'), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n1,a,"b\nc"  ,5\n1,a,"b\nc"  x,5\n'), 8 << 20)
@example(("products", HEADERS["products"][0] + '\n1,a,"b\nc""d"x,5\n1,a,b c"\0,5\n'), 8 << 20)
def test_lines_known_to_be_broken_are_what_reading_says(
    file: tuple[str, str], block_bytes: int
) -> None:
    kind, text = file
    found = read(kind, text, block_bytes)
    with patch.object(segments, "broken_lines", lambda lines, *_, **__: np.zeros(len(lines), int)):
        assert found == read(kind, text, block_bytes)


def test_records_that_are_very_many_are_read_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ['1,"u" x,2025-07-07,1,paid', '2, "u"  ,2025-07-07,1,paid'] * 4
    text = "\n".join([HEADERS["orders"][0], *lines, ""])
    found = read("orders", text, 8 << 20)
    monkeypatch.setattr(segments, "MAX_EXCEPTIONAL", 1)
    assert read("orders", text, 8 << 20) == found
    assert found[2] == 8


def test_ill_quotes_and_nul_bytes_are_explained_without_reading_their_lines() -> None:
    lines = [
        *('1,"u,2025-07-07,1,x', "2,u,2025-07-07,1,x", '3,u",2025-07-07,1,x', '4,"u\\" 5",x'),
        *('5,"u,2025-07-07,1,x', '6,"u,2025-07-07,1,x', '7,"u" "v,2025-07-07,1,x', "8,u\0,x,1,x"),
    ]
    text = "\n".join([HEADERS["orders"][0], *lines, ""])
    with patch.object(segments, "read_record", side_effect=AssertionError("read by itself")):
        bad = read("orders", text, 8 << 20)[-1]
    assert [row.line for row in bad] == [2, 4, 5, 6, 7, 8, 9]


def test_usual_faults_are_explained_without_reading_their_rows_one_by_one() -> None:
    """Else the comparison above would compare the slow path with itself."""
    rows = [
        *("1,u1,2025-07-07 10:00,1.00,paid,EUR", "2,u1,x,y,paid,EUR", "3,u1,2025-07-07,1,paid"),
        *("4,u1,2025-07-07,1,paid,USD", "5,u1,2025-07-07,1,paid,EUR,x", '6,"u1",x,1,paid,EUR'),
    ]
    text = "\n".join([HEADERS["orders"][1], "0,u1,2025-07-07,1.00,paid,EUR", *rows, ""])
    with patch.object(regular_rows, "read_record", side_effect=AssertionError("read by itself")):
        bad = read("orders", text, 8 << 20)[-1]
    assert [row.line for row in bad] == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_one_line_end_is_taken_from_a_text(end: str) -> None:
    texts = ["", end, f"a{end}", f"a\n\r{end}", f"a\r{end}", f"{end}{end}", "ä"]
    expected = [text.removesuffix("\n").removesuffix("\r") for text in texts]
    assert without_line_ends(pa.array(["skipped", *texts])[1:]).to_pylist() == expected


def test_rows_by_columns_are_the_rows_one_by_one() -> None:
    rows = [
        QuarantinedRow(line, None if line % 2 else "c", f"r{line % 3}", f"m{line}", "x" * line)
        for line in range(2, 12)
    ]
    kept = QuarantinedRows.by_columns(*map(pa.array, zip(*rows, strict=True)))
    assert list(kept) == rows
    assert (kept[-1], list(kept[2:4]), len(kept)) == (rows[-1], rows[2:4], 10)
    assert kept.by_rule() == {"r2": 4, "r0": 3, "r1": 3}
    assert [row.line for row in kept.that_break("r0", at_most=2)] == [3, 6]
    assert list(QuarantinedRows.joined([kept[5:], kept[:5]])) == rows
    assert list(QuarantinedRows.joined([])) == []
    with pytest.raises(IndexError):
        kept[10]
    long = pa.array(["y" * (MAX_RAW_BYTES + 1), "z" * MAX_RAW_BYTES])
    columns = [pa.array(["a", "b"])] * 3
    cut = QuarantinedRows.by_columns(pa.array(np.arange(2)), *columns, long)
    assert [len(row.raw) > MAX_RAW_BYTES for row in cut] == [True, False]
    assert "cut: the record is longer" in cut[0].raw
