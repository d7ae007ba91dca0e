"""Bytes that somebody else wrote: read as the JSON object that a message must be, or refused.

The one place that turns whatever a sender can write into values that all later code can hold: that
can be encoded, counted, compared and stored. What cannot is the sender's fault, a
ContractViolation. What a message must say is not here.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from contracts.errors import ContractViolation
from contracts.printable import printable

MAX_BODY_BYTES = 262_144
"""Ours have at most 200 KB (`envelope.MAX_MESSAGE_BYTES`), notices of AWS a few; with room for the
wrapper of the bus."""
MAX_DEPTH = 64
"""Ours have under ten levels; what goes deeper exhausts the stack of whoever walks it."""
MAX_NUMBER = 2**53 - 1
"""Beyond it a number is not the same for every reader of JSON (RFC 7493), nor for DynamoDB."""
SHOWN_CHARACTERS = 200


def json_object(body: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A message's text as the JSON object that it must be; raises ContractViolation.

    A value that was read already is only looked at from outside.
    """
    value = json_value(body) if isinstance(body, str) else body
    if not isinstance(value, Mapping):
        raise ContractViolation("message is not a JSON object")
    return value


def json_document(content: bytes, max_bytes: int) -> Mapping[str, Any]:
    """A file's bytes as the JSON object that it must be; raises ContractViolation.

    The rules are those of a message; a byte order mark, as some editors write it, is no fault.
    """
    value = json_value(content.removeprefix(codecs.BOM_UTF8), max_bytes, "it")
    if not isinstance(value, Mapping):
        raise ContractViolation("it is not a JSON object")
    return value


def json_value(text: str | bytes, max_bytes: int = MAX_BODY_BYTES, subject: str = "message") -> Any:
    """The value of a JSON text; raises ContractViolation saying what is wrong with the `subject`.

    Refused beside broken JSON: more than `max_bytes`, text that is no UTF-8 (lone surrogates), more
    than MAX_DEPTH levels, numbers that are not finite or beyond MAX_NUMBER, and objects that say
    the same name twice, of which each reader may take another.
    """
    try:
        size = len(text if isinstance(text, bytes) else text.encode())
        if size > max_bytes:
            raise _Refused(f"has {size} bytes, more than {max_bytes}")
        value = json.loads(
            text.decode() if isinstance(text, bytes) else text,
            object_pairs_hook=_said_once,
            parse_constant=_not_finite,
            parse_float=_exact,
            parse_int=_counted,
        )
        _check(value)
    except _Refused as refused:
        raise ContractViolation(f"{subject} {refused}") from refused
    except RecursionError as error:
        raise ContractViolation(
            f"{subject} is nested deeper than the {MAX_DEPTH} levels that are read"
        ) from error
    except UnicodeDecodeError as error:
        raise ContractViolation(
            f"{subject} is not UTF-8 text: byte {error.start + 1} is none"
        ) from error
    except UnicodeEncodeError as error:
        raise ContractViolation(
            f"{subject} is not UTF-8 text: it has half a character, a lone surrogate"
        ) from error
    except ValueError as error:
        raise ContractViolation(f"{subject} is not JSON: {error}") from error
    return value


class _Refused(Exception):
    """Well-formed for a parser of JSON, and not for us; what follows the subject."""


def shown(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """The text for a log line, a reason or an answer: printable, and cut."""
    head = printable(text[:limit])
    return head if len(text) <= limit else f"{head}… ({len(text)} characters)"


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in said if names.count(name) > 1)
        raise _Refused(f"says {shown(twice)!r} twice in one object")
    return said


def _not_finite(constant: str) -> NoReturn:
    raise _Refused(f"holds {constant}, which is no JSON")


def _exact(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise _too_large(digits)
    return value


def _counted(digits: str) -> int:
    if len(digits) > len(str(MAX_NUMBER)) + 1 or abs(value := int(digits)) > MAX_NUMBER:
        raise _too_large(digits)
    return value


def _too_large(digits: str) -> _Refused:
    return _Refused(
        f"holds the number {shown(digits, 40)}: beyond 2^53 not every reader takes it for the same "
        "one; write it as text"
    )


def _check(value: Any) -> None:
    """Raise UnicodeEncodeError for text that no UTF-8 holds, RecursionError for too many levels."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise RecursionError
        level = [inner for outer in level for inner in _inside(outer)]


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for name, inner in value.items():
            name.encode()
            yield inner
    elif isinstance(value, list):
        yield from value
