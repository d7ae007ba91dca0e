"""A message in hand for too long: the worker lets go of it, and a stuck process ends."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.envelope import Message
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import STUCK_EXIT_CODE, QueueWorker, run_worker
from tests.contract.builders import a_body
from tests.support.pipeline import eventually
from tests.unit.runtime.test_worker_life import Queue, worker_on

PROJECT = Path(__file__).parents[3]
QUEUE_URL = "http://queue/validator-commands"
BEAT_SECONDS = 0.01


@dataclass
class Beats:
    """Everything that a worker does to keep a message, counted."""

    visibility: int = 0
    leases: list[str] = field(default_factory=list)
    signs_of_life: int = 0
    answers: InMemoryTaskCallbacks = field(default_factory=InMemoryTaskCallbacks)

    def counts(self) -> tuple[int, ...]:
        leases, heartbeats = len(self.leases), len(self.answers.heartbeats)
        return self.visibility, leases, self.signs_of_life, heartbeats


class Handler:
    """Takes a message and holds it until it is told to go on."""

    def __init__(self) -> None:
        self.workers: list[QueueWorker] = []
        self.taken, self.go_on = threading.Event(), threading.Event()
        self.messages = 0

    def handle(self, _body: str, _queue: str) -> None:
        self.messages += 1
        self.taken.set()
        assert self.go_on.wait(60)


class CountedQueue(Queue):
    """Counts how often a message's visibility is extended."""

    def __init__(self, beats: Beats, *bodies: str) -> None:
        super().__init__(*bodies)
        self.beats = beats

    def change_message_visibility(
        self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int
    ) -> None:
        assert (QueueUrl, ReceiptHandle) == (QUEUE_URL, "r")
        assert VisibilityTimeout == 15
        self.beats.visibility += 1


@pytest.fixture
def handler() -> Iterator[Handler]:
    one = Handler()
    yield one
    for worker in one.workers:
        worker.stop()
    one.go_on.set()


def started(handler: Handler, beats: Beats, deadlines: dict[str, float]) -> threading.Thread:
    """A worker at work on the first of two commands, in a thread of its own."""

    def extend(message: Message) -> None:
        beats.leases.append(message.event_type)

    def live() -> None:
        beats.signs_of_life += 1

    command = a_body("ValidateFile", task_token="t")
    worker = QueueWorker(
        CountedQueue(beats, command, command),
        QUEUE_URL,
        handler,  # type: ignore[arg-type]
        beats.answers,
        extend,
        heartbeat_seconds=BEAT_SECONDS,
        deadline_seconds=deadlines,
    )
    handler.workers.append(worker)
    thread = threading.Thread(target=lambda: worker.run(live), daemon=True)
    thread.start()
    assert handler.taken.wait(60)
    return thread


def holds_still(counts: Callable[[], tuple[int, ...]], seconds: float = 0.2) -> bool:
    before = counts()
    time.sleep(seconds)
    return counts() == before


def test_a_message_past_its_deadline_gets_no_more_heartbeats_of_any_kind(
    handler: Handler,
) -> None:
    beats = Beats()
    thread = started(handler, beats, {"ValidateFile": 0.2})
    eventually(lambda: all(beats.counts()), 10)
    eventually(lambda: holds_still(beats.counts), 10)
    assert thread.is_alive()
    assert handler.messages == 1


def test_a_worker_that_gave_a_message_up_takes_no_other_when_it_comes_round(
    handler: Handler,
) -> None:
    beats = Beats()
    thread = started(handler, beats, {"ValidateFile": 0.05})
    eventually(lambda: holds_still(beats.counts), 10)
    handler.go_on.set()
    thread.join(10)
    assert (thread.is_alive(), handler.messages) == (False, 1)


@pytest.mark.parametrize("deadlines", [{}, {"TransformBatch": 0.01}, {"ValidateFile": 60.0}])
def test_a_message_within_its_deadline_is_kept(
    handler: Handler, deadlines: dict[str, float]
) -> None:
    beats = Beats()
    started(handler, beats, deadlines)
    for _ in range(3):
        before = beats.counts()
        eventually(lambda before=before: all(map(int.__gt__, beats.counts(), before)), 10)
    assert set(beats.leases) == {"ValidateFile"}
    assert set(beats.answers.heartbeats) == {"t"}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_lets_no_other_message_be_taken(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = signal.Signals[name]
    monkeypatch.delenv("WORKER_READY_FILE", raising=False)
    before = signal.signal(one, lambda *_: None)

    def on_poll(number: int) -> None:
        signal.raise_signal(one)
        if number == 3:
            worker.stop()

    queue = Queue(on_poll=on_poll)
    worker = worker_on(queue)
    try:
        run_worker(worker)
    finally:
        signal.signal(one, before)
    assert queue.polls == 1


def test_who_is_to_stop_and_does_not_is_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, codes = threading.Event(), []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    class StuckUntilEnded:
        def handle(self, _body: str, _queue: str) -> None:
            worker.stop()
            ended.wait(60)

    monkeypatch.delenv("WORKER_READY_FILE", raising=False)
    monkeypatch.setattr("services.runtime.messaging.worker.os._exit", end)
    worker = worker_on(Queue(a_body("ValidateFile")), StuckUntilEnded())
    run_worker(worker, stop_seconds=0.01)
    assert codes == [STUCK_EXIT_CODE]


class Stuck:
    """A process with a real worker: `hold` is what its handler does with a message."""

    SCRIPT = """
import sys, time
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker, run_worker
from tests.unit.runtime.test_worker_life import Queue

class Handler:
    def handle(self, body, queue):
        print("taken", flush=True)
        time.sleep(float(sys.argv[1]))

worker = QueueWorker(
    Queue(sys.stdin.read()), "http://queue/validator-commands", Handler(),
    InMemoryTaskCallbacks(), lambda message: None, heartbeat_seconds=0.01,
    deadline_seconds={"ValidateFile": float(sys.argv[2])},
)
run_worker(worker, stop_seconds=float(sys.argv[3]))
"""

    def __init__(self, hold_seconds: float, deadline_seconds: float, stop_seconds: float) -> None:
        seconds = map(str, (hold_seconds, deadline_seconds, stop_seconds))
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, *seconds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(a_body("ValidateFile", task_token="t"))
        self.process.stdin.close()
        assert self.process.stdout.readline() == "taken\n"
        self.taken_at = time.monotonic()

    def ended(self, timeout_seconds: float = 20) -> tuple[int, float, list[str]]:
        """Exit code, seconds since the message was taken, and what the log said."""
        code = self.process.wait(timeout_seconds)
        seconds = time.monotonic() - self.taken_at
        assert self.process.stdout
        said = [json.loads(line)["message"] for line in self.process.stdout]
        return code, seconds, said


@pytest.fixture
def stuck() -> Iterator[Callable[..., Stuck]]:
    made: list[Stuck] = []

    def start(**seconds: float) -> Stuck:
        made.append(Stuck(**seconds))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        one.process.wait()


def test_a_stuck_process_ends_within_the_stop_time_when_it_is_told_to(
    stuck: Callable[..., Stuck],
) -> None:
    one = stuck(hold_seconds=60, deadline_seconds=60, stop_seconds=0.3)
    one.process.send_signal(signal.SIGTERM)
    code, seconds, said = one.ended()
    assert code == STUCK_EXIT_CODE
    assert seconds < 10
    assert any("the process ends" in line for line in said), said


@pytest.mark.medium
def test_a_stuck_process_ends_after_the_deadline_without_being_told(
    stuck: Callable[..., Stuck],
) -> None:
    code, _, said = stuck(hold_seconds=60, deadline_seconds=0.2, stop_seconds=0.2).ended()
    assert code == STUCK_EXIT_CODE
    assert ["in hand for too long" in said[0], "the process ends" in said[1]] == [True, True]


def test_a_message_that_is_finished_in_time_lets_the_process_end_well(
    stuck: Callable[..., Stuck],
) -> None:
    one = stuck(hold_seconds=0.5, deadline_seconds=60, stop_seconds=30)
    one.process.send_signal(signal.SIGTERM)
    code, seconds, _ = one.ended()
    assert code == 0
    assert seconds >= 0.4
