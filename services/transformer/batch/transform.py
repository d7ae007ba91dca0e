"""Transforming a batch: gather, decide, apply, each step safe to repeat.

The order of the steps is what makes a crash at any point harmless: the tables are loaded before
the epoch is raised, the facts' mains move before PUBLISHING is marked, and PUBLISHING is the point
of no return: before it the next epoch undoes, after it the next epoch finishes. What shows KPIs,
items and KPI tables, moves after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.clock import to_rfc3339
from contracts.errors import DataRejected
from contracts.layout import result_key
from contracts.messages import (
    BatchManifest,
    BatchResult,
    FactsPublished,
    FileResult,
    ObjectRef,
    TransformBatch,
    TransformStarted,
)
from services.runtime.event_store import retry_on_conflict
from services.runtime.storage.documents import check_document
from services.transformer.batch import reconciliation
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.domain import TransformerState, as_text
from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.batch.merge_plan import MergePlan, plan_merge
from services.transformer.batch.publication import Stamp
from services.transformer.batch.reconciliation import InputsRejected, Reports
from services.transformer.batch.settle import begun_again_unless_overtaken, finish, unless_published
from services.transformer.batch.state import (
    Answer,
    EngineDecision,
    Ports,
    before_the_epoch,
    change_state,
    change_state_as_owner,
    current_state,
    published,
)
from services.transformer.engines.choice import choose_engine
from services.transformer.engines.port import Engine, Session, StagedFile
from services.transformer.facts.kpi_tables import ALL_DAYS, are_in_step, write_kpis
from services.transformer.facts.order_index import IndexOutOfStep, rebuild_index
from services.transformer.facts.reading import all_kpis, kpis_at, spans
from services.transformer.facts.tables import INDEX, Heads
from services.transformer.history.batch_difference import Around, Difference
from services.transformer.history.kept_difference import keep_difference
from services.transformer.history.own_changes import own_changes, own_difference


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
        return unless_published(command, ports, lambda _: published(_Attempt(command, ports).run()))
    except DataRejected as rejected:
        return _reject(command, ports, rejected)


def _reject(command: TransformBatch, ports: Ports, rejected: DataRejected) -> Answer:
    """The answer for data at fault; what an attempt at the batch may have begun is undone first."""
    flight = current_state(ports).in_flight
    if flight is not None and flight.batch_id == command.batch_id:
        undone = abandon_batch(command, ports)
        if undone["outcome"] == "PUBLISHED":
            return undone
    at_fault = rejected.file_indexes if isinstance(rejected, InputsRejected) else ()
    return {"outcome": "REJECTED", "reason": str(rejected), "rejected_files": list(at_fault)}


def manifest_of(command: TransformBatch, ports: Ports) -> BatchManifest:
    """The batch's pinned manifest, checked."""
    document = ports.objects.get_json(command.manifest)
    check_document("BatchManifest", document, closed=False)
    return BatchManifest.model_validate(document)


def input_bytes(manifest: BatchManifest) -> int:
    """The declared size of a batch's inputs."""
    return sum(file.size_bytes for file in manifest.files)


def decide_engine(size_bytes: int, ports: Ports) -> EngineDecision:
    """The engine for inputs of that size and why: the one place that asks."""
    return choose_engine(
        ports.wanted_engine,
        size_bytes,
        ports.spark_threshold_mb,
        spark_is_here=ports.spark_is_here(),
    )


@dataclass(frozen=True)
class _Planned:
    """What is on the branches: the plan, what became of each input, what the batch changes."""

    merge_plan: MergePlan
    files: list[FileResult]
    difference: Difference


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
        pseudonym_check = reconciliation.staged_check(reports, state.pseudonym_check)
        engine = ports.engine_of(self._engine_name)
        with begun_again_unless_overtaken(state.epoch, ports):
            ports.facts.fence(heads, state.epoch, batch_id)
            with ports.inputs.fetch(reports) as files:
                planned = self._plan_and_write(engine, files, heads, state.epoch, reports)
            new_heads = ports.facts.publish(state.epoch, batch_id)
        bucket, merge_plan = self._command.manifest.bucket, planned.merge_plan
        around = Around(heads, new_heads)
        difference = keep_difference(
            batch_id, state.epoch, planned.difference, around, ports.objects, bucket
        )
        result = self._result(planned, difference, new_heads, state.epoch, currency)
        document = result.model_dump(mode="json")
        check_document("BatchResult", document)
        ref = ports.objects.put_json(bucket, result_key(batch_id), document)
        publishing = state.publish(new_heads, ref, pseudonym_check, currency)
        state, version = self._mark_publishing(state, publishing, version)
        finish(ports, state, version, merge_plan.kpis, result, self._command.fence)
        return ref

    def _as_stated(self, files: Sequence[StagedFile]) -> list[StagedFile]:
        statement_of = reconciliation.statement_indexes(self._manifest)
        return [replace(file, statement_index=statement_of[file.file_index]) for file in files]

    def _raise_epoch(
        self, reports: Reports
    ) -> tuple[TransformerState, int, str | None] | ObjectRef:
        """With the state and the stream's version comes the batch's currency.

        Gives the result instead when another attempt has published the batch meanwhile. Raises
        InputsRejected, before anything is written.
        """
        command, ports = self._command, self._ports
        before, mains, history = before_the_epoch(command, ports)
        if history.result is not None:
            return history.result
        history.admit(command.batch_id, command.fence)
        currency = reconciliation.check_inputs(reports, before.currency)
        state = before.begin(command.batch_id, command.fence, command.attempt, mains)
        started = TransformStarted(
            batch_id=command.batch_id,
            epoch=state.epoch,
            engine=self._engine_name,
            engine_reason=self._engine_reason,
            attempt=command.attempt,
            fence=command.fence,
        )
        version = change_state(ports, before, state, history.version, started)
        return state, version, currency

    def _plan_and_write(
        self,
        engine: Engine,
        files: Sequence[StagedFile],
        heads: Heads,
        epoch: int,
        reports: Reports,
    ) -> _Planned:
        """The branches hold the batch; an index that is not of these orders is made anew first.

        Raises PipelineError when the rows do not add up.
        """

        def from_heads(heads: Heads) -> _Planned:
            with engine.session() as session:
                planned = plan_merge(session, self._command.batch_id, self._as_stated(files), heads)
                balanced = reconciliation.file_results(
                    self._manifest, reports, planned.accepted_rows, planned.superseded_rows
                )
                self._write_facts(session, planned, heads, epoch)
                changes = own_changes(session)
            kpis_before = self._write_kpis(engine, planned, heads, epoch)
            difference = own_difference(changes, kpis_before, planned.kpis)
            return _Planned(planned, balanced, difference)

        try:
            return from_heads(heads)
        except IndexOutOfStep:
            rebuild_index(engine, heads, epoch, self._properties(epoch))
            rebuilt = self._ports.facts.branch_heads(epoch)[INDEX]
            return from_heads({**heads, INDEX: rebuilt})

    def _properties(self, epoch: int) -> dict[str, str]:
        return {"batch_id": self._command.batch_id, "epoch": str(epoch)}

    def _write_facts(
        self, session: Session, merge_plan: MergePlan, heads: Heads, epoch: int
    ) -> None:
        """Write the branches and check that they hold what they should, before any main moves."""
        facts = self._ports.facts
        session.write(merge_plan.writes, epoch, self._properties(epoch))
        reconciliation.check_row_counts(
            before=facts.total_rows(heads),
            replaced=merge_plan.replaced_rows,
            written=merge_plan.written_rows,
            after=facts.total_rows(facts.branch_heads(epoch)),
            touched=[write.table for write in merge_plan.writes],
        )

    def _write_kpis(
        self, engine: Engine, merge_plan: MergePlan, heads: Heads, epoch: int
    ) -> list[OrderDay | CategoryDay]:
        """The KPIs of the days, on the branches too; of all days where the tables lack others.

        Gives what they were before.
        """
        facts = self._ports.facts
        stamp = Stamp(self._command.batch_id, epoch, to_rfc3339(self._ports.clock()))
        if are_in_step(facts, heads):
            change = merge_plan.kpis
            return write_kpis(facts, epoch, change.standing(), merge_plan.affected_days, stamp)
        everything = all_kpis(engine, facts, facts.branch_heads(epoch))
        write_kpis(facts, epoch, everything, ALL_DAYS, stamp)
        days = spans(sorted(merge_plan.affected_days))
        return [kpi for span in days for kpi in kpis_at(engine, heads, span)]

    def _result(
        self,
        planned: _Planned,
        difference: ObjectRef,
        heads: Heads,
        epoch: int,
        currency: str | None,
    ) -> BatchResult:
        merge_plan = planned.merge_plan
        elapsed = self._ports.clock() - self._began_at
        return BatchResult(
            batch_id=self._command.batch_id,
            epoch=epoch,
            engine=self._engine_name,
            engine_reason=self._engine_reason,
            files=planned.files,
            waiting_order_items=merge_plan.waiting_order_items,
            order_totals=merge_plan.order_totals,
            restated=merge_plan.restated,
            guests=merge_plan.guests,
            currency=currency,
            affected_days=sorted(day.isoformat() for day in merge_plan.affected_days),
            published=merge_plan.kpis.counts(),
            snapshots=as_text(heads),
            duration_seconds=round(elapsed.total_seconds(), 3),
            difference=difference,
        )

    def _mark_publishing(
        self, before: TransformerState, state: TransformerState, version: int
    ) -> tuple[TransformerState, int]:
        """The point of no return."""
        facts_published = FactsPublished(
            batch_id=self._command.batch_id,
            epoch=state.epoch,
            snapshots=as_text(state.heads or {}),
            attempt=self._command.attempt,
            fence=self._command.fence,
        )
        return state, change_state_as_owner(self._ports, before, state, version, facts_published)
