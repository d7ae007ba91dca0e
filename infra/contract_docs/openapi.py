"""The HTTP API's document: made of the code, and held to the one that is frozen.

Who reads an answer must find what it found before, and who asks must be able to ask as before: a
path, a parameter, a property, a value that a parameter may have stays. More may come at any time.
"""

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FROZEN = "services/api/http/openapi.json"
REFERENCE = "#/components/schemas/"
_TIGHTER: Mapping[str, Callable[[Any, Any], bool]] = {
    "maximum": operator.gt,
    "maxLength": operator.gt,
    "minimum": operator.lt,
    "minLength": operator.lt,
    "pattern": operator.ne,
}
"""By keyword: whether the value before admitted more than the one now."""
Schema = Mapping[str, Any]


@cache
def served() -> dict[str, Any]:
    """What the code answers, which stays the same in a process."""
    from services.api.http.app import make_app, openapi_of
    from services.api.http.callers import Caller

    return openapi_of(make_app(None, Caller("", "")))  # type: ignore[arg-type]


def text_of(document: Mapping[str, Any]) -> str:
    """As it is kept."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def breaks(frozen: Schema, now: Schema) -> Iterator[tuple[str, str, str]]:
    """(where, rule, reason) of each thing that was promised and is not so any more."""
    for path, operations in frozen.get("paths", {}).items():
        for method, before in operations.items():
            where = f"{method.upper()} {path}"
            after = now["paths"].get(path, {}).get(method)
            if after is None:
                yield where, "removed", "it may not be asked any more"
                continue
            yield from _parameters(where, before, frozen, after, now)
            for status, answer in before["responses"].items():
                yield from _answer(f"{where} {status}", answer, frozen, after, status, now)


def _parameters(
    where: str, before: Schema, frozen: Schema, after: Schema, now: Schema
) -> Iterator[tuple[str, str, str]]:
    were, are = (
        {(one["in"], one["name"]): one for one in each.get("parameters", ())}
        for each in (before, after)
    )
    for key, parameter in were.items():
        place = f"{where} {key[1]}"
        if key not in are:
            yield place, "removed", "this parameter is refused now"
        else:
            yield from _narrowed(place, parameter["schema"], frozen, are[key]["schema"], now)
    for key, parameter in are.items():
        if parameter.get("required") and not were.get(key, {}).get("required"):
            yield f"{where} {key[1]}", "required", "who does not give this parameter is refused now"


def _narrowed(
    where: str, before: Schema, frozen: Schema, after: Schema, now: Schema
) -> Iterator[tuple[str, str, str]]:
    """Whether a value that was taken may be refused."""
    was, is_ = _resolved(before, frozen), _resolved(after, now)
    if missing := _values(was, frozen) - _values(is_, now):
        yield where, "enum", f"{', '.join(sorted(missing))} is refused now"
    if missing := _types(was, frozen) - _types(is_, now):
        yield where, "type", f"{', '.join(sorted(missing))} is refused now"
    for name, is_tighter in _TIGHTER.items():
        if name in is_ and (name not in was or is_tighter(was[name], is_[name])):
            yield where, name, f"{name} is {is_[name]}, and was {was.get(name, 'free')}"
    if was.get("default") != is_.get("default"):
        yield where, "default", f"it is {is_.get('default')}, and was {was.get('default')}"


def _answer(
    where: str, before: Schema, frozen: Schema, after: Schema, status: str, now: Schema
) -> Iterator[tuple[str, str, str]]:
    answer = after["responses"].get(status)
    if answer is None:
        yield where, "removed", "it is never answered any more"
        return
    for media, content in before.get("content", {}).items():
        there = answer.get("content", {}).get(media)
        if there is None:
            yield f"{where} {media}", "removed", "there is no such answer any more"
        else:
            yield from _lost(
                f"{where} {media}", content["schema"], frozen, there["schema"], now, ()
            )


def _lost(
    where: str, before: Schema, frozen: Schema, after: Schema, now: Schema, within: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """What a reader of the old answers would miss, or could not take, in the new ones."""
    name = str(before.get("$ref", ""))
    if name and name in within:
        return
    within = (*within, name) if name else within
    was, is_ = _resolved(before, frozen), _resolved(after, now)
    if more := _types(is_, now) - _types(was, frozen):
        yield where, "type", f"it may be {', '.join(sorted(more))} now"
    if (more := _values(is_, now) - _values(was, frozen)) and _values(was, frozen):
        yield where, "enum", f"it may be {', '.join(sorted(more))} now"
    for property_, schema in was.get("properties", {}).items():
        place = f"{where} .{property_}"
        if property_ not in is_.get("properties", {}):
            yield place, "removed", "it is not there any more"
            continue
        yield from _lost(place, schema, frozen, is_["properties"][property_], now, within)
    if "items" in was and "items" in is_:
        yield from _lost(f"{where} []", was["items"], frozen, is_["items"], now, within)
    for old, new in zip(was.get("anyOf", ()), is_.get("anyOf", ()), strict=False):
        yield from _lost(where, old, frozen, new, now, within)


def _resolved(schema: Schema, document: Schema) -> Schema:
    name = str(schema.get("$ref", "")).removeprefix(REFERENCE)
    if not name:
        return schema
    found: Schema = document["components"]["schemas"][name]
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def _types(schema: Schema, document: Schema) -> set[str]:
    parts = [_resolved(one, document) for one in schema.get("anyOf", [schema])]
    return {str(one.get("type", "any")) for one in parts}


def _values(schema: Schema, document: Schema) -> set[str]:
    parts = [_resolved(one, document) for one in schema.get("anyOf", [schema])]
    return {str(value) for one in parts for value in one.get("enum", ())}


def read_frozen(project: Path) -> dict[str, Any]:
    """The frozen document of a checkout; empty where there is none."""
    path = project / FROZEN
    return dict(json.loads(path.read_text())) if path.exists() else {}
