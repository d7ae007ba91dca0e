"""The functions that an expression may call, each with what it takes: all others are refused.

Every one gives the same for the same values on every machine, reads nothing but its arguments, and
gives no list, so that nothing grows but texts, whose size is counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.runtime.sources.patterns import OPTIONS, checked_pattern, like_pattern
from services.runtime.sources.syntax import BadExpression
from services.runtime.sources.values import NUMBER, Size, Type, Value, number_text, text_literal

Argument = Literal["text", "number", "any", "literal", "pattern", "count", "options"]
"""`literal`, `pattern`, `count` (a whole number up to MAX_COUNT) and `options` are constants."""

MAX_COUNT = 1_000


@dataclass(frozen=True)
class Function:
    """`required` arguments must be there; `written` makes the SQL, else it is called by name."""

    takes: tuple[Argument, ...]
    gives: Type
    required: int
    written: Callable[[Sequence[Value]], str] | None = None
    size: Callable[[Sequence[Value]], Size] | None = None


def _of(*takes: Argument, gives: Type = "text", optional: int = 0, **more: object) -> Function:
    return Function(takes, gives, len(takes) - optional, **more)  # type: ignore[arg-type]


def _call(function: str) -> Callable[[Sequence[Value]], str]:
    return lambda arguments: f"{function}({', '.join(each.sql for each in arguments)})"


def _whole(call: Callable[[Sequence[Value]], str]) -> Callable[[Sequence[Value]], str]:
    return lambda arguments: f"TRY_CAST({call(arguments)} AS {NUMBER})"


def _sum(arguments: Sequence[Value]) -> Size:
    return sum((each.size for each in arguments), Size())


def _first(arguments: Sequence[Value]) -> Size:
    return arguments[0].size


def _replaced(arguments: Sequence[Value]) -> Size:
    text, old, new = arguments[:3]
    times = max(1, -(-len(new.literal or "") // max(1, len(old.literal or ""))))
    return text.size.replaced(times, 0)


def _regexp_replaced(arguments: Sequence[Value]) -> Size:
    """The first match alone, or with `g` as many as there are characters; \\1 may be all of it."""
    new = arguments[2].literal or ""
    is_global = len(arguments) > 3 and "g" in (arguments[3].literal or "")
    times = 1 + (len(new) if is_global else new.count("\\"))
    return arguments[0].size.replaced(times, len(new))


def _padded(arguments: Sequence[Value]) -> Size:
    return arguments[0].size + Size(0, MAX_COUNT)


def _like(*, negated: bool, is_case_insensitive: bool) -> Callable[[Sequence[Value]], str]:
    def written(arguments: Sequence[Value]) -> str:
        text, pattern, *escape = arguments
        expression = like_pattern(
            pattern.literal or "",
            is_case_insensitive=is_case_insensitive,
            escape=escape[0].literal or "" if escape else "",
        )
        checked_pattern(expression)
        matched = f"regexp_full_match({text.sql}, {text_literal(expression)})"
        return f"(NOT {matched})" if negated else matched

    return written


def _like_function(*, negated: bool, insensitive: bool) -> Function:
    written = _like(negated=negated, is_case_insensitive=insensitive)
    return _of("text", "literal", "literal", gives="boolean", optional=1, written=written)


_PATTERN: tuple[Argument, ...] = ("text", "pattern", "options")
_TEXT = _of("text", size=_first)
_TRIM = _of("text", "literal", optional=1, size=_first)
_IS = _of("text", "text", gives="boolean")
_POSITION = _of("text", "text", gives="number", written=_whole(_call("instr")))
_LENGTH = _of("text", gives="number", written=_whole(_call("length")))
_SUBSTRING = _of("text", "count", "count", optional=1, size=_first, written=_call("substr"))
_PAD: tuple[Argument, ...] = ("text", "count", "literal")

FUNCTIONS: dict[str, Function] = {
    "upper": _TEXT,
    "lower": _TEXT,
    "strip_accents": _TEXT,
    "trim": _TRIM,
    "ltrim": _TRIM,
    "rtrim": _TRIM,
    "left": _of("text", "count", size=_first),
    "right": _of("text", "count", size=_first),
    "substr": _SUBSTRING,
    "substring": _SUBSTRING,
    "split_part": _of("text", "literal", "count", size=_first),
    "replace": _of("text", "literal", "literal", size=_replaced),
    "lpad": _of(*_PAD, size=_padded),
    "rpad": _of(*_PAD, size=_padded),
    "contains": _IS,
    "starts_with": _IS,
    "ends_with": _IS,
    "prefix": _IS,
    "suffix": _IS,
    "length": _LENGTH,
    "len": _LENGTH,
    "strpos": _POSITION,
    "instr": _POSITION,
    "position": _POSITION,
    "regexp_matches": _of(*_PATTERN, gives="boolean", optional=1),
    "regexp_full_match": _of(*_PATTERN, gives="boolean", optional=1),
    "regexp_extract": _of("text", "pattern", "count", "options", optional=2, size=_first),
    "regexp_replace": _of(
        "text", "pattern", "literal", "options", optional=1, size=_regexp_replaced
    ),
    "like_escape": _like_function(negated=False, insensitive=False),
    "not_like_escape": _like_function(negated=True, insensitive=False),
    "ilike_escape": _like_function(negated=False, insensitive=True),
    "not_ilike_escape": _like_function(negated=True, insensitive=True),
    "~~": _like_function(negated=False, insensitive=False),
    "!~~": _like_function(negated=True, insensitive=False),
    "~~*": _like_function(negated=False, insensitive=True),
    "!~~*": _like_function(negated=True, insensitive=True),
    "||": _of("any", "any", size=_sum, written=lambda both: f"({both[0].sql} || {both[1].sql})"),
    "abs": _of("number", gives="number", written=_whole(_call("abs"))),
    "floor": _of("number", gives="number", written=_whole(_call("floor"))),
    "ceil": _of("number", gives="number", written=_whole(_call("ceil"))),
    "round": _of("number", "count", gives="number", optional=1, written=_whole(_call("round"))),
}

INSTEAD = {
    "strptime": "day(text, format)",
    "try_strptime": "day(text, format)",
    "strftime": "day(text, format)",
    "date_part": "day(text, format)",
    "timezone": "day(text, format, zone)",
    "concat": "||",
    "concat_ws": "||",
    "printf": "||",
    "format": "||",
    "sum": "sum_of_lines, in orders.total_amount",
    "//": "floor(a / b)",
    "^": "a * a",
    "**": "a * a",
    "~~~": "like",
    "regexp_split_to_array": "split_part",
    "string_split": "split_part",
    "md5": "the column itself",
    "now": "a column of the file",
    "today": "a column of the file",
    "substring_grapheme": "substring",
}
"""What to write in place of functions that people reach for."""


def checked_argument(function: str, takes: Argument, value: Value) -> Value:
    """The argument as the function takes it; raises BadExpression when it does not."""
    if takes in ("text", "any"):
        if value.type == "number" and takes == "any":
            return Value(number_text(value.sql), "text", value.columns, Size(0, 40))
        _require(function, "text", value)
    elif takes == "number":
        _require(function, "number", value)
    else:
        return _constant(function, takes, value)
    return value


def _constant(function: str, takes: Argument, value: Value) -> Value:
    text = value.literal
    if text is None:
        raise BadExpression(f"{function} takes a constant here ({takes}), not a value of the row")
    if takes == "count":
        number = text.removeprefix("-")
        if value.type != "number" or not number.isdigit() or int(number) > MAX_COUNT:
            raise BadExpression(f"{function} takes a whole number up to {MAX_COUNT} here")
        return Value(text, "number", literal=text)
    if value.type != "text":
        raise BadExpression(f"{function} takes a text in quotes here")
    if takes == "pattern":
        checked_pattern(text)
    if takes == "options" and not set(text) <= OPTIONS:
        raise BadExpression(f"{function} takes options of i, c, s, m, g here, not '{text[:20]}'")
    return value


def _require(function: str, wanted: Type, value: Value) -> None:
    if value.type in (wanted, "nothing"):
        return
    if wanted == "number" and value.type == "text":
        raise BadExpression(
            f"{function} needs a number, and the columns of a file are texts; "
            f"write amount({shown(value)})"
        )
    raise BadExpression(f"{function} needs a {wanted}, and {shown(value)} is a {value.type}")


def shown(value: Value) -> str:
    """What to call a value in a message: its column, or its text."""
    if value.literal is not None:
        return f"'{value.literal[:40]}'" if value.type == "text" else value.literal[:40]
    return f'"{next(iter(value.columns))}"' if len(value.columns) == 1 else "this"
