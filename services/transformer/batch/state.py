"""The state item that all batches share and each batch's stream: how they are read and changed."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from contracts.clock import Clock
from contracts.envelope import MessageContext
from contracts.errors import ConcurrencyConflict, StaleWriter
from contracts.messages import AbandonBatch, BatchManifest, FileReport, ObjectRef, TransformBatch
from services.runtime.event_store import EventStore, PutItem, StateTables, StreamAppend
from services.runtime.storage.documents import ObjectStore
from services.transformer.batch.domain import STATE_ID, BatchHistory, TransformerState
from services.transformer.batch.publication import TableNames
from services.transformer.engines.port import Engine, EngineName, StagedFile
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.tables import Heads

SOURCE = "ecommerce-pipeline/transformer"
CONTEXT = MessageContext(SOURCE)
"""Every event here names its batch, which correlates it."""
Answer = dict[str, Any]
EngineDecision = tuple[EngineName, str]


class Stores(EventStore, StateTables, Protocol):
    """Streams and state items that change together."""


class StagedInputs(Protocol):
    """What the validator left of a batch."""

    def reports(self, manifest: BatchManifest) -> dict[int, FileReport]:
        """The report of every input that is not a duplicate, by file index."""

    def fetch(self, reports: Mapping[int, FileReport]) -> AbstractContextManager[list[StagedFile]]:
        """The accepted rows as local files, checked against the reports; gone afterwards."""


@dataclass(frozen=True)
class Ports:
    """Everything outside that the use cases need."""

    store: Stores
    objects: ObjectStore
    inputs: StagedInputs
    facts: FactsCatalog
    engine_of: Callable[[EngineName], Engine]
    spark_is_here: Callable[[], bool]
    clock: Clock
    tables: TableNames
    wanted_engine: str = "auto"
    spark_threshold_mb: int = 1280
    decided: EngineDecision | None = None
    """The engine and why, where it was chosen before; by whoever submitted the job, say."""


def current_state(ports: Ports) -> TransformerState:
    """The item that all batches share, as it stands."""
    key = {"StateId": STATE_ID}
    return TransformerState.from_item(ports.store.get_item(ports.tables.state, key))


def stream_of(name: str) -> str:
    """The stream of a batch, or of a request between two batches."""
    return f"transformation/{name}"


def history_of(batch_id: str, ports: Ports) -> BatchHistory:
    """What the batch's stream says of it."""
    return BatchHistory.replay(ports.store.read(stream_of(batch_id)))


def before_the_epoch(
    command: AbandonBatch | TransformBatch, ports: Ports
) -> tuple[TransformerState, Heads, BatchHistory]:
    """State, mains and history, as a new epoch is decided from them.

    The tables are loaded before the epoch is raised: whoever raises it after us then moves the
    mains. Raises StaleWriter when a newer lock grant was seen, else as `loaded_mains`.
    """
    state = current_state(ports)
    state.admit(command.fence)
    return state, loaded_mains(state, ports), history_of(command.batch_id, ports)


def loaded_mains(state: TransformerState, ports: Ports) -> Heads:
    """Where the mains stand, none of them newer than the state that they are to go on from.

    Epochs are raised before anything is written. Raises ConcurrencyConflict when a newer writer has
    changed the state since it was read, and StaleWriter when nobody has: the state was put back
    alone, and going on from its heads would silently drop what was published since.
    """
    mains = ports.facts.load(state.epoch)
    written = (ports.facts.writer_of(name, main) for name, main in mains.items())
    newest = max((int(epoch) for epoch in written if epoch is not None), default=0)
    if newest <= state.epoch:
        return mains
    ports.facts.forget()
    if current_state(ports).epoch != state.epoch:
        raise ConcurrencyConflict("a newer epoch began while the facts were loaded")
    raise StaleWriter(
        f"the facts were written by epoch {newest}, and TransformerState knows of {state.epoch}: "
        "it was restored without them; see the runbook, A table was restored"
    )


def change_state(
    ports: Ports, before: TransformerState, after: TransformerState, version: int, *events: Any
) -> int:
    """Write state and events in one transaction, if epoch and phase are still those before.

    Returns the stream's new version; raises ConcurrencyConflict.
    """
    flight = after.in_flight or before.in_flight
    if flight is None:
        raise StaleWriter("no batch is in flight; another epoch has settled it")
    write = PutItem(ports.tables.state, after.to_item(), expected=before.as_stored())
    appends = [StreamAppend(stream_of(flight.batch_id), version, events)] if events else []
    ports.store.append(*appends, context=CONTEXT, writes=[write])
    return version + len(events)


def change_state_as_owner(
    ports: Ports, before: TransformerState, after: TransformerState, version: int, *events: Any
) -> int:
    """As `change_state`; a conflict means that a newer epoch has begun."""
    try:
        return change_state(ports, before, after, version, *events)
    except ConcurrencyConflict as error:
        raise StaleWriter(
            f"epoch {before.epoch} is stale: a newer one has begun, which settles the batch"
        ) from error


def published(result: ObjectRef) -> Answer:
    """The answer for a batch that is published."""
    return {"outcome": "PUBLISHED", "result": cast(dict[str, str], result.model_dump())}
