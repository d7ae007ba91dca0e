"""Where and why a reader does not take what may be written: for people, never for the verdict.

The walk goes down only where the verdict (`forms.py`) is no, and says so even where it finds no
rule of its own to blame.
"""

from collections.abc import Iterator
from typing import Any

from contracts.compatibility.breaks import Difference
from contracts.compatibility.catalogue import INLINED
from contracts.compatibility.forms import LATER, Comparison
from contracts.compatibility.limits import limit_differences

UNDECIDED = "undecided"
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def differences(reader: Any, writer: Any, pointer: str = "") -> list[Difference]:
    """Every place where the writer may write what the reader refuses; empty when it is covered."""
    if Comparison(reader, writer).is_covered:
        return []
    if INLINED in _keywords(reader) and INLINED in _keywords(writer):
        pointer += "/$ref"
    found = list(_differences(reader, writer, pointer))
    return found or [
        Difference(pointer, UNDECIDED, "it cannot be shown that all that may be written is taken")
    ]


def _differences(reader: Any, writer: Any, pointer: str) -> Iterator[Difference]:
    if reader is False or not isinstance(writer, dict):
        said = "nothing is taken here" if reader is False else "anything may be written here"
        yield Difference(pointer, "false" if reader is False else "true", said)
        return
    branches, choices = _branches(writer), _branches(reader)
    if branches:
        for keyword, index, branch in branches:
            place = pointer if choices else f"{pointer}/{keyword}/{index}"
            yield from differences(reader, branch, place)
        return
    if choices:
        yield from _choice_differences(choices, writer, pointer)
        return
    yield from _type_differences(reader, writer, pointer)
    yield from _value_differences(reader, writer, pointer)
    both = _types(reader) & _types(writer)
    yield from limit_differences(reader, writer, both, pointer)
    yield from _object_differences(reader, writer, pointer)
    if "items" in reader and _may_be("array", writer):
        yield from differences(reader["items"], writer.get("items", True), f"{pointer}/items")


def _choice_differences(
    choices: list[tuple[str, int, Any]], writer: Any, pointer: str
) -> Iterator[Difference]:
    """The reader takes one of several: blame the one that is of the writer's type."""
    alike = [choice for choice in choices if _types(choice[2]) & _types(writer)]
    if len(alike) == 1:
        keyword, index, choice = alike[0]
        yield from differences(choice, writer, f"{pointer}/{keyword}/{index}")
    else:
        keyword = choices[0][0]
        yield Difference(f"{pointer}/{keyword}", keyword, "none of these takes what may be written")


def _type_differences(reader: Any, writer: Any, pointer: str) -> Iterator[Difference]:
    refused = [name for name in _TYPES if name in _types(writer) - _types(reader)]
    if refused:
        taken = " or ".join(name for name in _TYPES if name in _types(reader))
        said = f"may be {' or '.join(refused)}, but only {taken} is taken"
        yield Difference(f"{pointer}/type", "type", said)


def _value_differences(reader: Any, writer: Any, pointer: str) -> Iterator[Difference]:
    for keyword in ("enum", "const"):
        if keyword not in reader:
            continue
        taken = reader["enum"] if keyword == "enum" else [reader["const"]]
        written = writer.get("enum", [writer["const"]] if "const" in writer else None)
        if written is None:
            yield Difference(
                f"{pointer}/{keyword}",
                keyword,
                f"may be anything, but only {_list(taken)} is taken",
            )
        elif refused := [value for value in written if value not in taken]:
            said = f"may be {_list(refused)}, but only {_list(taken)} is taken"
            yield Difference(f"{pointer}/{keyword}", keyword, said)


def _object_differences(reader: Any, writer: Any, pointer: str) -> Iterator[Difference]:
    if not _may_be("object", writer) or not _may_be("object", reader):
        return
    written, taken = writer.get("properties", {}), reader.get("properties", {})
    always = set(writer.get("required", ()))
    for name in reader.get("required", ()):
        if name not in always:
            said = "may be left out" if name in written else "is never written"
            yield Difference(
                f"{pointer}/properties/{_escaped(name)}",
                "required",
                f"`{name}` must be there, but {said}",
            )
    others = reader.get("additionalProperties", True)
    for name, schema in written.items():
        if name in taken:
            yield from differences(taken[name], schema, f"{pointer}/properties/{_escaped(name)}")
        elif others is False:
            said = "what a later version may add" if name == LATER else f"unknown `{name}`"
            yield Difference(
                f"{pointer}/additionalProperties",
                "additionalProperties",
                f"{said} is refused, where readers must ignore what they do not know",
            )
        else:
            yield from differences(others, schema, f"{pointer}/additionalProperties")
    if "additionalProperties" in reader and writer.get("additionalProperties") is not False:
        yield from differences(
            others, writer.get("additionalProperties", True), f"{pointer}/additionalProperties"
        )


def _branches(schema: Any) -> list[tuple[str, int, Any]]:
    return [
        (keyword, index, branch)
        for keyword in ("anyOf", "oneOf")
        for index, branch in enumerate(_keywords(schema).get(keyword, ()))
    ]


def _types(schema: Any) -> set[str]:
    """The JSON types that a schema lets through, as far as its `type` says."""
    declared = _keywords(schema).get("type", list(_TYPES))
    types = {declared} if isinstance(declared, str) else set(declared)
    return types | {"integer"} if "number" in types else types


def _may_be(name: str, schema: Any) -> bool:
    return name in _types(schema)


def _keywords(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _list(values: list[Any]) -> str:
    return ", ".join(repr(value) for value in values)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
