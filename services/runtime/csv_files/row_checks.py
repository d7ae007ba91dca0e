"""The file contract, field by field, in plain Python: the reference, and what names each fault.

Takes trimmed text and gives the value to stage, or says which rule is broken. The fast path
(`arrow_checks.py`) only recognises fields that are certainly right; this decides on all others.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from contracts.file_contracts import Field, FileContract
from services.runtime.csv_files.advice import (
    AGAIN_THE_HEADER,
    HIDDEN,
    NEGATIVE,
    NO_VALUES,
    OTHER_HEADER,
    SHEET_ERROR,
    SHORTENED,
    TOTALS,
    about_character,
    about_date,
    about_number,
    about_width,
    about_year,
    is_sheet_error,
    is_shortened_id,
    is_total,
)
from services.runtime.csv_files.csv_records import Problem
from services.runtime.csv_files.header import BYTE_ORDER_MARK, Header, compared_names
from services.runtime.csv_files.texts import is_plain, plain_text

Value: TypeAlias = str | date | int | None
FieldCheck: TypeAlias = Callable[[str], Value]

LOWER_CASED = frozenset({"status"})
"""Columns whose text is lower-cased when staged (docs/design.md, Validation)."""

CURRENCY = "currency"
CURRENCY_RULE = "currency.other"
OTHER_HEADER_RULE = "file.header"
"""Of a row after which every row would be misread; the file is rejected for it."""

REMEMBERED_CELLS = 1 << 12
REMEMBERED_CHARACTERS = 100
"""How many cells of a column, and how long ones, are judged once: most values come again."""

MAX_SHOWN_CHARACTERS = 80
MAX_INTEGER_DIGITS = 18
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_NUMBER = re.compile(r"(-?)0*([0-9]+)(?:\.([0-9]+))?")


class _Fault(Exception):
    """A field breaks `rule` (without the column); the text follows the value in the message."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text


@dataclass(frozen=True)
class OneCurrency:
    """The only currency (ISO 4217) that rows may say, and who says so."""

    code: str
    because: str

    def other(self, value: Value) -> Problem:
        """What is wrong with a row that says another one."""
        text = (
            f"currency {value!r} is not {self.code}, {self.because}: amounts of "
            "two currencies are not added up; send those in a pipeline of their own, or converted"
        )
        return Problem(CURRENCY_RULE, text, column=CURRENCY)


@dataclass(frozen=True)
class RowChecks:
    """Everything that is asked of a row of one file.

    `longest_of_any`: for each column, up to what length every text is right; 0 where more is asked.
    """

    header: Header
    names: tuple[str, ...]
    checks: tuple[FieldCheck, ...]
    currency: OneCurrency | None = None
    longest_of_any: tuple[int, ...] = ()
    judges: tuple["_Judge", ...] = field(init=False)

    def __post_init__(self) -> None:
        judges = tuple(map(_judge_of, self.names, self.checks))
        object.__setattr__(self, "judges", judges)

    @property
    def width(self) -> int:
        """How many fields a row has."""
        return self.header.width

    @property
    def spare(self) -> int:
        """How many more it may have below empty names."""
        return self.header.spare

    @property
    def delimiter(self) -> str:
        """What stands between two fields."""
        return self.header.delimiter

    def read(self, fields: Sequence[str]) -> tuple[list[Value], list[Problem]]:
        """The row's values in the contract's order, or its problems: one of the two is empty."""
        values, problems = self._read(fields)
        if values and CURRENCY in self.names:
            others = self.in_other_currency(values[self.names.index(CURRENCY)])
            if others:
                return [], list(others)
        return values, problems

    def in_other_currency(self, value: Value) -> tuple[Problem, ...]:
        """What is wrong with a row that says this currency and has no other fault, if anything."""
        if self.currency is None or value in (None, self.currency.code):
            return ()
        return (self.currency.other(value),)

    def is_healthy_row(self, fields: Sequence[str]) -> bool:
        """Whether every field is right by itself."""
        return not self._read(fields)[1]

    def _read(self, fields: Sequence[str]) -> tuple[list[Value], list[Problem]]:
        if len(fields) != self.width:
            has = f"{len(fields)} {'field' if len(fields) == 1 else 'fields'}"
            why = about_width(fields, self.width, self.delimiter)
            text = f"the row has {has}, the header has {self.width}: {why}"
            return [], [Problem("record.fields", text)]
        values: list[Value] = []
        problems: list[Problem] = []
        for position, judge in zip(self.header.positions, self.judges, strict=True):
            found = None if position is None else judge(fields[position])
            if isinstance(found, Problem):
                problems.append(found)
            else:
                values.append(found)
        return ([], self._explained(fields, problems)) if problems else (values, [])

    def _explained(self, fields: Sequence[str], problems: list[Problem]) -> list[Problem]:
        """What a row as a whole looks like, said with its first problem."""
        first, *others = problems
        if fields[0].lstrip(BYTE_ORDER_MARK).lower() in self.header.names:
            names = compared_names(fields)
            if names == self.header.names:
                return [replace(first, text=AGAIN_THE_HEADER)]
            if sorted(names) == sorted(self.header.names):
                return [Problem(OTHER_HEADER_RULE, OTHER_HEADER)]
        if not any(fields):
            return [replace(first, text=NO_VALUES)]
        said = None
        if len(problems) > 1 and any(map(is_total, fields[:2])):
            said = TOTALS
        elif self._continues_an_order(fields, problems):
            said = (
                f"the row repeats order {_shown(fields[self._position_of('order_id')])} for one "
                "more of its lines: keep one row of each order here, the lines belong in "
                "order_items/"
            )
        if said is None:
            return problems
        return [replace(first, text=f"{first.text}: {said}"), *others]

    def _continues_an_order(self, fields: Sequence[str], problems: list[Problem]) -> bool:
        """An order's id and two or more empty values, as in exports of one row a line."""
        if len(problems) < 2 or self.names[0] != "order_id" or "status" not in self.names:
            return False
        are_empty = all(problem.rule.endswith(".required") for problem in problems)
        return are_empty and bool(fields[self._position_of("order_id")])

    def _position_of(self, name: str) -> int:
        position = self.header.positions[self.names.index(name)]
        return 0 if position is None else position

    def may_hold(self, position: int, value: str) -> bool:
        """Whether the column at that position takes this text; an unknown column takes any."""
        if position not in self.header.positions:
            return True
        check = self.checks[self.header.positions.index(position)]
        return passed(check, plain_text(value)) is not None

    def any_text_up_to(self, position: int) -> int:
        """The column at that position takes every text of 1 to so many characters; 0: not so."""
        if position not in self.header.positions:
            return sys.maxsize
        return self.longest_of_any[self.header.positions.index(position)]


def row_checks(
    contract: FileContract, header: Header, today: date, currency: OneCurrency | None = None
) -> RowChecks:
    """The checks of a contract for a file with this header; `today` bounds its dates.

    Rows that say another currency than `currency` are bad; None lets each say its own.
    """
    checks = tuple(_check_of(field, today) for field in contract.fields)
    longest = tuple(map(_longest_of_any, contract.fields))
    return RowChecks(header, contract.columns, checks, currency, longest)


_Judge: TypeAlias = Callable[[str], Value | Problem]
"""The value of a cell as it stands, or what is wrong with it."""


def _judge_of(name: str, check: FieldCheck) -> _Judge:
    """Cells that come again are judged once."""

    def judge(cell: str) -> Value | Problem:
        try:
            return check(cell if is_plain(cell) else plain_text(cell))
        except _Fault as fault:
            shown = f"{_shown(cell)} " if cell else ""
            return Problem(f"{name}.{fault.rule}", f"{name} {shown}{fault.text}", column=name)

    remembered = lru_cache(REMEMBERED_CELLS)(judge)
    return lambda cell: (remembered if len(cell) <= REMEMBERED_CHARACTERS else judge)(cell)


def _longest_of_any(field: Field) -> int:
    """How long a text may be where nothing but its length can be wrong with it; else 0."""
    is_free = field.type == "string" and not field.pattern and (field.minimum_length or 0) <= 1
    if not is_free or names_something(field) or field.name == CURRENCY:
        return 0
    return sys.maxsize if field.maximum_length is None else field.maximum_length


def field_check(field: Field, today: date) -> FieldCheck:
    """The check of one column, for cells as they stand."""
    check = _check_of(field, today)
    return lambda cell: check(plain_text(cell))


def _check_of(field: Field, today: date) -> FieldCheck:
    """The check of one column, for plain text."""
    missing, is_required = frozenset(field.missing_values), field.required
    if field.type == "string":
        check = _text_check(field)
    elif field.type == "date":
        check = _date_check(field, today)
    else:
        check = _number_check(field)

    def check_filled(text: str) -> Value:
        if text not in missing:
            return check(text)
        if is_required:
            raise _Fault("required", "is empty")
        return None

    return check_filled


def passed(check: FieldCheck, text: str) -> Value:
    """The value of a text, None when the check finds a fault."""
    try:
        return check(text)
    except _Fault:
        return None


def judgement(check: FieldCheck, text: str) -> tuple[bool, Value]:
    """Whether a text is right, and its value if it is."""
    try:
        return True, check(text)
    except _Fault:
        return False, None


@dataclass(frozen=True)
class NumberLimits:
    """Both ends in the staged unit (cents for money, pieces for counts); None is open."""

    lowest: int | None
    highest: int | None


def number_limits(field: Field) -> NumberLimits:
    """The contract's minimum and maximum as integers of the staged unit."""

    def scaled(limit: Decimal | None) -> int | None:
        return None if limit is None else int(limit.scaleb(decimal_places(field)))

    return NumberLimits(scaled(field.minimum), scaled(field.maximum))


def decimal_places(field: Field) -> int:
    """How many decimals a number may have; it is staged as an integer of the last one's unit."""
    return field.decimal_places or 0


def _text_check(field: Field) -> FieldCheck:
    pattern = re.compile(field.pattern) if field.pattern else None
    shortest, longest = field.minimum_length or 0, field.maximum_length
    is_lower_cased, is_currency = field.name in LOWER_CASED, field.name == CURRENCY
    is_id = names_something(field)

    def check(text: str) -> str:
        if is_id and is_shortened_id(text):
            raise _Fault("shortened", SHORTENED)
        if is_id and is_sheet_error(text):
            raise _Fault("error", SHEET_ERROR)
        if is_currency:
            if not _CURRENCY.fullmatch(text):
                raise _Fault("format", "is not the code of a currency (ISO 4217), such as EUR")
            return text.upper()
        if len(text) < shortest:
            raise _Fault("minLength", f"is shorter than {shortest} characters")
        if longest is not None and len(text) > longest:
            raise _Fault("maxLength", f"is longer than {longest} characters")
        if pattern and (not pattern.fullmatch(text) or HIDDEN.search(text)):
            wrong = [each for each in text if HIDDEN.match(each) or not pattern.fullmatch(each)]
            unseen = about_character("".join(wrong)) or "a character that is not allowed"
            raise _Fault("pattern", f"holds {unseen}")
        return text.lower() if is_lower_cased else text

    return check


def names_something(field: Field) -> bool:
    """Whether the column holds ids, by which rows are joined."""
    return field.name.endswith("_id")


def _date_check(field: Field, today: date) -> FieldCheck:
    earliest = date.fromisoformat(field.earliest) if field.earliest else date.min
    latest = date.max
    if field.maximum_days_from_today is not None:
        latest = today + timedelta(days=field.maximum_days_from_today)

    def check(text: str) -> date:
        if not _DATE.fullmatch(text):
            raise _Fault("format", f"is not a date of the form YYYY-MM-DD{about_date(text)}")
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise _Fault("format", "is not a date") from error
        if day < earliest:
            raise _Fault("minimum", f"is before {earliest}{about_year(text)}")
        if day > latest:
            raise _Fault("maximum", f"is after {latest}{about_year(text)}")
        return day

    return check


def _number_check(field: Field) -> FieldCheck:
    places, limits = decimal_places(field), number_limits(field)
    is_money = field.type == "number"
    form = "a number such as 1234.50 (digits and one dot)" if is_money else "a whole number"

    def check(text: str) -> int:
        match = _NUMBER.fullmatch(text)
        if not match:
            raise _Fault("format", f"is not {form}{about_number(text, is_money=is_money)}")
        sign, whole, decimals = match[1], match[2], match[3] or ""
        if len(decimals) > places:
            decimals = decimals[:places] + decimals[places:].rstrip("0")
        if len(decimals) > places:
            rounded = f"has more than {places} decimals: round it to {places}"
            fault = rounded if is_money else f"is not {form}"
            raise _Fault("format", fault)
        number = _whole_number(whole + decimals.ljust(places, "0"), sign)
        if limits.lowest is not None and number < limits.lowest:
            said = f": {NEGATIVE}" if number < 0 else ""
            raise _Fault("minimum", f"is less than {field.minimum}{said}")
        if limits.highest is not None and number > limits.highest:
            raise _Fault("maximum", f"is more than {field.maximum}")
        return number

    return check


def _whole_number(digits: str, sign: str) -> int:
    """An int; beyond 18 digits only the size matters, and int() of long text is slow or refused."""
    magnitude = 10**MAX_INTEGER_DIGITS if len(digits) > MAX_INTEGER_DIGITS else int(digits)
    return -magnitude if sign else magnitude


def _shown(text: str) -> str:
    """The value in quotes, on one line, cut to 80 characters."""
    cut = text[:MAX_SHOWN_CHARACTERS]
    return repr(cut if cut == text else cut + "…")
