"""Corrected rows against quarantine and contract: fixed, still wrong, unchanged or refused."""

import csv
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from contracts.file_contracts import file_contract
from infra.ecp.quarantine.corrections import BLANKS, Correction, fields_of
from infra.ecp.quarantine.originals import Headers
from infra.ecp.quarantine.replays import RowId
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.validate import check
from services.validator.quarantine.rows import Row

State = Literal["fixed", "wrong", "unchanged", "refused"]
NOT_THERE = (
    "no such row is in quarantine: leave the columns that begin with _ as they were exported, or "
    "it has expired"
)

NOT_SPLIT = "the record could not be split into fields, so none is there: fill them in from _raw"
CUT_AT_COMMAS = (
    "the record was broken and only cut at its commas: nobody has said yet what it means; correct "
    "at least one field"
)
"""Quoted anew, even a stray quote would be accepted as part of a value."""


@dataclass(frozen=True)
class Verdict:
    """What is said of one corrected row; `changed` names the columns that differ from its text."""

    correction: Correction
    state: State
    message: str | None = None
    changed: tuple[str, ...] = ()

    def refused(self, why: str) -> "Verdict":
        """The same row, kept out for another reason than the contract."""
        return replace(self, state="refused", message=why)


def judge(
    corrections: Sequence[Correction], quarantined: Mapping[RowId, Row], headers: Headers
) -> list[Verdict]:
    """The verdict on each row, by the checks of `ecp validate`, without an upload."""
    faults = _faults(corrections)
    return [_verdict(each, faults.get(each.row_id), quarantined, headers) for each in corrections]


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


def _faults(corrections: Sequence[Correction]) -> dict[RowId, str]:
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


def _verdict(
    correction: Correction,
    fault: str | None,
    quarantined: Mapping[RowId, Row],
    headers: Headers,
) -> Verdict:
    row = quarantined.get(correction.row_id)
    if row is None or row["kind"] != correction.kind:
        return Verdict(correction, "refused", NOT_THERE)
    before = fields_of(row, headers.of(*correction.row_id[:3]))
    changed = tuple(
        column
        for column, old, new in zip(
            file_contract(correction.kind).columns, before, correction.fields, strict=True
        )
        if old != new.strip(BLANKS)
    )
    if not changed and not any(before):
        return Verdict(correction, "unchanged", NOT_SPLIT)
    if fault is None and not changed and str(row["rule"]).startswith("record."):
        return Verdict(correction, "unchanged", CUT_AT_COMMAS)
    if fault is None:
        return Verdict(correction, "fixed", None, changed)
    return Verdict(correction, "wrong" if changed else "unchanged", fault, changed)


def _line_breaks(cell: str) -> int:
    return cell.replace("\r\n", "\n").replace("\r", "\n").count("\n")
