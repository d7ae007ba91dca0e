"""Who speaks to whom, as Mermaid text."""

from collections.abc import Iterator

from infra.contract_docs.pages.speech import Speech
from infra.contract_docs.participants import BUS, Party


def flow_diagram(speech: Speech) -> str:
    """A flowchart: commands go through queues to their owner, events over the bus."""
    return "\n".join(["flowchart LR", *_nodes(speech), *_ways(speech)])


def _nodes(speech: Speech) -> Iterator[str]:
    yield f"  bus([bus {BUS}])"
    yield "  aws([default bus of AWS])"
    for party in speech.parties.every:
        yield f"  {party.name}[{party.name}]"


def _ways(speech: Speech) -> Iterator[str]:
    for party in speech.parties.every:
        for channel, names in _by_channel(party).items():
            if channel != BUS:
                yield f"  {party.name} -->|{_listed(names)}| {_owner(speech, channel)}"
        events = [said.contract for said in party.says if said.channel == BUS]
        if events:
            yield f"  {party.name} -->|{_listed(_bare(events))}| bus"
    for party in speech.parties.every:
        heard = [
            said.contract
            for said in party.hears
            if said.channel and said.contract.startswith("events/")
        ]
        if heard:
            yield f"  bus -.->|{_listed(_bare(heard))}| {party.name}"
        if party.notices:
            notices = _listed([said.contract for said in party.notices])
            yield f"  aws -.->|{notices}| {party.name}"


def _by_channel(party: Party) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for said in party.says:
        if said.channel:
            found.setdefault(said.channel, []).extend(_bare([said.contract]))
    return found


def _owner(speech: Speech, channel: str) -> str:
    """The party that takes from a queue."""
    owners = [
        party.name
        for party in speech.parties.every
        if any(said.channel == channel for said in party.hears)
    ]
    return owners[0] if owners else channel


def _bare(contracts: list[str]) -> list[str]:
    return [one.split("/")[1].split(" v")[0] for one in contracts]


def _listed(names: list[str]) -> str:
    return "<br/>".join(dict.fromkeys(names))
