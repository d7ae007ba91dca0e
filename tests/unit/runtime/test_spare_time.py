"""What a worker does between messages ends as soon as one comes, and holds nothing up."""

import threading
import time
from typing import Any

import pytest

from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.spare_time import Between, SpareTime
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker
from tests.support.doubles import RecordedDeadLetters
from tests.unit.runtime.test_worker_life import Queue, a_command


class Visible(Queue):
    """Notes for how long a message is hidden, and which are deleted."""

    def __init__(self, *bodies: str, **rest: Any) -> None:
        super().__init__(*bodies, **rest)
        self.hidden: list[int] = []
        self.deleted = 0

    def delete_message(self, **_request: Any) -> None:
        self.deleted += 1

    def change_message_visibility(self, *, VisibilityTimeout: int, **_request: Any) -> None:
        self.hidden.append(VisibilityTimeout)


def worker_of(queue: Any, consumer: Any, between: Between, **options: Any) -> QueueWorker:
    answers = InMemoryTaskCallbacks()
    return QueueWorker(
        queue,
        "http://queue/validator-commands",
        consumer or CommandConsumer({}, answers, RecordedDeadLetters()),
        answers,
        on_heartbeat=lambda _message: None,
        between=between,
        **options,
    )


class Handling:
    """A consumer that notes what was so when it was asked."""

    def __init__(self, note: Any) -> None:
        self._note = note

    def handle(self, _body: str, _queue: str) -> None:
        self._note()


def until_over(spare_time: SpareTime) -> None:
    deadline = time.monotonic() + 30
    while not spare_time.is_over() and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.mark.parametrize(("messages", "times"), [(0, 1), (1, 1), (2, 2)])
def test_it_is_begun_after_the_first_poll_and_each_message_and_only_then(
    messages: int, times: int
) -> None:
    spare_time, begun = SpareTime(), []

    def work() -> None:
        begun.append(threading.current_thread().name)

    def on_poll(number: int) -> None:
        spare_time.end()
        if number == 5:
            worker.stop()

    worker = worker_of(
        Queue(*(a_command() for _ in range(messages)), on_poll=on_poll),
        Handling(lambda: None),
        Between(spare_time, work),
    )
    worker.run()
    assert begun == ["spare-time"] * times


def test_it_has_ended_before_a_message_is_handled_and_may_begin_anew() -> None:
    spare_time, at_work = SpareTime(), []
    worker = worker_of(
        Queue(a_command(), a_command(), on_poll=lambda n: worker.stop() if n == 4 else None),
        Handling(lambda: at_work.append(spare_time.is_used)),
        Between(spare_time, lambda: until_over(spare_time)),
    )
    worker.run()
    assert at_work == [False, False]
    assert not spare_time.is_used


def test_a_message_stays_ours_while_the_work_does_not_end() -> None:
    spare_time, ends = SpareTime(), threading.Event()
    queue = Visible(a_command())
    worker = worker_of(
        queue,
        Handling(lambda: None),
        Between(spare_time, lambda: ends.wait(30)),
        heartbeat_seconds=0.01,
    )
    spare_time.use(lambda: ends.wait(30))
    threading.Timer(0.2, ends.set).start()
    assert worker.poll_once() == 1
    assert len(queue.hidden) >= 2
    assert set(queue.hidden) == {15}
    assert queue.deleted == 1


def test_work_that_fails_stops_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    spare_time, handled = SpareTime(), []

    def work() -> None:
        raise OSError("the store is away")

    worker = worker_of(
        Queue(a_command(), on_poll=lambda n: worker.stop() if n == 2 else None),
        Handling(lambda: handled.append(1)),
        Between(spare_time, work),
    )
    worker.run()
    assert handled == [1]
    assert "work between messages failed" in caplog.text


def test_a_message_of_a_type_that_gives_way_does_so_and_is_done() -> None:
    """Its handler sees that another waits; the other is handled after it has ended."""
    spare_time = SpareTime()
    said: list[str] = []
    gives_way, other = a_command(), a_command()

    class Consumer:
        def handle(self, _body: str, _queue: str) -> None:
            if not said:
                said.append("begun")
                until_over(spare_time)
                said.append("gave way" if spare_time.is_over() else "went on")
            else:
                said.append("handled")

    def on_poll(number: int) -> None:
        if number == 3:
            worker.stop()

    queue = Visible(gives_way, other, on_poll=on_poll)
    worker = worker_of(queue, Consumer(), Between(spare_time, lambda: None, ("ValidateFile",)))
    worker.run()
    assert said == ["begun", "gave way", "handled"]
    assert queue.deleted == 2


def test_a_worker_that_is_to_stop_has_it_end() -> None:
    spare_time = SpareTime()

    used: list[bool] = []

    def on_poll(number: int) -> None:
        used.append(spare_time.is_used)
        if number == 2:
            worker.stop()

    worker = worker_of(
        Queue(on_poll=on_poll),
        Handling(lambda: None),
        Between(spare_time, lambda: until_over(spare_time)),
    )
    worker.run()
    assert used == [False, True]
    assert not spare_time.is_used
