"""The first line of a file: which column stands where, and what to do when it is no header."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.csv_files.bad_file import BadFile
from contracts.csv_files.csv_records import BLANKS, NUL_RULE, Record
from contracts.file_contracts import FileContract

MAX_SHOWN_CHARACTERS = 200
MAX_UNKNOWN_COLUMNS = 100
_OTHER_DELIMITERS = {
    ";": "semicolons",
    "\t": "tabs",
    "|": "bars",
    ":": "colons",
    "\\t": "backslashes and the letter t",
    " ": "spaces",
}


@dataclass(frozen=True)
class Header:
    """`positions[n]` is where the contract's n-th column stands; `width` counts all columns.

    `names` are those of all columns, in lower case.
    """

    width: int
    positions: tuple[int, ...]
    unknown_columns: tuple[str, ...]
    names: tuple[str, ...] = ()


def read_header(record: Record, contract: FileContract) -> Header:
    """Match names without case, order or surrounding spaces; unknown columns are ignored.

    Raises BadFile: file.header naming what is missing, repeated or wrong, or file.binary.
    """
    if record.problem and record.problem.rule == NUL_RULE:
        raise BadFile(
            "file.binary", "the header holds a NUL byte: this is not CSV text; export it again"
        )
    if record.fields is None:
        why = _other_delimiter(record.raw, contract.columns)
        raise _bad(contract, why or f"the header line is not readable: {_shown(record.raw)}")
    names = [field.lower() for field in record.fields]
    missing = [column for column in contract.columns if column not in names]
    if missing:
        raise _bad(contract, _why_missing(record.raw, missing, contract))
    counts = Counter(names)
    repeated = [column for column in contract.columns if counts[column] > 1]
    if repeated:
        raise _bad(contract, f"{_columns(repeated)} in the header more than once")
    unknown = [
        (field or f"(column {position + 1})")[:MAX_SHOWN_CHARACTERS]
        for position, field in enumerate(record.fields)
        if field.lower() not in contract.columns
    ]
    return Header(
        width=len(names),
        positions=tuple(names.index(column) for column in contract.columns),
        unknown_columns=tuple(unknown[:MAX_UNKNOWN_COLUMNS]),
        names=tuple(names),
    )


def _why_missing(line: str, missing: list[str], contract: FileContract) -> str:
    """What the first line looks like: another delimiter, a row, or a header."""
    if why := _other_delimiter(line, missing):
        return why
    if len(missing) == len(contract.columns):
        return f"the first line is not a header: {_shown(line)}"
    return f"{_columns(missing)} missing from the header {_shown(line)}"


def _other_delimiter(line: str, missing: Sequence[str]) -> str | None:
    for delimiter, what in _OTHER_DELIMITERS.items():
        if _names(line, delimiter) & set(missing):
            return f"fields are separated by {what}; separate them by commas"
    return None


def _names(line: str, delimiter: str) -> set[str]:
    return {name.strip(BLANKS + '"').lower() for name in line.split(delimiter)}


def _columns(names: list[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {', '.join(names)}"


def _shown(line: str) -> str:
    cut = line[:MAX_SHOWN_CHARACTERS]
    return repr(cut if cut == line else cut + "…")


def _bad(contract: FileContract, text: str) -> BadFile:
    expected = ",".join(contract.columns)
    return BadFile("file.header", f"{text}; the first line of {contract.label} is {expected}")
