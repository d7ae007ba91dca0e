"""Everybody who speaks contracts, as values; how they are found is in `reading.py`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BUS = "ecommerce-pipeline"


@dataclass(frozen=True)
class Endpoint:
    """One contract that a party writes or reads; `contract` reads as `commands/AcquireLock v1`.

    `channel` is the queue or the bus that carries it; None for what lies in a store: documents in
    S3, and events that are read from the event store.
    """

    contract: str
    channel: str | None


@dataclass(frozen=True)
class Participant:
    """A service, the saga or `ecp`.

    `replays`: its own events, which it folds from the event store. `notices`: what it hears from
    AWS, with the queue. `streams`: where its events lie in the event store.
    """

    name: str
    description: str
    consumes: tuple[Endpoint, ...] = ()
    emits: tuple[Endpoint, ...] = ()
    replays: tuple[str, ...] = ()
    notices: tuple[Endpoint, ...] = ()
    streams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Participants:
    """All of them: the services by name, then the saga and `ecp`."""

    every: tuple[Participant, ...]

    def readers(self, contract: str) -> list[str]:
        """Who must be able to read it; a part that everything stands in is read by all."""
        if contract.startswith("parts/"):
            return [one.name for one in self.every]
        return [
            one.name
            for one in self.every
            if contract in one.replays or contract in _contracts(one.consumes)
        ]

    def writers(self, contract: str) -> list[str]:
        """Who writes it."""
        if contract.startswith("parts/"):
            return [one.name for one in self.every]
        return [one.name for one in self.every if contract in _contracts(one.emits)]

    def consumers(self, contract: str) -> list[Endpoint]:
        """Where a message is delivered, one entry per channel and party."""
        return [said for one in self.every for said in one.consumes if said.contract == contract]

    @property
    def declared(self) -> frozenset[str]:
        """Every contract that somebody writes or reads."""
        return frozenset(
            said.contract for one in self.every for said in (*one.consumes, *one.emits)
        )

    def unanswered(self) -> Iterator[tuple[str, str]]:
        """Contract and party, where somebody waits for a version that nobody sends."""
        for participant in self.every:
            for said in participant.consumes:
                if said.channel is not None and not self.writers(said.contract):
                    yield said.contract, participant.name


def _contracts(said: Iterable[Endpoint]) -> set[str]:
    return {one.contract for one in said}
