"""The file that a container's health check looks at: young while the loop turns, old when not."""

import itertools
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, parse
from contracts.messages import ValidateFile
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker, run_worker
from tests.support.doubles import RecordedDeadLetters, refused

LONG_AGO = time.time() - 3600
SCHEMA = Path(__file__).parents[3] / "contracts/schemas/commands/ValidateFile/v1.json"


class Queue:
    """One queue: gives what it is given, then nothing; `on_poll` hears of every poll."""

    def __init__(self, *bodies: str, on_poll: Callable[[int], None] = lambda _: None) -> None:
        self._bodies, self._on_poll, self.polls = list(bodies), on_poll, 0

    def receive_message(self, **_request: Any) -> dict[str, Any]:
        self.polls += 1
        self._on_poll(self.polls)
        if not self._bodies:
            return {}
        return {"Messages": [{"Body": self._bodies.pop(0), "ReceiptHandle": "r"}]}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None: ...

    def change_message_visibility(
        self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int
    ) -> None: ...


def worker_on(
    queue: Queue, consumer: Any = None, heartbeat_seconds: float = 5.0, **options: Any
) -> QueueWorker:
    answers = InMemoryTaskCallbacks()
    empty = CommandConsumer({}, answers, RecordedDeadLetters())
    return QueueWorker(
        queue,
        "http://queue/validator-commands",
        consumer or empty,
        answers,
        on_heartbeat=lambda _message: None,
        heartbeat_seconds=heartbeat_seconds,
        **options,
    )


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "worker.ready"
    monkeypatch.setenv("WORKER_READY_FILE", str(path))
    return path


def make_old(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


def is_young(path: Path) -> bool:
    return path.stat().st_mtime > time.time() - 60


def test_each_poll_is_a_sign_of_life(life: Path) -> None:
    young: list[bool] = []

    def on_poll(number: int) -> None:
        young.append(is_young(life))
        make_old(life)
        if number == 3:
            worker.stop()

    worker = worker_on(Queue(on_poll=on_poll))
    run_worker(worker)
    assert young == [True, True, True]
    assert json.loads(life.read_text())["pid"] == os.getpid()


def test_a_message_that_takes_long_gives_signs_of_life(life: Path) -> None:
    signs: list[bool] = []

    class Slow:
        def handle(self, _body: str, _queue: str) -> None:
            make_old(life)
            deadline = time.monotonic() + 60
            while not is_young(life) and time.monotonic() < deadline:
                time.sleep(0.005)
            signs.append(is_young(life))
            worker.stop()

    worker = worker_on(Queue(a_command()), Slow(), heartbeat_seconds=0.01)
    run_worker(worker)
    assert signs == [True]


def test_a_queue_that_fails_when_the_work_is_done_is_no_fault_of_the_message(life: Path) -> None:
    class Undeleted(Queue):
        def delete_message(self, **_request: Any) -> None:
            worker.stop()
            raise refused("ServiceUnavailable")

    worker = worker_on(Undeleted("no message of ours"))
    run_worker(worker)
    assert json.loads(life.read_text())["last_fault"] is None


def test_a_worker_without_such_a_file_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKER_READY_FILE", raising=False)
    queue = Queue(on_poll=lambda _: worker.stop())
    worker = worker_on(queue)
    run_worker(worker)
    assert queue.polls == 1


def a_command() -> str:
    """A message whose contract holds, with the first example of its schema as data."""
    schema = json.loads(SCHEMA.read_text())
    return Message(
        event_id=new_event_id(),
        event_type="ValidateFile",
        schema_version=1,
        source="ecommerce-pipeline/saga",
        occurred_at=to_rfc3339(system_clock()),
        stream_id="command/saga",
        stream_version=1,
        correlation_id=None,
        causation_id=None,
        data=ValidateFile(**schema["examples"][0]),
    ).to_json()


def test_a_message_is_hidden_for_three_heartbeats_and_at_least_15_seconds() -> None:
    """What is hidden for less comes to a second worker while the first is at it."""
    asked: list[int] = []

    class Noting(Queue):
        def receive_message(self, **request: Any) -> dict[str, Any]:
            asked.append(request["VisibilityTimeout"])
            return super().receive_message(**request)

    answers = InMemoryTaskCallbacks()
    consumer = CommandConsumer({}, answers, RecordedDeadLetters())
    QueueWorker(Noting(), "http://queue/q", consumer, answers, lambda _: None).poll_once()
    for heartbeat_seconds in (0.01, 5.0, 20.0):
        worker_on(Noting(), heartbeat_seconds=heartbeat_seconds).poll_once()
    assert asked == [15, 15, 15, 60]


def test_who_awaits_the_stop_of_a_worker_goes_on_when_it_is_told_to_stop() -> None:
    worker = worker_on(Queue())
    waiting = threading.Thread(target=worker.await_stop, daemon=True)
    waiting.start()
    waiting.join(timeout=0.05)
    assert waiting.is_alive()
    worker.stop()
    waiting.join(timeout=60)
    assert not waiting.is_alive()


def ticking(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Each look at the clock is so much later than the one before."""
    ticks = itertools.count(1_000, seconds)
    monkeypatch.setattr("services.runtime.messaging.worker.time.monotonic", lambda: next(ticks))


def idle_worker(queue: Queue) -> QueueWorker:
    answers = InMemoryTaskCallbacks()
    consumer = CommandConsumer({}, answers, RecordedDeadLetters())
    return QueueWorker(queue, "http://queue/q", consumer, answers, lambda _: None)


def test_a_worker_waits_for_work_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticking(monkeypatch, 1_000)
    queue = Queue(on_poll=lambda number: worker.stop() if number == 5 else None)
    worker = idle_worker(queue)
    worker.run()
    assert queue.polls == 5


def test_a_queue_that_is_away_is_asked_again_after_a_second() -> None:
    """Without the pause a worker would ask thousands of times a second."""
    worker: QueueWorker
    pauses: list[float] = []

    class Away(Queue):
        def receive_message(self, **request: Any) -> dict[str, Any]:
            super().receive_message(**request)
            if self.polls > 2:
                worker.stop()
            raise refused("ServiceUnavailable")

    worker = idle_worker(Away())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker._stopping, "wait", lambda seconds: pauses.append(seconds))
        worker.run()
    assert pauses == [1.0, 1.0, 1.0]


def test_each_message_is_told_of_once_however_short_and_whatever_comes_of_that() -> None:
    told: list[str] = []
    taken: list[str] = []

    class Quick:
        def handle(self, body: str, _queue: str) -> None:
            taken.append(body)

    def on_take(message: Message) -> None:
        told.append(message.event_type)
        raise ConnectionError("the lock's queue is away")

    queue = Queue(a_command(), a_command(), "not a message")
    worker = worker_on(queue, Quick(), on_take=on_take)
    for _ in range(3):
        assert worker.poll_once() == 1
    assert told == [parse(a_command()).event_type] * 2
    assert len(taken) == 3
