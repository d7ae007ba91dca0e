"""Quarantined rows as CSV to correct, and the corrected CSV read back; no row is judged here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.file_contracts import file_contract
from infra.ecp.quarantine.spreadsheets import read_cells
from infra.ecp.submissions.file_headers import kind_by_names
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.quarantine.corrections import Correction, fields_of
from services.runtime.quarantine.replays import RowId
from services.validator.quarantine.rows import Row

ORIGIN_COLUMNS = ("_batch_id", "_key", "_version_id", "_line", "_rule", "_message", "_raw")
"""Where a row came from and why it is there; a replay finds the row again by the first four."""
LINK_COLUMNS = ORIGIN_COLUMNS[:4]


def columns_of(kind: str) -> tuple[str, ...]:
    """The columns of an exported file."""
    return file_contract(kind).columns + ORIGIN_COLUMNS


def exported(row: Row, header: Sequence[str] | None) -> tuple[str, ...]:
    """A quarantined row as the cells of an exported file; `header` is that of its input."""
    origin = (str(row.get(name[1:]) or "") for name in ORIGIN_COLUMNS)
    return (*fields_of(row, header), *origin)


def read_corrections(paths: Sequence[Path]) -> list[Correction]:
    """Every row of the corrected files.

    Raises WrongUsage for a file that is no corrected export, and for a row that is there twice.
    """
    found: dict[RowId, Correction] = {}
    for path in paths:
        for correction in _read(path):
            other = found.setdefault(correction.row_id, correction)
            if other is not correction:
                raise WrongUsage(
                    f"{other.place} and {correction.place} both answer "
                    f"{correction.row_id.key} line {correction.row_id.line}; keep one"
                )
    return list(found.values())


def _read(path: Path) -> list[Correction]:
    if not path.is_file():
        raise WrongUsage(f"{path}: there is no such file")
    found = []
    kind = None
    for line, cells in read_cells(path, LINK_COLUMNS):
        kind = kind or kind_by_names(cells)
        if kind is None:
            raise WrongUsage(
                f"{path}: holds the columns of no kind of file; start from `ecp quarantine export`"
            )
        found.append(_correction(kind, cells, f"{path} line {line}"))
    return found


def _correction(kind: str, cells: Mapping[str, str], place: str) -> Correction:
    link: dict[str, Any] = {name[1:]: cells.get(name, "").strip() for name in LINK_COLUMNS}
    if not link["line"].isdecimal():
        raise WrongUsage(f"{place}: _line is not a number; leave the columns with _ as they were")
    columns = file_contract(kind).columns
    fields = tuple(cells.get(column, "") for column in columns)
    key = cells.get("_key", "")
    row_id = RowId(link["batch_id"], key, link["version_id"], int(link["line"]))
    return Correction(kind, row_id, fields, place)
