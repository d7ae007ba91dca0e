"""A saga with a load that we say: the real definition, lock, workers and leases, no bad luck.

Validator, transformer, archiver and aggregator are replaced by how long they take. A second batch
is always in line for the lock: who loses its lease loses the lock to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from contracts.envelope import Message
from contracts.errors import Transient
from contracts.messages import LockRecovered
from infra.local.scaling import Numbers, Scaling, Seen
from services.runtime.event_store import StateWrite
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from tests.contract.declared import PROJECT, Service
from tests.simulation import cast, saga
from tests.simulation.chaos import CALM_SEEDS, Chaos
from tests.simulation.checks import LockBook
from tests.simulation.compute import Containers, Function, Handler, Process, WorkerKind
from tests.simulation.hub import Crash, Hub
from tests.simulation.network import Bus, Queue
from tests.simulation.saga import StateFailed
from tests.simulation.step_functions import STATUS_CHANGE, Answers, Execution, StateMachine
from tests.simulation.stores import TABLES, EventStoreTable
from tests.simulation.world import QUEUES, SWEEP_SECONDS, WORKER_QUEUES, World

REF = {"bucket": "ecommerce-data-bucket", "key": "k.json", "version_id": "v1", "sha256": "9" * 64}
OURS, RIVAL = "3f2a9c0d1e4b5a67", "4f2a9c0d1e4b5a67"
RIVAL_COMES_AFTER = 60.0
MAX_SECONDS = 48 * 3600.0


def _default(service: str, parameter: str) -> float:
    template = Service(PROJECT / "services" / service).template
    return float(template.document["Parameters"][parameter]["Default"])


LEASE = timedelta(seconds=_default("lock", "LeaseSeconds"))
LOOK_SECONDS = 60.0
"""CloudWatch has a value of a queue for each minute."""
NO_ROOM_SECONDS = 60.0
"""How often ECS tries again to place what is wanted."""
HEARTBEAT_SECONDS = 5.0
"""Of both workers (HEARTBEAT_SECONDS in their templates)."""


def numbers_of(service: str, **others: int) -> Numbers:
    """The scaling of a service, as its template publishes it."""
    template = Service(PROJECT / "services" / service).template
    [text] = [
        one["Value"]["Fn::Sub"]
        for one in template.of_type("AWS::SSM::Parameter").values()
        if str(one["Name"]).endswith("/scaling")
    ]
    filled = re.sub(r"\$\{(\w+)\}", lambda found: f"{_default(service, found[1]):.0f}", text)
    return replace(Numbers.of(filled), **others)


@dataclass(frozen=True)
class Load:
    """What a batch asks of the workers; a file fails `failures` times before it is validated."""

    files: int
    seconds_a_file: float
    failures: Callable[[int], int] = lambda _index: 0
    cold_start_seconds: float = 120.0
    transform_seconds: float = 600.0
    stillborn: frozenset[int] = frozenset()
    """Containers by number, from 1, that die as soon as they have started."""
    dies_at: float | None = None
    """When every validator that runs is gone, with what it had in hand."""
    room: int = 99
    """Containers of a service that the quota of Fargate has room for."""
    living: bool = False
    """One of each runs already; then whoever asks ECS for anything is refused."""


class StagedContainers(Containers):
    """Fargate takes so long, and has so much room; some containers die at once."""

    heartbeat_seconds = HEARTBEAT_SECONDS
    idle_exit_seconds = LOOK_SECONDS

    def __init__(self, world: Stage) -> None:
        super().__init__(world)
        self._load = world.load
        self.started: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.most_wanted: Counter[str] = Counter()
        self._scaling = {
            name: Scaling(numbers_of(name, **world.numbers)) for name in WORKER_QUEUES.values()
        }

    def describe(self, name: str) -> dict[str, Any]:
        self._refuse()
        return super().describe(name)

    def want(self, name: str, count: int) -> None:
        self._refuse()
        super().want(name, count)

    def _refuse(self) -> None:
        if self._load.living:
            raise StateFailed("Ecs.EcsException", "Rate exceeded")

    def scale(self, name: str, queue: Queue, now: float) -> None:
        """As Application Auto Scaling does, with the numbers of the template."""
        visible = sum(one.visible_at <= now for one in queue.messages.values())
        seen = Seen(visible, len(queue.messages) - visible, self.wanted[name], self.count(name))
        self.wanted[name] = self._scaling[name].wanted(seen, now)
        self.most_wanted[name] = max(self.most_wanted[name], self.wanted[name])
        self.fill(name)

    def _start_one(self, name: str) -> bool:
        if self.count(name) + self._starting[name] >= self._load.room:
            self._world.hub.at(NO_ROOM_SECONDS, lambda: self.fill(name))
            return False
        self.started[name] += 1
        return super()._start_one(name)

    def _start(self, kind: WorkerKind, process: Process) -> None:
        if self._started in self._load.stillborn:
            self.fill(kind.name)
            return
        super()._start(kind, process)
        self.most[kind.name] = max(self.most[kind.name], self.count(kind.name))

    def _may_end(self, name: str) -> bool:
        return self.count(name) > self.wanted[name]

    def _cold_start_seconds(self, _name: str) -> float:
        return self._load.cold_start_seconds


class LockAlone:
    """The rules of the lock; of the batches there is nothing to check here."""

    def __init__(self) -> None:
        self.lock = LockBook()

    def lock_knew(self, dead: Sequence[str]) -> None:
        """Nobody dies here without a status event."""


class Stage(World):
    """A world without files, people and faults."""

    checks: LockAlone  # type: ignore[assignment]
    containers: StagedContainers

    def __init__(
        self, load: Load, definition: Mapping[str, Any] | None = None, **numbers: int
    ) -> None:
        """`numbers`: of the scaling, in place of those that the templates have."""
        self.seed, self.is_told, self.load = CALM_SEEDS, False, load
        self.numbers = numbers
        self.story, self._failure = [], None
        self.is_over, self.is_deployed = False, True
        self.hub, self.chaos = Hub(), Chaos(CALM_SEEDS)
        self.saga = dict(definition or saga.definition())
        self._ids = 0
        self.table = EventStoreTable(self.clock, self.new_id, TABLES)
        self.people, self.checks = cast.People(), LockAlone()
        self.queues = {name: Queue(self, name, seconds) for name, seconds in QUEUES.items()}
        self.bus = Bus(self, {STATUS_CHANGE: ("lock-events",)})
        self.machine, self.answers = StateMachine(self), Answers(self)
        self.containers = StagedContainers(self)
        self.recovered: list[LockRecovered] = []
        self._validated: set[tuple[str, int]] = set()
        self.validated_at = 0.0
        """When the last file of ours was."""
        self._tried: Counter[tuple[str, int]] = Counter()
        self.functions = self._functions()
        self._define_containers()

    def play(self) -> Execution:
        """Ours and its rival, to their ends; returns ours."""
        self._start(OURS, self.load.files)
        self.hub.at(RIVAL_COMES_AFTER, lambda: self._start(RIVAL, 1))
        self._sweep_each_minute()
        self._scale_each_minute()
        if self.load.living:
            for name in WORKER_QUEUES.values():
                self.containers.wanted[name] = 1
                self.containers.fill(name)
        if self.load.dies_at is not None:
            self.hub.at(self.load.dies_at, self._kill_validators)
        try:
            while self.machine.running and self.hub.now < MAX_SECONDS:
                self.hub.step()
                if self._failure is not None:
                    raise AssertionError(self._failure)
        finally:
            self.is_over = True
            self.hub.close()
        return self.machine.executions[OURS]

    def _start(self, batch_id: str, files: int) -> None:
        given = {"batch_id": batch_id, "manifest": REF, "file_count": files}
        self.machine.start(batch_id, given)

    @property
    def rival(self) -> Execution:
        return self.machine.executions[RIVAL]

    def appended(
        self,
        stored: Sequence[Message],
        _writes: Sequence[StateWrite],
        _before: Mapping[str, Any] | None,
    ) -> None:
        for message in stored:
            self.promise(lambda message=message: self.checks.lock.take(message))  # type: ignore[misc]
            if isinstance(message.data, LockRecovered):
                self.recovered.append(message.data)

    # -- who works -------------------------------------------------------------------------

    def _functions(self) -> list[Function]:
        lock = Function(self, "lock", lambda: cast.lock_handler(self, LEASE), 30, 10)
        aggregator = Function(self, "aggregator", lambda: self._answering("CloseBatch"), 60, 10)
        archiver = Function(self, "archiver", lambda: self._answering("ArchiveBatch"), 900, 1)
        lock.consume(self.queues["lock-commands"])
        lock.consume(self.queues["lock-events"])
        aggregator.consume(self.queues["aggregator-commands"])
        archiver.consume(self.queues["archiver-commands"])
        return [lock, aggregator, archiver]

    def _answering(self, command: str) -> Handler:
        answer = {"subject": "Batch", "message": "it is over"}
        consumer = CommandConsumer(
            {command: lambda _: answer}, self.answers, self.queues["lock-commands"]
        )
        return lambda event: handle_sqs_records(event, consumer.handle)

    def _define_containers(self) -> None:
        handlers = {
            "validator": {"ValidateFile": self._validate},
            "transformer": {"TransformBatch": self._transform, "AbandonBatch": self._abandon},
        }
        for queue, name in WORKER_QUEUES.items():
            consumer = CommandConsumer(handlers[name], self.answers, self.queues["lock-commands"])
            make: Callable[[], CommandConsumer] = lambda consumer=consumer: consumer  # type: ignore[misc]  # noqa: E731
            self.containers.define(WorkerKind(name, self.queues[queue], make, self.answers))

    def _validate(self, message: Message) -> dict[str, Any]:
        """As the real one: what is concluded is answered without another look at the file."""
        file = message.data.batch_id, message.data.file_index
        if file not in self._validated:
            self.hub.sleep(self.load.seconds_a_file)
            self._tried[file] += 1
            if file[0] == OURS and self._tried[file] <= self.load.failures(file[1]):
                raise Transient(f"file {file[1]} cannot be read just now")
            self._validated.add(file)
            if file[0] == OURS:
                self.validated_at = self.hub.now
        return {"outcome": "VALIDATED", "file_index": file[1]}

    def _transform(self, _: Message) -> dict[str, Any]:
        self.hub.sleep(self.load.transform_seconds)
        return {"outcome": "PUBLISHED", "result": REF}

    def _abandon(self, _: Message) -> dict[str, Any]:
        return {"outcome": "ABANDONED"}

    def _kill_validators(self) -> None:
        for task in list(self.containers.running):
            if task.name == "validator":
                task.kill(Crash("out of memory"))

    def _scale_each_minute(self) -> None:
        def look() -> None:
            for queue, name in WORKER_QUEUES.items():
                self.containers.scale(name, self.queues[queue], self.hub.now)
            self._scale_each_minute()

        self.hub.at(LOOK_SECONDS, look)

    def _sweep_each_minute(self) -> None:
        def sweep() -> None:
            self.queues["lock-events"].send('{"sweep": "ecommerce-pipeline-lock"}')
            self._sweep_each_minute()

        self.hub.at(SWEEP_SECONDS, sweep)
