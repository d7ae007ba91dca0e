"""Finds the parties: services by their service.yaml, the saga by its definition, `ecp` by its code.

Queues are named after their service: `<service>-commands`, `-events`, `-files`.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from infra.contract_docs.participants.participant import BUS, Endpoint, Participant, Participants
from infra.contract_docs.participants.sources import documents_of, made_in

SAGA, ECP = "saga", "ecp"
_FILES = "Object Created"
Declaration = dict[str, Any]


def read_participants(project: Path, contracts: Collection[str]) -> Participants:
    """Everybody in the sources of the project; `contracts`: the labels of all there are."""
    declarations = [
        (path.parent, yaml.load(path.read_text(), yaml.CSafeLoader))
        for path in sorted(project.glob("services/*/service.yaml"))
    ]
    queues = {
        f"commands/{entry}": f"{declaration['service']}-commands"
        for _, declaration in declarations
        for entry in _entries(declaration, "consumes", "commands")
    }
    services = [_service(*found, queues, contracts) for found in declarations]
    return Participants((*services, _saga(project, queues), _ecp(project, queues, contracts)))


def _service(
    folder: Path, declaration: Declaration, queues: dict[str, str], contracts: Collection[str]
) -> Participant:
    name = str(declaration["service"])
    read, written = documents_of(folder, contracts)
    events = [f"events/{entry}" for entry in _entries(declaration, "emits", "events")]
    commands = [f"commands/{entry}" for entry in _entries(declaration, "emits", "commands")]
    heard = [f"events/{entry}" for entry in _entries(declaration, "consumes", "events")]
    taken = [f"commands/{entry}" for entry in _entries(declaration, "consumes", "commands")]
    return Participant(
        name=name,
        description=_about(folder / "template.yaml", name),
        consumes=(
            *(Endpoint(entry, f"{name}-commands") for entry in taken),
            *(Endpoint(entry, f"{name}-events") for entry in heard),
            *(Endpoint(entry, None) for entry in read),
        ),
        emits=(
            *(Endpoint(entry, BUS) for entry in events),
            *(Endpoint(entry, queues.get(entry)) for entry in commands),
            *(Endpoint(entry, None) for entry in written),
        ),
        replays=tuple(events),
        notices=tuple(
            Endpoint(notice, f"{name}-{'files' if notice == _FILES else 'events'}")
            for notice in _entries(declaration, "consumes", "aws_events")
        ),
        streams=tuple(_entries(declaration, "owns", "streams")),
    )


def _saga(project: Path, queues: dict[str, str]) -> Participant:
    definition = json.loads((project / "infra/stacks/saga.asl.json").read_text())
    sent = sorted(
        {f"commands/{body['event_type']} v{body['schema_version']}" for body in _bodies(definition)}
    )
    return Participant(
        name=SAGA,
        description="One batch under the lock: each step is a command, answered by its token.",
        emits=tuple(Endpoint(entry, queues.get(entry)) for entry in sent),
    )


def _ecp(project: Path, queues: dict[str, str], contracts: Collection[str]) -> Participant:
    """`ecp batch` tells every event in the event store; `ecp redrive` sends a command."""
    folder = project / "infra"
    sent = made_in(folder, [entry for entry in contracts if entry.startswith("commands/")])
    read, written = documents_of(folder, contracts)
    events = sorted(entry for entry in contracts if entry.startswith("events/"))
    return Participant(
        name=ECP,
        description="The command for people: tells what the event store holds, sends for them.",
        consumes=tuple(Endpoint(entry, None) for entry in (*events, *read)),
        emits=(
            *(Endpoint(entry, queues.get(entry)) for entry in sent),
            *(Endpoint(entry, None) for entry in written),
        ),
    )


def _entries(declaration: Declaration, section: str, kind: str) -> list[str]:
    return list(declaration.get(section, {}).get(kind, []))


def _bodies(node: Any) -> Iterator[dict[str, Any]]:
    """Every message that a state machine sends to a queue."""
    if isinstance(node, list):
        for item in node:
            yield from _bodies(item)
    if isinstance(node, dict):
        if "event_type" in node and "schema_version" in node:
            yield node
        for value in node.values():
            yield from _bodies(value)


def _about(template: Path, name: str) -> str:
    """The first sentence of the template's description."""
    if not template.exists():
        return f"The service {name}."
    text = template.read_text()
    head = yaml.load(
        text[text.index("Description:") : text.index("\nParameters:")], yaml.CSafeLoader
    )
    sentence: str = head["Description"].split(". ")[0]
    return sentence.strip().removesuffix(".") + "."
