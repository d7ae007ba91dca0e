"""A user's id leaves a CSV file and nothing else of it changes."""

import csv
import io
from collections.abc import Iterable
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.runtime.privacy import user_ids
from services.runtime.privacy.user_ids import (
    Columns,
    FileEraser,
    Found,
    Replacement,
    columns_named,
    erase_in_record,
)
from tests.support.shop import an_item, an_order, items_csv, orders_csv

TODAY = date(2025, 7, 8)
TOKEN = "erased-0123456789abcdef"
WANTED = Replacement("alice", TOKEN)


def erased(
    content: bytes | str, wanted: Replacement = WANTED, kind: str = "orders", pieces: int = 1 << 20
) -> tuple[bytes, Found]:
    text = content.encode() if isinstance(content, str) else content
    eraser = FileEraser(kind, TODAY, wanted)
    cut = (text[start : start + pieces] for start in range(0, len(text), pieces))
    return b"".join(eraser.rewritten(cut)), eraser.found


def test_only_the_users_field_changes() -> None:
    before = orders_csv(an_order("1", "bob"), an_order("2", "alice"), an_order("3", "alice2"))
    after, found = erased(before)
    assert after.decode() == before.replace("2,alice,", f"2,{TOKEN},")
    assert found == Found(rows=1, replaced=1)


@pytest.mark.parametrize(
    "written",
    ['"alice"', '  alice ', '\t"alice"  ', '" alice "'],
)  # fmt: skip
def test_blanks_and_quotes_around_the_id_stay(written: str) -> None:
    before = orders_csv(an_order("1", written))
    assert erased(before)[0].decode() == before.replace("alice", TOKEN)


def test_an_id_with_quotes_commas_and_other_letters_is_found_as_it_is_written() -> None:
    wanted = Replacement('Zoë "Z", Ltd', TOKEN)
    before = orders_csv(an_order("1", '"Zoë ""Z"", Ltd"'), an_order("2", "Zoë"))
    after, found = erased(before, wanted)
    assert after.decode() == before.replace('"Zoë ""Z"", Ltd"', f'"{TOKEN}"')
    assert found.rows == 1


def test_an_id_of_quotes_alone_is_found() -> None:
    after, _ = erased(orders_csv(an_order("1", '""""""')), Replacement('""', TOKEN))
    assert after.decode() == orders_csv(an_order("1", f'"{TOKEN}"'))


def test_the_column_is_found_by_its_name_whatever_the_order() -> None:
    header = "\n\nSTATUS,order_date, User_ID ,total_amount,note,order_id\n"
    before = header + "alice,2025-07-07,alice,1,alice,alice\n"
    after, found = erased(before)
    assert after.decode() == before.replace(",alice,1,", f",{TOKEN},1,")
    assert found.rows == 1


def test_an_order_that_is_numbered_as_the_user_is_stays() -> None:
    before = orders_csv(an_order("1001", "1002", total_amount="1001.00"), an_order("7", "1001"))
    after, found = erased(before, Replacement("1001", TOKEN))
    assert after.decode() == before.replace("\n7,1001,", f"\n7,{TOKEN},")
    assert (found.rows, found.uncertain_rows) == (1, 0)


def test_a_byte_order_mark_and_the_line_ends_stay() -> None:
    for line_end in ("\r\n", "\r", "\n"):
        before = "\ufeff" + orders_csv(an_order("1", "alice"), an_order("2", "bob")).replace(
            "\n", line_end
        )
        assert erased(before)[0].decode() == before.replace("alice", TOKEN)


def test_a_field_over_several_lines_is_one_field() -> None:
    header = "note,order_id,user_id,order_date,total_amount,status\n"
    before = (
        header
        + '"x\nalice\ny",1,alice,2025-07-07,1.00,new\n"alice\n,alice",2,bob,2025-07-07,1,new\n'
    )
    after, found = erased(before)
    assert after.decode() == before.replace("1,alice,", f"1,{TOKEN},")
    assert found == Found(rows=1, replaced=1)


def test_a_comma_inside_quotes_ends_no_field() -> None:
    header = "note,order_id,user_id,order_date,total_amount,status\n"
    before = header + '"a,b,""alice",1,alice,2025-07-07,1.00,new\n'
    assert erased(before)[0].decode() == before.replace("1,alice,", f"1,{TOKEN},")


def test_a_carriage_return_alone_ends_a_line_where_the_parts_are_rows() -> None:
    rows = "\r".join((an_order("1", "alice"), an_order("2", "alice"), an_order("3", "bob")))
    before = orders_csv(rows, an_order("4", "alice"))
    after, found = erased(before)
    assert after.decode() == before.replace("alice", TOKEN)
    assert found.rows == 3


@pytest.mark.parametrize(
    "record",
    [
        '1,"alice,2025-07-07,1.00,new',
        "1,alice,2025-07-07,1.00",
        "alice;1;2025-07-07",
        '1,x"alice"x,2025-07-07,1.00,new',
        "1,alice\0,alice,2025-07-07,1.00,new",
    ],
)
def test_in_a_record_that_cannot_be_read_every_word_counts(record: str) -> None:
    before = orders_csv(an_order("1", "bob"), record, an_order("3", "alice"))
    after, found = erased(before)
    assert b"alice" not in after.replace(b"alice\0", b"")
    assert after.decode().replace(TOKEN, "alice") == before
    assert (found.rows, found.uncertain_rows, found.replaced) == (1, 1, 2)


def test_a_part_of_a_word_is_not_the_user() -> None:
    before = orders_csv('9,"x alice.b malice alice-x')
    assert erased(before)[0].decode() == before


def test_a_file_without_a_readable_header_is_searched_word_by_word() -> None:
    before = "order_id;user_id;status\n1;alice;new\n2;malice;new\n"
    after, found = erased(before)
    assert after.decode() == before.replace(";alice;", f";{TOKEN};")
    assert (found.rows, found.uncertain_rows) == (0, 1)
    headless = an_order("1", "alice") + "\n" + an_order("2", "bob") + "\n"
    assert erased(headless)[0].decode() == headless.replace("alice", TOKEN)


def test_files_that_name_no_user_stay_and_those_that_do_are_searched() -> None:
    before = items_csv(an_item("alice", "alice"), '1,"alice')
    assert erased(before, kind="order_items") == (before.encode(), Found())
    with_user = "order_id,product_id,quantity,unit_price,user_id\nalice,p,1,1,alice\n"
    after, found = erased(with_user, kind="order_items")
    assert after.decode() == with_user.replace(",alice\n", f",{TOKEN}\n")
    assert found.rows == 1
    twice = "order_id,product_id,quantity,unit_price,user_id,user_id\n1,p,1,1,bob,alice\n"
    assert b"alice" not in erased(twice, kind="order_items")[0]


def test_other_encodings_are_searched_too() -> None:
    wanted = Replacement("Zoë", TOKEN)
    latin = orders_csv(an_order("1", "Zoë"), an_order("2", "Chloë")).encode("cp1252")
    after, found = erased(latin, wanted)
    assert after == latin.replace("Zoë".encode("cp1252"), TOKEN.encode())
    assert found.uncertain_rows == 1
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        wide = orders_csv(an_order("1", "Zoë"), an_order("2", "Chloë")).encode(encoding)
        after, found = erased(wide, wanted)
        assert after.decode(encoding) == wide.decode(encoding).replace("Zoë", TOKEN)
        assert found.uncertain_rows == 1


def test_a_second_time_changes_nothing_and_counts_the_same_rows() -> None:
    before = orders_csv(an_order("1", "alice"), '2,"alice', an_order("3", "bob"))
    once, first = erased(before)
    again, second = erased(once)
    assert again == once
    assert second == Found(first.rows, first.uncertain_rows, replaced=0)


def test_a_quarantined_record_is_read_by_the_columns_of_its_file() -> None:
    columns = columns_named(("status", "User_id", "order_id"))
    assert columns == Columns(3, 1)
    found = Found()
    assert erase_in_record("alice,alice,alice", columns, WANTED, found) == f"alice,{TOKEN},alice"
    assert found == Found(rows=1, replaced=1)
    assert erase_in_record("alice,bob,1", columns, WANTED, found) == "alice,bob,1"
    assert erase_in_record('"alice', columns, WANTED, found) == f'"{TOKEN}'
    assert erase_in_record("alice,bob,1", None, WANTED, found) == f"{TOKEN},bob,1"
    assert found == Found(rows=1, uncertain_rows=2, replaced=3)
    over_lines = 'x,"alice","a\nb"'
    assert erase_in_record(over_lines, columns, WANTED, found) == f'x,"{TOKEN}","a\nb"'


FIELD = st.text(st.sampled_from('ab",\n \té1'), max_size=6)
IDS = st.text(st.sampled_from('ab",é1 '), min_size=1, max_size=4).filter(
    lambda text: text.strip(" \t") == text
)


def written(rows: Iterable[Iterable[str]], line_end: str, quoting: int) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()


@given(
    notes=st.lists(FIELD, min_size=1, max_size=6),
    users=st.lists(IDS, min_size=6, max_size=6),
    user=IDS,
    position=st.integers(0, 5),
    line_end=st.sampled_from(("\n", "\r\n")),
    quoting=st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    block=st.integers(5, 60),
)
@example(["a"], ['""'] * 6, '""', 0, "\n", csv.QUOTE_ALL, 7)
def test_what_a_plain_reader_of_csv_sees_is_the_same_but_for_the_user(
    notes: list[str],
    users: list[str],
    user: str,
    position: int,
    line_end: str,
    quoting: int,
    block: int,
) -> None:
    """Whole rows are written by the csv module and read by it again, before and after."""
    header = ["order_id", "order_date", "total_amount", "status", "note"]
    header.insert(position, "user_id")
    rows = []
    for number, (note, name) in enumerate(zip(notes, users, strict=False)):
        row = [str(number), "2025-07-07", "1.00", "new", note]
        row.insert(position, name)
        rows.append(row)
    before = written([header, *rows], line_end, quoting)

    original = user_ids.BLOCK_BYTES
    user_ids.BLOCK_BYTES = block
    try:
        after, found = erased(before, Replacement(user, TOKEN), pieces=block)
    finally:
        user_ids.BLOCK_BYTES = original

    expected = [
        [TOKEN if (n, value) == (position, user) else value for n, value in enumerate(row)]
        for row in rows
    ]
    seen = list(csv.reader(io.StringIO(after.decode(), newline="")))
    assert [row[position] for row in seen[1:]] == [row[position] for row in expected]
    if not found.uncertain_rows:
        theirs = sum(row[position] == user for row in rows)
        grown = theirs * (len(TOKEN) - len(user.encode()) - user.count('"'))
        assert seen[1:] == expected
        assert found == Found(rows=theirs, replaced=theirs)
        assert len(after) == len(before.encode()) + grown


SPELLED = [
    "café 1",
    "cafe\u0301 1",
    "cafe\u0301\u00a01",
    "\u00a0café\u20071 ",
    '="café 1"',
    '"=""cafe\u0301 1"""',
    '"café 1"',
]


@pytest.mark.parametrize("spelled", SPELLED)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("before", ["", "\ufeff\ufeff", "sep={}\n", "sep={}\n\ufeff"])
def test_a_user_is_found_however_the_export_spells_the_id(
    spelled: str, delimiter: str, before: str
) -> None:
    """All that the validator reads as that user, and only the field is touched."""
    header = ["order_id", "user_id", "order_date", "total_amount", "status"]
    row = ["1", spelled, "2025-07-07", "1.00", "paid"]
    other = ["2", "NULL", "2025-07-07", "1.00", "café 1"]
    start = before.format(delimiter)
    lines = [delimiter.join(each) for each in (header, row, other, [*row, ""])]
    content = (start + "\n".join(lines) + "\n").encode()
    eraser = FileEraser("orders", date(2025, 7, 8), Replacement("café 1", "TOKEN"))
    erased = b"".join(eraser.rewritten(iter([content]))).decode()
    found = erased.removeprefix(start).splitlines()
    assert [line.split(delimiter)[1].strip('" ') for line in found[1:]] == [
        "TOKEN",
        "NULL",
        "TOKEN",
    ]
    assert found[2] == lines[2]
    assert (eraser.found.rows, eraser.found.uncertain_rows) == (2, 0)


def test_in_a_broken_row_a_word_is_found_however_it_is_spelled() -> None:
    content = 'order_id,user_id,order_date,total_amount,status\n1,"cafe\u0301,x\n'.encode()
    eraser = FileEraser("orders", date(2025, 7, 8), Replacement("café", "TOKEN"))
    assert b"".join(eraser.rewritten(iter([content]))).endswith(b'\n1,"TOKEN,x\n')
