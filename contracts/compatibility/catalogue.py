"""Contracts as one set of documents, from wherever they were read, with their references followed.

Paths are relative to `contracts/`: `schemas/<kind>/<Name>/v<N>.json`, `files/<kind>/v<N>.json`,
`sources/<name>/v<N>.yaml`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.errors import ContractViolation

PATTERNS = ("schemas/*/*/v*.json", "files/*/v*.json", "sources/*/v*.yaml")
INLINED = "x-inlined"
"""Marks a schema that stands where a reference to it stood."""
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_SCHEMAS = frozenset(
    {
        "items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems",
        "propertyNames", "contains", "not", "if", "then", "else",
    }
)  # fmt: skip
_SAYS_NOTHING = frozenset(
    {
        "$schema", "$id", "$comment", "title", "description", "examples", "x-counter-examples",
        "default", "deprecated", "readOnly", "writeOnly",
    }
)  # fmt: skip
"""Keywords that neither accept nor refuse anything."""


@dataclass(frozen=True)
class Catalogue:
    """The bytes of every contract by its path."""

    texts: Mapping[str, bytes]

    @property
    def schemas(self) -> list[str]:
        """Paths of what is written and read as a whole: all schemas but parts of other schemas."""
        return sorted(
            path
            for path in self.texts
            if path.startswith("schemas/") and path not in self._parts_of_others
        )

    @property
    def files(self) -> list[str]:
        """Paths of the file contracts."""
        return sorted(path for path in self.texts if path.startswith("files/"))

    @property
    def sources(self) -> list[str]:
        """Paths of the sources that ship."""
        return sorted(path for path in self.texts if path.startswith("sources/"))

    def document(self, path: str) -> dict[str, Any]:
        """The JSON of one contract; raises ContractViolation when it is none."""
        try:
            document = json.loads(self.texts[path])
        except ValueError as error:
            raise ContractViolation(f"{path} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ContractViolation(f"{path} is not a JSON object")
        return document

    def resolved(self, path: str) -> dict[str, Any]:
        """The schema with its references replaced by what they name, without its texts.

        Raises ContractViolation for a reference that leads nowhere, or in a circle.
        """
        resolved: dict[str, Any] = self._resolve(self.document(path), path, ())
        return resolved

    @cached_property
    def _by_id(self) -> dict[str, str]:
        schemas = [path for path in self.texts if path.startswith("schemas/")]
        return {str(self.document(path).get("$id")): path for path in schemas}

    @cached_property
    def _parts_of_others(self) -> set[str]:
        parts = [path for path in self.texts if path.startswith("schemas/parts/")]
        named = {
            reference
            for path in self.texts
            if path.startswith("schemas/")
            for reference in _references(self.document(path))
        }
        return {path for path in parts if self.document(path).get("$id") in named}

    def _resolve(self, node: Any, path: str, above: tuple[str, ...]) -> Any:
        if not isinstance(node, dict):
            return node
        kept = {
            keyword: self._inside(keyword, value, path, above)
            for keyword, value in node.items()
            if keyword not in _SAYS_NOTHING and keyword != "$ref"
        }
        if "$ref" not in node:
            return kept
        target = self._by_id.get(node["$ref"])
        if target is None or target in above:
            why = "leads in a circle" if target else "leads to no schema"
            raise ContractViolation(f"{path}: reference {node['$ref']} {why}")
        found = self._resolve(self.document(target), target, (*above, target)) | {INLINED: True}
        return {**kept, "allOf": [*kept.get("allOf", ()), found]} if kept else found

    def _inside(self, keyword: str, value: Any, path: str, above: tuple[str, ...]) -> Any:
        if keyword in _MAPS:
            return {name: self._resolve(schema, path, above) for name, schema in value.items()}
        if keyword in _LISTS:
            return [self._resolve(schema, path, above) for schema in value]
        return self._resolve(value, path, above) if keyword in _SCHEMAS else value


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)


def read_current(folder: Path) -> Catalogue:
    """The contracts as they stand under a folder (`contracts/` of the project)."""
    paths = [path for pattern in PATTERNS for path in folder.glob(pattern)]
    return Catalogue({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})
