"""JSON that somebody else wrote: read as an object, or told what is wrong with it; never a crash.

Whatever the bytes are, reading them ends at once and the fault is the sender's (DESIGN 3,
Aggregation): nesting beyond what can be read, numbers of thousands of digits, names that come
twice, NaN, and text that is no Unicode are faults like a missing bracket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

MAX_DEPTH = 64
"""Deeper than any document of ours or of a sender's own fields."""
SHOWN_CHARACTERS = 80


class _Unreadable(ValueError):
    """Well-formed JSON for the parser, and not for us."""


def foreign_json(body: bytes) -> Mapping[str, Any] | str:
    """The object that these bytes are, or why they are none, in words."""
    try:
        text = body.decode("utf-8-sig")
        if _depth(text) > MAX_DEPTH:
            return f"it is not JSON that can be read (it is nested deeper than {MAX_DEPTH} levels)"
        document = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer
        )
        text_is_unicode = json.dumps(document, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return f"it is not JSON in UTF-8 (byte {error.start} is none)"
    except UnicodeEncodeError:
        return "it is not JSON that can be read (it has half a character: a lone surrogate)"
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({str(error)[:200]})"
    if not isinstance(document, dict) or not text_is_unicode:
        return "it must be a JSON object"
    return document


def short_json(value: Any) -> str:
    """The beginning of a value as JSON, for a message."""
    return json.dumps(value)[:SHOWN_CHARACTERS]


def _depth(text: str) -> int:
    """How deep brackets are nested, those inside strings left out."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif in_string:
            escaped = character == "\\"
            in_string = character != '"'
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Unreadable(f"{short_json(twice)} comes twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Unreadable(f"{name} is no JSON value")


def _integer(digits: str) -> int:
    if len(digits) > SHOWN_CHARACTERS:
        raise _Unreadable(f"a number has {len(digits)} digits")
    return int(digits)
