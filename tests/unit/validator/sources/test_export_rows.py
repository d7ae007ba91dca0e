"""Quarantined rows come back in the format of their export, to be read by the same source."""

import pytest

from services.validator.quarantine.export_rows import ExportFormat, as_export
from services.validator.quarantine.rows import rows_of
from tests.support.source_files import Read, a_source, read_by
from tests.unit.validator.sources.test_validating import FILE, OWN, Shop

NAMES = {"names": "Sku;Name\nA;Käse\n"}


def exported(shop: Shop) -> bytes:
    report = shop.validate()
    assert report.quarantined_rows
    rows = rows_of(shop.harness.bucket.standing[report.quarantined_rows.key])
    [form] = {ExportFormat.of(row) for row in rows}
    assert form is not None
    assert form.source == "my-shop"
    return as_export(form, rows)


def again(content: bytes) -> Read:
    return read_by(a_source(OWN), content, lookups=NAMES)


def test_an_order_comes_back_with_all_of_its_rows() -> None:
    lines = FILE.splitlines()
    assert exported(Shop()).decode("cp1252").splitlines() == [lines[0], lines[3], lines[4]]


@pytest.mark.medium
def test_a_corrected_file_is_read_by_the_same_source() -> None:
    content = exported(Shop(FILE.replace("paid", "bezählt")))
    assert again(content).check.quarantined == 2
    read = again(content.replace(b'"x \\" y"', b"7"))
    assert (read.bad, read.ids()) == ([], ["2"])
    assert [row["quantity"] for row in read.rows["order_items"]] == [7, 1]


def test_titles_and_lines_before_the_header_are_written_as_they_are_read() -> None:
    form = ExportFormat("s", ('Nr, "a"', "b\\"), ",", "doubled", "utf-16", 2)
    assert as_export(form, []).decode("utf-16") == '\n\n"Nr, ""a""",b\\\n'
    backslashes = ExportFormat("s", ('Nr, "a"',), ",", "backslash", "utf-8", 0)
    assert as_export(backslashes, []) == b'"Nr, \\"a\\""\n'
    none = ExportFormat("s", ('Nr "a"', "b"), "\t", "none", "cp1252", 0)
    assert as_export(none, []) == b'Nr "a"\tb\n'


def test_a_row_of_a_plain_file_has_no_such_format() -> None:
    assert ExportFormat.of({"raw": "1,2", "kind": "orders"}) is None
