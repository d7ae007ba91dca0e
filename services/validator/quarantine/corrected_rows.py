"""Corrected rows as files, and what the checks find wrong with them before there is an upload."""

import csv
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from contracts.file_contracts import file_contract
from services.runtime.csv_files.texts import BLANKS
from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import RowId


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


class Checks(NamedTuple):
    """What rows are measured against: the day (UTC), and the currency of all amounts if one is."""

    today: date
    currency: str | None = None


class BadRow(NamedTuple):
    """The physical line where a bad row starts, and what is wrong with it."""

    line: int
    message: str


def bad_rows(path: Path, kind: str, key: str, checks: Checks) -> list[BadRow]:
    """The rows of a local file that the pipeline would quarantine, whatever their number."""
    # Arrow takes a third of a second to load, which no other command should wait for.
    from services.validator.reading.file_check import check_file
    from services.validator.reading.quarantined_rows import QuarantinedRows

    found: list[BadRow] = []

    def keep(rows: QuarantinedRows) -> None:
        found.extend(BadRow(row.line, row.message) for row in rows)

    check_file(
        lambda: path.open("rb", buffering=0),
        file_contract(kind),
        name=key,
        today=checks.today,
        max_rejected_fraction=1.0,
        on_accepted=lambda _: None,
        on_quarantined=keep,
        currency=checks.currency,
    )
    return sorted(found)


def faults_of(corrections: Sequence[Correction], checks: Checks) -> dict[RowId, str]:
    """What is wrong with each row that is bad, kind by kind."""
    found: dict[RowId, str] = {}
    with TemporaryDirectory(prefix="replay-") as folder:
        for kind in sorted({each.kind for each in corrections}):
            of_kind = [each for each in corrections if each.kind == kind]
            path = Path(folder, f"{kind}.csv")
            starts = write_rows(path, kind, [each.fields for each in of_kind])
            for bad in bad_rows(path, kind, path.name, checks):
                row = of_kind[max(0, bisect_right(starts, bad.line) - 1)]
                said = bad.message.removeprefix(f"{path.name} line {bad.line}: ")
                found.setdefault(row.row_id, said)
            for row in of_kind:
                if not any(field.strip(BLANKS) for field in row.fields):
                    found[row.row_id] = "the row is empty"
    return found


def _line_breaks(cell: str) -> int:
    return cell.replace("\r\n", "\n").replace("\r", "\n").count("\n")
