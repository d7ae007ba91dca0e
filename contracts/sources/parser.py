"""A YAML text as a `Source`; raises InvalidSource with all that the schema has against it."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from contracts.sources.documents import Document, key_of, read_document
from contracts.sources.faults import InvalidSource, SourceFault, did_you_mean, quoted
from contracts.sources.model import (
    ROW_KINDS,
    CarriedDown,
    Explode,
    Expression,
    FileFormat,
    Kind,
    Lookup,
    Mapping,
    Source,
)

SCHEMA = Path(__file__).parent / "source.schema.json"
KINDS: tuple[Kind, ...] = ("orders", "order_items", "products")
_TYPES = {
    "object": "keys with values below it",
    "array": "a list, as in [a, b]",
    "string": "a text; put it in quotes",
    "integer": "a whole number without quotes",
}
_MISSING_UNITS = ["unit_price", "line_amount"]


def parse_source(content: bytes, name: str) -> Source:
    """The source of a YAML text in UTF-8; `name` is what messages call it (a path, a key).

    Raises InvalidSource with every fault that was found, each with its line and key.
    """
    document = read_document(name, content)
    faults = [
        SourceFault(document.line_of(path), key_of(path), message)
        for error in _validator().iter_errors(document.value)
        for path, message in _faults(error, document.value)
    ]
    if not faults:
        faults = [
            SourceFault(document.line_of(path), key_of(path), message)
            for path, message in _contradictions(document.value)
        ]
    if faults:
        raise InvalidSource(name, faults)
    return _source(document, name)


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    return schema


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema())


def _faults(error: Any, document: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a broken keyword means to who wrote the document."""
    path = tuple(error.instance_path)
    keyword, value = error.kind.name, error.kind.value
    found = _at(document, path)
    if keyword == "additionalProperties":
        names = [*_properties(path)]
        for name in value:
            yield (*path, name), f"there is no such key{did_you_mean(name, names)}"
    elif keyword == "propertyNames":
        bad = json.loads(json.dumps(value.instance))
        yield (*path, bad), f"{quoted(bad)} must be a word of a-z, 0-9 and _, at most 40 long"
    elif keyword == "required":
        yield path, f"{value} is missing"
    elif keyword == "anyOf":
        yield path, f"{' or '.join(_MISSING_UNITS)} is missing: what does a line cost?"
    elif found is None:
        yield path, "there is no value here"
    elif keyword == "enum":
        said = ", ".join(quoted(each) for each in value)
        yield path, f"{_shown(found)} is none of {said}"
    elif keyword == "type":
        yield path, f"this has to be {_TYPES['string' if 'string' in value else value[0]]}"
    elif keyword == "pattern":
        yield (
            path,
            f"{_shown(found)} must be 2 to 40 of a-z, 0-9 and -, and begin with a letter",
        )
    elif keyword in ("maxLength", "minLength"):
        size = "empty" if keyword == "minLength" else f"longer than {value} characters"
        yield path, f"this is {size}"
    elif keyword == "uniqueItems":
        yield path, "a value stands in the list twice"
    else:
        yield path, str(error.message)


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def _properties(path: tuple[str | int, ...]) -> dict[str, Any]:
    """The keys that the schema knows at a place."""
    schema: dict[str, Any] = _schema()
    for part in path:
        schema = schema.get("properties", {}).get(part) or schema["additionalProperties"]
    known: dict[str, Any] = schema["properties"]
    return known


def _shown(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _contradictions(value: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a schema cannot say."""
    rows, own = value["rows"], ROW_KINDS[value["rows"]]
    if own not in value:
        yield ("rows",), f"rows are {rows}, so say what gives {own}: {own} is missing"
    for kind in KINDS:
        if kind in value and kind != own and rows != "order_lines":
            yield (kind,), f"rows are {rows}, so that a row gives {own} and no {kind}"
    file = value.get("file", {})
    if file.get("thousands") == file.get("decimal", "."):
        yield ("file", "thousands"), "this is the decimal mark already"
    if "carried_down" in value and value["rows"] == "orders":
        yield ("carried_down",), "each row is an order of its own: there is nothing to carry down"
    if "explode" in value:
        yield from _no_explosion(value["explode"], rows)


def _no_explosion(said: dict[str, Any], rows: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Why rows cannot be taken apart so."""
    if rows != "order_lines":
        yield ("explode",), f"each part is an order line, and rows are {rows}: say order_lines"
    if said.keys() not in ({"columns", "separator"}, {"numbered"}):
        why = 'say columns with their separator, or numbered with names as "Item # SKU"'
        yield ("explode",), why
    for name in said.get("numbered", ()):
        if name.count("{n}") != 1:
            why = f"{quoted(name)} has to have one {{n}}, which stands for the number of the line"
            yield ("explode", "numbered"), why


def _source(document: Document, name: str) -> Source:
    value = document.value

    def expression(*path: str) -> Expression:
        return Expression(str(_at(value, path)).strip(), document.line_of(path), key_of(path))

    def reasons(*path: str) -> dict[str, Expression]:
        given = _at(value, path[:-1]).get("leave_out", {})
        return {reason: expression(*path, reason) for reason in given}

    carried, explode = value.get("carried_down"), value.get("explode")
    return Source(
        name=value["source"],
        version=value["version"],
        title=value["title"],
        rows=value["rows"],
        file=_file(value.get("file", {})),
        carried_down=carried
        and CarriedDown(
            expression("carried_down", "within"),
            tuple(carried["columns"]),
            document.line_of(("carried_down", "columns")),
        ),
        explode=explode
        and Explode(
            tuple(explode.get("columns", ())),
            explode.get("separator", ""),
            tuple(explode.get("numbered", ())),
            document.line_of(("explode",)),
        ),
        leave_out=reasons("leave_out"),
        mappings=tuple(
            Mapping(
                kind,
                {
                    column: expression(kind, column)
                    for column in _properties((kind,))
                    if column in value[kind] and column not in ("where", "leave_out")
                },
                expression(kind, "where") if "where" in value[kind] else None,
                reasons(kind, "leave_out"),
            )
            for kind in KINDS
            if kind in value
        ),
        lookups={
            lookup: Lookup(
                lookup, each["key"], each.get("value"), document.line_of(("lookups", lookup))
            )
            for lookup, each in value.get("lookups", {}).items()
        },
        name_of_document=name,
        headers=tuple(map(tuple, value.get("headers", ()))),
    )


def _file(value: dict[str, Any]) -> FileFormat:
    given = dict(value)
    if given.get("delimiter") == "tab":
        given["delimiter"] = "\t"
    if "missing" in given:
        given["missing"] = ("", *(text for text in given["missing"] if text))
    return FileFormat(**given)
