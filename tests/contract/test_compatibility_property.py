"""Whatever is done to a schema: when the gate lets it pass, old and new can read each other."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
from hypothesis import given, note, settings
from hypothesis import strategies as st

from contracts.compatibility.catalogue import read_current
from contracts.compatibility.gate import compare
from contracts.schemas import close
from tests.contract.declared import PROJECT

CURRENT = read_current(PROJECT / "contracts")
SCHEMAS = {path: CURRENT.resolved(path) for path in CURRENT.schemas}
EXAMPLES = {path: CURRENT.document(path)["examples"] for path in SCHEMAS}
VALUES = [
    None, True, -1, 0, 1, 7, 1.5, 10**12, "", "x", "MANUAL", "orders", "accepted", "0" * 16,
    "2025-07-07", "2025-07-07T12:00:00.000Z", [], ["x"], {}, {"x": "y"},
]  # fmt: skip
KEYWORDS: dict[str, list[Any]] = {
    "type": ["string", "integer", "number", "boolean", "null", "object", ["string", "null"]],
    "minimum": [-5, 0, 1, 100],
    "maximum": [0, 10, 10**9],
    "minLength": [0, 1, 16, 40],
    "maxLength": [0, 16, 1000],
    "minItems": [0, 1, 2],
    "maxItems": [0, 1000],
    "pattern": ["^[0-9a-f]{16}$", "^.+$", "^[a-z]+$"],
    "format": ["date-time", "date", "uuid"],
    "enum": [["MANUAL"], ["orders", "order_items", "products"], ["accepted", None, 0]],
    "additionalProperties": [False, True, {"type": "string"}],
}


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema that has properties, itself included."""
    for child in schemas_in(node):
        if child.get("properties"):
            yield child


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(node, dict):
        return
    yield node
    for rule in node.get("properties", {}).values():
        yield from schemas_in(rule)
    for rule in (node.get("items"), *node.get("anyOf", ())):
        yield from schemas_in(rule)


@st.composite
def edited(draw: Callable[..., Any], original: dict[str, Any]) -> dict[str, Any]:
    """A schema after one to three changes, somewhere in it."""
    document = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(["limit", "free", "add", "drop", "require", "relax"])):
            case "limit":
                keyword = draw(st.sampled_from(sorted(KEYWORDS)))
                target = draw(st.sampled_from(list(schemas_in(document))))
                target[keyword] = draw(st.sampled_from(KEYWORDS[keyword]))
            case "free":
                target = draw(st.sampled_from(list(schemas_in(document))))
                loose = sorted(set(target) & set(KEYWORDS))
                if loose:
                    del target[draw(st.sampled_from(loose))]
            case change:
                change_properties(draw, change, draw(st.sampled_from(list(objects(document)))))
        if not list(objects(document)):
            break
    return document


def change_properties(draw: Callable[..., Any], change: str, target: dict[str, Any]) -> None:
    name = draw(st.sampled_from(sorted(target["properties"])))
    required = target.setdefault("required", [])
    if change == "add":
        target["properties"]["added"] = {"type": draw(st.sampled_from(["string", "integer"]))}
    if change == "drop":
        del target["properties"][name]
    if change in ("drop", "relax") and name in required:
        required.remove(name)
    if change == "require" and name not in required:
        required.append(name)


def varied(draw: Callable[..., Any], node: Any) -> Any:
    """A document like the example: values replaced, properties left out or added."""
    if isinstance(node, dict):
        kept = {
            name: varied(draw, value) for name, value in node.items() if draw(st.integers(0, 5)) > 0
        }
        return kept | draw(st.sampled_from([{}, {}, {"added": "x"}, {"added": 1}]))
    if isinstance(node, list):
        return [varied(draw, item) for item in node]
    return node if draw(st.integers(0, 3)) > 0 else draw(st.sampled_from(VALUES))


def accepts(schema: dict[str, Any], document: Any) -> bool:
    """The verdict of the validator that checks messages, not of the gate's own reasoning."""
    return bool(
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(document)
    )


@given(data=st.data())
def test_what_passes_the_gate_is_read_in_both_directions(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(SCHEMAS)))
    old = SCHEMAS[path]
    new = data.draw(edited(old))
    if compare(path, "v1", new, old):
        return
    note(f"passed: {path} {new}")
    for example in EXAMPLES[path]:
        assert accepts(new, example), "new readers refuse an old example"
        for _ in range(5):
            document = varied(data.draw, example)
            if accepts(close(old), document):
                assert accepts(new, document), document
            if accepts(close(new), document):
                assert accepts(old, document), document


@given(data=st.data())
def test_what_is_refused_is_explained(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(SCHEMAS)))
    for found in compare(path, "v1", data.draw(edited(SCHEMAS[path])), SCHEMAS[path]):
        assert found.rule
        assert found.reason
        assert found.pointer == "" or found.pointer.startswith("/")


def test_the_edits_make_both_kinds_of_changes() -> None:
    """Were everything refused, the property above would hold of nothing."""
    passed, refused = set(), set()

    @settings(max_examples=100)
    @given(data=st.data())
    def look(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(SCHEMAS)))
        new = data.draw(edited(SCHEMAS[path]))
        if new != SCHEMAS[path]:
            (refused if compare(path, "v1", new, SCHEMAS[path]) else passed).add(str(new))

    look()
    assert len(passed) > 3
    assert len(refused) > 3
