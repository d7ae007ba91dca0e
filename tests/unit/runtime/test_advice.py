"""What a sender is told about a value, a row or a first line that the pipeline does not take."""

from datetime import date

import pytest

from contracts.file_contracts import file_contract
from services.runtime.csv_files.advice import about_date, about_number
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import FirstLine, read_record
from services.runtime.csv_files.header import Header, read_header
from services.runtime.csv_files.row_checks import OTHER_HEADER_RULE, row_checks

TODAY = date(2026, 11, 26)
HEADER = "order_id,user_id,order_date,total_amount,status"


def header(line: str) -> Header:
    record = read_record([line.encode()], 0, FirstLine(), is_last_block=True)
    assert record is not None
    return read_header(record, file_contract("orders"))


def said_of(*fields: str) -> str:
    _, problems = row_checks(file_contract("orders"), header(HEADER), TODAY).read(fields)
    return "; ".join(problem.text for problem in problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2025-7-1", "write it as 2025-07-01"),
        ("2025/07/01", "write it as 2025-07-01"),
        ("2025.07.01", "write it as 2025-07-01"),
        ("20250701", "write it as 2025-07-01"),
        ("2025\u201107\u201101", "write it as 2025-07-01"),
        ("2025\u5e747\u67081\u65e5", "write it as 2025-07-01"),
        ("2025-07-01Z", "write the day alone, 2025-07-01"),
        ("2025-07-01+02:00", "write the day alone, 2025-07-01"),
        ("2025-07-01 12:00:00 AM", "it has a time; write the day alone, 2025-07-01"),
        ("2025-07-01 12:00:00 AM UTC", "it has a time and an offset"),
        ("5/7", "the year is missing"),
        ("2025-07", "the day is missing"),
        ("NULL", "it stands for no value"),
        ("0NULL", "the month has to be a number"),
        ("\u06f1\u06f4\u06f0\u06f4-\u06f0\u06f4-\u06f1\u06f0", "write its digits as 0 to 9"),
        ("2025-07-01\u200f", "it holds U+200F (right-to-left mark), which cannot be seen"),
        ("########", "what a spreadsheet shows in place of a value"),
        ("'2025-07-01'", "leave out the quotes"),
    ],
)
def test_a_date_in_another_form_is_told_how_to_be_written(text, said):
    assert said in about_date(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+12.50", "leave out the plus sign"),
        (".50", "a digit on both sides of the dot"),
        ("12.", "a digit on both sides of the dot"),
        ("1_000", "it has thousands separators"),
        ("1,23,456.00", "it has thousands separators"),
        ("\u22125.00", "it is written as a negative amount"),
        ("\u0661\u0662\u066b\u0665\u0660", "write its digits as 0 to 9"),
        ("\uff11\uff12", "write its digits as 0 to 9"),
        ("NaN", "it stands for no value"),
        ("#N/A", "what a spreadsheet shows in place of a value"),
        ("'12.50", "leave out the quotes"),
        ("12\u200e", "U+200E (left-to-right mark)"),
        ("12 EUR", "it names a currency"),
    ],
)
def test_a_number_in_another_form_is_told_how_to_be_written(text, said):
    assert said in about_number(text)


def test_pieces_are_no_currency():
    assert about_number("1 pcs", is_money=False) == ""


def test_a_repeated_header_is_called_that_and_nothing_else():
    for line in (HEADER.split(","), HEADER.upper().split(","), f"\ufeff{HEADER}".split(",")):
        assert said_of(*line).startswith("the line repeats the header")
        assert "order_date" not in said_of(*line)


def test_a_header_in_another_order_is_a_fault_of_the_file():
    fields = ["user_id", "order_id", "order_date", "total_amount", "status"]
    _, [problem] = row_checks(file_contract("orders"), header(HEADER), TODAY).read(fields)
    assert problem.rule == OTHER_HEADER_RULE


@pytest.mark.parametrize("word", ["Total", "Grand total:", "SUBTOTAL", "Summe", "\u5408\u8a08"])
def test_a_row_of_totals_is_called_that(word):
    assert "looks like a total of the rows above" in said_of(word, "", "", "99.00", "")
    assert "repeats order" not in said_of(word, "", "", "", "")


def test_a_line_in_quotes_and_a_remark_are_told_apart():
    assert "the whole line stands in quotes" in said_of("a,u,2025-07-01,1,c")
    assert "the row has 1 field, " in said_of("(10 rows)")
    assert "such as a remark" in said_of("(10 rows)")


def test_a_character_that_cannot_be_seen_is_named():
    said = said_of("a\u00adb", "u", "2025-07-01", "1", "c")
    assert "holds U+00AD (soft hyphen), which cannot be seen: delete it" in said


def test_years_of_other_calendars_are_told_why_they_are_far_off():
    assert "Gregorian" in said_of("a", "u", "1404-04-10", "1", "c")
    assert "Gregorian" in said_of("a", "u", "2568-07-01", "1", "c")
    assert "Gregorian" not in said_of("a", "u", "1969-12-31", "1", "c")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "Order ID,user_id,order_date,total_amount,status",
            "column order_id missing from the header: write order_id for 'Order ID'",
        ),
        (
            "order_id\u200b,user_id,order_date,total_amount,status",
            "write order_id for 'order_id\\u200b'",
        ),
        (f'"{HEADER}"', "the whole line stands in quotes"),
        ('[{"order_id": 1, "user_id": 2}]', "this is JSON"),
        ('<?xml version="1.0"?>', "this is XML or HTML"),
        ("version https://git-lfs.github.com/spec/v1", "Git LFS"),
        ("Orders of July", "if a title stands above the header, delete it"),
    ],
)
def test_a_first_line_that_is_no_header_is_told_what_it_looks_like(line, said):
    with pytest.raises(BadFile) as bad:
        header(line)
    assert said in bad.value.reason
