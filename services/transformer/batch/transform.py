"""Transforming and abandoning a batch: gather, decide, apply, each step safe to repeat.

The order of the steps is what makes a crash at any point harmless: the tables are loaded before
the epoch is raised, the mains move before PUBLISHING is marked, and PUBLISHING is the point of no
return: before it the next epoch undoes, after it the next epoch finishes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol, cast

from contracts.clock import Clock, to_rfc3339
from contracts.envelope import MessageContext
from contracts.errors import ConcurrencyConflict, DataRejected, StaleWriter, Transient
from contracts.layout import result_key
from contracts.messages import (
    AbandonBatch,
    BatchAbandoned,
    FactsPublished,
    KpisPublished,
    ObjectRef,
    TransformBatch,
    TransformStarted,
)
from services.runtime.event_store import (
    EventStore,
    PutItem,
    StateTables,
    StreamAppend,
    retry_on_conflict,
)
from services.runtime.fences import LEAP
from services.runtime.storage.documents import ObjectStore, check_document
from services.transformer.batch import domain
from services.transformer.batch.domain import BatchHistory, TransformerState
from services.transformer.batch.kpis import KpiChange
from services.transformer.batch.merge_plan import MergePlan, kpis_between, plan_merge
from services.transformer.batch.publication import Stamp, TableNames, publish_kpis
from services.transformer.engines.port import Engine, EngineName, Session, StagedFile
from services.transformer.facts.catalog import FactsCatalog

SOURCE = "ecommerce-pipeline/transformer"
CONTEXT = MessageContext(SOURCE)
"""Every event here names its batch, which correlates it."""
Answer = dict[str, Any]
EngineDecision = tuple[EngineName, str]


class Stores(EventStore, StateTables, Protocol):
    """Streams and state items that change together."""


class StagedInputs(Protocol):
    """What the validator left of a batch."""

    def reports(self, manifest: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        """The FileReport of every input that is not a duplicate, by file index."""

    def fetch(
        self, reports: Mapping[int, Mapping[str, Any]]
    ) -> AbstractContextManager[list[StagedFile]]:
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
    spark_threshold_mb: int = 256
    decided: EngineDecision | None = None
    """The engine and why, where it was chosen before; by whoever submitted the job, say."""


def warm_up(ports: Ports) -> None:
    """Load the facts tables, or make them, so that the first batch does not wait for it.

    Where every batch takes Spark, it is started too.
    """
    ports.facts.load(current_state(ports).epoch)
    if ports.wanted_engine == "spark":
        with ports.engine_of("spark").session():
            pass


def transform_batch(command: TransformBatch, ports: Ports) -> Answer:
    """Turn a batch's staged rows into facts and publish the KPIs of the affected days.

    Data that cannot be published is answered as REJECTED, with the reason and the files at fault;
    the facts are as before. Raises StaleWriter when a newer lock grant or epoch is at work,
    Transient when it is to be asked again, PipelineError when the rows do not add up (then nothing
    is published).
    """
    try:
        with _forgetting_on_a_fault(ports.facts):
            _settle(command.fence, ports)
            history = _history(command.batch_id, ports)
            if history.result is not None:
                return _published(history.result)
            return _published(_Attempt(command, ports).run())
    except StaleWriter as error:
        return _published_by_another(command.batch_id, ports, error)
    except DataRejected as rejected:
        return _reject(command, ports, rejected)


def _reject(command: TransformBatch, ports: Ports, rejected: DataRejected) -> Answer:
    """The answer for data at fault; what an attempt at the batch may have begun is undone first."""
    flight = current_state(ports).in_flight
    if flight is not None and flight.batch_id == command.batch_id:
        undone = abandon_batch(command, ports)
        if undone["outcome"] == "PUBLISHED":
            return undone
    at_fault = rejected.file_indexes if isinstance(rejected, domain.InputsRejected) else ()
    return {"outcome": "REJECTED", "reason": str(rejected), "rejected_files": list(at_fault)}


@contextmanager
def _forgetting_on_a_fault(facts: FactsCatalog) -> Iterator[None]:
    """What is known of the tables may be wrong after a fault."""
    try:
        yield
    except Exception:
        facts.forget()
        raise


@contextmanager
def _begun_again_unless_overtaken(epoch: int, ports: Ports) -> Iterator[None]:
    """Turn a refused commit into Transient when no newer epoch has begun; else StaleWriter stays.

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


def _published_by_another(batch_id: str, ports: Ports, error: StaleWriter) -> Answer:
    """The answer of a stale writer whose batch a newer one has published for it; else the error.

    While the newer one is still at it, the question is to be asked again: Transient.
    """
    result = _history(batch_id, ports).result
    if result is not None:
        return _published(result)
    flight = current_state(ports).in_flight
    if flight is not None and flight.batch_id == batch_id and flight.phase == "PUBLISHING":
        raise Transient(f"a newer writer is publishing batch {batch_id}: ask again") from error
    raise error


def manifest_of(command: TransformBatch, ports: Ports) -> Mapping[str, Any]:
    """The batch's pinned manifest, checked."""
    manifest: Mapping[str, Any] = ports.objects.get_json(command.manifest)
    check_document("BatchManifest", manifest, closed=False)
    return manifest


def input_bytes(manifest: Mapping[str, Any]) -> int:
    """The declared size of a batch's inputs."""
    return sum(file["size_bytes"] for file in manifest["files"])


def decide_engine(size_bytes: int, ports: Ports) -> EngineDecision:
    """The engine for inputs of that size and why: the one place that asks."""
    return domain.choose_engine(
        ports.wanted_engine,
        size_bytes,
        ports.spark_threshold_mb,
        spark_is_here=ports.spark_is_here(),
    )


def abandon_batch(command: AbandonBatch | TransformBatch, ports: Ports) -> Answer:
    """Undo a batch whose saga failed or whose data are at fault, or finish it if its publication
    had begun.

    Afterwards no attempt under the same lock grant can bring the batch back. Raises StaleWriter
    when a newer lock grant was seen, Transient when it is to be asked again.
    """
    if retry_on_conflict(lambda: _gave_up_before_it_began(command, ports)):
        return {"outcome": "ABANDONED"}
    try:
        with _forgetting_on_a_fault(ports.facts):
            _settle(command.fence, ports)
            history = _history(command.batch_id, ports)
            if history.result is not None:
                return _published(history.result)
            if history.abandoned_under < command.fence:
                return _undo(command, ports)
            return {"outcome": "ABANDONED"}
    except StaleWriter as error:
        return _published_by_another(command.batch_id, ports, error)


def _gave_up_before_it_began(command: AbandonBatch | TransformBatch, ports: Ports) -> bool:
    """Whether nothing of the batch was ever begun here: then there is nothing to undo.

    Its own stream remembers that it was given up, which keeps late attempts under this grant away.
    The state that all batches share stays as it is: a command about a batch that nobody here knows
    must not make others stale. The lock's next grant is above the fence that is remembered, and
    has to be within a leap of the shared one: so only half a leap is taken here.
    """
    history = _history(command.batch_id, ports)
    if history.is_begun:
        return False
    if history.abandoned_under >= command.fence:
        return True
    state = current_state(ports)
    state.admit(command.fence, leap=LEAP // 2)
    given_up = BatchAbandoned(
        batch_id=command.batch_id,
        epoch=max(1, state.epoch),
        reason="the saga gave the batch up before anything of it was begun",
        attempt=command.attempt,
        fence=command.fence,
    )
    append = StreamAppend(_stream(command.batch_id), history.version, [given_up])
    ports.store.append(append, context=CONTEXT)
    return True


class _Attempt:
    """One attempt at a batch, under an epoch of its own."""

    def __init__(self, command: TransformBatch, ports: Ports) -> None:
        self._command, self._ports = command, ports
        self._began_at = ports.clock()
        self._manifest = manifest_of(command, ports)
        self._engine_name, self._engine_reason = ports.decided or decide_engine(
            input_bytes(self._manifest), ports
        )

    def run(self) -> ObjectRef:
        """All steps; returns the result document's reference."""
        ports, batch_id = self._ports, self._command.batch_id
        reports = ports.inputs.reports(self._manifest)
        begun = retry_on_conflict(lambda: self._raise_epoch(reports))
        if isinstance(begun, ObjectRef):
            return begun
        state, version, currency = begun
        heads = state.heads or {}
        pseudonym_check = domain.staged_check(reports, state.pseudonym_check)
        with _begun_again_unless_overtaken(state.epoch, ports):
            ports.facts.fence(heads, state.epoch, batch_id)
            with ports.inputs.fetch(reports) as files, self._engine().session() as session:
                merge_plan = plan_merge(session, batch_id, self._as_stated(files), heads)
                files_balanced = domain.file_results(
                    self._manifest,
                    reports,
                    merge_plan.accepted_rows,
                    merge_plan.superseded_rows,
                )
                self._write_facts(session, merge_plan, heads, state.epoch)
            new_heads = ports.facts.publish(state.epoch, batch_id)
        document = self._result(merge_plan, files_balanced, new_heads, state.epoch, currency)
        result = ports.objects.put_json(
            self._command.manifest.bucket, result_key(batch_id), document
        )
        published = state.publish(new_heads, result, pseudonym_check, currency)
        state, version = self._mark_publishing(state, published, version)
        _finish(ports, state, version, merge_plan.kpis, document, self._command.fence)
        return result

    def _as_stated(self, files: Sequence[StagedFile]) -> list[StagedFile]:
        statement_of = domain.statement_indexes(self._manifest)
        return [replace(file, statement_index=statement_of[file.file_index]) for file in files]

    def _raise_epoch(
        self, reports: Mapping[int, Mapping[str, Any]]
    ) -> tuple[TransformerState, int, str | None] | ObjectRef:
        """The tables are loaded first: whoever raises the epoch after us then moves the mains.

        With the state and the stream's version comes the batch's currency. Gives the result
        instead when another attempt has published the batch meanwhile. Raises InputsRejected,
        before anything is written.
        """
        command, ports = self._command, self._ports
        before = current_state(ports)
        before.admit(command.fence)
        mains = ports.facts.load(before.epoch)
        history = _history(command.batch_id, ports)
        if history.result is not None:
            return history.result
        history.admit(command.batch_id, command.fence)
        currency = domain.check_inputs(reports, before.currency)
        state = before.begin(command.batch_id, command.fence, command.attempt, mains)
        started = TransformStarted(
            batch_id=command.batch_id,
            epoch=state.epoch,
            engine=self._engine_name,
            engine_reason=self._engine_reason,
            attempt=command.attempt,
            fence=command.fence,
        )
        version = _change_state(ports, before, state, history.version, started)
        return state, version, currency

    def _engine(self) -> Engine:
        return self._ports.engine_of(self._engine_name)

    def _write_facts(
        self, session: Session, merge_plan: MergePlan, heads: domain.Heads, epoch: int
    ) -> None:
        """Write the branches and check that they hold what they should, before any main moves."""
        facts = self._ports.facts
        properties = {"batch_id": self._command.batch_id, "epoch": str(epoch)}
        session.write(merge_plan.writes, epoch, properties)
        domain.check_row_counts(
            before=facts.total_rows(heads),
            replaced=merge_plan.replaced_rows,
            written=merge_plan.written_rows,
            after=facts.total_rows(facts.branch_heads(epoch)),
            touched=[write.table for write in merge_plan.writes],
        )

    def _result(
        self,
        merge_plan: MergePlan,
        files: list[dict[str, Any]],
        heads: domain.Heads,
        epoch: int,
        currency: str | None,
    ) -> dict[str, Any]:
        elapsed = self._ports.clock() - self._began_at
        document = {
            "batch_id": self._command.batch_id,
            "epoch": epoch,
            "engine": self._engine_name,
            "engine_reason": self._engine_reason,
            "files": files,
            "waiting_order_items": merge_plan.waiting_order_items,
            "order_totals": merge_plan.order_totals,
            "restated": merge_plan.restated,
            "guests": merge_plan.guests,
            "currency": currency,
            "affected_days": sorted(day.isoformat() for day in merge_plan.affected_days),
            "published": merge_plan.kpis.counts(),
            "snapshots": domain.as_text(heads),
            "duration_seconds": round(elapsed.total_seconds(), 3),
        }
        check_document("BatchResult", document)
        return document

    def _mark_publishing(
        self, before: TransformerState, state: TransformerState, version: int
    ) -> tuple[TransformerState, int]:
        """The point of no return."""
        facts_published = FactsPublished(
            batch_id=self._command.batch_id,
            epoch=state.epoch,
            snapshots=domain.as_text(state.heads or {}),
            attempt=self._command.attempt,
            fence=self._command.fence,
        )
        return state, _change_state_as_owner(self._ports, before, state, version, facts_published)


def _settle(fence: int, ports: Ports) -> None:
    """Finish a publication that an earlier epoch had begun; other leftovers fall to the fence.

    Raises StaleWriter when a newer lock grant was seen.
    """
    state = current_state(ports)
    state.admit(fence)
    flight = state.in_flight
    if flight is None or flight.result is None:  # only a batch in PUBLISHING has one
        return
    owner = state.take_over(fence)
    history = _history(flight.batch_id, ports)
    _change_state_as_owner(ports, state, owner, history.version)
    ports.facts.load(state.epoch)
    document = ports.objects.get_json(flight.result)
    days = [date.fromisoformat(day) for day in document["affected_days"]]
    engine = domain.engine_to_finish(document["engine"], spark_is_here=ports.spark_is_here())
    with ports.engine_of(engine).session() as session:
        change = kpis_between(session, flight.heads_before, owner.heads or {}, days)
    _finish(ports, owner, history.version, change, document, fence)


def _finish(
    ports: Ports,
    state: TransformerState,
    version: int,
    change: KpiChange,
    document: Mapping[str, Any],
    fence: int,
) -> None:
    """Publish the KPIs of the batch in flight and close it."""
    flight = state.in_flight
    if flight is None or flight.result is None:
        raise StaleWriter(f"epoch {state.epoch} has no publication to finish")
    stamp = Stamp(flight.batch_id, state.epoch, to_rfc3339(ports.clock()))
    publish_kpis(ports.store, ports.tables, change, stamp, CONTEXT)
    published = document["published"]
    _change_state_as_owner(
        ports,
        state,
        state.settle(),
        version,
        KpisPublished(
            batch_id=flight.batch_id,
            epoch=state.epoch,
            result=flight.result,
            engine=document["engine"],
            affected_days=len(document["affected_days"]),
            order_kpis=published["order_kpis"],
            category_kpis=published["category_kpis"],
            deleted=published["deleted"],
            waiting_order_items=document["waiting_order_items"],
            duration_seconds=document["duration_seconds"],
            attempt=flight.attempt,
            fence=fence,
        ),
    )


def _undo(command: AbandonBatch | TransformBatch, ports: Ports) -> Answer:
    """Put the facts back to the published heads under a new epoch.

    Nothing is undone when another attempt has published the batch meanwhile, or given it up.
    """

    def raise_epoch() -> tuple[TransformerState, int] | ObjectRef | None:
        before = current_state(ports)
        before.admit(command.fence)
        mains = ports.facts.load(before.epoch)
        history = _history(command.batch_id, ports)
        if history.result is not None:
            return history.result
        if history.abandoned_under >= command.fence:
            return None
        state = before.begin_abandoning(command.batch_id, command.fence, command.attempt, mains)
        return state, _change_state(ports, before, state, history.version)

    begun = retry_on_conflict(raise_epoch)
    if begun is None:
        return {"outcome": "ABANDONED"}
    if isinstance(begun, ObjectRef):
        return _published(begun)
    state, version = begun
    with _begun_again_unless_overtaken(state.epoch, ports):
        ports.facts.fence(state.heads or {}, state.epoch, command.batch_id)
    _change_state_as_owner(
        ports,
        state,
        state.settle(),
        version,
        BatchAbandoned(
            batch_id=command.batch_id,
            epoch=state.epoch,
            reason="the saga gave the batch up before publication; the facts are as before it",
            attempt=command.attempt,
            fence=command.fence,
        ),
    )
    return {"outcome": "ABANDONED"}


def current_state(ports: Ports) -> TransformerState:
    """The item that all batches share, as it stands."""
    key = {"StateId": domain.STATE_ID}
    return TransformerState.from_item(ports.store.get_item(ports.tables.state, key))


def _history(batch_id: str, ports: Ports) -> BatchHistory:
    return BatchHistory.replay(ports.store.read(_stream(batch_id)))


def _change_state_as_owner(
    ports: Ports, before: TransformerState, after: TransformerState, version: int, *events: Any
) -> int:
    """As `_change_state`; a conflict means that a newer epoch has begun."""
    try:
        return _change_state(ports, before, after, version, *events)
    except ConcurrencyConflict as error:
        raise StaleWriter(
            f"epoch {before.epoch} is stale: a newer one has begun, which settles the batch"
        ) from error


def _change_state(
    ports: Ports, before: TransformerState, after: TransformerState, version: int, *events: Any
) -> int:
    """Write state and events in one transaction, if epoch and phase are still those before.

    Returns the stream's new version; raises ConcurrencyConflict.
    """
    batch_id = (after.in_flight or before.in_flight or _nothing_in_flight()).batch_id
    write = PutItem(ports.tables.state, after.to_item(), expected=before.as_stored())
    appends = [StreamAppend(_stream(batch_id), version, events)] if events else []
    ports.store.append(*appends, context=CONTEXT, writes=[write])
    return version + len(events)


def _nothing_in_flight() -> domain.InFlight:
    raise StaleWriter("no batch is in flight; another epoch has settled it")


def _stream(batch_id: str) -> str:
    return f"transformation/{batch_id}"


def _published(result: ObjectRef) -> Answer:
    return {"outcome": "PUBLISHED", "result": cast(dict[str, str], result.model_dump())}
