"""From bytes to blocks of lines: where a block is cut again, and what is said of a broken text."""

import io

import pytest

from contracts.file_contracts import file_contract
from services.validator.reading import line_blocks
from services.validator.reading.file_check import check_file
from services.validator.reading.line_blocks import Block, portions
from services.validator.reading.quarantined_rows import QuarantinedRow
from services.validator.reading.verdict import FileCheck
from tests.unit.validator.plain_reader import TODAY

HEADER = b"product_id,category,name,price"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (b"", [b""]),
        (b"long\nlines\nstay\n", [b"long\nlines\nstay\n"]),
        (b"a\nb\nc\nd\ne\nf\n", [b"a\nb\n", b"c\nd\n", b"e\nf\n"]),
        (b"a\nb\nc\nd\ne\n", [b"a\nb\n", b"c\nd\n", b"e\n"]),
        (b"a\n\n\nbcdefg\nh", [b"a\n\n\n", b"bcdefg\n", b"h"]),
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("returns", [True, False])
def test_a_block_of_very_many_lines_is_taken_in_pieces_of_whole_ones(
    text: bytes, pieces: list[bytes], is_last: bool, returns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_blocks, "MAX_LINES", 3)
    monkeypatch.setattr(line_blocks, "PORTION_BYTES", 3)
    if returns:
        text, pieces = text.replace(b"\n", b"\r"), [each.replace(b"\n", b"\r") for each in pieces]
    block = Block(text, is_last, returns)
    lasts = [False] * (len(pieces) - 1) + [is_last]
    assert list(portions(block)) == list(zip(pieces, lasts, strict=True))


def check(content: bytes, block_bytes: int) -> tuple[FileCheck, list[QuarantinedRow]]:
    bad: list[QuarantinedRow] = []
    found = check_file(
        lambda: io.BytesIO(content),
        file_contract("products"),
        name="products/a.csv",
        today=TODAY,
        max_rejected_fraction=1.0,
        on_accepted=lambda _: None,
        on_quarantined=bad.extend,
        block_bytes=block_bytes,
    )
    return found, bad


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (b"\n1,Toys,a\rb,5\n2,\xe9,c,5\n", 3),
        (b"\r\n1,Toys,a\rb,5\r\n2,\xe9,c,5\r\n", 3),
        (b"\r1,Toys,b,5\r\n2,Toys,c,5\r3,\xe9,d,5\r", 4),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 3, 1 << 20])
def test_the_line_of_a_byte_that_is_no_text_is_counted_by_what_ends_lines(
    rows: bytes, line: int, block_bytes: int
) -> None:
    found, _ = check(HEADER + rows, block_bytes)
    assert (found.rule, f"line {line} holds byte 0xE9" in str(found.reason)) == (
        "file.encoding",
        True,
    )
    assert found.columns == ("product_id", "category", "name", "price")


def test_a_nul_byte_anywhere_in_the_first_line_is_no_text() -> None:
    found, _ = check(HEADER + b"," + b"x" * 5000 + b"\0\n1,Toys,b,5\n", 1 << 20)
    assert found.rule == "file.binary"
    assert str(found.reason).startswith("line 1 holds a NUL byte")


def test_a_nul_byte_in_a_later_block_is_the_fault_of_its_row() -> None:
    found, bad = check(HEADER + b"\n" + b"1,Toys,b,5\n" * 500 + b"2,\0,b,5\n3,Toys,b,5\n", 512)
    assert [(row.line, row.rule) for row in bad] == [(502, "record.nul")]
    assert (found.rule, found.accepted, found.duplicates) == (None, 2, 499)


def test_utf_16_without_a_mark_is_called_that() -> None:
    found, _ = check((HEADER + b"\n1,Toys,b,5\n").decode().encode("utf-16-le"), 1 << 20)
    assert (found.rule, "UTF-16" in str(found.reason)) == ("file.encoding", True)


def test_where_returns_end_lines_those_in_quotes_are_counted_too() -> None:
    _, bad = check(HEADER + b'\r1,Toys, "b\rc"  ,5\r\n2,,b,5\r', 1 << 20)
    assert [(row.line, row.rule) for row in bad] == [(4, "category.required")]


def test_a_line_too_long_for_a_record_is_found_between_short_ones() -> None:
    rows = b"1,Toys,b,5\n2,Toys,%b,5\n3,Toys,c,5\n" % (b"x" * (3 << 19))
    found, bad = check(HEADER + b"\n" + rows, 8 << 20)
    assert [(row.line, row.rule) for row in bad] == [(3, "record.length")]
    assert found.accepted == 2


def test_a_byte_order_mark_within_a_file_is_a_part_of_its_cell() -> None:
    content = b"name,product_id,category,price\nB,1,Toys,5\n\xef\xbb\xbfB,2,Toys,5\n"
    names: list[str] = []
    check_file(
        lambda: io.BytesIO(content),
        file_contract("products"),
        name="products/a.csv",
        today=TODAY,
        max_rejected_fraction=1.0,
        on_accepted=lambda rows: names.extend(rows["name"].to_pylist()),
        on_quarantined=lambda _: None,
        block_bytes=1,
    )
    assert names == ["B", "\ufeffB"]
