"""What a wrong value looks like, and what to write in its place: the words behind each fault.

Nothing is guessed here: a value that could be read in two ways is told to be, and stays bad.
"""

import re
import unicodedata
from collections.abc import Sequence

NEGATIVE = (
    "a refund is no order and no line of its own; leave the row out, and state the order again "
    "with the status returned"
)
SHORTENED = (
    "was shortened by a spreadsheet, so the digits that are missing cannot be brought back: "
    "format the column as text before the values go in, and export again"
)
AGAIN_THE_HEADER = (
    "the line repeats the header, as where exports were put together: delete this line"
)
NO_VALUES = "the row has no value in any column: delete this line"
BACKSLASHES = 'a quote is written as \\" here: write "" for it, as CSV does ("24"" screen")'

_SHORTENED_ID = re.compile(r"[-+]?[0-9](?:[.,][0-9]+[eE][-+]?|[eE]\+)[0-9]{1,3}")
SHORTENED_ID_PATTERN = f"^(?:{_SHORTENED_ID.pattern})$"
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]+[0-9]{1,2}:[0-9]{2}(?::[0-9.,]+)?\s*(.*)")
_DATES = (
    (
        re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?:\D.*)?"),
        "the day or the month may come first",
    ),
    (re.compile(r"[0-9]{1,2}[.-][0-9]{1,2}[.-][0-9]{2,4}(?:\D.*)?"), "the year has to come first"),
    (re.compile(r"[0-9]{5}(?:\.[0-9]+)?"), "it looks like a spreadsheet's number of a day"),
    (re.compile(r"[0-9]{10}(?:[0-9]{3}|\.[0-9]+)?"), "it looks like a count of seconds"),
    (re.compile(r".*[^\W\d_]{3}.*"), "the month has to be a number"),
)
_DECIMAL_COMMA = re.compile(r"-?[0-9]+(?:[.' \u2019][0-9]{3})*,[0-9]{1,2}")
_SEPARATED = re.compile(r"-?[0-9]{1,3}(?:[,.' \u2019][0-9]{3})+(?:[.,][0-9]+)?")
_ACCOUNTED = re.compile(r"\([0-9.,]+\)|[0-9.,]+-")
_EXPONENT = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]+")
_CODE = re.compile(r"[A-Za-z]{2,4}[ .]*-?[0-9][0-9., ]*|-?[0-9][0-9., ]*[A-Za-z]{2,4}")


def is_shortened_id(text: str) -> bool:
    """Whether an id is what a spreadsheet makes of a long number: 7.41099E+12, 1,23457E+12."""
    return _SHORTENED_ID.fullmatch(text) is not None


def about_date(text: str) -> str:
    """What to write in place of a text that is not of the form YYYY-MM-DD; may be empty."""
    if timed := _TIME.fullmatch(text):
        if timed[2]:
            return (
                f": it has a time and an offset; write the day alone, such as {timed[1]}, in the "
                "time zone that the shop counts its days in"
            )
        return f": it has a time; write the day alone, {timed[1]}"
    for form, said in _DATES:
        if form.fullmatch(text):
            return f": {said}; write it such as 2025-07-31"
    return ""


def about_number(text: str) -> str:
    """What to write in place of a text that is no plain number; may be empty."""
    if _EXPONENT.fullmatch(text):
        return f": it {SHORTENED}"
    if _ACCOUNTED.fullmatch(text):
        return f": it is written as a negative amount; {NEGATIVE}"
    if any(unicodedata.category(character) == "Sc" for character in text) or _CODE.fullmatch(text):
        return (
            ": it names a currency; write the number alone, and the currency's code in a column "
            "`currency`"
        )
    if _DECIMAL_COMMA.fullmatch(text):
        return ": it has a decimal comma; write a dot in its place, and no thousands separators"
    if _SEPARATED.fullmatch(text):
        return ": it has thousands separators; leave them out"
    if text.endswith("%"):
        return ": it is a percentage; write the amount"
    return ""


def about_width(fields: Sequence[str], width: int) -> str:
    """Why a row may have too many or too few fields."""
    if len(fields) > width:
        return "quote a value that holds the delimiter, and write decimals after a dot"
    return "write every field, also the empty ones at the end, which spreadsheets leave out"
