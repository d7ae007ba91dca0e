"""A quarantined record as cells, the wrong one marked where it can be told; pure."""

import csv
from dataclasses import dataclass

from services.api.http.models import QuarantinedRow


@dataclass(frozen=True)
class Cell:
    """A field of a record; `is_wrong` where the row's message is about its very value."""

    text: str
    is_wrong: bool


@dataclass(frozen=True)
class ShownRow:
    """A row with its record as cells."""

    row: QuarantinedRow
    cells: list[Cell]


def cells_of(row: QuarantinedRow) -> ShownRow:
    """The record cut at its commas; as one cell where that cannot be.

    The wrong cell is that of its column by the file's header. Where the header is not known, or
    does not fit the record, it is found by its value, which messages quote: where no cell or more
    than one has it, none is marked.
    """
    values = _fields(row.raw)
    marked = _by_header(row, values)
    if marked is None:
        wrong = [
            n for n, value in enumerate(values) if value.strip() and _is_quoted(value, row.message)
        ]
        marked = wrong[0] if row.column is not None and len(wrong) == 1 else None
    return ShownRow(row, [Cell(value, n == marked) for n, value in enumerate(values)])


def _by_header(row: QuarantinedRow, values: list[str]) -> int | None:
    fits = len(values) == len(row.header) and row.header.count(row.column or "") == 1
    return row.header.index(row.column or "") if row.column and fits else None


def _fields(raw: str) -> list[str]:
    try:
        [fields] = csv.reader([raw.rstrip("\r\n")], strict=True)
    except (csv.Error, ValueError):
        return [raw]
    return fields


def _is_quoted(value: str, message: str) -> bool:
    """Whether a message quotes a value: as it is, or without the spaces around it."""
    return any(f"'{one}'" in message for one in {value, value.strip()})
