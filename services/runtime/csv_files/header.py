"""The first line of a file: which column stands where, and what to do when it is no header."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.file_contracts import FileContract
from services.runtime.csv_files.advice import WHOLE_LINE_QUOTED
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import NUL_RULE, FirstLine, Record, read_record
from services.runtime.csv_files.texts import BLANKS, plain_text

MAX_SHOWN_CHARACTERS = 200
MAX_UNKNOWN_COLUMNS = 100
BYTE_ORDER_MARK = "\ufeff"
OTHER_DELIMITERS = ";\t"
"""Taken where the header leaves no doubt."""

_SEPARATOR = re.compile(r'"?sep=(?:[^\w"]|\\t)?"?[,; \t\r]*', re.IGNORECASE)
_OTHER_TEXTS = {
    "<!doctype html": "an HTML page, such as an error or a login page",
    "<html": "an HTML page, such as an error or a login page",
    "<": "XML or HTML",
    "{": "JSON",
    "[": "JSON",
    "version https://git-lfs": "what Git LFS leaves in place of a file (`git lfs pull` fetches it)",
    "%pdf": "a PDF document",
    "insert into": "SQL",
}
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
    """`positions[n]` is where the contract's n-th column stands, None where the file lacks it.

    `width` counts all columns, `names` are those of all, in lower case; `spare` counts the columns
    at the end that have no name.
    """

    width: int
    positions: tuple[int | None, ...]
    unknown_columns: tuple[str, ...]
    names: tuple[str, ...] = ()
    delimiter: str = ","
    spare: int = 0


def is_separator_line(record: Record) -> bool:
    """Whether the line is `sep=;`, by which spreadsheets are told the delimiter: no header yet."""
    return _SEPARATOR.fullmatch(record.raw) is not None


def names_of(record: Record) -> tuple[str, ...]:
    """The names in a header as they are compared; empty ones at the end are dropped."""
    names = list(compared_names(record.fields or ()))
    while len(names) > 1 and not names[-1]:
        names.pop()
    return tuple(names)


def compared_names(fields: Sequence[str]) -> tuple[str, ...]:
    """Fields as the names that they may be: without marks before them, case and outer spaces."""
    return tuple(plain_text(field.lstrip(BYTE_ORDER_MARK)).lower() for field in fields)


def read_header(record: Record, contract: FileContract) -> Header:
    """Match names without case, order or surrounding spaces; unknown columns are ignored.

    Names are separated by commas, or by semicolons or tabs where these split the line into names
    of the contract and nothing else. Raises BadFile: file.header naming what is missing, repeated
    or wrong, or file.binary.
    """
    if record.problem and record.problem.rule == NUL_RULE:
        raise BadFile(
            "file.binary", "the header holds a NUL byte: this is not CSV text; export it again"
        )
    for delimiter in OTHER_DELIMITERS:
        again = _split(record, delimiter)
        names = names_of(again)
        if set(names) <= set(contract.columns) and _has_each_once(names, contract):
            return _header(names, again.fields or (), contract, delimiter)
    if record.fields is None:
        why = _other_delimiter(record.raw, contract.columns) or _other_text(record.raw)
        raise _bad(contract, why or f"the header line is not readable: {_shown(record.raw)}")
    names = names_of(record)
    missing = [column for column in contract.required_columns if column not in names]
    if missing:
        raise _bad(contract, _why_missing(record.raw, missing, contract))
    counts = Counter(names)
    repeated = [column for column in contract.columns if counts[column] > 1]
    if repeated:
        raise _bad(contract, f"{_columns(repeated)} in the header more than once")
    return _header(names, record.fields, contract, ",")


def _header(
    names: tuple[str, ...], written: Sequence[str], contract: FileContract, delimiter: str
) -> Header:
    unknown = [
        (field or f"(column {position + 1})")[:MAX_SHOWN_CHARACTERS]
        for position, (name, field) in enumerate(zip(names, written, strict=False))
        if name not in contract.columns
    ]
    return Header(
        width=len(names),
        positions=tuple(
            names.index(column) if column in names else None for column in contract.columns
        ),
        unknown_columns=tuple(unknown[:MAX_UNKNOWN_COLUMNS]),
        names=names,
        delimiter=delimiter,
        spare=len(written) - len(names),
    )


def _split(record: Record, delimiter: str) -> Record:
    """The line read anew with another delimiter."""
    layout = FirstLine(delimiter)
    again = read_record([record.raw.encode()], 0, layout, is_last_block=True)
    return again or record


def _has_each_once(names: tuple[str, ...], contract: FileContract) -> bool:
    return len(set(names)) == len(names) and set(contract.required_columns) <= set(names)


def _why_missing(line: str, missing: list[str], contract: FileContract) -> str:
    """What the first line looks like: another delimiter, a row, or a header."""
    if why := _other_delimiter(line, missing):
        return why
    if len(missing) == len(contract.required_columns):
        if why := _other_text(line):
            return why
        if set(contract.required_columns) <= _names(line.strip().strip('"'), ","):
            return f"{WHOLE_LINE_QUOTED}: {_shown(line)}"
    alike = {_bare(name): name for name in [part.strip(BLANKS + '"') for part in line.split(",")]}
    renamed = [
        f"{column} for {_shown(alike[_bare(column)])}"
        for column in missing
        if _bare(column) in alike
    ]
    if renamed:
        return f"{_columns(missing)} missing from the header: write {', '.join(renamed)}"
    if len(missing) == len(contract.required_columns):
        return (
            f"the first line is not a header: {_shown(line)}; if a title stands above the header, "
            "delete it; if it is a header in other words or another language, name its columns as "
            "below"
        )
    return f"{_columns(missing)} missing from the header {_shown(line)}"


def _other_text(line: str) -> str | None:
    """What a line begins that is no CSV at all."""
    for start, what in _OTHER_TEXTS.items():
        if line.lstrip().lower().startswith(start):
            return f"this is {what}, not a CSV file: {_shown(line)}"
    return None


def _bare(name: str) -> str:
    """Its letters and digits, in lower case."""
    return re.sub(r"[\W_]+", "", name).lower()


def _other_delimiter(line: str, missing: Sequence[str]) -> str | None:
    for delimiter, what in _OTHER_DELIMITERS.items():
        if _names(line, delimiter) & set(missing):
            return (
                f"fields are separated by {what}; separate them by commas (semicolons and tabs "
                "are taken where the header holds the contract's columns and no others)"
            )
    return None


def _names(line: str, delimiter: str) -> set[str]:
    return {name.strip(BLANKS + '"').lower() for name in line.split(delimiter)}


def _columns(names: list[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {', '.join(names)}"


def _shown(line: str) -> str:
    cut = line[:MAX_SHOWN_CHARACTERS]
    return repr(cut if cut == line else cut + "…")


def _bad(contract: FileContract, text: str) -> BadFile:
    expected = ",".join(contract.required_columns)
    return BadFile("file.header", f"{text}; the first line of {contract.label} is {expected}")
