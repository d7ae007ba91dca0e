"""All messages with their documents and examples, as both generated pages need them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from contracts.compatibility.breaks import label
from contracts.compatibility.catalogue import Catalogue
from infra.contract_docs.participants import Participants

_KINDS = ("commands", "events", "documents", "parts")
_ENVELOPE = "schemas/parts/Envelope/v1.json"


@dataclass(frozen=True)
class Contract:
    """One schema; `key` (`AcquireLock_v1`) names it in AsyncAPI."""

    kind: str
    name: str
    version: int
    document: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.kind}/{self.title}"

    @property
    def title(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def key(self) -> str:
        return f"{self.name}_v{self.version}"

    @property
    def about(self) -> str:
        """Its description as a sentence."""
        return str(self.document["description"]).rstrip(".") + "."


@dataclass(frozen=True)
class MessageIndex:
    """What can be said, and by whom."""

    catalogue: Catalogue
    participants: Participants

    @cached_property
    def contracts(self) -> list[Contract]:
        """Every schema: commands, events, documents, parts, each by name and version."""
        found = []
        for path in self.catalogue.texts:
            if path.startswith("schemas/"):
                kind, name = path.split("/")[1:3]
                version = int(label(path).rsplit(" v", 1)[1])
                found.append(Contract(kind, name, version, self.catalogue.document(path)))
        return sorted(found, key=lambda one: (_KINDS.index(one.kind), one.name, one.version))

    def of_kind(self, *kinds: str) -> list[Contract]:
        """Those of some kinds."""
        return [one for one in self.contracts if one.kind in kinds]

    @property
    def messages(self) -> list[Contract]:
        """Commands and events."""
        return self.of_kind("commands", "events")

    def example(self, contract: Contract) -> dict[str, Any]:
        """A whole message: the envelope's example about the schema's own first one."""
        envelope = dict(self.catalogue.document(_ENVELOPE)["examples"][0])
        said = contract.document["examples"][0]
        writers = self.participants.writers(contract.label) or ["nobody"]
        envelope |= {
            "event_type": contract.name,
            "schema_version": contract.version,
            "source": f"ecommerce-pipeline/{writers[0]}",
            "stream_id": self._stream(contract, said),
            "correlation_id": said.get("batch_id"),
            "data": said,
        }
        if contract.kind == "commands":
            envelope |= {"stream_version": 0, "task_token": "AQCEAAAAKgAAAAMAAAAA"}
        return envelope

    def _stream(self, contract: Contract, said: dict[str, Any]) -> str:
        """The stream that it is in, or about: one of its owner's, filled from the example."""
        writers = self.participants.writers(contract.label) if contract.kind == "events" else []
        by_writer = sorted(self.participants.every, key=lambda one: one.name not in writers)
        streams = [
            stream
            for participant in by_writer
            if participant.name in writers
            or contract.label
            in {*participant.replays, *(one.contract for one in participant.consumes)}
            for stream in participant.streams
        ] or ["*"]
        own = [one for one in streams if contract.name.lower().startswith(one.split("/")[0])]
        if "batch_id" not in said:
            own = []
        number = said.get("set_number", 1)
        of = said.get("lock_id") or said.get("batch_id") or said.get("order_date")
        name = of or f"{said.get('bucket')}/{number}"
        if "file_index" in said:
            name += f"/{said['file_index']}"
        return (own or streams)[0].replace("*", str(name))
