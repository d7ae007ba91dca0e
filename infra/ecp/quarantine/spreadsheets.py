"""CSV that people open in a spreadsheet: no cell runs as a formula, and every text comes back."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from infra.ecp.terminal.errors import WrongUsage

STARTS = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""What a cell begins with that a spreadsheet may run (OWASP, CSV injection), full-width too."""
FORMULA = re.compile(f"'*{STARTS}")
"""A formula, or a text that would look like a neutralised one."""
NEUTRALISED = re.compile(f"'+{STARTS}")
DELIMITERS = ",;\t"
"""What spreadsheets write between cells, by their locale."""

csv.field_size_limit(1 << 24)


def neutralise(text: str) -> str:
    """The text with an apostrophe before it when a spreadsheet could take it for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def restore(cell: str) -> str:
    """What was neutralised; a text that never needed it is as it was."""
    return cell[1:] if NEUTRALISED.match(cell) else cell


def write_cells(sink: BinaryIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """CSV with every cell quoted and neutralised, in UTF-8."""
    with io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True) as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows([neutralise(cell) for cell in row] for row in rows)


def read_cells(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Rows as restored cells by lower-case column name, with the line where each one ends.

    Raises WrongUsage when the file is not UTF-8 or not CSV, or a needed column is missing.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongUsage(f"{path}: not UTF-8; save it as CSV UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in needed if name not in columns]
        if missing:
            raise WrongUsage(
                f"{path}: column {missing[0]} is missing; start from `ecp quarantine export`"
            )
        for cells in reader:
            if any(cells):
                yield reader.line_num, dict(zip(columns, map(restore, cells), strict=False))
    except csv.Error as error:
        raise WrongUsage(f"{path} line {reader.line_num}: {error}") from error


def _delimiter(text: str) -> str:
    header = text.split("\n", 1)[0]
    return max(DELIMITERS, key=header.count)
