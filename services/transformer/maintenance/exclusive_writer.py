"""Work between two batches: how it becomes the newest writer, or gives way to a batch.

It takes a writer epoch as a batch does, so that whoever is older loses at the stores, and it is
itself the older one as soon as a batch begins. It never takes the facts from a batch in work.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from contracts.envelope import MessageContext
from contracts.errors import ConcurrencyConflict, PipelineError, StaleWriter
from contracts.messages import (
    FactsMaintained,
    FactsRekeyed,
    FenceAdmitted,
    KpisRebuilt,
    UpkeepRefused,
    UserErasedFromFacts,
)
from services.runtime.event_store import PutItem, StreamAppend, retry_on_conflict
from services.runtime.observability.logs import logger
from services.transformer.batch.domain import TransformerState
from services.transformer.batch.state import SOURCE, Ports, current_state, loaded_mains, stream_of
from services.transformer.engines.port import Engine
from services.transformer.facts.tables import Heads

ENDED = (
    KpisRebuilt,
    FactsMaintained,
    UserErasedFromFacts,
    FactsRekeyed,
    FenceAdmitted,
    UpkeepRefused,
)


class GaveWay(Exception):
    """Somebody waits for the facts: what was begun and is not published is left."""


AfterMove = Callable[[TransformerState, Heads], TransformerState]
"""The state when main has moved to these heads."""


def at_heads(state: TransformerState, heads: Heads) -> TransformerState:
    """The state as it was, with the facts published at these heads."""
    return replace(state, heads=dict(heads))


@dataclass
class ExclusiveWriter:
    """The newest writer, until a batch begins; `heads` are the published facts."""

    request_id: str
    epoch: int
    heads: Heads
    ports: Ports
    _version: int
    context: MessageContext = field(init=False)

    def __post_init__(self) -> None:
        self.context = MessageContext(source=SOURCE, correlation_id=self.request_id)

    @property
    def engine(self) -> Engine:
        """The embedded one: a span of days fits into its memory."""
        return self.ports.engine_of("duckdb")

    def state(self) -> TransformerState:
        """The item as it stands; raises StaleWriter when a batch has begun.

        Whatever was seen before was not of a newer writer, then.
        """
        state = current_state(self.ports)
        if state.epoch != self.epoch:
            raise StaleWriter(f"epoch {self.epoch} of {self.request_id} is stale")
        return state

    def refuse(self, reason: str) -> None:
        """End the request without having done it."""
        self.record(UpkeepRefused(request_id=self.request_id, reason=reason))

    def adopt(self, after: TransformerState) -> None:
        """The state from now on, its heads the published facts; raises StaleWriter."""
        expected = {"epoch": self.epoch, "phase": "SETTLED"}
        write = PutItem(self.ports.tables.state, after.to_item(), expected=expected)
        try:
            self.ports.store.append(context=self.context, writes=[write])
        except ConcurrencyConflict as error:
            raise StaleWriter(f"epoch {self.epoch} of {self.request_id} is stale") from error
        self.heads = after.heads or {}

    def publish(
        self,
        what: str,
        after: AfterMove = at_heads,
        expected: Mapping[str, int] | None = None,
        *,
        is_tagged: bool = True,
    ) -> None:
        """Move main to the branches, whose rows must be as many as before, and adopt the state.

        `what` is at work; `after` makes the state of the one before and the new heads; `expected`
        are the rows of tables that are to hold others than before. What is not tagged does not
        count among the states that are kept: it has the rows of the one before.
        """
        facts = self.ports.facts
        rows = {**facts.total_rows(self.heads), **(expected or {})}
        found = facts.total_rows(facts.branch_heads(self.epoch))
        if rows != found:
            raise PipelineError(f"{what} would change the rows from {rows} to {found}; left")
        state = self.state()
        tagged = self.request_id if is_tagged else None
        heads = facts.publish(self.epoch, tagged)
        facts.publish_kpis(heads, tagged)
        self.adopt(after(state, heads))

    def record(self, event: BaseModel) -> None:
        """Append one event to the request's stream."""
        append = StreamAppend(stream_of(self.request_id), self._version, [event])
        try:
            self.ports.store.append(append, context=self.context)
        except ConcurrencyConflict as error:
            raise StaleWriter(f"{self.request_id} is worked on by another worker") from error
        self._version += 1


@contextmanager
def exclusive_epoch(request_id: str, ports: Ports) -> Iterator[ExclusiveWriter | None]:
    """A new epoch, or None when the request has ended before or has to give way.

    A StaleWriter within the block is a batch that began: it is recorded as UpkeepRefused and not
    tried again, for a new epoch would make the batch stale. So is a GaveWay.
    """
    events = ports.store.read(stream_of(request_id))
    if any(isinstance(event.data, ENDED) for event in events):
        yield None
        return
    busy, writer = retry_on_conflict(lambda: _begin(request_id, len(events), ports))
    if busy:
        writer.refuse(busy)
        yield None
        return
    try:
        yield writer
    except StaleWriter as stale:
        ports.facts.forget()
        writer.refuse(f"a batch began meanwhile, and its facts are newer ({stale}); ask again")
    except GaveWay:
        ports.facts.forget()
        writer.refuse(
            "somebody else came for the facts and goes first; what was done until then stays, and "
            "small files are made one between batches; ask again for the rest"
        )
    except Exception:
        ports.facts.forget()
        raise


@contextmanager
def unasked_epoch(name: str, ports: Ports) -> Iterator[ExclusiveWriter | None]:
    """As `exclusive_epoch`, for work that nobody asked for: who has to give way just does.

    Nothing is recorded; `name` is in the snapshots that are made.
    """
    busy, writer = retry_on_conflict(lambda: _begin(name, 0, ports))
    if busy:
        yield None
        return
    try:
        yield writer
    except (StaleWriter, GaveWay) as reason:
        ports.facts.forget()
        logger.info("gave way", request_id=name, reason=str(reason))
    except Exception:
        ports.facts.forget()
        raise


def _begin(request_id: str, version: int, ports: Ports) -> tuple[str | None, ExclusiveWriter]:
    """Load the tables, then raise the epoch; says who is at work when somebody is."""
    before = current_state(ports)
    if before.in_flight is not None:
        busy = (
            f"batch {before.in_flight.batch_id} is in work; ask again when it is closed "
            "(a batch that failed: `ecp redrive` it)"
        )
        return busy, ExclusiveWriter(request_id, before.epoch, before.heads or {}, ports, version)
    heads = before.standing(loaded_mains(before, ports))
    after = before.take_over(before.fence)
    write = PutItem(ports.tables.state, after.to_item(), expected=before.as_stored())
    context = MessageContext(source=SOURCE, correlation_id=request_id)
    ports.store.append(context=context, writes=[write])
    return None, ExclusiveWriter(request_id, after.epoch, heads, ports, version)
