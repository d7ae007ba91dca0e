"""A corrected row, and what a quarantined row's text says by columns."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.file_contracts import file_contract
from services.runtime.csv_files.header import OTHER_DELIMITERS
from services.runtime.csv_files.texts import BLANKS
from services.runtime.quarantine.replays import RowId


@dataclass(frozen=True)
class Correction:
    """One row of a corrected file: the quarantined row it answers, and its fields now.

    `fields` are in the contract's order; `place` is file and line, for people.
    """

    kind: str
    row_id: RowId
    fields: tuple[str, ...]
    place: str


def fields_of(row: Mapping[str, Any], header: Sequence[str] | None) -> tuple[str, ...]:
    """The contract's fields of a row as far as its text can be split, else empty ones."""
    contract = file_contract(row["kind"])
    columns = contract.columns
    names = [name.strip(BLANKS).lower() for name in header or contract.required_columns]
    values = _split(row["raw"] or "", len(names))
    if values is None:
        return ("",) * len(columns)
    found = dict(zip(names, (value.strip(BLANKS) for value in values), strict=True))
    return tuple(found.get(column, "") for column in columns)


def _split(raw: str, width: int) -> list[str] | None:
    """The fields of a record, by whichever delimiter gives so many.

    One with a stray quote is cut at its delimiters. Empty fields beyond the width are dropped.
    """
    for delimiter in "," + OTHER_DELIMITERS:
        reader = csv.reader(
            io.StringIO(raw, newline=""), strict=True, skipinitialspace=True, delimiter=delimiter
        )
        try:
            rows = list(reader)
        except csv.Error:
            rows = []
        pieces = [raw.split(delimiter)] if "\n" not in raw else []
        for fields in rows if len(rows) == 1 else pieces:
            if len(fields) >= width and not any(field.strip() for field in fields[width:]):
                return fields[:width]
    return None
