"""The gate for messages and documents: what it refuses, why, and what it lets through."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compatibility_project import (
    ACQUIRE,
    OBJECT_REF,
    SEALED,
    ContractProject,
    Edit,
    said,
)
from tests.contract.declared import PROJECT


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> ContractProject:
    made = ContractProject(tmp_path_factory.mktemp("released"))
    assert made.release() == "v1"
    assert made.findings() == []
    return made


@pytest.fixture
def project(released: ContractProject, tmp_path: Path) -> ContractProject:
    return released.copied_to(tmp_path)


def of(name: str, **keywords: Any) -> Edit:
    """Change keywords of one property; None takes a keyword away."""

    def edit(document: dict[str, Any]) -> None:
        rule = document["properties"][name]
        rule |= keywords
        for keyword in [keyword for keyword, value in rule.items() if value is None]:
            del rule[keyword]

    return edit


def add(name: str, *, required: bool = False, **rule: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["properties"][name] = {"type": "string", "description": "New"} | rule
        if required:
            document["required"].append(name)

    return edit


def remove(name: str) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        del document["properties"][name]
        document["required"].remove(name)

    return edit


def put(**keywords: Any) -> Edit:
    return lambda document: document.update(keywords)


BREAKING: list[tuple[str, Edit, set[tuple[str, str, str]], str]] = [
    (
        "a property that readers require is removed",
        remove("file_count"),
        {("forward", "/properties/file_count", "required")},
        "`file_count` must be there, but is never written",
    ),
    (
        "a required property becomes optional",
        lambda document: document["required"].remove("file_count"),
        {("forward", "/properties/file_count", "required")},
        "may be left out",
    ),
    (
        "a new property is required",
        add("region", required=True),
        {("backward", "/properties/region", "required")},
        "`region` must be there, but is never written",
    ),
    (
        "an enum is narrowed",
        of("trigger", enum=["SETTLED", "MANIFEST"]),
        {("backward", "/properties/trigger/enum", "enum")},
        "may be 'MANUAL', but only 'SETTLED', 'MANIFEST' is taken",
    ),
    (
        "an enum is widened, which old readers do not know",
        of("trigger", enum=["SETTLED", "MANIFEST", "MANUAL", "REPLAY"]),
        {("forward", "/properties/trigger/enum", "enum")},
        "may be 'REPLAY'",
    ),
    (
        "a type is changed",
        of("size_bytes", type="string", minimum=None),
        {
            ("backward", "/properties/size_bytes/type", "type"),
            ("forward", "/properties/size_bytes/type", "type"),
        },
        "may be integer, but only string is taken",
    ),
    (
        "null is no longer taken",
        of("execution_id", type="string", default=None),
        {("backward", "/properties/execution_id/type", "type")},
        "may be null, but only string is taken",
    ),
    (
        "a number may be null",
        of("size_bytes", type=["integer", "null"]),
        {("forward", "/properties/size_bytes/type", "type")},
        "may be null",
    ),
    (
        "a lower limit is raised",
        of("size_bytes", minimum=1),
        {("backward", "/properties/size_bytes/minimum", "minimum")},
        "may be below 1, which is refused",
    ),
    (
        "an upper limit appears",
        of("file_count", maximum=10),
        {("backward", "/properties/file_count/maximum", "maximum")},
        "may be above 10, which is refused",
    ),
    (
        "a limit is loosened, which old readers hold on to",
        of("file_count", minimum=0),
        {("forward", "/properties/file_count/minimum", "minimum")},
        "may be below 1",
    ),
    (
        "a pattern is narrowed",
        of("batch_id", pattern="^[0-9]{16}$"),
        {
            ("backward", "/properties/batch_id/pattern", "pattern"),
            ("forward", "/properties/batch_id/pattern", "pattern"),  # true, but not provable
        },
        "'^[0-9]{16}$' is asked for",
    ),
    (
        "a format appears",
        of("bucket", format="uuid"),
        {("backward", "/properties/bucket/format", "format")},
        "'uuid' is asked for",
    ),
    (
        "an object is closed, so that it could never be extended",
        put(additionalProperties=False),
        {("backward", "/additionalProperties", "additionalProperties")},
        "what a later version may add is refused",
    ),
    (
        "a condition is added that the walk knows nothing of",
        put(**{"if": {"properties": {"trigger": {"const": "MANUAL"}}}, "then": False}),
        {("backward", "", "undecided")},
        "it cannot be shown",
    ),
]


@pytest.mark.parametrize(
    ("edit", "expected", "reason"),
    [case[1:] for case in BREAKING],
    ids=[case[0] for case in BREAKING],
)
def test_what_breaks_is_refused_with_its_place_and_reason(
    project: ContractProject, edit: Edit, expected: set[tuple[str, str, str]], reason: str
) -> None:
    project.edit(SEALED, edit)
    found = project.findings()
    assert said(found) == expected
    assert any(reason in one["reason"] for one in found), [one["reason"] for one in found]
    assert {one["contract"] for one in found} == {"events/BatchSealed v1"}
    assert {one["release"] for one in found} == {"v1"}


def a_new_type(document: dict[str, Any]) -> dict[str, Any]:
    name = "BatchAudited"
    urn = document["$id"].replace("BatchSealed", name)
    return document | {"$id": urn, "title": name}


COMPATIBLE: list[tuple[str, Edit]] = [
    ("a new optional property", add("region")),
    ("a new optional object", add("manifest_copy", type="object", properties={})),
    ("an optional property is gone", lambda document: document["properties"].pop("execution_id")),
    ("a description", of("bucket", description="The data bucket")),
    ("an example", lambda document: document["examples"].append(document["examples"][0])),
    ("a counter-example", lambda document: document["x-counter-examples"].append({})),
    ("a default", of("execution_id", default="nobody")),
    ("the order of properties", lambda document: document["properties"].update(
        {"bucket": document["properties"].pop("bucket")}
    )),
    ("the same said otherwise", of("attempt", minimum=None, exclusiveMinimum=-1)),
]  # fmt: skip


@pytest.mark.parametrize("edit", [case[1] for case in COMPATIBLE], ids=[c[0] for c in COMPATIBLE])
def test_what_breaks_nobody_passes(project: ContractProject, edit: Edit) -> None:
    before = project.path(SEALED).read_bytes()
    project.edit(SEALED, edit)
    assert project.path(SEALED).read_bytes() != before
    assert project.findings() == []


def test_a_new_message_type_passes(project: ContractProject) -> None:
    document = json.loads(project.path(SEALED).read_text())
    project.write("schemas/events/BatchAudited/v1.json", a_new_type(document))
    assert project.findings() == []


def test_a_second_version_passes_beside_the_first(project: ContractProject) -> None:
    document = json.loads(project.path(SEALED).read_text())
    document["$id"] = document["$id"].replace(":v1", ":v2")
    remove("file_count")(document)
    project.write("schemas/events/BatchSealed/v2.json", document)
    assert project.findings() == []


def test_a_reader_that_was_closed_may_be_opened(tmp_path: Path) -> None:
    project = ContractProject(tmp_path)
    project.edit(SEALED, put(additionalProperties=False))
    project.release()
    project.edit(SEALED, lambda document: document.pop("additionalProperties"))
    assert project.findings() == []


def test_a_changed_part_is_found_in_every_schema_that_refers_to_it(
    project: ContractProject,
) -> None:
    project.edit(OBJECT_REF, add("region", required=True))
    found = said(project.findings(SEALED))
    assert ("backward", "/properties/manifest/$ref/properties/region", "required") in found
    hit = {one["contract"] for one in project.findings()}
    assert {"commands/ValidateFile v1", "events/FileValidated v1"} <= hit
    assert "commands/AcquireLock v1" not in hit


def test_the_walk_goes_into_alternatives(project: ContractProject) -> None:
    """FileReport's references to S3 may be null."""
    project.edit(OBJECT_REF, add("region", required=True))
    pointers = {one["pointer"] for one in project.findings("schemas/documents/FileReport/v1.json")}
    assert any(pointer.endswith("/anyOf/0/$ref/properties/region") for pointer in pointers)
    assert not any(pointer.count("anyOf") > 1 for pointer in pointers)


def test_the_envelope_is_held_to_the_same_rules(project: ContractProject) -> None:
    envelope = "schemas/parts/Envelope/v1.json"
    project.edit(envelope, add("tenant", required=True))
    [found] = project.findings()
    assert found["contract"] == "parts/Envelope v1"
    assert {"lock", "saga", "ecp"} <= set(found["breaks_for"])


def test_it_says_whom_a_break_hits(project: ContractProject) -> None:
    project.edit(SEALED, of("size_bytes", minimum=1))
    project.edit(ACQUIRE, add("priority", required=True))
    [sealed], [acquire] = project.findings(SEALED), project.findings(ACQUIRE)
    assert sealed["breaks_for"] == ["aggregator", "api", "ecp"]
    assert sealed["written_by"] == ["aggregator"]
    assert acquire["breaks_for"] == ["lock"]
    assert acquire["written_by"] == ["saga"]


def test_an_event_hits_the_service_that_folds_its_own_stream(project: ContractProject) -> None:
    project.edit("schemas/events/LockGranted/v1.json", add("region", required=True))
    [found] = project.findings()
    assert found["breaks_for"] == ["api", "lock", "ecp"]


def test_a_document_hits_those_whose_code_reads_it(project: ContractProject) -> None:
    report = "schemas/documents/FileReport/v1.json"
    project.edit(report, add("region", required=True))
    [found] = project.findings(report)
    assert found["written_by"] == ["validator"]
    assert {"aggregator", "transformer", "validator"} <= set(found["breaks_for"])
    assert not {"archiver", "lock"} & set(found["breaks_for"])


def test_every_release_counts_not_only_the_newest(project: ContractProject) -> None:
    """v2 forgets an optional property; a third change would give its name another type."""
    project.edit(SEALED, lambda document: document["properties"].pop("execution_id"))
    assert project.release() == "v2"
    project.edit(SEALED, add("execution_id", type="integer"))
    assert {one["release"] for one in project.findings()} == {"v1"}


def test_a_version_that_is_still_heard_must_still_be_sent(project: ContractProject) -> None:
    document = json.loads(project.path(ACQUIRE).read_text())
    document["$id"] = document["$id"].replace(":v1", ":v2")
    project.write("schemas/commands/AcquireLock/v2.json", document)
    project.declare("lock", "AcquireLock v1", "AcquireLock v1, AcquireLock v2")
    [found] = project.findings()
    assert (found["contract"], found["direction"]) == ("commands/AcquireLock v2", "declared")
    assert found["breaks_for"] == ["lock"]


def test_a_contract_that_is_needed_may_not_go(project: ContractProject) -> None:
    for contract in (ACQUIRE, SEALED, "files/orders/v1.json"):
        project.path(contract).unlink()
    removed = {one["contract"] for one in project.findings() if one["rule"] == "removed"}
    assert removed == {"commands/AcquireLock v1", "events/BatchSealed v1", "files/orders v1"}


def test_a_command_that_nobody_declares_may_go(project: ContractProject) -> None:
    project.path("schemas/commands/ExtendLease/v1.json").unlink()
    project.declare("lock", ", ExtendLease v1", "")
    for service in ("validator", "transformer"):
        project.declare(service, "commands: [ExtendLease v1, ", "commands: [")
    assert project.findings("schemas/commands/ExtendLease/v1.json") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ('{"$id": "x", "type": "strin"}', "is no JSON Schema"),
        ('{"$id": "x", "$ref": "urn:nowhere"}', "reference urn:nowhere leads to no schema"),
        ('{"$id": "x", "type": "string", "pattern": "("}', "is no JSON Schema"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    project: ContractProject, text: str, reason: str
) -> None:
    project.path(SEALED).write_text(text)
    [found] = project.findings()
    assert found["rule"] == "schema"
    assert reason in found["reason"]


def test_the_projects_own_contracts_break_nobody() -> None:
    from infra.contract_docs.gate import ContractGate

    assert ContractGate(PROJECT).findings() == []
