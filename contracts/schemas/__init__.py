"""Every message and document schema, found by name and version, compiled in two forms.

The closed form refuses unknown properties (what we write); the open form ignores them (what we
read), so that a field can be added without breaking a reader (docs/design.md, Messages).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs

from contracts.errors import ContractViolation

ROOT = Path(__file__).parent
Kind = Literal["commands", "events", "documents", "parts"]


@dataclass(frozen=True)
class Schema:
    """One released or current schema document and where it belongs."""

    kind: Kind
    name: str
    version: int
    document: dict[str, Any]


@cache
def all_schemas() -> tuple[Schema, ...]:
    """Every schema under this folder, sorted by kind, name and version."""
    return tuple(
        Schema(path.parts[-3], path.parts[-2], int(path.stem[1:]), json.loads(path.read_text()))  # type: ignore[arg-type]
        for path in sorted(ROOT.glob("*/*/v*.json"))
    )


def find(kind: Kind, name: str, version: int) -> Schema:
    """The schema of that name and version; raises ContractViolation when there is none."""
    for schema in all_schemas():
        if (schema.kind, schema.name, schema.version) == (kind, name, version):
            return schema
    raise ContractViolation(f"no schema {kind}/{name} v{version}")


def check(kind: Kind, name: str, version: int, document: Any, *, closed: bool) -> None:
    """Raise ContractViolation naming the place and the rule when the document does not conform."""
    find(kind, name, version)
    faults = sorted(
        f"{'/'.join(map(str, fault.instance_path)) or '(root)'}: {fault.message}"
        for fault in _validator(kind, name, version, closed).iter_errors(document)
    )
    if faults:
        raise ContractViolation(f"{name} v{version}: {'; '.join(faults[:5])}")


def close(document: Any) -> Any:
    """The same schema with `additionalProperties: false` on every object that names properties."""
    if isinstance(document, list):
        return [close(item) for item in document]
    if not isinstance(document, dict):
        return document
    closed = {name: close(value) for name, value in document.items()}
    if "properties" in closed and closed.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def _validator(kind: Kind, name: str, version: int, closed: bool) -> jsonschema_rs.Validator:
    resources = [
        (schema.document["$id"], close(schema.document) if closed else schema.document)
        for schema in _parts()
    ]
    document = find(kind, name, version).document
    return jsonschema_rs.Draft202012Validator(
        close(document) if closed else document,
        registry=jsonschema_rs.Registry(resources),
        validate_formats=True,
    )


def _parts() -> Iterator[Schema]:
    return (schema for schema in all_schemas() if schema.kind == "parts")
