"""`amount`, `day` and `text` as SQL over one text; their meaning is in docs/design.md, Sources."""

import re
from difflib import get_close_matches

from contracts.sources.faults import quoted
from contracts.sources.model import FileFormat
from services.runtime.sources.syntax import BadExpression, parser
from services.runtime.sources.values import NUMBER, text_literal

_DIRECTIVE = re.compile(r"%(-?.?)")
_OFFSET = "%z"
_OFFSET_AT_END = r" *(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_DIRECTIVES = frozenset(
    [
        "a",
        "A",
        "b",
        "B",
        "d",
        "-d",
        "f",
        "g",
        "H",
        "-H",
        "I",
        "-I",
        "j",
        "-j",
        "m",
        "-m",
        "M",
        "-M",
        "p",
        "S",
        "-S",
        "y",
        "Y",
        "%",
    ]
)
_YEARS, _MONTHS, _DAYS = {"Y", "y"}, {"m", "-m", "b", "B"}, {"d", "-d"}
_MAX_FORMAT = 60
_SPREADSHEET_FORMULA = '="([^"]|"")*"'


def amount_sql(text: str, file: FileFormat) -> str:
    """A number as the file writes numbers, exact; NULL for anything else.

    An optional sign, digits (in groups of three where the file has a thousands separator, or
    without any), and at most ten decimals that are not zeros.
    """
    point, group = re.escape(file.decimal), re.escape(file.thousands)
    grouped = f"|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+" if group else ""
    decimals = f"{point}[0-9]{{1,10}}0*"
    pattern = f"[+-]?(?:(?:[0-9]+{grouped})(?:{decimals})?|{decimals})"
    digits = f"replace({text}, {text_literal(file.thousands)}, '')" if group else text
    if file.decimal != ".":
        digits = f"replace({digits}, {text_literal(file.decimal)}, '.')"
    return (
        f"CASE WHEN regexp_full_match({text}, {text_literal(pattern)}) "
        f"THEN TRY_CAST({digits} AS {NUMBER}) END"
    )


def day_sql(text: str, form: str, zone: str | None) -> str:
    """The day as YYYY-MM-DD; NULL for what the format does not read, or what is no day.

    Without a zone: as written, an offset is read over. With one: the moment, which is in UTC where
    the text has no offset, on that zone's calendar.
    """
    _check_format(form)
    has_offset = form.endswith(_OFFSET)
    local, plain = text, form
    if has_offset:
        plain = form.removesuffix(_OFFSET).rstrip(" ")
        local = f"regexp_replace({text}, {text_literal(_OFFSET_AT_END)}, '')"
    moment = f"try_strptime({local}, {text_literal(plain)})"
    if zone is not None:
        _check_zone(zone)
        if has_offset:
            moment = f"TRY({moment} - {_offset_sql(text)})"
        moment = f"TRY(timezone({text_literal(zone)}, timezone('UTC', {moment})))"
    conditions = [f"regexp_matches({text}, '^[^ ].*[0-9]')"]
    if has_offset:
        conditions.append(f"regexp_matches({text}, {text_literal('[0-9]' + _OFFSET_AT_END)})")
    return f"CASE WHEN {' AND '.join(conditions)} THEN strftime({moment}, '%Y-%m-%d') END"


def text_sql(text: str) -> str:
    """What a spreadsheet shows: `'00123` and `="00123"` are 00123."""
    formula = text_literal(_SPREADSHEET_FORMULA)
    inner = f"""replace(substr({text}, 3, length({text}) - 3), '""', '"')"""
    return (
        f"nullif(trim(CASE WHEN starts_with({text}, '=') AND regexp_full_match({text}, {formula}) "
        f"THEN {inner} "
        f"WHEN starts_with({text}, '''') THEN substr({text}, 2) ELSE {text} END), '')"
    )


def _offset_sql(text: str) -> str:
    """The offset at the end as an interval; its first digits are hours, the others minutes."""
    offset = f"regexp_extract({text}, {text_literal(_OFFSET_AT_END)}, 1)"
    digits = f"rpad(regexp_replace({offset}, '[^0-9]', '', 'g'), 4, '0')"
    minutes = (
        f"CAST(substr({digits}, 1, 2) AS INTEGER) * 60 + CAST(substr({digits}, 3, 2) AS INTEGER)"
    )
    return f"to_minutes(CASE WHEN starts_with({offset}, '-') THEN -1 ELSE 1 END * ({minutes}))"


def _check_format(form: str) -> None:
    """Raises BadExpression unless the format is one that names a day."""
    if len(form) > _MAX_FORMAT:
        raise BadExpression(f"the format {quoted(form)} is longer than {_MAX_FORMAT} characters")
    plain = form.removesuffix(_OFFSET)
    found = _DIRECTIVE.findall(plain)
    if "z" in found:
        raise BadExpression(f"in the format {quoted(form)} %z has to stand at the end")
    if "Z" in found:
        raise BadExpression("names of zones (%Z) are not read; cut them off, or use %z for offsets")
    if unknown := [directive for directive in found if directive not in _DIRECTIVES]:
        raise BadExpression(
            f"the format {quoted(form)} has %{unknown[0]}, which means nothing here"
        )
    parts = set(found)
    if not (parts & _YEARS and (parts & {"j", "-j"} or (parts & _MONTHS and parts & _DAYS))):
        raise BadExpression(
            f"the format {quoted(form)} names no day; it needs a year, a month and a day, "
            "as in '%Y-%m-%d'"
        )
    if len(found) != len(parts):
        raise BadExpression(f"the format {quoted(form)} names a part twice")


def _check_zone(zone: str) -> None:
    with parser().cursor() as cursor:
        names = {
            row[0] for row in cursor.execute("SELECT name FROM pg_timezone_names()").fetchall()
        }
    if zone not in names:
        close = get_close_matches(zone, sorted(names), n=1, cutoff=0.5)
        guess = f"; did you mean '{close[0]}'?" if close else ", as in 'Europe/Berlin'"
        raise BadExpression(f"there is no time zone {quoted(zone)}{guess}")
