"""Which lines of a block need no reading: what is right is known, and what needs thought is not."""

from typing import Any

import pytest

from contracts.file_contracts import file_contract
from services.runtime.csv_files.csv_records import MAX_RECORD_BYTES, FirstLine, read_record
from services.runtime.csv_files.header import read_header
from services.runtime.csv_files.row_checks import row_checks
from services.validator.reading.lines import Lines
from services.validator.reading.record_shapes import RowLayout, for_arrow, shapes_of
from tests.unit.validator.plain_reader import TODAY

HEADER = "product_id,category,name,price"
LAST = "product_id,category,price,name"


def layout_of(header: str) -> RowLayout:
    record = read_record([header.encode()], 0, FirstLine(), is_last_block=True)
    assert record
    contract = file_contract("products")
    return row_checks(contract, read_header(record, contract), TODAY)


def shapes(text: str, header: str, **more: Any) -> tuple[list[int], list[int]]:
    """The lines that are in doubt, and those whose record goes on, counted from 0."""
    lines = Lines(text.encode(), returns_end_lines=False)
    found = shapes_of(lines, layout_of(header), returns_end_lines=False, **more)
    return found.suspects.nonzero()[0].tolist(), found.goes_on.nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ('1,Toys,"a,b","5"\n', []),
        ('"1","To""ys","""a""",5\n', []),
        ('"1" , "Toys",\t"a",5\n', []),
        ('="1",="Toys",b,="5"\n', []),
        ("1,Toys,a\rb\rc,5\n2,Toys,b,5\r\n", []),
        ('1,Toys,"a\nb",5\n', [0]),
        ('1,Toys,"a\r\nb","5"\r\n', [0]),
        ('1,"To,ys","a\n\nb",5\n2,Toys,b,5\n3,Toys,"c\n,d" , "5"\n', [0, 1, 4]),
        ('1,"Toys","a\n""b"" c\nd",5\n2,"Toys","e\nf",5\n', [0, 1, 3]),
    ],
)
def test_what_is_unusual_but_right_is_in_no_doubt(text: str, goes_on: list[int]) -> None:
    assert shapes(text, HEADER) == ([], goes_on)


@pytest.mark.parametrize(
    ("text", "suspects"),
    [
        ('1,Toys,a"b,5\n2,Toys,b,5\n', [0]),
        ('1,Toys,b,5\n2,Toys,"b"c,5\n3,"u, "v,b,5\n', [1, 2]),
        ('1,To"ys,b ,"5\n', [0]),
        ('1,Toys,=" a",5\n1,Toys,=="a",5\n1,Toys,="",5\n', [0, 1]),
        ("1,Toys,b,5\n2,Toys,\0,5\n", [1]),
        ("1,Toys,a\rb\n\r2,Toys,b,5\n3,Toys,b,5\r \n4,Toys,b,5\n", [0, 1, 2]),
        ("3,Toys,b,5\r x\n", [0]),
        ('5,"a,b"\rc,5\n', [0]),
        ("1,Toys,a\rb\x01,5\n", [0]),
        ('1,Toys,"a\n2,Toys,b,5\nc",5\n', [0, 2]),
        ('1,Toys,"a\n,,,c",5\n', [0, 1]),
        ('1,Toys,"a\nb",5,6\n', [0, 1]),
        ('1,Toys,"a\nb"\n', [0, 1]),
        ('1,"To\nys",b,5\n', [0, 1]),
        ('1,Toys,"a\n\0",5\n', [0, 1]),
        ('1,Toys,"a\nb"c,5\n', [0, 1]),
        ('1,Toys,="a\nb",5\n', [0, 1]),
        ('1,Toys,"a\n' + "y" * 1024 + '",5\n', [0, 1]),
        ('1,Toys,"a\n' + "y\n" * (1 << 15) + '",5\n', [0, (1 << 15) + 1]),
    ],
)
def test_what_needs_thought_is_in_doubt(text: str, suspects: list[int]) -> None:
    found, goes_on = shapes(text, HEADER)
    assert (found, goes_on) == (suspects, [])


def test_a_line_is_in_doubt_once_it_is_too_long_for_any_record() -> None:
    most = f"1,Toys,{'x' * (MAX_RECORD_BYTES - 10)},5\n"
    assert len(most) == MAX_RECORD_BYTES
    assert shapes(most, HEADER) == ([], [])
    assert shapes(most.replace("x", "xx", 1), HEADER) == ([0], [])


def test_a_record_may_go_on_in_the_column_that_takes_every_text() -> None:
    text = '1,Toys,5,"a\nb"\n2,Toys,"5\n",c\n'
    assert shapes(text, LAST) == ([2, 3], [0])
    assert shapes(text, LAST, may_go_on=False) == ([0, 1, 2, 3], [])


def test_two_broken_records_take_nothing_from_the_whole_one_after_them() -> None:
    text = '1,Toys,"a,5\n2,Toys,"b,5\n3,Toys,"c\nd",5\n'
    assert shapes(text, HEADER) == ([0, 1], [2])


@pytest.mark.parametrize(
    ("text", "expected", "is_marked"),
    [
        ("1,a,b,5\n", "1,a,b,5\n", False),
        ("1,a,b,5\r\n", "1,a,b,5\r\n", False),
        ("1,a\rb,c,5\r\n", "1,a\x01b,c,5\r\n", True),
        ('="1","a" , "b",5\n', '"1","a","b",5\n', False),
        ('"1" ,a\rb,="2",5\n', '"1",a\x01b,"2",5\n', True),
        ('1,"a "" b",c,5\n', '1,"a "" b",c,5\n', False),
    ],
)
def test_arrow_is_given_what_it_reads_rightly(text: str, expected: str, is_marked: bool) -> None:
    found = for_arrow(text.encode(), ",", returns_end_lines=False)
    assert found == (expected.encode(), is_marked)


def test_returns_that_end_lines_are_left_to_arrow() -> None:
    assert for_arrow(b'1,"a" ,b\r', ",", returns_end_lines=True) == (b'1,"a",b\r', False)
