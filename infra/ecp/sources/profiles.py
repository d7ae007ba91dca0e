"""What the values of a column are, measured on the head of a file: days, numbers, codes, ids.

Days and numbers are judged by the expressions of sources themselves, so that what fits here is read
the same way later.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import product
from typing import Any, TypeAlias

from contracts.sources.model import FileFormat
from infra.ecp.sources.measuring import Record

Ask: TypeAlias = "Callable[[str, Sequence[str]], tuple[int, ...]]"
_MISSING = ("", "NULL", "null", "N/A", "n/a", "\\N", "None", "NaN", "nan")
_CURRENCY = re.compile(r"[A-Z]{3}|[a-z]{3}")
_NUMBER_WITH_MORE = re.compile(
    r"[^\d.,+-]{0,4}[+-]?[^\d.,+-]{0,4}(\d[\d.,' \u00a0\u202f]*)[^\d.,]{0,5}"
)
ZONE_NAME = r" \(?[A-Z]{3,4}\)?$"
"""The name of a zone behind a time, which no format reads."""
_DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y",
    "%d-%m-%Y", "%m-%d-%Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
    "%d-%b-%y", "%b-%d-%y", "%b-%d-%Y", "%a, %d %b %Y", "%Y%m%d",
)  # fmt: skip
_TIMES = (
    "", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%g", "T%H:%M:%S.%g",
    " %H:%M:%S.%f", "T%H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", ", %I:%M %p", ", %H:%M",
    ", %I:%M:%S %p", ", %H:%M:%S",
)  # fmt: skip
_OFFSETS = ("", "%z", " %z")


@dataclass(frozen=True)
class Profile:
    """One column: how many of its values there are, and what all of them are.

    `day`: the format by which each is a day; `is_ambiguous_day`: another order of day and month
    reads them all too. `numbers`: the share that are numbers as the file writes them, 0 to 1;
    `has_more`: they carry a sign of currency, or parentheses that say minus. `distinct`: different
    values to values. `cells` are those of all rows, "" for no value. `given` is the expression that
    gives it where it is no column of the file itself.
    """

    place: int
    name: str
    cells: tuple[str, ...]
    filled: float
    distinct: float
    day: str | None
    is_ambiguous_day: bool
    cuts_zone_name: bool
    numbers: float
    has_more: bool
    is_whole: bool
    is_negative: bool
    is_currency: bool
    given: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """The cells that say something."""
        return tuple(filter(None, self.cells))

    @property
    def has_parentheses(self) -> bool:
        """Whether a minus is written as `(3.50)`."""
        return any(value.startswith("(") for value in self.values)

    def varies_within(self, other: "Profile") -> bool:
        """Whether rows of one value of the other column say several things here."""
        said: dict[str, set[str]] = {}
        for value, group in zip(self.cells, other.cells, strict=True):
            if value:
                said.setdefault(group, set()).add(value)
        return any(len(values) > 1 for values in said.values())


def numbers_of(rows: Sequence[Record]) -> tuple[str, str]:
    """The decimal mark and the thousands separator of most numbers of the file."""
    found = [
        digits[1].strip()
        for row in rows
        for cell in row
        if cell and (digits := _NUMBER_WITH_MORE.fullmatch(cell.strip()))
    ]
    commas = sum(
        bool(re.fullmatch(r"\d+(?:[. '\u00a0\u202f]\d{3})*,\d{1,2}", each)) for each in found
    )
    points = sum(bool(re.fullmatch(r"\d+(?:[, '\u00a0\u202f]\d{3})*\.\d+", each)) for each in found)
    decimal = "," if commas > points else "."
    group = rf"\d{{1,3}}(?:([.,' \u00a0\u202f])\d{{3}})+(?:{re.escape(decimal)}\d+)?"
    marks = [
        mark[1] for each in found if (mark := re.fullmatch(group, each)) and mark[1] != decimal
    ]
    thousands = max(set(marks), key=marks.count, default="")
    return decimal, " " if thousands.isspace() else thousands


def missing_of(rows: Sequence[Record]) -> tuple[str, ...]:
    """Words that stand for no value in the file."""
    there = {cell.strip() for row in rows for cell in row}
    return ("", *(word for word in _MISSING[1:] if word in there))


def profiles_of(header: Record, rows: Sequence[Record], file: FileFormat) -> list[Profile]:
    """Each column of the header that has a name."""
    from services.runtime.sources.engine import connect

    with connect() as database:
        return [
            _profile(place, name, [row[place].strip() if place < len(row) else "" for row in rows],
                     file, partial(_ask, database))
            for place, name in enumerate(header)
            if name.strip()
        ]  # fmt: skip


def _profile(place: int, name: str, cells: Sequence[str], file: FileFormat, ask: Ask) -> Profile:
    values = tuple(cell for cell in cells if cell not in file.missing)
    days = _days(values, ask)
    shorter = tuple(re.sub(ZONE_NAME, "", value) for value in values)
    cuts = not days and shorter != values
    if cuts:
        days = _days(shorter, ask)
    numbers, has_more = _amounts(values, file, ask)
    return Profile(
        place=place,
        name=name,
        cells=tuple("" if cell in file.missing else cell for cell in cells),
        filled=len(values) / len(cells) if cells else 0.0,
        distinct=len(set(values)) / len(values) if values else 0.0,
        day=_likeliest(days, shorter if cuts else values),
        is_ambiguous_day=len({_order(day) for day in days}) > 1,
        cuts_zone_name=cuts and bool(days),
        numbers=numbers,
        has_more=has_more,
        is_whole=numbers == 1 and all(re.fullmatch(r"[+-]?\d+([.,]0+)?", each) for each in values),
        is_negative=any(value.startswith(("-", "(")) for value in values),
        is_currency=bool(values) and all(map(_CURRENCY.fullmatch, values)),
    )


def _days(values: Sequence[str], ask: Ask) -> list[str]:
    """The formats that read every value as a day."""
    if not values:
        return []
    likely = [form for form in _formats(values[0]) if _read(values[0], form)]
    if not likely:
        return []
    from services.runtime.sources.macros import day_sql

    tried = ", ".join(f"count({day_sql('v', form, None)})" for form in likely)
    counts = ask(f"SELECT {tried} FROM given", values)
    return [form for form, count in zip(likely, counts, strict=True) if count == len(values)]


def _likeliest(days: Sequence[str], values: Sequence[str]) -> str | None:
    """Of several formats one by which days differ more than months: exports are of a few months."""

    def spread(form: str) -> int:
        read = [day for each in values if (day := _read(each, form))]
        return len({each.day for each in read}) - len({(each.year, each.month) for each in read})

    if len({_order(day) for day in days}) < 2:
        return days[0] if days else None
    return max(days, key=spread)


def _formats(value: str) -> Iterator[str]:
    """Those of 860 that a value could be in, by its digits and marks."""
    for day in _DAYS:
        if _shape(day).match(value):
            for time, offset in product(_TIMES, _OFFSETS):
                form = day + time + offset
                if (time or not offset) and _shape(form).fullmatch(value):
                    yield form


@cache
def _shape(form: str) -> re.Pattern[str]:
    """All that a format reads, and more: Python makes its own pattern anew at nearly each use."""
    numbers = re.sub(r"%[YymdHIMSfg]", r" ?\\d+", re.escape(form).replace(r"\ ", r"\s+"))
    return re.compile(re.sub(r"%\w", ".*", numbers), re.IGNORECASE)


def _read(value: str, form: str) -> datetime | None:
    """What Python reads by a format, if anything: quicker than asking the database for all."""
    try:
        return datetime.strptime(value, form.replace("%g", "%f"))  # noqa: DTZ007
    except ValueError:
        return None


def _order(day: str) -> str:
    return "".join(part for part in day if part in "dmbBY")


def _amounts(values: Sequence[str], file: FileFormat, ask: Ask) -> tuple[float, bool]:
    """The share of numbers, and whether they are so only without what stands around them."""
    if not values:
        return 0.0, False
    from services.runtime.sources.macros import amount_sql

    bare = "regexp_replace(v, '[^0-9.,+-]', '', 'g')"
    short = "length(regexp_replace(v, '[0-9.,+ -]', '', 'g')) <= 5"
    plain, stripped = ask(
        f"SELECT count({amount_sql('v', file)}), "
        f"count(CASE WHEN {short} THEN {amount_sql(bare, file)} END) FROM given",
        values,
    )
    has_more = stripped > plain
    return (stripped if has_more else plain) / len(values), has_more


def _ask(database: Any, query: str, values: Sequence[str]) -> tuple[int, ...]:
    import pyarrow as pa

    database.register("given", pa.table({"v": pa.array(values, pa.string())}))
    [counts] = database.execute(query).fetchall()
    return tuple(counts)
