"""Corrected exports of a source: told apart, checked, and written as they are uploaded."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.ecp.quarantine.export_replay import ExportReplay, write_export
from infra.ecp.quarantine.exports import are_exports, checked, format_of, held_rows
from infra.ecp.submissions.source_reading import SourceReading
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from services.validator.quarantine.export_rows import ExportFormat, as_export
from services.validator.quarantine.rows import EXPORT, Row, rows_of
from services.validator.quarantine.source_replay import Answer, Corrected, answers
from services.validator.sources.lookups import lookup_table
from tests.support.source_files import a_source
from tests.unit.validator.sources.test_validating import KEY, OWN, Shop

FILE = Corrected("my-shop.csv", "my-shop v2", "order_items", "order_id")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Both rows of order 2, of which the first says no quantity."""
    shop = Shop()
    report = shop.validate()
    assert report.quarantined_rows
    return rows_of(shop.harness.bucket.standing[report.quarantined_rows.key])


@pytest.fixture
def reading() -> SourceReading:
    source = a_source(OWN)
    names = io.BytesIO("Sku;Name\nA;Käse\n".encode("cp1252"))
    return SourceReading(source, {"names": lookup_table(names, source, "names")})


def saved(tmp_path: Path, rows: list[Row], name: str = "my-shop.csv") -> Path:
    path = tmp_path / name
    [form] = {form for row in rows if (form := ExportFormat.of(row))}
    path.write_bytes(as_export(form, rows).replace(b'"x \\" y"', b"7"))
    return path


def decided(path: Path, rows: list[Row], reading: SourceReading) -> list[Answer]:
    found = checked(path, reading)
    return answers(FILE, found.read.rows, found.faults, held_rows(rows, reading))


def test_a_file_without_links_is_an_export(tmp_path: Path) -> None:
    for name, text, encoding in (
        ("plain.csv", "order_id;_BATCH_ID\n", "utf-8"),
        ("wide.csv", "order_id,_batch_id\n", "utf-16"),
        ("export.csv", "id;mail\n", "utf-8"),
    ):
        (tmp_path / name).write_text(text, encoding=encoding)
    assert [path.name for path in sorted(tmp_path.iterdir()) if are_exports(path)] == ["export.csv"]
    assert not are_exports(tmp_path / "missing.csv")


def a_form(source: str, *names: str, **changes: Any) -> Row:
    said = {"source": f"{source} v1", "delimiter": ";", "quoting": "doubled", "encoding": "utf-8"}
    columns = str(list(names)).replace("'", '"')
    return {EXPORT: said | {"skip_lines": "0", "columns": columns} | changes}


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("x.csv", b"b;a;more\n", "one"),
        ("x.csv", b'\xef\xbb\xbfA;"B"\n', "one"),
        ("x.csv", "\nc\td\n".encode("utf-16"), "two"),
        ("two.csv", b"something else\n", "two"),
        ("four.csv", b"e;f\n", "four"),
    ],
)
def test_a_corrected_export_is_known_by_its_header_or_else_its_name(
    tmp_path: Path, name: str, content: bytes, source: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    tabs = {"delimiter": "\t", "encoding": "utf-16", "skip_lines": "1", "quoting": "none"}
    known = [
        a_form("one", "a", "b"),
        a_form("two", "c", "d", **tabs),
        a_form("three", "e", "f"),
        a_form("four", "e", "f"),
        {"raw": "a plain row"},
    ]
    assert format_of(path, known).source == source


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a\n", "column _batch_id is missing"), (b"e\n", "call it four.csv or three.csv")],
)
def test_a_file_that_nobody_can_tell_the_source_of_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(WrongUsage, match=said):
        format_of(path, [a_form("three", "e"), a_form("four", "e")])


@pytest.mark.medium
def test_corrected_rows_answer_the_quarantined_ones_of_their_order(
    tmp_path: Path, rows: list[Row], reading: SourceReading
) -> None:
    found = decided(saved(tmp_path, rows), rows, reading)
    assert [
        (each.verdict.state, each.verdict.correction.row_id.line, each.verdict.changed)
        for each in found
    ] == [("fixed", 4, ("text",)), ("fixed", 5, ())]


@pytest.mark.medium
def test_what_is_still_wrong_is_said_without_the_name_of_the_file(
    tmp_path: Path, rows: list[Row], reading: SourceReading
) -> None:
    path = saved(tmp_path, rows)
    path.write_bytes(path.read_bytes().replace(b";7;", b";-7;"))
    first, second = decided(path, rows, reading)
    assert (first.verdict.state, second.verdict.state) == ("wrong", "unchanged")
    assert (first.verdict.message or "").startswith('qty = "-7": quantity')
    assert "my-shop.csv" not in (first.verdict.message or "")


def test_rows_that_another_version_read_are_not_answered(
    rows: list[Row], reading: SourceReading
) -> None:
    assert len(held_rows(rows, reading)) == 2
    older = [row | {EXPORT: row[EXPORT] | {"source": "my-shop v1"}} for row in rows]
    assert held_rows(older, reading) == []


def test_a_file_without_a_needed_column_is_refused_and_named(
    tmp_path: Path, rows: list[Row], reading: SourceReading
) -> None:
    path = saved(tmp_path, rows)
    path.write_bytes(path.read_bytes().replace(b"bought", b"colour"))
    with pytest.raises(WrongUsage, match=r"my-shop\.csv: .*bought"):
        checked(path, reading)


@pytest.mark.medium
def test_what_products_are_said_to_be_is_known(
    tmp_path: Path, rows: list[Row], reading: SourceReading
) -> None:
    products = checked(saved(tmp_path, rows), reading).products
    assert products == {"A": ("Unknown", "Käse", 0), "B": ("Unknown", "B", 0)}


@pytest.mark.medium
def test_fixed_rows_are_written_in_their_format_and_linked_by_line(
    tmp_path: Path, rows: list[Row], reading: SourceReading
) -> None:
    path = saved(tmp_path, rows)
    other = "9;;2025-07-02;paid;A;1;1\n".encode("cp1252")
    path.write_bytes(path.read_bytes().replace(b"price\n", b"price\n" + other))
    form, found = format_of(path, rows), decided(path, rows, reading)
    assert [each.verdict.state for each in found] == ["refused", "fixed", "fixed"]
    file, links = write_export(ExportReplay(reading, form, tuple(found)), tmp_path, "now")
    assert (file.key, file.source) == ("incoming/my-shop/replays/now.csv", "my-shop")
    assert file.path.read_bytes() == saved(tmp_path, rows, "expected.csv").read_bytes()
    assert [
        (link.key, link.line, link.replay_key, link.replay_line, link.identity) for link in links
    ] == [(KEY, 4, file.key, 2, ["2"]), (KEY, 5, file.key, 3, ["2"])]


@pytest.mark.medium
def test_what_no_longer_reads_as_it_was_decided_is_not_uploaded(
    tmp_path: Path, rows: list[Row], reading: SourceReading
) -> None:
    path = saved(tmp_path, rows)
    form, found = format_of(path, rows), decided(path, rows, reading)
    text = found[0].row.text
    for changed, said in ((text.replace(";7;", ";x;"), "qty"), ("3" + text[1:], "same")):
        other = replace(found[0], row=replace(found[0].row, text=changed))
        with pytest.raises(CommandFailed, match=f"nothing was uploaded: .*{said}"):
            write_export(ExportReplay(reading, form, (other, found[1])), tmp_path, "now")
