"""The part of the explanation that compares limits: numbers, lengths, counts, patterns, formats."""

import math
from collections.abc import Iterator, Set
from typing import Any

from contracts.compatibility.breaks import Difference

_LOWEST = {
    "minimum": "below", "exclusiveMinimum": "at or below", "minLength": "shorter than",
    "minItems": "fewer than", "minProperties": "fewer than",
}  # fmt: skip
_HIGHEST = {
    "maximum": "above", "exclusiveMaximum": "at or above", "maxLength": "longer than",
    "maxItems": "more than", "maxProperties": "more than",
}  # fmt: skip
_EXACT = ("pattern", "format", "multipleOf", "uniqueItems", "propertyNames", "dependentRequired")
_OF_TYPE = {
    "minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
    "minItems": "array", "maxItems": "array", "uniqueItems": "array",
    "minProperties": "object", "maxProperties": "object", "propertyNames": "object",
    "dependentRequired": "object",
}  # fmt: skip
"""What a keyword limits; the others limit numbers."""


def limit_differences(
    reader: Any, writer: Any, types: Set[str], pointer: str
) -> Iterator[Difference]:
    """Every limit of the reader that the writer does not keep to.

    `types`: what both may be; a limit on another type limits nothing.
    """
    taken = {
        keyword: value
        for keyword, value in reader.items()
        if _OF_TYPE.get(keyword, "integer") in types
    }
    for keyword, word in _LOWEST.items():
        if taken.get(keyword, -math.inf) > writer.get(keyword, -math.inf):
            yield _beyond(pointer, keyword, word, taken)
    for keyword, word in _HIGHEST.items():
        if taken.get(keyword, math.inf) < writer.get(keyword, math.inf):
            yield _beyond(pointer, keyword, word, taken)
    for keyword in _EXACT:
        if keyword in taken and taken[keyword] != writer.get(keyword):
            kept = f"kept to {writer[keyword]!r}" if keyword in writer else "not asked for"
            said = f"{taken[keyword]!r} is asked for, but where it is written it is {kept}"
            yield Difference(f"{pointer}/{keyword}", keyword, said)


def _beyond(pointer: str, keyword: str, word: str, taken: Any) -> Difference:
    said = f"may be {word} {taken[keyword]}, which is refused"
    return Difference(f"{pointer}/{keyword}", keyword, said)
