"""Every schema says what it takes and what it refuses, by example; the models follow them."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest

from contracts import messages, schemas
from contracts.errors import ContractViolation
from contracts.schemas import Schema, all_schemas, check

ALL = all_schemas()
WITH_OPTIONALS = [
    schema
    for schema in ALL
    if set(schema.document["properties"]) - set(schema.document["required"])
]


def label(schema: Schema) -> str:
    return f"{schema.kind}/{schema.name}/v{schema.version}"


def every_schema(*chosen: Schema) -> Any:
    return pytest.mark.parametrize("schema", chosen or ALL, ids=label)


def taken(schema: Schema, document: Any, *, closed: bool) -> bool:
    try:
        check(schema.kind, schema.name, schema.version, document, closed=closed)
    except ContractViolation:
        return False
    return True


def objects_in(document: Any) -> Iterator[dict[str, Any]]:
    """Every object of an example, the outermost first."""
    if isinstance(document, list):
        for item in document:
            yield from objects_in(item)
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from objects_in(value)


def kept(example: Any, dumped: Any) -> Any:
    """What a model gives back, without the optional fields that the example leaves out."""
    if isinstance(example, dict):
        return {name: kept(value, dumped[name]) for name, value in example.items()}
    if isinstance(example, list):
        return [kept(*pair) for pair in zip(example, dumped, strict=True)]
    return dumped


def test_there_are_schemas_of_every_kind() -> None:
    assert {schema.kind for schema in ALL} == {"commands", "events", "documents", "parts"}


def test_a_message_type_has_one_kind() -> None:
    kinds = {
        schema.name: {other.kind for other in ALL if other.name == schema.name} for schema in ALL
    }
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


@every_schema()
def test_a_schema_is_what_its_path_says(schema: Schema) -> None:
    document = schema.document
    assert document["$id"] == f"urn:ecommerce-pipeline:schema:{schema.name}:v{schema.version}"
    assert document["title"] == schema.name
    assert document["type"] == "object"
    jsonschema_rs.meta.validate(document)


@every_schema()
def test_a_schema_and_each_of_its_properties_say_what_they_are(schema: Schema) -> None:
    silent = [
        name
        for name, rule in schema.document["properties"].items()
        if not {"description", "$ref", "anyOf"} & set(rule)
    ]
    assert schema.document["description"]
    assert silent == []


@every_schema()
def test_examples_pass_in_both_forms(schema: Schema) -> None:
    assert schema.document["examples"]
    for example in schema.document["examples"]:
        for closed in (True, False):
            check(schema.kind, schema.name, schema.version, example, closed=closed)


@every_schema()
def test_counter_examples_fail_in_both_forms(schema: Schema) -> None:
    assert schema.document["x-counter-examples"]
    for example in schema.document["x-counter-examples"]:
        assert not taken(schema, example, closed=True)
        assert not taken(schema, example, closed=False)


@every_schema()
def test_a_required_field_that_is_missing_is_refused(schema: Schema) -> None:
    for name in schema.document["required"]:
        example = deepcopy(schema.document["examples"][0])
        del example[name]
        assert not taken(schema, example, closed=False), name


@every_schema()
def test_an_unknown_field_is_refused_when_written_and_ignored_when_read(schema: Schema) -> None:
    example = deepcopy(schema.document["examples"][0])
    example["added_by_a_newer_version"] = 1
    assert not taken(schema, example, closed=True)
    assert taken(schema, example, closed=False)


@pytest.mark.parametrize("name", ["BatchSealed", "FilesReturned", "KpisPublished"])
def test_the_closed_form_reaches_into_nested_objects(name: str) -> None:
    schema = schemas.find("events", name, 1)
    example = deepcopy(schema.document["examples"][0])
    nested = list(objects_in(example))[1:]
    assert nested
    nested[-1]["added_by_a_newer_version"] = 1
    assert not taken(schema, example, closed=True)
    assert taken(schema, example, closed=False)


@every_schema()
def test_there_is_a_frozen_model_that_gives_the_example_back(schema: Schema) -> None:
    model = getattr(messages, schema.name)
    example = schema.document["examples"][0]
    value = model.model_validate(example)
    dumped = value.model_dump(mode="json")
    assert kept(example, dumped) == example
    assert model.model_config["frozen"]
    check(schema.kind, schema.name, schema.version, _sent(schema, dumped), closed=True)


@every_schema(*WITH_OPTIONALS)
def test_what_a_model_leaves_out_may_be_written(schema: Schema) -> None:
    required = set(schema.document["required"])
    example = {
        name: value for name, value in schema.document["examples"][0].items() if name in required
    }
    dumped = getattr(messages, schema.name).model_validate(example).model_dump(mode="json")
    check(schema.kind, schema.name, schema.version, _sent(schema, dumped), closed=True)


def _sent(schema: Schema, dumped: dict[str, Any]) -> dict[str, Any]:
    """The envelope is written by Message, which leaves an absent token out."""
    if schema.name == "Envelope" and dumped.get("task_token") is None:
        return {name: value for name, value in dumped.items() if name != "task_token"}
    return dumped


def test_a_fault_names_the_place_and_the_schema() -> None:
    example = schemas.find("events", "BatchSealed", 1).document["examples"][0]
    broken = example | {"manifest": example["manifest"] | {"sha256": "short"}}
    with pytest.raises(ContractViolation, match=r"BatchSealed v1: manifest/sha256: .*short"):
        check("events", "BatchSealed", 1, broken, closed=False)


def test_a_schema_that_is_not_there_is_named() -> None:
    with pytest.raises(ContractViolation, match="events/BatchSealed v99"):
        check("events", "BatchSealed", 99, {}, closed=False)


def test_the_models_say_that_they_are_generated() -> None:
    with open(messages.__file__) as source:
        assert "do not edit" in source.readline()
