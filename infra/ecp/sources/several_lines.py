"""Rows that hold several order lines, told in a file: by numbered columns, or by cells of parts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from infra.ecp.sources.measuring import Record
from services.runtime.sources.values import name_in_sql

_NUMBERED = re.compile(
    r"(.*?\b(?:line[ _]?item|item|product|line|position|artikel|produkt)[ _-]*)(\d{1,3})([ _-].+)",
    re.IGNORECASE,
)
_SEPARATORS = ("|", "\n", ";", "||")
_KEY = re.compile(r"(?:^|, )([A-Z][A-Za-z0-9 ]{1,40}):")
_MANY = 0.8
"""The share of a column's parts that have to be alike."""


@dataclass(frozen=True)
class SeveralLines:
    """A file taken apart: header and rows line by line.

    `given` are the expressions of columns that are made of parts; `numbered` those of the header
    that stand for several; `column` and `separator` say what parts are of.
    """

    header: Record
    rows: tuple[Record, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    numbered: tuple[str, ...] = ()
    column: str = ""
    separator: str = ""


def several_lines(header: Record, rows: Sequence[Record]) -> SeveralLines | None:
    """How a row holds several order lines; None where it does not."""
    return _numbered(header, rows) or next(
        (found for place in range(len(header)) if (found := _parts(header, rows, place))), None
    )


def _numbered(header: Record, rows: Sequence[Record]) -> SeveralLines | None:
    families: dict[str, dict[str, dict[int, int]]] = {}
    for place, name in enumerate(header):
        if match := _NUMBERED.fullmatch(name.strip()):
            before, number, after = match.groups()
            of_name = families.setdefault(before, {}).setdefault(f"{before}{{n}}{after}", {})
            of_name.setdefault(int(number), place)
    for names in families.values():
        numbers = sorted({number for places in names.values() for number in places})
        if len(names) < 2 or len(numbers) < 2:
            continue
        taken = {place for places in names.values() for place in places.values()}
        others = [place for place in range(len(header)) if place not in taken]
        lines = [[places.get(number) for places in names.values()] for number in numbers]
        apart = [
            tuple(_cell(row, place) for place in (*others, *line))
            for row in rows
            for line in (
                [line for line in lines if any(_cell(row, place).strip() for place in line)]
                or lines[:1]
            )
        ]
        names_of_all = (*(header[place] for place in others), *names)
        return SeveralLines(names_of_all, tuple(apart), numbered=tuple(names))
    return None


def _cell(row: Record, place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


def _parts(header: Record, rows: Sequence[Record], place: int) -> SeveralLines | None:
    """A cell such as `Product ID: 1, Product Qty: 2|Product ID: 7, Product Qty: 1`."""
    cells = [cell for row in rows if (cell := _cell(row, place)).strip()]
    keys = _KEY.findall(cells[0]) if cells else []
    keys = list(dict.fromkeys(keys))
    if len(keys) < 2 or not header[place].strip():
        return None
    for separator in _SEPARATORS:
        parts = [part.strip() for cell in cells for part in cell.split(separator) if part.strip()]
        alike = [
            part for part in parts if _KEY.findall(part)[:1] == keys[:1] == [*_once(part, keys)]
        ]
        if len(alike) < _MANY * len(parts) or len(parts) == len(cells):
            continue
        patterns = dict(zip(keys, _patterns(keys), strict=True))
        apart = [
            (*row, *(_found(pattern, part) for pattern in patterns.values()))
            for row in rows
            for part in (
                [each for each in _cell(row, place).split(separator) if each.strip()] or [""]
            )
        ]
        column = name_in_sql(header[place].strip())
        return SeveralLines(
            (*header, *keys),
            tuple(apart),
            {key: f"regexp_extract({column}, '{pattern}', 1)" for key, pattern in patterns.items()},
            column=header[place].strip(),
            separator=separator,
        )
    return None


def _once(part: str, keys: Sequence[str]) -> Iterator[str]:
    """The first key, where it stands once in a part."""
    if _KEY.findall(part).count(keys[0]) == 1:
        yield keys[0]


def _patterns(keys: Sequence[str]) -> Iterator[str]:
    """What stands behind each key, up to the next one."""
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        end = f", {following}:|$" if following else "$"
        yield f"{key}: *(.*?) *(?:{end})"


def _found(pattern: str, part: str) -> str:
    match = re.search(pattern, part)
    return match[1] if match else ""
