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
OTHER_HEADER = (
    "is a header again, with the columns in another order: the rows below it would be read as what "
    "they are not; send what stands below it as a file of its own"
)
SHEET_ERROR = (
    "is what a spreadsheet shows in place of a value that it could not work out or that its column "
    "was too narrow for; correct it there and export again"
)
TOTALS = "the row looks like a total of the rows above: delete this line"
WHOLE_LINE_QUOTED = (
    "the whole line stands in quotes, so that it is one field: take away the quotes around it"
)
NO_VALUES = "the row has no value in any column: delete this line"
BACKSLASHES = 'a quote is written as \\" here: write "" for it, as CSV does ("24"" screen")'

HIDDEN = re.compile(
    "[\u061c\u180e\u2065-\u206f\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""Format characters (Unicode Cf) that nobody sees and that the contracts' patterns do not know."""

_SHORTENED_ID = re.compile(r"[-+]?[0-9](?:[.,][0-9]+[eE][-+]?|[eE]\+)[0-9]{1,3}")
SHORTENED_ID_PATTERN = f"^(?:{_SHORTENED_ID.pattern})$"
_SHEET_ERROR = re.compile(r"#(?:N/A|NV|[A-Z][A-Z0-9/_]*[!?]|##+)")
SHEET_ERROR_PATTERN = f"^(?:{_SHEET_ERROR.pattern})$"
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]+[0-9]{1,2}:[0-9]{2}(?::[0-9.,]+)?"
    r"\s*(?:[AaPp]\.?[Mm]\.?)?\s*(.*)"
)
_ZONED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:?[0-9]{2})")
_YEAR_FIRST = re.compile(
    r"([0-9]{4})(?:[-./\u2010-\u2015\u2212]([0-9]{1,2})[-./\u2010-\u2015\u2212]([0-9]{1,2})"
    r"|([0-9]{2})([0-9]{2})|年([0-9]{1,2})月([0-9]{1,2})日?)"
)
_DATES = (
    (re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}"), "the year is missing"),
    (re.compile(r"[0-9]{4}[/.-][0-9]{1,2}"), "the day is missing"),
    (
        re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?:\D.*)?"),
        "the day or the month may come first",
    ),
    (re.compile(r"[0-9]{1,2}[.-][0-9]{1,2}[.-][0-9]{2,4}(?:\D.*)?"), "the year has to come first"),
    (re.compile(r"[0-9]{5}(?:\.[0-9]+)?"), "it looks like a spreadsheet's number of a day"),
    (re.compile(r"[0-9]{10}(?:[0-9]{3}|\.[0-9]+)?"), "it looks like a count of seconds"),
    (re.compile(r"(?=.*[0-9]).*[^\W\d_]{3}.*"), "the month has to be a number"),
)
_DECIMAL_COMMA = re.compile(r"-?[0-9]+(?:[.' \u2019][0-9]{3})*,[0-9]{1,2}")
_SEPARATED = re.compile(
    r"-?(?:[0-9]{1,3}(?:[,.' \u2019_][0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})(?:[.,][0-9]+)?"
)
_ACCOUNTED = re.compile(r"\([0-9.,]+\)|[0-9.,]+-|[\u2010-\u2015\u2212][0-9.,]+")
_EXPONENT = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]+")
_CODE = re.compile(r"[A-Za-z]{2,4}[ .]*-?[0-9][0-9., ]*|-?[0-9][0-9., ]*[A-Za-z]{2,4}")
_NOTHING = re.compile(r"null|nil|none|nan|n/?a|<na>|\\n|-+|undefined|\(null\)", re.IGNORECASE)
_TOTAL = re.compile(
    r"(?:grand|sub)?[ -]*totals?|sum|summe|gesamt(?:summe)?|totaux|somme|suma|totale|итого"
    r"|合計|合计|总计|المجموع",
    re.IGNORECASE,
)
_QUOTES = "'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"


def is_shortened_id(text: str) -> bool:
    """Whether an id is what a spreadsheet makes of a long number: 7.41099E+12, 1,23457E+12."""
    return _SHORTENED_ID.fullmatch(text) is not None


def is_sheet_error(text: str) -> bool:
    """Whether a text is what a spreadsheet shows in place of a value: #N/A, #REF!, ####."""
    return _SHEET_ERROR.fullmatch(text) is not None


def is_total(text: str) -> bool:
    """Whether a text says that a row sums up others."""
    return _TOTAL.fullmatch(text.strip(" :")) is not None


def about_character(text: str) -> str:
    """Which character of a text cannot be seen, and what to do about it; may be empty."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Co", "Zl", "Zp"):
            name = unicodedata.name(character, "a control character")
            return f"U+{ord(character):04X} ({name.lower()}), which cannot be seen: delete it"
    return ""


def about_date(text: str) -> str:
    """What to write in place of a text that is not of the form YYYY-MM-DD; may be empty."""
    if timed := _TIME.fullmatch(text):
        if timed[2]:
            return (
                f": it has a time and an offset; write the day alone, such as {timed[1]}, in the "
                "time zone that the shop counts its days in"
            )
        return f": it has a time; write the day alone, {timed[1]}"
    if zoned := _ZONED.fullmatch(text):
        return f": it has an offset; write the day alone, {zoned[1]}"
    if ordered := _YEAR_FIRST.fullmatch(text):
        year, month, day = (part for part in ordered.groups() if part)
        return f": write it as {year}-{month:0>2}-{day:0>2}"
    for form, said in _DATES:
        if form.fullmatch(text):
            return f": {said}; write it such as 2025-07-31"
    return _about_any(text)


def about_year(text: str) -> str:
    """Why a day may be centuries off; may be empty."""
    year = int(text[:4])
    if 1300 <= year < 1500 or 2400 <= year < 2700:
        return ": years are counted by the Gregorian calendar"
    return ""


def about_number(text: str, *, is_money: bool = True) -> str:
    """What to write in place of a text that is no plain number; may be empty."""
    if _EXPONENT.fullmatch(text):
        return f": it {SHORTENED}"
    if _ACCOUNTED.fullmatch(text):
        return f": it is written as a negative amount; {NEGATIVE}"
    if is_money and (
        any(unicodedata.category(character) == "Sc" for character in text) or _CODE.fullmatch(text)
    ):
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
    if text.startswith("+"):
        return ": leave out the plus sign"
    if re.fullmatch(r"-?\.[0-9]+|-?[0-9]+\.", text):
        return ": write a digit on both sides of the dot, or no dot"
    return _about_any(text)


def _about_any(text: str) -> str:
    """What is wrong with a text that should be a number or a date, whichever of the two."""
    if unseen := about_character(text):
        return f": it holds {unseen}"
    if any(each.isdigit() and not each.isascii() for each in text):
        return ": write its digits as 0 to 9"
    if is_sheet_error(text):
        return f": it {SHEET_ERROR}"
    if _NOTHING.fullmatch(text):
        return ": it stands for no value, and the column needs one"
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return ': leave out the quotes, or write " for them'
    return ""


def about_width(fields: Sequence[str], width: int, delimiter: str = ",") -> str:
    """Why a row may have too many or too few fields."""
    if len(fields) > width:
        return (
            "quote a value that holds the delimiter, write decimals after a dot, and name every "
            "column in the header"
        )
    if len(fields) == 1 and fields[0].count(delimiter) == width - 1:
        return WHOLE_LINE_QUOTED
    if len(fields) == 1 and width > 2:
        return "a line that is no row, such as a remark or a count of rows, has to be deleted"
    return "write every field, also the empty ones at the end, which spreadsheets leave out"
