"""What of a schema is read and what is written, and whether the one covers the other.

A reader takes the open form. A writer keeps to the closed form. A reader must also bear what a
later writer may add, so the past is compared with one more property than it had: a schema that
closes an object, or gives every unknown property a type, could never be extended again.
"""

from dataclasses import dataclass
from typing import Any

import jsonschema_rs
from jsonschema_rs import canonical

from contracts.errors import ContractViolation
from contracts.schemas import close

LATER = "added-by-a-later-version"
Document = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What one side takes, and what the other side may write."""

    reader: Any
    writer: Any

    @property
    def is_covered(self) -> bool:
        """Whether it is proved that all that may be written is taken."""
        found = _canonical(self.reader).covers(_canonical(self.writer))
        return found == canonical.Containment.YES


def backward(new: Document, old: Document) -> Comparison:
    """New readers against what was written before, and against what may be added to it."""
    return Comparison(reader=new, writer=close(_with_later(old)))


def forward(new: Document, old: Document) -> Comparison:
    """Readers of before against what is written now."""
    return Comparison(reader=old, writer=close(new))


def require_comparable(document: Document, path: str) -> None:
    """Raise ContractViolation when the document is no JSON Schema."""
    try:
        _canonical(document)
    except (jsonschema_rs.ValidationError, canonical.CanonicalizationError) as error:
        raise ContractViolation(f"{path} is no JSON Schema: {error.args[0]}") from error


def _canonical(document: Any) -> jsonschema_rs.CanonicalSchema:
    return jsonschema_rs.canonicalize(
        document, draft=jsonschema_rs.Draft202012, validate_formats=True
    )


def _with_later(node: Any) -> Any:
    """The same schema where each object that `close` would close has one more property."""
    if isinstance(node, list):
        return [_with_later(item) for item in node]
    if not isinstance(node, dict):
        return node
    opened = {name: _with_later(value) for name, value in node.items()}
    closes = node.get("type") == "object" and "properties" in node
    if closes and "additionalProperties" not in node:
        opened["properties"] = {**opened["properties"], LATER: True}
    return opened
