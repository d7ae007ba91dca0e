"""The file contract, field by field, in plain Python: the reference, and what names each fault.

Takes trimmed text and gives the value to stage, or says which rule is broken. The fast path
(`arrow_checks.py`) only recognises fields that are certainly right; this decides on all others.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

from contracts.csv_files.csv_records import Problem
from contracts.csv_files.header import Header
from contracts.file_contracts import Field, FileContract

Value: TypeAlias = str | date | int | None
FieldCheck: TypeAlias = Callable[[str], Value]

LOWER_CASED = frozenset({"status"})
"""Columns whose text is lower-cased when staged (DESIGN 3, Validation)."""

MAX_SHOWN_CHARACTERS = 80
MAX_INTEGER_DIGITS = 18
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"(-?)0*([0-9]+)(?:\.([0-9]+))?")


class _Fault(Exception):
    """A field breaks `rule` (without the column); the text follows the value in the message."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text


@dataclass(frozen=True)
class RowChecks:
    """Everything that is asked of a row of one file."""

    header: Header
    names: tuple[str, ...]
    checks: tuple[FieldCheck, ...]

    @property
    def width(self) -> int:
        """How many fields a row has."""
        return self.header.width

    def read(self, fields: Sequence[str]) -> tuple[list[Value], list[Problem]]:
        """The row's values in the contract's order, or its problems: one of the two is empty."""
        if len(fields) != self.width:
            text = f"the row has {len(fields)} fields, the header has {self.width}"
            return [], [Problem("record.fields", text)]
        values: list[Value] = []
        problems: list[Problem] = []
        for name, position, check in zip(
            self.names, self.header.positions, self.checks, strict=True
        ):
            try:
                values.append(check(fields[position]))
            except _Fault as fault:
                shown = f"{_shown(fields[position])} " if fields[position] else ""
                text = f"{name} {shown}{fault.text}"
                problems.append(Problem(f"{name}.{fault.rule}", text, column=name))
        return ([], problems) if problems else (values, [])

    def is_healthy_row(self, fields: Sequence[str]) -> bool:
        """Whether `read` finds no problem."""
        return not self.read(fields)[1]

    def may_hold(self, position: int, value: str) -> bool:
        """Whether the column at that position takes this text; an unknown column takes any."""
        if position not in self.header.positions:
            return True
        check = self.checks[self.header.positions.index(position)]
        return passed(check, value) is not None


def row_checks(contract: FileContract, header: Header, today: date) -> RowChecks:
    """The checks of a contract for a file with this header; `today` bounds its dates."""
    checks = tuple(field_check(field, today) for field in contract.fields)
    return RowChecks(header, contract.columns, checks)


def field_check(field: Field, today: date) -> FieldCheck:
    """The check of one column."""
    if field.type == "string":
        check = _text_check(field)
    elif field.type == "date":
        check = _date_check(field, today)
    else:
        check = _number_check(field)

    def check_filled(text: str) -> Value:
        if text:
            return check(text)
        if field.required:
            raise _Fault("required", "is empty")
        return None

    return check_filled


def passed(check: FieldCheck, text: str) -> Value:
    """The value of a text, None when the check finds a fault."""
    try:
        return check(text)
    except _Fault:
        return None


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
    is_lower_cased = field.name in LOWER_CASED

    def check(text: str) -> str:
        if len(text) < shortest:
            raise _Fault("minLength", f"is shorter than {shortest} characters")
        if longest is not None and len(text) > longest:
            raise _Fault("maxLength", f"is longer than {longest} characters")
        if pattern and not pattern.fullmatch(text):
            raise _Fault(
                "pattern", "holds a character that is not allowed, such as a control character"
            )
        return text.lower() if is_lower_cased else text

    return check


def _date_check(field: Field, today: date) -> FieldCheck:
    earliest = date.fromisoformat(field.earliest) if field.earliest else date.min
    latest = date.max
    if field.maximum_days_from_today is not None:
        latest = today + timedelta(days=field.maximum_days_from_today)

    def check(text: str) -> date:
        if not _DATE.fullmatch(text):
            raise _Fault("format", "is not a date of the form YYYY-MM-DD")
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise _Fault("format", "is not a date") from error
        if day < earliest:
            raise _Fault("minimum", f"is before {earliest}")
        if day > latest:
            raise _Fault("maximum", f"is after {latest}")
        return day

    return check


def _number_check(field: Field) -> FieldCheck:
    places, limits = decimal_places(field), number_limits(field)
    is_money = field.type == "number"
    form = "a number such as 1234.50 (digits and one dot)" if is_money else "a whole number"

    def check(text: str) -> int:
        match = _NUMBER.fullmatch(text)
        if not match or (match[3] and not is_money):
            raise _Fault("format", f"is not {form}")
        sign, whole, decimals = match[1], match[2], match[3] or ""
        if len(decimals) > places:
            raise _Fault("format", f"has more than {places} decimals")
        number = _whole_number(whole + decimals.ljust(places, "0"), sign)
        if limits.lowest is not None and number < limits.lowest:
            raise _Fault("minimum", f"is less than {field.minimum}")
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
