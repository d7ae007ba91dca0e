"""KPIs as a spreadsheet (Office Open XML): a sheet of rows and one of totals.

What is text is written as text: a category that begins with `=` is no formula. Characters that XML
has not are written as `_x0007_`, as Excel does and reads them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from infra.ecp.kpis.parquet import typed
from infra.ecp.terminal.errors import CommandFailed
from services.api.kpis.tables import Kind, kind_of

MOST_ROWS = 1_048_575
"""Below the header (Excel specifications and limits)."""
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")
LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""ECMA-376, ST_Xstring: `_x005F_` is an underscore."""
SHOWN = {
    Kind.DAY: "yyyy-mm-dd",
    Kind.INSTANT: "yyyy-mm-dd hh:mm:ss",
    Kind.COUNT: "#,##0",
    Kind.MONEY: "#,##0.00",
    Kind.RATE: "0.00%",
}
WIDTHS = {Kind.TEXT: 22, Kind.INSTANT: 20}
USUAL_WIDTH = 14

Rows = Sequence[Mapping[str, Any]]


def write_workbook(sink: BinaryIO, sheets: Mapping[str, tuple[Sequence[str], Rows]]) -> None:
    """A sheet for each name, with its columns and rows. Raises CommandFailed for too many rows."""
    book = Workbook(write_only=True)
    for name, (columns, rows) in sheets.items():
        if len(rows) > MOST_ROWS:
            raise CommandFailed(
                f"{len(rows):,} rows, and a sheet has {MOST_ROWS:,}: ask for less, or for Parquet"
            )
        _fill(book.create_sheet(name), columns, rows)
    book.save(sink)


def _fill(sheet: Any, columns: Sequence[str], rows: Rows) -> None:
    sheet.freeze_panes = "A2"
    for number, name in enumerate(columns, 1):
        width = max(WIDTHS.get(kind_of(name), USUAL_WIDTH), len(name) + 2)
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.append(_header(sheet, columns))
    for row in rows:
        sheet.append([_cell(sheet, name, row.get(name)) for name in columns])
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{len(rows) + 1}"


def _header(sheet: Any, columns: Iterable[str]) -> list[Any]:
    cells = [WriteOnlyCell(sheet, name) for name in columns]
    for cell in cells:
        cell.font = Font(bold=True)
    return cells


def _cell(sheet: Any, column: str, value: Any) -> Any:
    if value is None:
        return None
    kind = kind_of(column)
    if kind is Kind.TEXT:
        cell = WriteOnlyCell(sheet, escaped(str(value)))
        cell.data_type = "s"
        return cell
    found = typed(kind, value)
    cell = WriteOnlyCell(sheet, found.replace(tzinfo=None) if kind is Kind.INSTANT else found)
    cell.number_format = SHOWN[kind]
    return cell


def escaped(text: str) -> str:
    """Text as a cell holds it."""
    plain = LOOKS_ESCAPED.sub("_x005F_", text)
    return NOT_IN_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", plain)
