"""Finishing a publication: a batch's own, or first of all the one that an earlier epoch began.

Whoever was overtaken is answered from what the newer writer made of the batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from contracts.clock import to_rfc3339
from contracts.errors import StaleWriter, Transient
from contracts.messages import AbandonBatch, BatchResult, KpisPublished, TransformBatch
from services.transformer.batch.domain import BatchHistory, TransformerState
from services.transformer.batch.kpis import KpiChange
from services.transformer.batch.merge_plan import kpis_between
from services.transformer.batch.publication import Stamp, publish_kpis
from services.transformer.batch.state import (
    CONTEXT,
    Answer,
    Ports,
    change_state_as_owner,
    current_state,
    history_of,
    published,
)
from services.transformer.engines.choice import engine_to_finish


def unless_published(
    command: AbandonBatch | TransformBatch, ports: Ports, work: Callable[[BatchHistory], Answer]
) -> Answer:
    """The answer of `work` on a batch, or the one that it has: it was, or is now, published.

    Leftovers of earlier epochs come first. Raises what `work` raises; StaleWriter when a newer
    lock grant or epoch is at work, Transient while that one is still publishing this batch.
    """
    try:
        with _forgetting_on_a_fault(ports):
            settle(command.fence, ports)
            history = history_of(command.batch_id, ports)
            if history.result is not None:
                return published(history.result)
            return work(history)
    except StaleWriter as error:
        return _published_by_another(command.batch_id, ports, error)


@contextmanager
def _forgetting_on_a_fault(ports: Ports) -> Iterator[None]:
    """What is known of the tables may be wrong after a fault."""
    try:
        yield
    except Exception:
        ports.facts.forget()
        raise


def _published_by_another(batch_id: str, ports: Ports, error: StaleWriter) -> Answer:
    """The answer of a stale writer whose batch a newer one has published for it; else the error.

    While the newer one is still at it, the question is to be asked again: Transient.
    """
    result = history_of(batch_id, ports).result
    if result is not None:
        return published(result)
    flight = current_state(ports).in_flight
    if flight is not None and flight.batch_id == batch_id and flight.phase == "PUBLISHING":
        raise Transient(f"a newer writer is publishing batch {batch_id}: ask again") from error
    raise error


@contextmanager
def begun_again_unless_overtaken(epoch: int, ports: Ports) -> Iterator[None]:
    """Make a refused commit Transient when no newer epoch has begun; else StaleWriter stays.

    So it ends when a commit was carried out, its answer lost on the way, and the client asked
    again. Whoever is newer raises the epoch before it moves a main.
    """
    try:
        yield
    except StaleWriter as error:
        if current_state(ports).epoch != epoch:
            raise
        raise Transient(
            f"a commit of epoch {epoch} was refused though no newer one has begun, as when the "
            "answer of a commit is lost; begin again"
        ) from error


def settle(fence: int, ports: Ports) -> None:
    """Finish a publication that an earlier epoch had begun; other leftovers fall to the fence.

    Raises StaleWriter when a newer lock grant was seen.
    """
    state = current_state(ports)
    state.admit(fence)
    flight = state.in_flight
    if flight is None or flight.result is None:  # only a batch in PUBLISHING has one
        return
    owner = state.take_over(fence)
    history = history_of(flight.batch_id, ports)
    change_state_as_owner(ports, state, owner, history.version)
    ports.facts.load(state.epoch)
    result = BatchResult.model_validate(ports.objects.get_json(flight.result))
    days = [date.fromisoformat(day) for day in result.affected_days]
    engine = engine_to_finish(result.engine, spark_is_here=ports.spark_is_here())
    with ports.engine_of(engine).session() as session:
        change = kpis_between(session, flight.heads_before, owner.heads or {}, days)
    finish(ports, owner, history.version, change, result, fence)


def finish(
    ports: Ports,
    state: TransformerState,
    version: int,
    change: KpiChange,
    result: BatchResult,
    fence: int,
) -> None:
    """Publish the KPIs of the batch in flight, items and then tables, and close it."""
    flight = state.in_flight
    if flight is None or flight.result is None:
        raise StaleWriter(f"epoch {state.epoch} has no publication to finish")
    stamp = Stamp(flight.batch_id, state.epoch, to_rfc3339(ports.clock()))
    publish_kpis(ports.store, ports.tables, change, stamp, CONTEXT)
    with begun_again_unless_overtaken(state.epoch, ports):
        ports.facts.publish_kpis(state.heads or {}, flight.batch_id)
    kpis_published = KpisPublished(
        batch_id=flight.batch_id,
        epoch=state.epoch,
        result=flight.result,
        engine=result.engine,
        affected_days=len(result.affected_days),
        first_day=min(result.affected_days, default=None),
        last_day=max(result.affected_days, default=None),
        **result.published.model_dump(),
        waiting_order_items=result.waiting_order_items,
        duration_seconds=result.duration_seconds,
        attempt=flight.attempt,
        fence=fence,
    )
    change_state_as_owner(ports, state, state.settle(), version, kpis_published)
