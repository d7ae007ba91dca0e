"""Small faults put into the real code, one at a time: each must make some seed fail.

A mutant says what it breaks; what it patches is what a tired colleague might have written.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from contracts.clock import from_rfc3339
from contracts.envelope import Message, MessageContext, task_token_of
from contracts.errors import PipelineError, StaleWriter
from contracts.messages import BatchRedriven, LockQueued, LockReleased
from services.aggregator.batch import domain as batch
from services.aggregator.batch import rejection
from services.aggregator.batch import use_cases as batch_use_cases
from services.aggregator.open_set import carry_over, object_lookup, sealing
from services.aggregator.open_set import sweep as sweeping
from services.aggregator.open_set import use_cases as files
from services.aggregator.sources.catalogue import Catalogue
from services.archiver import domain as archive_rules
from services.archiver import use_cases as archiver
from services.lock import domain as lock
from services.lock import use_cases as lock_use_cases
from services.lock.items import token_key
from services.relay import handler as relay
from services.runtime.messaging.consumer import CommandConsumer
from services.transformer.batch import domain as facts_rules
from services.transformer.batch import publication, settle, transform
from services.transformer.batch.state import CONTEXT, current_state
from tests.simulation import facts, saga
from tests.simulation.run import run_seed, simulated
from tests.simulation.stranger_mutants import STRANGER_MUTANTS
from tests.simulation.world import Outcome

Patches = Callable[[], list[Any]]
SLIPS = re.compile(r"\b(TypeError|AttributeError|NameError)\b")
"""A seed that fails by one of these shows a mutant that was not moved with the code."""


@dataclass(frozen=True)
class Mutant:
    """What is broken, and how."""

    name: str
    patches: Patches


@dataclass(frozen=True)
class Caught:
    """The seed that showed a mutant, how many it took, and the promise that it broke."""

    mutant: str
    seeds: int
    seed: int | None
    promise: str
    seconds: float


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Inside, the real code has this fault."""
    patches = mutant.patches()
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()


def hunt(mutant: Mutant, seeds: int, first: int = 1) -> Caught:
    """Run seeds until one fails, at most so many; call it inside `simulated()`."""
    began = time.perf_counter()
    with planted(mutant):
        for number, seed in enumerate(range(first, first + seeds), start=1):
            outcome: Outcome = run_seed(seed)
            if outcome.violation is not None:
                if SLIPS.search(outcome.violation):
                    raise AssertionError(
                        f"{mutant.name} fits the code no more: {outcome.violation}"
                    )
                seconds = time.perf_counter() - began
                return Caught(mutant.name, number, seed, outcome.violation, seconds)
    return Caught(mutant.name, seeds, None, "", time.perf_counter() - began)


def hunt_all(seeds: int) -> Iterator[Caught]:
    """Every mutant in turn."""
    with simulated():
        for mutant in MUTANTS:
            yield hunt(mutant, seeds)


# -- the lock ------------------------------------------------------------------------------


def _release_of_anyone() -> list[Any]:
    def release(self: lock.Lock, execution_id: str, fence: int, terms: lock.Terms) -> Any:
        if self.holder is None:
            return ()
        released = LockReleased(lock_id=self.lock_id, execution_id=execution_id, fence=fence)
        return self._hand_over((released,), self.waiters, terms)

    return [patch.object(lock.Lock, "release", release)]


def _release_under_any_fence() -> list[Any]:
    real = lock.Lock.release

    def release(self: lock.Lock, execution_id: str, fence: int, terms: lock.Terms) -> Any:
        held = self.holder.fence if self.holder and self.holds(execution_id) else fence
        return tuple(
            event.model_copy(update={"fence": fence})
            if type(event).__name__ == "LockReleased"
            else event
            for event in real(self, execution_id, held, terms)
        )

    return [patch.object(lock.Lock, "release", release)]


def _lease_the_wrong_way() -> list[Any]:
    def lease_expired(self: lock.Lock, now: Any) -> bool:
        return self.holder is not None and from_rfc3339(self.holder.lease_until) > now

    return [patch.object(lock.Lock, "lease_expired", lease_expired)]


def _lease_never_ends() -> list[Any]:
    return [patch.object(lock.Lock, "lease_expired", lambda _self, _now: False)]


def _not_reentrant() -> list[Any]:
    real = lock.Lock.acquire

    def acquire(self: lock.Lock, applicant: lock.Waiter, terms: lock.Terms) -> Any:
        if not self.holds(applicant.execution_id):
            return real(self, applicant, terms)
        return (
            LockQueued(
                lock_id=self.lock_id,
                execution_id=applicant.execution_id,
                batch_id=applicant.batch_id,
                position=1,
            ),
        )

    return [patch.object(lock.Lock, "acquire", acquire)]


def _last_come_first_served() -> list[Any]:
    real = lock.Lock._hand_over

    def hand_over(self: lock.Lock, events: Any, waiters: Any, terms: lock.Terms) -> Any:
        return real(self, events, tuple(reversed(waiters)), terms)

    return [patch.object(lock.Lock, "_hand_over", hand_over)]


def _dead_waiters_are_served() -> list[Any]:
    real = lock.Lock.recover

    def recover(self: lock.Lock, ended: Mapping[str, str], terms: lock.Terms) -> Any:
        holder = self.holder.execution_id if self.holder else ""
        return real(self, {one: s for one, s in ended.items() if one == holder}, terms)

    return [patch.object(lock.Lock, "recover", recover)]


def _dead_holder_keeps_the_lock() -> list[Any]:
    return [patch.object(lock.Lock, "sweep", lambda *_: ())]


def _nobody_pays() -> list[Any]:
    real = lock_use_cases.deliver_pending_grant

    def pay(lock_: Any, ports: Any, causation_id: Any) -> Any:
        return lock_ if causation_id is None else real(lock_, ports, causation_id)

    return [patch.object(lock_use_cases, "deliver_pending_grant", pay)]


def _broken_before_it_is_told() -> list[Any]:
    def break_lock(message: Message, ports: lock_use_cases.Ports) -> None:
        order = message.data
        breach = lock_use_cases._decide(
            ports,
            lambda held, terms: held.break_open(
                order.fence, order.requested_by, order.reason, terms
            ),
            MessageContext(lock_use_cases.SOURCE, causation_id=message.event_id),
        )
        lock_use_cases.deliver_pending_grant(breach.lock, ports, message.event_id)

    return [patch.object(lock_use_cases, "break_lock", break_lock)]


def _fence_is_constant() -> list[Any]:
    real = lock.Lock._grant

    def grant(self: lock.Lock, applicant: lock.Waiter, terms: lock.Terms, after: int) -> Any:
        return real(self, applicant, terms, after).model_copy(update={"fence": 1})

    return [patch.object(lock.Lock, "_grant", grant)]


def _token_is_forgotten_first() -> list[Any]:
    """The debt is struck out before it is paid: a crash in between leaves a holder unanswered."""

    def pay(lock_: lock.Lock, ports: Any, causation_id: Any) -> lock.Lock:
        holder = lock_.holder
        if holder is None:
            return lock_
        key = token_key(lock.LOCK_ID, holder.execution_id)
        pending_grant = ports.store.get_item(ports.table, key)
        if pending_grant is None:
            return lock_
        lock_use_cases._forget_token(ports, key, pending_grant["task_token"])
        answer = {"outcome": "GRANTED", "fence": holder.fence, "lease_until": holder.lease_until}
        ports.answers.succeed(pending_grant["task_token"], answer)
        return lock_

    return [patch.object(lock_use_cases, "deliver_pending_grant", pay)]


# -- the transformer -----------------------------------------------------------------------


def _fence_is_not_checked() -> list[Any]:
    return [patch.object(facts_rules.TransformerState, "admit", lambda _self, _fence: None)]


def _epoch_stays() -> list[Any]:
    real = facts_rules.TransformerState._next

    def following(self: Any, *arguments: Any) -> Any:
        after = real(self, *arguments)
        return replace(after, epoch=max(1, self.epoch))

    return [patch.object(facts_rules.TransformerState, "_next", following)]


def _abandon_keeps_the_epoch() -> list[Any]:
    real = facts_rules.TransformerState.begin_abandoning

    def begin(self: Any, *arguments: Any) -> Any:
        after = real(self, *arguments)
        return replace(after, epoch=max(1, self.epoch))

    return [patch.object(facts_rules.TransformerState, "begin_abandoning", begin)]


def _only_the_epoch_guards() -> list[Any]:
    """The first code, as the simulation found it: a slow owner's publication was lost."""

    def as_stored(self: Any) -> Any:
        return {"epoch": self.epoch or None}

    return [patch.object(facts_rules.TransformerState, "as_stored", as_stored)]


def _history_is_not_read_again() -> list[Any]:
    """The first code, as the simulation found it: a redelivered command published twice."""
    real = transform.before_the_epoch

    def before(command: Any, ports: Any) -> Any:
        state, mains, history = real(command, ports)
        return state, mains, replace(history, result=None)

    return [patch.object(transform, "before_the_epoch", before)]


def _main_moves_unguarded() -> list[Any]:
    real = facts.Catalog.commit

    def commit(self: Any, name: str, required: Any, refs: Any, added: Any = None) -> Any:
        loose = {ref: one for ref, one in required.items() if ref != facts.MAIN}
        return real(self, name, loose, refs, added)

    return [patch.object(facts.Catalog, "commit", commit)]


def _kpis_without_condition() -> list[Any]:
    real = publication.publish_kpis

    def publish(store: Any, *arguments: Any) -> None:
        class Loose:
            @staticmethod
            def append(*appends: Any, context: Any, writes: Any) -> Any:
                return store.append(*appends, context=context, writes=writes[1:])

        real(Loose(), *arguments)  # type: ignore[arg-type]

    return [patch.object(settle, "publish_kpis", publish)]


def _settle_does_not_finish() -> list[Any]:
    def only_admits(fence: int, ports: Any) -> Any:
        state = current_state(ports)
        state.admit(fence)
        return state.settle()

    real = facts_rules.TransformerState._next

    def following(self: Any, *arguments: Any) -> Any:
        return real(self.settle(), *arguments)

    return [
        patch.object(settle, "settle", only_admits),
        patch.object(facts_rules.TransformerState, "_next", following),
    ]


def _publishing_is_marked_last() -> list[Any]:
    """KPIs go out before the point of no return is stored."""
    real = transform._Attempt._mark_publishing

    def mark(self: Any, before: Any, state: Any, version: int) -> Any:
        stamp = publication.Stamp(self._command.batch_id, before.epoch, "2025-07-10T00:00:00.000Z")
        composition = getattr(self, "_kept", None)
        if composition is not None:
            publication.publish_kpis(
                self._ports.store,
                self._ports.tables,
                composition.kpis,
                stamp,
                CONTEXT,
            )
        return real(self, before, state, version)

    write = transform._Attempt._write_facts

    def keep(self: Any, session: Any, composition: Any, *rest: Any) -> None:
        self._kept = composition
        write(self, session, composition, *rest)

    return [
        patch.object(transform._Attempt, "_mark_publishing", mark),
        patch.object(transform._Attempt, "_write_facts", keep),
    ]


def _vanished_categories_stay() -> list[Any]:
    return [
        patch.object(
            settle,
            "publish_kpis",
            lambda store, tables, change, *more: publication.publish_kpis(
                store, tables, replace(change, gone=()), *more
            ),
        )
    ]


# -- the aggregator ------------------------------------------------------------------------


def _random_execution_name() -> list[Any]:
    count = iter(range(1, 1_000_000))
    return [
        patch.object(
            batch, "execution_name", lambda batch_id, _attempt: f"{batch_id}-x{next(count)}"
        )
    ]


def _closed_again_and_again() -> list[Any]:
    real = batch.close

    def close(batch_: Any, execution_id: str, end: Any) -> Any:
        real(batch_, execution_id, end)
        return [end]

    return [
        patch.object(batch, "close", close),
        patch.object(batch.Batch, "is_closed", property(lambda _self: False)),
    ]


def _seen_files_are_taken_again() -> list[Any]:
    real = files._append

    def append(open_set: Any, events: Any, ports: Any, *writes: Any) -> None:
        real(open_set, events, ports, *(replace(one, unless_exists=False) for one in writes))

    return [
        patch.object(object_lookup, "was_seen", lambda _identity, _ports: False),
        patch.object(files, "_append", append),
    ]


def _completed_is_redriven() -> list[Any]:
    def redrive(batch_: Any, requested_by: str) -> Any:
        return [
            BatchRedriven(
                batch_id=batch_.batch_id,
                attempt=batch_.attempt + 1,
                requested_by=requested_by,
                manifest=batch_.manifest,
                file_count=batch_.sealed.file_count,
                bucket=batch_.sealed.bucket,
            )
        ]

    return [patch.object(batch, "redrive", redrive)]


def _healthy_files_are_kept() -> list[Any]:
    real = rejection.reject

    def reject(*arguments: Any) -> Any:
        return replace(real(*arguments), returned=[])

    return [patch.object(batch_use_cases, "reject", reject)]


def _dead_executions_are_ignored() -> list[Any]:
    return [
        patch.object(batch_use_cases, "execution_ended", lambda *_: None),
    ]


def _start_is_not_recorded_or_swept() -> list[Any]:
    """StartExecution is tried once, and whoever crashed before it is not swept."""
    return [patch.object(batch_use_cases, "sweep", lambda _ports: None)]


def _left_files_are_dropped() -> list[Any]:
    real = carry_over.carry_over

    def carry(file_set: Any, selection: Any, *, products_known: bool) -> Any:
        events = real(file_set, selection, products_known=products_known)
        return [event.model_copy(update={"files": []}) for event in events]

    return [patch.object(sealing, "carry_over", carry)]


def _nothing_is_swept() -> list[Any]:
    real = files.sweep_versions
    return [
        patch.object(
            files, "sweep_versions", lambda bucket, ports: replace(real(bucket, ports), uploads=[])
        )
    ]


def _overtaken_versions_are_passed_over() -> list[Any]:
    """Of a key only the newest version is looked at, as a listing without versions would."""
    real = object_lookup.judge

    def judge(bucket: str, versions: Any, newest: str, ports: Any) -> Any:
        return real(bucket, [one for one in versions if one.version_id == newest], newest, ports)

    return [patch.object(object_lookup, "judge", judge), patch.object(sweeping, "judge", judge)]


def _superseded_versions_are_forgotten() -> list[Any]:
    """They are neither told nor sealed: the next set does not have them."""
    real = carry_over.carry_over

    def carry(file_set: Any, selection: Any, *, products_known: bool) -> Any:
        dropped = {
            (event.key, event.version_id) for event in sealing.superseded(file_set, selection)
        }
        events = real(file_set, selection, products_known=products_known)
        return [
            event.model_copy(
                update={"files": [f for f in event.files if (f.key, f.version_id) not in dropped]}
            )
            for event in events
        ]

    return [
        patch.object(sealing, "carry_over", carry),
        patch.object(files, "superseded", lambda *_: []),
    ]


def _what_is_gone_is_at_fault() -> list[Any]:
    return [patch.object(rejection, "FILE_GONE", "no such rule")]


def _any_gone_input_stops_the_archive() -> list[Any]:
    def copy(move: Any, ports: Any) -> bool:
        source = move.source
        standing = ports.objects.head(source.bucket, source.key, source.version_id)
        archiver._see_archived(move, standing, ports)
        return True

    return [patch.object(archiver, "_copy_input", copy)]


# -- archiver, relay, consumers --------------------------------------------------------------


def _deleted_before_copied() -> list[Any]:
    def move(command: Any, manifest: Any, _token: Any, ports: Any) -> None:
        for one in archive_rules.moves(manifest):
            archiver._delete_input(one, ports)
            archiver._copy_input(one, ports)

    return [patch.object(archiver, "_move", move)]


def _newest_version_is_deleted() -> list[Any]:
    def delete(move: Any, ports: Any) -> None:
        source = move.source
        newest = ports.objects.head(source.bucket, source.key)
        if newest is not None:
            ports.objects.delete(source.bucket, source.key, newest.version_id)

    return [patch.object(archiver, "_delete_input", delete)]


def _refused_entries_are_forgotten() -> list[Any]:
    real = relay.relay

    def forgetful(records: Any, bus: Any, name: str) -> Any:
        real(records, bus, name)
        return {"batchItemFailures": []}

    return [patch.object(relay, "relay", forgetful)]


def _answered_before_stored() -> list[Any]:
    """Every command is answered before its handler runs: acknowledge, then append."""
    real = CommandConsumer.handle

    def handle(self: Any, body: str, queue_name: str) -> None:
        if task_token_of(body) is None:
            real(self, body, queue_name)
            return
        message = json.loads(body)
        if message.get("event_type") == "ReleaseLock":
            self._answers.succeed(message["task_token"], {"outcome": "RELEASED"})
        if message.get("event_type") == "CloseBatch":
            answer = {"outcome": "CLOSED", "status": "COMPLETED", "subject": "x", "message": "y"}
            self._answers.succeed(message["task_token"], answer)
            message.pop("task_token")
            body = json.dumps(message)
            try:
                real(self, body, queue_name)
            except PipelineError:
                return
            return
        real(self, body, queue_name)

    return [patch.object(CommandConsumer, "handle", handle)]


def _failures_are_swallowed() -> list[Any]:
    """A stale writer acknowledges and forgets."""
    real = transform.transform_batch

    def forgiving(command: Any, ports: Any) -> Any:
        try:
            return real(command, ports)
        except StaleWriter:
            return {"outcome": "PUBLISHED", "result": command.manifest.model_dump()}

    return [patch.object(transform, "transform_batch", forgiving)]


# -- the saga --------------------------------------------------------------------------------


def _saga(edit: Callable[[dict[str, Any]], None]) -> Patches:
    def patches() -> list[Any]:
        edited = deepcopy(saga.definition())
        edit(edited["States"])
        return [patch.object(saga, "definition", lambda: edited)]

    return patches


def _release_before_undoing(states: dict[str, Any]) -> None:
    """The lock goes first, the batch is abandoned afterwards."""
    states["TransformBatch"]["Catch"][0]["Next"] = "ReleaseFirst"
    first = deepcopy(states["ReleaseLock"])
    first["Next"] = "AbandonBatch"
    first["Catch"][0]["Next"] = "AbandonBatch"
    states["ReleaseFirst"] = first
    states["IsPublished"]["Default"] = "CloseBatch"


def _no_compensation(states: dict[str, Any]) -> None:
    states["TransformBatch"]["Catch"][0]["Next"] = "ReleaseLock"


def _lock_is_not_released(states: dict[str, Any]) -> None:
    states["ArchiveBatch"]["Next"] = "CloseBatch"
    states["ArchiveBatch"]["Catch"][0]["Next"] = "CloseBatch"


def _archive_before_transform(states: dict[str, Any]) -> None:
    states["IsAccepted"]["Default"] = "ArchiveFirst"
    first = deepcopy(states["ArchiveBatch"])
    first["Arguments"]["MessageBody"]["data"]["result"] = "{% $manifest %}"
    first["Next"] = "TransformBatch"
    states["ArchiveFirst"] = first


def _failed_is_green(states: dict[str, Any]) -> None:
    states["TransformBatch"]["Catch"][0]["Assign"]["outcome"] = "COMPLETED"
    states["TransformBatch"]["Catch"][0]["Next"] = "ReleaseLock"


def _rejected_goes_on(states: dict[str, Any]) -> None:
    """The transformer refuses a rejected file as well, so its answer has to be overlooked too."""
    states["IsAccepted"]["Choices"][0]["Condition"] = "{% $count($rejected_files) > 1 %}"
    states["IsTransformed"]["Choices"][0]["Condition"] = "{% false %}"


def _without_the_lock(states: dict[str, Any]) -> None:
    states["Begin"]["Assign"]["fence"] = 1
    for choice in ("IsSealed", "AnythingSealed"):
        states[choice]["Choices"][0]["Next"] = "ValidateBatch"


def _nothing_waits_for_a_source() -> list[Any]:
    return [patch.object(files, "_record_sources", files.refresh_sources)]


def _lookups_are_not_waited_for() -> list[Any]:
    return [patch.object(Catalogue, "missing_for", lambda *_: iter(()))]


RELEASE_UNDER_ANY_FENCE = Mutant("lock: release under any fence", _release_under_any_fence)
"""No execution of the saga holds the lock twice, so no seed shows it; test_linearizability does."""
MUTANTS = (
    Mutant("lock: anyone releases", _release_of_anyone),
    Mutant("lock: lease compared the wrong way", _lease_the_wrong_way),
    Mutant("lock: the owner's second acquire queues", _not_reentrant),
    Mutant("lock: last come, first served", _last_come_first_served),
    Mutant("lock: dead waiters are not skipped", _dead_waiters_are_served),
    Mutant("lock: the sweep recovers nobody", _dead_holder_keeps_the_lock),
    Mutant("lock: the sweep pays no debts", _nobody_pays),
    Mutant("lock: the fence does not grow", _fence_is_constant),
    Mutant("lock: the debt is struck out before it is paid", _token_is_forgotten_first),
    Mutant("lock: broken before its holder is told", _broken_before_it_is_told),
    Mutant("transformer: admit checks no fence", _fence_is_not_checked),
    Mutant("transformer: the epoch is not raised on retry", _epoch_stays),
    Mutant("transformer: abandoning does not raise the epoch", _abandon_keeps_the_epoch),
    Mutant("transformer: only the epoch guards the state", _only_the_epoch_guards),
    Mutant("transformer: history is not read again", _history_is_not_read_again),
    Mutant("transformer: main moves without its guard", _main_moves_unguarded),
    Mutant("transformer: KPIs without the epoch's condition", _kpis_without_condition),
    Mutant("transformer: settle does not finish PUBLISHING", _settle_does_not_finish),
    Mutant("transformer: KPIs before the point of no return", _publishing_is_marked_last),
    Mutant("transformer: vanished categories stay", _vanished_categories_stay),
    Mutant("transformer: a stale writer says that it published", _failures_are_swallowed),
    Mutant("aggregator: the execution's name is random", _random_execution_name),
    Mutant("aggregator: a batch is closed again", _closed_again_and_again),
    Mutant("aggregator: seen files are taken in again", _seen_files_are_taken_again),
    Mutant("aggregator: COMPLETED is redriven", _completed_is_redriven),
    Mutant("aggregator: healthy files are not returned", _healthy_files_are_kept),
    Mutant("aggregator: dead executions are ignored", _dead_executions_are_ignored),
    Mutant("aggregator: no sweep of open batches", _start_is_not_recorded_or_swept),
    Mutant("aggregator: sealing drops the files that it leaves", _left_files_are_dropped),
    Mutant("aggregator: the sweep takes nothing in", _nothing_is_swept),
    Mutant("aggregator: a source that comes brings no file in", _nothing_waits_for_a_source),
    Mutant("aggregator: lookups are not waited for", _lookups_are_not_waited_for),
    Mutant("aggregator: overtaken versions are passed over", _overtaken_versions_are_passed_over),
    Mutant("aggregator: superseded versions are forgotten", _superseded_versions_are_forgotten),
    Mutant("aggregator: what is gone is at fault", _what_is_gone_is_at_fault),
    Mutant("archiver: a gone input stops it", _any_gone_input_stops_the_archive),
    Mutant("archiver: deletes before it copies", _deleted_before_copied),
    Mutant("archiver: deletes the newest version", _newest_version_is_deleted),
    Mutant("relay: FailedEntryCount is ignored", _refused_entries_are_forgotten),
    Mutant("consumer: answers before it appends", _answered_before_stored),
    Mutant("saga: the lock goes before the batch is undone", _saga(_release_before_undoing)),
    Mutant("saga: a failed batch is not undone", _saga(_no_compensation)),
    Mutant("saga: the lock is not released", _saga(_lock_is_not_released)),
    Mutant("saga: archives before it transforms", _saga(_archive_before_transform)),
    Mutant("saga: a failed batch is called COMPLETED", _saga(_failed_is_green)),
    Mutant("saga: a rejected file goes on", _saga(_rejected_goes_on)),
    Mutant("saga: goes on without the lock", _saga(_without_the_lock)),
    *(Mutant(name, patches) for name, patches in STRANGER_MUTANTS),
)
