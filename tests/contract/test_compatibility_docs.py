"""The generated pages: one is built as AsyncAPI 3.0 asks, both say what the sources say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts import schemas
from contracts.envelope import check_envelope
from infra.contract_docs.gate import ContractGate
from infra.contract_docs.pages import pages
from infra.contract_docs.pages.asyncapi import asyncapi
from infra.contract_docs.pages.message_index import MessageIndex
from infra.contract_docs.participants import BUS
from infra.ecp.contracts.commands import docs
from tests.contract.compatibility_project import ContractProject
from tests.contract.declared import COMMANDS, EVENTS, PROJECT, services, templates

GATE = ContractGate(PROJECT)
DOCUMENT: dict[str, Any] = yaml.safe_load(
    yaml.safe_dump(asyncapi(MessageIndex(GATE.current, GATE.participants)))
)
ROOT_KEYS = {
    "asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations",
    "components",
}  # fmt: skip


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return []


def at(reference: str) -> Any:
    """What a reference names; raises KeyError when it leads nowhere."""
    found = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_the_pages_are_current() -> None:
    """When this fails: run `ecp contracts docs`."""
    docs(only_check=True)


def test_every_reference_leads_somewhere() -> None:
    assert len(references(DOCUMENT)) > 100
    for reference in references(DOCUMENT):
        assert reference.startswith("#/"), reference
        assert at(reference)


def test_the_document_is_built_as_asyncapi_3_asks() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT) <= ROOT_KEYS
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for name, channel in DOCUMENT["channels"].items():
        assert re.fullmatch(r"[\w-]+", name)
        assert channel["address"]
        assert channel["messages"]


def test_an_operation_speaks_only_what_its_channel_carries() -> None:
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] in ("send", "receive"), name
        channel = operation["channel"]["$ref"]
        assert operation["messages"], name
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/"), name


def test_channels_are_the_bus_and_the_queues_that_templates_make() -> None:
    queues = {queue for one in templates() for queue in one.queues.values()}
    work = {queue for queue in queues if not queue.endswith("-dlq")}
    owned = {queue for one in services() for queue in one.owned("queues")}
    assert owned <= work
    assert set(DOCUMENT["channels"]) == {BUS, *owned}
    for name, channel in DOCUMENT["channels"].items():
        if name != BUS:
            dead = channel["bindings"]["sqs"]["deadLetterQueue"]["name"]
            assert dead in queues


@pytest.mark.parametrize("service", services(), ids=lambda one: one.name)
def test_a_service_does_in_it_what_its_declaration_says(service: Any) -> None:
    said: dict[str, set[str]] = {"receive": set(), "send": set()}
    for name, operation in DOCUMENT["operations"].items():
        if name.split(".")[0] == service.name:
            for message in operation["messages"]:
                said[operation["action"]].add(at(at(message["$ref"])["$ref"])["name"])
    consumed = service.types("consumes", "commands", "events", "aws_events")
    noticed = set(service.declaration["consumes"].get("aws_events", []))
    assert said["receive"] == {one for one in consumed if one in EVENTS | COMMANDS} | noticed
    assert said["send"] == service.types("emits", "commands", "events")


def test_every_message_is_in_it_with_an_example_that_conforms() -> None:
    messages = DOCUMENT["components"]["messages"]
    ours = {key: one for key, one in messages.items() if one["name"] in EVENTS | COMMANDS}
    assert {one["name"] for one in ours.values()} == EVENTS | COMMANDS
    for message in messages.values():
        assert message["examples"]
    for message in ours.values():
        for example in message["examples"]:
            check_envelope(example["payload"], closed=True)


def test_examples_lie_in_the_streams_of_their_owner() -> None:
    messages = DOCUMENT["components"]["messages"]
    for service in services():
        prefixes = {stream.split("/")[0] for stream in service.owned("streams")}
        for name in service.types("emits", "events"):
            [example] = messages[f"{name}_v1"]["examples"]
            assert example["payload"]["stream_id"].split("/")[0] in prefixes, name
    overdue = messages["BatchOverdue_v1"]["examples"][0]["payload"]["stream_id"]
    assert overdue == "file-set/ecommerce-data-bucket/1"


def test_the_page_names_every_message_once_with_who_speaks_it() -> None:
    page = (PROJECT / "docs/messages.md").read_text()
    assert "do not edit" in page.splitlines()[0]
    for schema in schemas.all_schemas():
        heading = f"\n### {schema.name} v{schema.version}\n"
        assert page.count(heading) == 1, heading
    lock = page.split("### AcquireLock v1")[1].split("###")[0]
    assert "From **saga** to **lock**, through `lock-commands`." in lock
    assert "saga -->|AcquireLock<br/>ReleaseLock| lock" in page


def test_a_page_is_old_when_a_declaration_changes(tmp_path: Path) -> None:
    project = ContractProject(tmp_path)
    before = pages(project.gate)
    assert pages(project.gate) == before
    project.declare("archiver", "events: []", "events: [BatchSealed v1]")
    after = pages(project.gate)
    changed = {path.name for path in before if after[path] != before[path]}
    assert changed == {"asyncapi.yaml", "messages.md"}
