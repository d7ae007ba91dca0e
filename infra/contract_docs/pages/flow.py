"""Who speaks to whom, as Mermaid text."""

from collections.abc import Iterator

from infra.contract_docs.pages.message_index import MessageIndex
from infra.contract_docs.participants import BUS, Participant


def flow_diagram(speech: MessageIndex) -> str:
    """A flowchart: commands go through queues to their owner, events over the bus."""
    return "\n".join(["flowchart LR", *_nodes(speech), *_ways(speech)])


def _nodes(speech: MessageIndex) -> Iterator[str]:
    yield f"  bus([bus {BUS}])"
    yield "  aws([default bus of AWS])"
    for participant in speech.participants.every:
        yield f"  {participant.name}[{participant.name}]"


def _ways(speech: MessageIndex) -> Iterator[str]:
    for participant in speech.participants.every:
        for channel, names in _by_channel(participant).items():
            if channel != BUS:
                yield f"  {participant.name} -->|{_listed(names)}| {_owner(speech, channel)}"
        events = [said.contract for said in participant.emits if said.channel == BUS]
        if events:
            yield f"  {participant.name} -->|{_listed(_bare(events))}| bus"
    for participant in speech.participants.every:
        heard = [
            said.contract
            for said in participant.consumes
            if said.channel and said.contract.startswith("events/")
        ]
        if heard:
            yield f"  bus -.->|{_listed(_bare(heard))}| {participant.name}"
        if participant.notices:
            notices = _listed([said.contract for said in participant.notices])
            yield f"  aws -.->|{notices}| {participant.name}"


def _by_channel(participant: Participant) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for said in participant.emits:
        if said.channel:
            found.setdefault(said.channel, []).extend(_bare([said.contract]))
    return found


def _owner(speech: MessageIndex, channel: str) -> str:
    """The party that takes from a queue."""
    owners = [
        participant.name
        for participant in speech.participants.every
        if any(said.channel == channel for said in participant.consumes)
    ]
    return owners[0] if owners else channel


def _bare(contracts: list[str]) -> list[str]:
    return [one.split("/")[1].split(" v")[0] for one in contracts]


def _listed(names: list[str]) -> str:
    return "<br/>".join(dict.fromkeys(names))
