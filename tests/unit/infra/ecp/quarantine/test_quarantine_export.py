"""Bad rows as CSV for a spreadsheet: no cell runs, every text comes back, fields where they fit."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.ecp.quarantine.corrections import columns_of, exported, read_corrections
from infra.ecp.quarantine.export import _write
from infra.ecp.quarantine.originals import header_of
from infra.ecp.quarantine.spreadsheets import neutralise, read_cells, restore, write_cells
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.quarantine.corrections import fields_of
from tests.contract.builders import BATCH

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
TEXTS = st.one_of(ANY_TEXT, st.text(alphabet="'=+-@\t\r\n\",;＝a1"))  # noqa: RUF001


def a_row(raw: str, **changes: Any) -> dict[str, Any]:
    return {
        "batch_id": BATCH,
        "key": "orders/a.csv",
        "version_id": "v1",
        "kind": "orders",
        "line": 7,
        "column": "order_date",
        "rule": "order_date.format",
        "message": "order_date 'x' is not a date",
        "raw": raw,
    } | changes


@given(TEXTS)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert restore(neutralise(text)) == text


@given(TEXTS)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert neutralise(text)[:1] not in tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001


@pytest.mark.parametrize("text", ["-15.00", "=1+1", "@SUM(A1)", "+49", "\tx", "'=1", "''-1"])
def test_a_dangerous_cell_gets_one_apostrophe(text: str) -> None:
    assert neutralise(text) == f"'{text}"


@pytest.mark.parametrize("text", ["'n Roll", "'", "''", "O'Neill", "12.50", ""])
def test_a_harmless_cell_stays_as_it_is_on_both_ways(text: str) -> None:
    assert (neutralise(text), restore(text)) == (text, text)


@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3).filter(any), max_size=5))
def test_whole_files_come_back_as_they_were(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cells.csv")
        with path.open("xb") as file:
            write_cells(file, ("a", "b", "c"), rows)
        found = [list(cells.values()) for _, cells in read_cells(path, ("a",))]
    assert found == [row for row in rows if any(map(neutralise, row))]


@given(st.lists(ANY_TEXT, min_size=5, max_size=5), TEXTS)
def test_an_exported_row_finds_its_quarantined_row_again(fields: list[str], raw: str) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(fields)
    row = a_row(text.getvalue().removesuffix("\r\n"), key=f"orders/{raw}.csv")
    cells = exported(row, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "orders.csv")
        with path.open("xb") as file:
            write_cells(file, columns_of("orders"), [cells])
        [correction] = read_corrections([path])
    assert correction.row_id == (BATCH, f"orders/{raw}.csv", "v1", 7)
    assert correction.fields == cells[:6] == (*(field.strip(" \t") for field in fields), "")


def test_fields_stand_where_the_files_own_header_says() -> None:
    header = ("Status ", "note", "order_date", "total_amount", "user_id", "ORDER_ID")
    row = a_row("done,hello,2025-02-30,1.00,u1,17")
    assert fields_of(row, header) == ("17", "u1", "2025-02-30", "1.00", "done", "")


def test_columns_that_a_file_may_lack_come_along_where_it_has_them() -> None:
    header = ("order_id", "user_id", "order_date", "total_amount", "status", "currency")
    row = a_row("17,u1,2025-02-30,1.00,done,EUR")
    assert fields_of(row, header) == ("17", "u1", "2025-02-30", "1.00", "done", "EUR")


def test_a_broken_record_is_cut_at_its_commas() -> None:
    found = fields_of(a_row('1,"7,2025-07-01,1,ok'), None)
    assert found == ("1", '"7', "2025-07-01", "1", "ok", "")


@pytest.mark.parametrize("raw", ["1,2,3", "1,u,2025-07-01,1,234.00,ok", "", '1,"\nx,2,3,4'])
def test_a_record_that_cannot_be_split_leaves_the_fields_empty(raw: str) -> None:
    assert fields_of(a_row(raw), None) == ("",) * 6


def saved(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "orders.csv"
    path.write_bytes(text.encode(encoding))
    return path


HEADER = "order_id,user_id,order_date,total_amount,status,_batch_id,_key,_version_id,_line"


def test_what_a_spreadsheet_makes_of_it_is_read_too(tmp_path: Path) -> None:
    text = f"\ufeff{HEADER}\n1,u,2025-07-01,1.00,ok,{BATCH},orders/a.csv,v1,7\n"
    path = saved(tmp_path, text.replace(",", ";").replace("\n", "\r\n"))
    [correction] = read_corrections([path])
    assert (correction.fields[2], correction.row_id.line) == ("2025-07-01", 7)


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (HEADER + "\n1,ü", "latin-1", "not UTF-8"),
        ("order_id,user_id\n1,2\n", "utf-8", "column _batch_id is missing"),
        ("colour,_batch_id,_key,_version_id,_line\nred,b,k,v,1\n", "utf-8", "no kind of file"),
        (f"{HEADER}\n1,u,d,1,ok,b,k,v,seven\n", "utf-8", "_line is not a number"),
        (f"{HEADER}\n1,u,d,1,ok,b,k,v,7\n2,u,d,1,ok,b,k,v,7\n", "utf-8", "keep one"),
        (f'{HEADER}\n1,"u"x,d\n', "utf-8", "line 2"),
    ],
)
def test_a_file_that_is_no_export_is_refused(
    tmp_path: Path, text: str, encoding: str, said: str
) -> None:
    with pytest.raises(WrongUsage, match=said):
        read_corrections([saved(tmp_path, text, encoding)])


def test_the_header_of_an_input_is_its_first_line_that_is_not_blank() -> None:
    import gzip

    text = b"\xef\xbb\xbf\r\n,,\r\norder_id,status\r\n1,ok\r\n"
    semicolons = b"\xef\xbb\xbf\xef\xbb\xbfsep=;\r\nOrder_id;status;\r\n1;ok;\r\n"
    assert header_of(semicolons) == ("order_id", "status")
    assert header_of(text) == header_of(gzip.compress(text)) == ("order_id", "status")
    assert header_of(b"") is None


def test_rows_of_a_source_are_written_as_their_export_had_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {
        "source": "my-shop v2", "columns": '["Nr", "Käufer"]', "delimiter": ";",
        "quoting": "doubled", "encoding": "cp1252", "skip_lines": "1",
    }  # fmt: skip
    rows = [
        a_row(f"{n};Zoë", key="incoming/my-shop/a.csv", line=n + 2, export=said) for n in (1, 2)
    ]
    _write(rows, tmp_path, None)  # type: ignore[arg-type]
    content = (tmp_path / "my-shop.csv").read_bytes()
    assert content.decode("cp1252") == "\nNr;Käufer\n1;Zoë\n2;Zoë\n"
    told = " ".join(capsys.readouterr().out.split())
    assert f"`ecp quarantine replay {tmp_path / 'my-shop.csv'} --dry-run`; keep all rows" in told
    both = [*rows, a_row("1", export=said | {"source": "others v1"})]
    with pytest.raises(WrongUsage, match="there are rows of my-shop and others; name a directory"):
        _write(both, tmp_path / "all.csv", None)  # type: ignore[arg-type]
