"""One world: clock, network, stores, services and people, made from a seed and run to its rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.errors import Transient
from contracts.messages import BreakLock, RedriveBatch
from services.relay import handler as relay
from services.runtime.event_store import PutItem, StateWrite
from tests.simulation import cast, rest, saga
from tests.simulation.cast import People
from tests.simulation.chaos import Chaos, mix
from tests.simulation.checks import Checks, Violation
from tests.simulation.compute import Containers, Function, Process, WorkerKind
from tests.simulation.facts import Catalog
from tests.simulation.hub import Crash, Hub
from tests.simulation.network import Bus, Queue, Stream
from tests.simulation.shop import BUCKET, OWN_SOURCE, Shop
from tests.simulation.step_functions import STATUS_CHANGE, Answers, StateMachine
from tests.simulation.stores import TABLES, Buckets, EventStoreTable
from tests.simulation.strangers import Strangers

BEGIN = datetime(2025, 7, 10, tzinfo=UTC)
FAULTS_END_AFTER = 1500.0
"""Seconds with faults; then all must come to rest."""
BOUND_SECONDS = 6 * 3600.0
"""After that all must be at rest: far under the 24 h that a saga waits for the lock."""
OPERATOR_SECONDS = 1800.0
BREAKS = 3
"""So often at most does a person take the lock from whoever holds it, while faults last."""
MAX_STEPS = 60_000
SWEEP_SECONDS = 60.0
LONGEST_SWEEP_SECONDS = 900.0
"""The sweeps of a world in which nothing happens are thinned out, to save our time."""
QUEUES = {
    "lock-commands": 180,
    "lock-events": 180,
    "aggregator-files": 360,
    "aggregator-commands": 360,
    "aggregator-events": 360,
    "archiver-commands": 1800,
    "validator-commands": 60,
    "transformer-commands": 60,
}
"""Visibility timeouts, as the services' templates have them."""
WORKER_QUEUES = {"validator-commands": "validator", "transformer-commands": "transformer"}
RULES = {
    "BatchSealed": ("aggregator-events",),
    "BatchRedriven": ("aggregator-events",),
    "BatchOverdue": ("aggregator-events",),
    STATUS_CHANGE: ("lock-events", "aggregator-events"),
}
"""As the services declare in service.yaml."""
SUBSTITUTIONS = {
    "AggregatorQueueUrl": "aggregator-commands",
    "LockQueueUrl": "lock-commands",
    "ValidatorQueueUrl": "validator-commands",
    "TransformerQueueUrl": "transformer-commands",
    "ArchiverQueueUrl": "archiver-commands",
    "ValidatorService": "validator",
    "TransformerService": "transformer",
}


@dataclass
class Outcome:
    """How a seed ended."""

    seed: int
    violation: str | None
    faults: list[str]
    steps: int
    simulated_seconds: float
    batches: dict[str, str]
    story: list[str] = field(default_factory=list)


class World:
    """Everything, wired as infra wires it."""

    archive = cast.ARCHIVE
    substitutions = SUBSTITUTIONS

    def __init__(
        self, seed: int, only: frozenset[str] | None = None, *, is_told: bool = False
    ) -> None:
        self.seed, self.is_told = seed, is_told
        self.story: list[str] = []
        self.is_over, self.is_deployed = False, True
        self.hub, self.chaos = Hub(), Chaos(seed, only)
        self.saga = saga.definition()
        self._ids = 0
        self._appends = 0
        self.table = EventStoreTable(self.clock, self.new_id, TABLES)
        self.buckets, self.catalog, self.people = Buckets(self), Catalog(), People()
        self.checks = Checks(self)
        self.catalog.on_main = lambda table, snapshot: self.promise(
            lambda: self.checks.main_moved(table, snapshot)
        )
        self.queues = {name: Queue(self, name, seconds) for name, seconds in QUEUES.items()}
        self.bus = Bus(self, RULES)
        self.stream = Stream(self, relay.relay, self.bus)
        self.machine, self.answers = StateMachine(self), Answers(self)
        self.containers = Containers(self)
        self.functions = self._functions()
        self._define_containers()
        self.shop = Shop(self, seed)
        self.strangers = Strangers(self)
        self._failure: str | None = None

    # -- running ---------------------------------------------------------------------------

    def run(self) -> Outcome:
        """To the first rest, then through a person's redrives to the last."""
        violation = None
        try:
            self.hub.at(FAULTS_END_AFTER, self._end_faults)
            self._break_lock_at_times()
            self._sweep_later(SWEEP_SECONDS)
            self._rest()
            self._end_faults()
            rest.batches_have_ended(self, none_failed=self.chaos.is_calm)
            self._repair()
            self._rest()
            if self.strangers.were_here:  # the first batch after it fails, and the lock hears
                self._repair()
                self._rest()
            self._wake_workers()
            rest.nothing_is_left_undone(self)
            rest.batches_have_ended(self, none_failed=True)
            rest.no_version_is_unnoticed(self)
            rest.archive_is_right(self)
        except Violation as broken:
            violation = str(broken)
        finally:
            self.is_over = True
            self.hub.close()
        return Outcome(
            self.seed,
            violation,
            list(self.chaos.fired),
            self.hub.steps,
            self.hub.now,
            dict(self.checks.status),
            self.story,
        )

    def _rest(self) -> None:
        """Go on until nobody does anything any more."""
        limit = self.hub.now + BOUND_SECONDS
        while not self._is_at_rest():
            self.hub.step()
            if self._failure is not None:
                raise Violation(self._failure)
            if self.hub.now > limit or self.hub.steps > MAX_STEPS:
                running = [f"{one.name} in {one.state}" for one in self.machine.running]
                raise Violation(f"no rest: {running} run, {self._held()} wait in queues")

    def _is_at_rest(self) -> bool:
        return (
            self.hub.now > self.shop.ends_at
            and not self.machine.running
            and not self._held()
            and not any(queue.dead for queue in self.queues.values())
            and self.stream.is_drained
            and not any(function.is_busy for function in self.functions)
            and not self.containers.running
            and not self._is_unsettled()
        )

    def _is_unsettled(self) -> bool:
        """Whether a sweep has something to do."""
        item = self.table.item("ProcessingLockTable", "ecommerce-pipeline-lock") or {}
        is_held = bool(item.get("currentlockcount"))
        is_open = is_held or "OPEN" in self.checks.status.values()
        return is_open or self._is_unnoticed() or self._waits_for_what_is_there()

    def _waits_for_what_is_there(self) -> bool:
        """Whether the aggregator has yet to hear of a source, or a file of it to be taken in."""
        source = self.buckets.find(BUCKET, OWN_SOURCE)
        row = self.table.item("AggregatorState", f"sources#{BUCKET}", OWN_SOURCE)
        known = row["version_id"] if row else None
        if known != (source.version_id if source else None):
            return True
        waiting = self.table.query("AggregatorState", {"pk": f"no-source#{BUCKET}"})
        return source is not None and bool(waiting)

    def _is_unnoticed(self) -> bool:
        """Whether an upload lies there of which the aggregator has written nothing down."""
        return any(
            self.buckets.find(BUCKET, key, version_id) is not None
            and self.table.item("AggregatorState", f"file#{BUCKET}#{key}", version_id) is None
            for key, version_id in self.shop.uploaded
        )

    def _held(self) -> dict[str, int]:
        """Messages by queue; those of a worker that nobody has woken wait for the next batch."""
        return {
            name: len(one.messages)
            for name, one in self.queues.items()
            if one.messages and name not in WORKER_QUEUES
        }

    def _end_faults(self) -> None:
        if self.chaos.active:
            self.chaos.active = False
            self._look_at_dead_letters()

    def _look_at_dead_letters(self) -> None:
        """What an operator does about the alarm of a dead-letter queue: send them again."""
        for queue in self.queues.values():
            queue.move_back()
        self.hub.at(OPERATOR_SECONDS, self._look_at_dead_letters)

    def _break_lock_at_times(self) -> None:
        for number in range(BREAKS):
            if self.chaos.below("operator", 8) == 0:
                moment = self.chaos.uniform("operator", 30.0, FAULTS_END_AFTER)
                self.hub.at(moment, lambda number=number: self._break_lock(number))

    def _break_lock(self, number: int) -> None:
        """What an operator does who has lost patience, or is mistaken: the holder may be well."""
        lock_id = "ecommerce-pipeline-lock"
        item = self.table.item("ProcessingLockTable", lock_id)
        if item is None or not item["currentlockcount"]:
            return
        if not self.chaos.happens(f"operator#{number} breaks the lock"):
            return
        fence = item["execution_metadata"]["fence"]
        command = BreakLock(
            lock_id=lock_id, fence=fence, requested_by="an operator", reason="it takes too long"
        )
        self.tell(f"an operator breaks the lock under fence {fence}")
        self.queues["lock-commands"].send(self.command(command, f"lock/{lock_id}", None).to_json())

    def command(self, data: Any, stream_id: str, correlation_id: str | None) -> Message:
        context = MessageContext("ecommerce-pipeline/ecp", correlation_id)
        now = to_rfc3339(self.true_time())
        return unanswered_command(data, context, stream_id, self.new_id(), now)

    def _repair(self) -> None:
        """What an operator does after a bad night: failed batches again; others are refused."""
        for batch_id, status in list(self.checks.status.items()):
            redrive = RedriveBatch(batch_id=batch_id, requested_by="an operator")
            command = self.command(redrive, f"batch/{batch_id}", batch_id)
            self.tell(f"redrive of {batch_id}, {status}")
            self.queues["aggregator-commands"].send(command.to_json())
        self._sweep_later(SWEEP_SECONDS)

    def _wake_workers(self) -> None:
        """As the next batch would: what a dead batch left in their queues must do no harm."""
        while left := [one for name, one in WORKER_QUEUES.items() if self.queues[name].messages]:
            for name in left:
                self.containers.want(name, max(1, self.containers.wanted[name]))
            self.hub.step()
            self._rest()
            for sent in [m for name in WORKER_QUEUES for m in self.queues[name].messages.values()]:
                self.hub.now = max(self.hub.now, sent.visible_at)

    def _sweep_later(self, seconds: float) -> None:
        appends = self._appends

        def sweep() -> None:
            is_quiet = self._appends == appends
            if self._is_unsettled():
                self.queues["lock-events"].send('{"sweep": "ecommerce-pipeline-lock"}')
                self.queues["aggregator-events"].send(json.dumps({"sweep": BUCKET}))
            longer = min(seconds * 2, LONGEST_SWEEP_SECONDS)
            self._sweep_later(longer if is_quiet else SWEEP_SECONDS)

        self.hub.at(seconds, sweep)

    # -- wiring ----------------------------------------------------------------------------

    def _functions(self) -> list[Function]:
        lock = Function(self, "lock", lambda: cast.lock_handler(self), 30, 10)
        aggregator = Function(self, "aggregator", lambda: cast.aggregator_handler(self), 60, 10)
        archiver = Function(self, "archiver", lambda: cast.archiver_handler(self), 900, 1)
        for name, queue in self.queues.items():
            for function in (lock, aggregator, archiver):
                if name.startswith(function.name):
                    function.consume(queue)
        return [lock, aggregator, archiver]

    def _define_containers(self) -> None:
        for name, make in (
            ("validator", cast.validator_consumer),
            ("transformer", cast.transformer_consumer),
        ):
            queue = self.queues[f"{name}-commands"]
            make_consumer = lambda make=make: make(self)  # noqa: E731
            self.containers.define(WorkerKind(name, queue, make_consumer, self.answers))

    def staged_rows(self, key: str) -> list[dict[str, str]]:
        """What the validator staged under that key."""
        found = self.buckets.find(BUCKET, key)
        rows: list[dict[str, str]] = json.loads(found.content) if found else []
        return rows

    def is_bad(self, batch_id: str, key: str) -> bool:
        """Whether the batch's version of that file breaks its contract."""
        for (name, version_id), _ in self.checks.files_of(batch_id).items():
            if name == key:
                found = self.buckets.ever[BUCKET, key, version_id]
                return bool(json.loads(found.content)["is_bad"])
        return False

    # -- time, identity, faults ------------------------------------------------------------

    def true_time(self) -> datetime:
        """What a perfect clock says."""
        return BEGIN + timedelta(seconds=self.hub.now)

    def clock(self) -> datetime:
        """What the running process's clock says."""
        process = getattr(self.hub.current, "process", None)
        skew = process.skew_seconds if process else 0.0
        return self.true_time() + timedelta(seconds=skew)

    def new_id(self) -> str:
        """Looks like a UUIDv7 and sorts by creation."""
        self._ids += 1
        return f"01980000-0000-7000-8000-{self._ids:012x}"

    def process(self, name: str, number: int) -> Process:
        """A new process with a clock of its own."""
        skew = 0.0 if self.chaos.is_calm else mix(self.seed, number, len(name)) % 4001 / 1000 - 2
        return Process(f"{name}-{number}", skew)

    def touch(self, place: str, *more: str) -> str | None:
        """A call leaves the process: it takes time, and may be the last thing that it does.

        Returns a fault that the caller has to act out (one of `more`), else None.
        """
        process = self.hub.current.process
        fault = self.chaos.fault(place, "crash before", "throttled", "slow", "frozen", *more)
        self.hub.sleep(self.chaos.uniform("call", 0.001, 0.03))
        if fault is None:
            return None
        self.tell(f"{process.name if process else ''} {place}: {fault}")
        if fault == "crash before":
            raise Crash(place)
        if fault == "throttled":
            raise self.throttled(place)
        if fault == "slow":
            self.hub.sleep(self.chaos.uniform("slow", 0.5, 40.0))
            return None
        if fault == "frozen":
            seconds = self.chaos.uniform("frozen", 30.0, 900.0)
            if process is not None:
                process.frozen_until = self.hub.now + seconds
                self.containers.froze(process)
            self.hub.sleep(seconds)
            return None
        return fault

    def after(self, place: str) -> None:
        """The call was done; the process may die before it knows."""
        if self.chaos.fault(f"{place} done", "crash after"):
            self.tell(f"{place}: crash after it was done")
            raise Crash(place)

    def throttled(self, place: str) -> Transient:
        """What a port raises when AWS did nothing."""
        return Transient(f"{place} is throttled")

    # -- what the checks see ---------------------------------------------------------------

    def before_writes(self, writes: Sequence[StateWrite]) -> dict[str, Any] | None:
        """The transformer's state before a transaction."""
        return self.table.item("TransformerState", "facts") if writes else None

    def appended(
        self,
        stored: Sequence[Message],
        writes: Sequence[StateWrite],
        before: Mapping[str, Any] | None,
    ) -> None:
        """A transaction was committed."""
        self._appends += bool(stored)
        for message in stored:
            self.tell(f"{message.stream_id} v{message.stream_version} {message.data!r:.160}")
        known = dict(before) if before else None
        self.promise(lambda: self.checks.committed(stored, writes, known))
        self.stream.add(stored)
        if self.is_told:
            for write in writes:
                if isinstance(write, PutItem) and write.table == "TransformerState":
                    self.tell(f"TransformerState {dict(write.item)}")

    def promise(self, check: Callable[[], None]) -> None:
        """A broken promise ends the world, though our code may catch what is raised here."""
        try:
            check()
        except Violation as broken:
            self._failure = self._failure or str(broken)

    def saw_failure(self, error: str, cause: str) -> None:
        """A command was answered with a failure; some errors are never a fault of the weather."""
        self.tell(f"task fails with {error}: {cause[:200]}")
        if error not in EXPECTED_ERRORS:
            self._failure = self._failure or f"a command fails with {error}: {cause}"

    def fell(self, name: str, error: BaseException) -> None:
        """A process ended by an error that nobody handled."""
        self.tell(f"{name} falls: {error!r}")
        require_crash = isinstance(error, Crash | Transient)
        if not require_crash:
            self._failure = self._failure or f"{name} ends with {error!r}"

    def tell(self, text: str) -> None:
        """Add to the story, when somebody listens."""
        if self.is_told:
            self.story.append(f"{self.hub.now:10.3f}  {text}")


EXPECTED_ERRORS = {"Transient", "StaleWriter", "PipelineError", "ConcurrencyConflict"}
"""Of a command in bad weather; ContractViolation, KeyError and the like are faults of the code."""
