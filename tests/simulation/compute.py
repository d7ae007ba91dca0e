"""Lambda functions and containers: who takes from a queue, with what memory, until it dies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contracts.envelope import parse
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.lease_heartbeat import LeaseHeartbeat
from services.runtime.messaging.worker import QueueWorker, _readable
from tests.simulation.hub import Crash, Task
from tests.simulation.network import Queue, Sent

if TYPE_CHECKING:
    from services.runtime.messaging.task_callbacks import TaskCallbacks
    from tests.simulation.world import World

CONCURRENCY = 2
HEARTBEAT_SECONDS = 20.0
"""Rarer than the real 5 s: a beat changes nothing between two of them, and costs time."""
IDLE_EXIT_SECONDS = 15.0
UNHEALTHY_SECONDS = 150.0
"""A minute without a sign of life, and three checks half a minute apart (HealthCheck)."""
Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class Process:
    """One process: its clock is off by `skew_seconds`; what it remembers dies with it."""

    name: str
    skew_seconds: float = 0.0
    frozen_until: float = 0.0
    memory: dict[str, Any] = field(default_factory=dict)


class Function:
    """A Lambda function fed from queues, with two environments that outlive an invocation."""

    def __init__(
        self,
        world: World,
        name: str,
        make_handler: Callable[[], Handler],
        timeout_seconds: float,
        batch_size: int,
    ) -> None:
        self._world, self.name, self._make_handler = world, name, make_handler
        self._timeout_seconds, self._batch_size = timeout_seconds, batch_size
        self._queues: list[Queue] = []
        self._slots: list[Process | None] = [None] * CONCURRENCY
        self._busy = [False] * CONCURRENCY
        self._generation = 0

    def consume(self, queue: Queue) -> None:
        """Be invoked whenever a message of this queue becomes visible."""
        self._queues.append(queue)
        queue.on_arrival = lambda: self._poll(queue)

    @property
    def is_busy(self) -> bool:
        return any(self._busy)

    def _poll(self, queue: Queue) -> None:
        if not self._world.is_deployed or False not in self._busy:
            return
        records = queue.receive(self._batch_size)
        if records:
            slot = self._busy.index(False)
            self._busy[slot] = True
            self._invoke(queue, records, slot)

    def _invoke(self, queue: Queue, records: list[Sent], slot: int) -> None:
        process = self._slots[slot]
        if process is None:
            self._generation += 1
            process = self._world.process(self.name, self._generation)
            self._slots[slot] = process
        event = {
            "Records": [
                {
                    "messageId": one.message_id,
                    "body": one.body,
                    "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue.name}",
                }
                for one in records
            ]
        }

        def work() -> Mapping[str, Any]:
            if "handler" not in process.memory:
                process.memory["handler"] = self._make_handler()
            handled: Mapping[str, Any] = process.memory["handler"](event)
            return handled

        task = self._world.hub.spawn(self.name, work, process)
        self._world.hub.at(
            self._timeout_seconds,
            lambda: (
                task.kill(Crash("Lambda timeout"))
                if task.error is None and not task.done.given
                else None
            ),
        )
        receipts = {one.message_id: one.receipt for one in records}
        self._world.hub.spawn(
            f"{self.name} mapping", lambda: self._settle(queue, receipts, task, slot)
        )

    def _settle(self, queue: Queue, receipts: dict[str, int], task: Task, slot: int) -> None:
        task.done.wait()
        if task.error is not None:
            self._world.fell(self.name, task.error)
            self._slots[slot] = None
        else:
            failed = {one["itemIdentifier"] for one in task.result["batchItemFailures"]}
            for message_id, receipt in receipts.items():
                if message_id not in failed:
                    queue.delete(message_id, receipt)
        self._busy[slot] = False
        for each in self._queues:
            self._poll(each)


class SimulatedWorker(QueueWorker):
    """The real worker, its heartbeats on the simulated clock instead of a thread's."""

    def __init__(self, world: World, process: Process, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._world, self._process = world, process

    @contextmanager
    def _kept_alive(self, body: str, receipt: str) -> Iterator[None]:
        working = [True]
        if message := _readable(body):
            self._tell_of(message, self._on_take)
        self._beat_later(body, receipt, working)
        try:
            yield
        finally:
            working[0] = False

    def _beat_later(self, body: str, receipt: str, working: list[bool]) -> None:
        def beat() -> None:
            if not working[0]:
                return
            if self._process.frozen_until <= self._world.hub.now:
                self._world.hub.spawn("heartbeat", lambda: self._beat_once(body, receipt))
            self._beat_later(body, receipt, working)

        self._world.hub.at(self._heartbeat_seconds, beat)

    def _beat_once(self, body: str, receipt: str) -> None:
        """As `QueueWorker._beat` does between two waits."""
        message = parse(body)
        self._sqs.change_message_visibility(
            ReceiptHandle=receipt, VisibilityTimeout=self._visibility_seconds
        )
        if message.task_token:
            self._answers.heartbeat(message.task_token)
        self._on_heartbeat(message)


@dataclass
class WorkerKind:
    """What a task definition starts: whose queue it takes from, and how it is put together."""

    name: str
    queue: Queue
    make_consumer: Callable[[], CommandConsumer]
    answers: TaskCallbacks


class Containers:
    """Services of ECS: as many containers run as are wanted, and who dies is replaced.

    One that has had nothing to do for a while ends, and is wanted no more.
    """

    heartbeat_seconds = HEARTBEAT_SECONDS
    idle_exit_seconds = IDLE_EXIT_SECONDS

    def __init__(self, world: World) -> None:
        self._world = world
        self._kinds: dict[str, WorkerKind] = {}
        self._started = 0
        self._starting: Counter[str] = Counter()
        self.wanted: Counter[str] = Counter()
        self.running: set[Task] = set()

    def define(self, kind: WorkerKind) -> None:
        self._kinds[kind.name] = kind

    def describe(self, name: str) -> dict[str, Any]:
        """ecs:describeServices."""
        counts = {"DesiredCount": self.wanted[name], "RunningCount": self.count(name)}
        return {"Services": [counts], "Failures": []}

    def want(self, name: str, count: int) -> None:
        """ecs:updateService; a deployment at that moment has two of them run at once."""
        self.wanted[name] = count
        self.fill(name)
        if self._world.chaos.fault(f"{name} service", "deployment"):
            self._start_one(name)

    def fill(self, name: str) -> None:
        """Start what is missing."""
        while self.count(name) + self._starting[name] < self.wanted[name]:
            if not self._start_one(name):
                return

    def froze(self, process: Process) -> None:
        """Who shows no sign of life fails its health check and is replaced; if the host cannot be
        reached either, it goes on where it was: then two of them run."""
        kinds = [task.name for task in self.running if task.process is process]

        def replace() -> None:
            if process.frozen_until > self._world.hub.now:
                self._start_one(kinds[0])

        if kinds:
            self._world.hub.at(UNHEALTHY_SECONDS, replace)

    def count(self, name: str) -> int:
        """How many run."""
        return sum(task.name == name for task in self.running)

    def _start_one(self, name: str) -> bool:
        """After the time that Fargate takes; whether there is room for it."""
        self._started += 1
        self._starting[name] += 1
        process = self._world.process(name, self._started)

        def start() -> None:
            self._starting[name] -= 1
            self._start(self._kinds[name], process)

        self._world.hub.at(self._cold_start_seconds(name), start)
        return True

    def _may_end(self, name: str) -> bool:
        """Whether one that has nothing to do ends."""
        self.wanted[name] = max(0, self.wanted[name] - 1)
        return True

    def _cold_start_seconds(self, name: str) -> float:
        return self._world.chaos.uniform(f"{name} start", 1.0, 20.0)

    def _start(self, kind: WorkerKind, process: Process) -> None:
        lease = LeaseHeartbeat(
            SqsClient(self._world.queues["lock-commands"]),
            "lock-commands",
            f"ecommerce-pipeline/{kind.name}",
            self._world.clock,
            self._world.new_id,
        )
        worker = SimulatedWorker(
            self._world,
            process,
            sqs=SqsClient(kind.queue),
            queue_url=kind.queue.name,
            consumer=kind.make_consumer(),
            answers=kind.answers,
            on_heartbeat=lease,
            on_take=lease.took,
            heartbeat_seconds=self.heartbeat_seconds,
        )

        def live() -> None:
            while True:
                while worker.poll_once():
                    pass
                kind.queue.arrived.take_back()
                if kind.queue.arrived.wait(self.idle_exit_seconds):
                    continue
                if self._may_end(kind.name):
                    return

        task = self._world.hub.spawn(kind.name, live, process)
        self.running.add(task)

        def settle() -> None:
            task.done.wait()
            self.running.discard(task)
            if task.error is not None:
                self._world.fell(kind.name, task.error)
                self.fill(kind.name)

        self._world.hub.spawn(f"{kind.name} watch", settle)


class SqsClient:
    """What a worker calls of boto3's `sqs`, on a simulated queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def receive_message(self, VisibilityTimeout: float, **_: Any) -> dict[str, Any]:
        received = self._queue.receive(1, VisibilityTimeout)
        return {
            "Messages": [
                {"Body": one.body, "ReceiptHandle": f"{one.message_id}/{one.receipt}"}
                for one in received
            ]
        }

    def delete_message(self, ReceiptHandle: str, **_: Any) -> None:
        self._queue.delete(*_parts(ReceiptHandle))

    def change_message_visibility(
        self,
        ReceiptHandle: str,
        VisibilityTimeout: float,
        **_: Any,
    ) -> None:
        self._queue.show_again(*_parts(ReceiptHandle), VisibilityTimeout)

    def send_message(self, MessageBody: str, **_: Any) -> None:
        self._queue.send(MessageBody)


def _parts(receipt: str) -> tuple[str, int]:
    message_id, _, number = receipt.rpartition("/")
    return message_id, int(number)
