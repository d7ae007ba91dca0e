"""What a service says of itself (service.yaml), what its template makes, what its code does.

Everything is read as text, so that it can be read from a copy with a mistake in it too.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from contracts.schemas import all_schemas

PROJECT = Path(__file__).resolve().parents[2]
SAGA = PROJECT / "infra/stacks/saga.asl.json"
EVENTS = {schema.name for schema in all_schemas() if schema.kind == "events"}
COMMANDS = {schema.name for schema in all_schemas() if schema.kind == "commands"}
STAGE = "${StagePrefix}"
EXTENDS_LEASES = "LeaseHeartbeat"
"""Who calls this function of messaging/lease_heartbeat.py sends ExtendLease with each heartbeat."""
ASKS_THE_LOCK = "ask_the_lock"
"""Who calls this function of messaging/fence_questions.py sends RaiseFence for what is stale."""


class _TemplateLoader(yaml.CSafeLoader):
    """YAML with CloudFormation's short functions: `!Ref X` is read as {"Ref": "X"}."""


def _function(loader: yaml.CSafeLoader, short: str, node: yaml.Node) -> dict[str, Any]:
    name = short if short in ("Ref", "Condition") else f"Fn::{short}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


yaml.add_multi_constructor("!", _function, _TemplateLoader)


def _named(value: Any, prefix: str) -> Any:
    """The document with the prefix put in; a name that refers to nothing else becomes a text."""
    if isinstance(value, list):
        return [_named(one, prefix) for one in value]
    if not isinstance(value, dict):
        return value.replace(STAGE, prefix) if isinstance(value, str) else value
    named = {key: _named(one, prefix) for key, one in value.items()}
    text = named.get("Fn::Sub")
    return text if isinstance(text, str) and "${" not in text else named


@dataclass(frozen=True)
class Template:
    """One CloudFormation template as plain values; `prefix` is what a stage puts before names."""

    path: Path
    prefix: str = ""

    @cached_property
    def document(self) -> dict[str, Any]:
        return dict(_named(yaml.load(self.path.read_text(), _TemplateLoader), self.prefix))  # noqa: S506

    def of_type(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of that type, by logical name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.document["Resources"].items()
            if resource["Type"] == resource_type
        }

    @cached_property
    def queues(self) -> dict[str, str]:
        """The name of every queue by its logical name."""
        return {
            name: str(queue["QueueName"]) for name, queue in self.of_type("AWS::SQS::Queue").items()
        }

    @cached_property
    def alarms(self) -> list[str]:
        return [
            str(alarm["AlarmName"]) for alarm in self.of_type("AWS::CloudWatch::Alarm").values()
        ]

    @cached_property
    def statements(self) -> list[dict[str, Any]]:
        """Every statement of every role's own policies."""
        return [
            statement
            for role in self.of_type("AWS::IAM::Role").values()
            for policy in role.get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
        ]


@dataclass(frozen=True)
class Service:
    """A folder under services/, or a copy of one."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def declaration(self) -> dict[str, Any]:
        text = (self.folder / "service.yaml").read_text()
        return dict(yaml.load(text, yaml.CSafeLoader))

    @cached_property
    def template(self) -> Template:
        return Template(self.folder / "template.yaml")

    def lists(self, section: str, kind: str) -> set[str]:
        """`consumes` or `emits`, of `commands` or `events`, as `Name v1`."""
        return set(self.declaration[section].get(kind, []))

    def types(self, section: str, *kinds: str) -> set[str]:
        """The same without versions, over several kinds."""
        return {entry.split()[0] for kind in kinds for entry in self.lists(section, kind)}

    def owned(self, what: str) -> set[str]:
        return set(self.declaration["owns"][what])

    @cached_property
    def modules(self) -> list[ast.Module]:
        return [ast.parse(path.read_text()) for path in sorted(self.folder.rglob("*.py"))]

    @cached_property
    def registered(self) -> set[str]:
        """Message types that are keys of a dictionary where a CommandConsumer is made."""
        return {
            key
            for module in self.modules
            if "CommandConsumer" in called(module)
            for key in keys(module)
            if key in EVENTS | COMMANDS
        }

    @cached_property
    def made(self) -> set[str]:
        """Events and commands that the code makes."""
        names = {name for module in self.modules for name in called(module)}
        heartbeat = {"ExtendLease"} if EXTENDS_LEASES in names else set()
        heartbeat |= {"RaiseFence"} if ASKS_THE_LOCK in names else set()
        return names & (EVENTS | COMMANDS) | heartbeat


def services() -> list[Service]:
    """Every folder under services/ that says what it is."""
    return [Service(path.parent) for path in sorted(PROJECT.glob("services/*/service.yaml"))]


def templates(prefix: str = "") -> list[Template]:
    """Every template of the project, with the names of a stage."""
    paths = [*PROJECT.glob("infra/stacks/*.yaml"), *PROJECT.glob("services/*/template.yaml")]
    return [Template(path, prefix) for path in sorted(paths)]


def called(module: ast.Module) -> set[str]:
    """The names of everything that is called, without what it is called on."""
    calls = (node.func for node in ast.walk(module) if isinstance(node, ast.Call))
    return {
        name.attr if isinstance(name, ast.Attribute) else name.id
        for name in calls
        if isinstance(name, ast.Attribute | ast.Name)
    }


def keys(module: ast.Module) -> set[str]:
    """The keys of all dictionaries: texts, and `Name.__name__` as `Name`."""
    found = set()
    for node in ast.walk(module):
        for key in node.keys if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                found.add(key.value)
            if isinstance(key, ast.Attribute) and isinstance(key.value, ast.Name):
                found.add(key.value.id)
    return found


def sent_by_people() -> set[str]:
    """Commands that `ecp` makes."""
    paths = PROJECT.glob("infra/**/*.py")
    return {name for path in paths for name in called(ast.parse(path.read_text()))} & COMMANDS


def states_in(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state of a definition with its name, those inside Map and Parallel too."""
    for name, state in node["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner:
                yield from states_in(inner)


def commands_of(definition: Any) -> dict[str, tuple[str, str]]:
    """Per state that sends a command: its type and the substitution that names the queue."""
    return {
        name: (
            state["Arguments"]["MessageBody"]["event_type"],
            re.sub(r"\W", "", state["Arguments"]["QueueUrl"]),
        )
        for name, state in states_in(definition)
        if "MessageBody" in state.get("Arguments", {})
    }
