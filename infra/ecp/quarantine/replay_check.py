"""What the checks of `ecp validate` find wrong with corrected rows, without an upload."""

import csv
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contracts.file_contracts import file_contract
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.validate import check
from services.runtime.csv_files.texts import BLANKS
from services.validator.quarantine.corrections import Correction
from services.validator.quarantine.replays import RowId


def write_rows(path: Path, kind: str, rows: Sequence[Sequence[str]]) -> list[int]:
    """A CSV file of the contract's columns; returns the physical line where each row starts.

    A row may be short of the last columns, which are optional.
    """
    columns = file_contract(kind).columns
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        starts, line = [], 2
        for row in rows:
            starts.append(line)
            writer.writerow([*row, *[""] * (len(columns) - len(row))])
            line += 1 + sum(_line_breaks(cell) for cell in row)
    return starts


def bad_rows(path: Path, kind: str, key: str) -> list[dict[str, Any]]:
    """The rows of a local file that the pipeline would quarantine, whatever their number."""
    return list(check(InputFile(path, kind, key), 1.0, None, lambda _: None).rows)


def faults_of(corrections: Sequence[Correction]) -> dict[RowId, str]:
    """What is wrong with each row that is bad, kind by kind."""
    found: dict[RowId, str] = {}
    with TemporaryDirectory(prefix="replay-") as folder:
        for kind in sorted({each.kind for each in corrections}):
            of_kind = [each for each in corrections if each.kind == kind]
            path = Path(folder, f"{kind}.csv")
            starts = write_rows(path, kind, [each.fields for each in of_kind])
            for bad in bad_rows(path, kind, path.name):
                row = of_kind[max(0, bisect_right(starts, bad["line"]) - 1)]
                said = bad["message"].removeprefix(f"{path.name} line {bad['line']}: ")
                found.setdefault(row.row_id, said)
            for row in of_kind:
                if not any(field.strip(BLANKS) for field in row.fields):
                    found[row.row_id] = "the row is empty"
    return found


def _line_breaks(cell: str) -> int:
    return cell.replace("\r\n", "\n").replace("\r", "\n").count("\n")
