"""A long-running SQS consumer: one message at a time, with heartbeats, polite on SIGTERM.

Nobody can stop a thread that is stuck. So a message has a deadline, after which it gets no more
heartbeats and others take it over, and a process that is to stop ends by itself before long.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.envelope import Message, parse
from contracts.errors import ContractViolation
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.spare_time import Between, SpareTime
from services.runtime.messaging.task_callbacks import TaskCallbacks
from services.runtime.messaging.task_protection import TaskProtection, task_protection
from services.runtime.messaging.worker_state import WorkerState
from services.runtime.observability import tracing
from services.runtime.observability.logs import about, keys_of, logger
from services.runtime.storage.aws import queue_name_of

OnHeartbeat = Callable[[Message], None]
LONG_POLL_SECONDS = 2
"""Short, so that an idle worker stops within two seconds of SIGTERM."""
RETRY_POLL_SECONDS = 1.0
STOP_SECONDS = 110.0
"""How long the message in hand may take once the worker is to stop; StopTimeout is 120."""
STUCK_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: the process ended with a message in hand."""


class QueueWorker:
    """Polls one queue until stopped."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        consumer: CommandConsumer,
        answers: TaskCallbacks,
        on_heartbeat: OnHeartbeat,
        heartbeat_seconds: float = 5.0,
        deadline_seconds: Mapping[str, float] | None = None,
        on_take: OnHeartbeat = lambda _message: None,
        between: Between | None = None,
    ) -> None:
        """`deadline_seconds`: by message type, how long one may be in hand.

        `on_take` is called once for each message, however short it is in hand. `between` is done
        while the queue is polled, and has ended before a message is handled.
        """
        self._between = between or Between(SpareTime(), lambda: None)
        self._on_take = on_take
        self._sqs, self._queue_url = sqs, queue_url
        self._queue_name = queue_name_of(queue_url)
        self._consumer, self._answers = consumer, answers
        self._on_heartbeat, self._heartbeat_seconds = on_heartbeat, heartbeat_seconds
        self._deadline_seconds = deadline_seconds or {}
        self._stopping = threading.Event()
        self._on_sign_of_life: Callable[[], object] = lambda: None
        self.state: WorkerState | None = None
        """Where it tells what it has in hand."""
        self.protection = TaskProtection(None)
        """From being stopped by who scales or deploys, while there is work."""

    def stop(self) -> None:
        """Finish the message in hand, take no other."""
        self._stopping.set()
        self._between.spare_time.is_needed()

    def await_stop(self) -> None:
        """Return when the worker is to stop, while it may still have a message in hand."""
        self._stopping.wait()

    def run(self, on_sign_of_life: Callable[[], object] = lambda: None) -> None:
        """Poll until stopped: who starts workers also says when there are too many.

        A queue that is away is polled again after a second. `on_sign_of_life` is called before
        each poll, and every `heartbeat_seconds` while a message is in hand.
        """
        self._on_sign_of_life = on_sign_of_life
        try:
            self._poll_until_stopped()
        finally:
            self._between.spare_time.end()

    def _poll_until_stopped(self) -> None:
        """After each message the work between messages begins beside the poll.

        So it does after the first poll, for what an earlier process left; not before it, for a
        worker is woken by a message that waits.
        """
        spare_time = self._between.spare_time
        is_first, is_due = True, False
        while not self._stopping.is_set():
            self._on_sign_of_life()
            if is_due:
                spare_time.use(self._between.work)
            try:
                is_busy = bool(self.poll_once())
            except (ClientError, BotoCoreError):
                logger.exception("queue cannot be reached", queue=self._queue_name)
                self._stopping.wait(RETRY_POLL_SECONDS)
                continue
            is_first, is_due = False, is_busy or is_first
            if spare_time.is_used:
                self.protection.hold()
            elif not is_busy:
                self.protection.let_go()

    def poll_once(self) -> int:
        """Take at most one message; returns how many were taken."""
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=LONG_POLL_SECONDS,
            VisibilityTimeout=self._visibility_seconds,
        )
        received = answer.get("Messages", [])
        for message in received:
            body, receipt = message["Body"], message["ReceiptHandle"]
            self._take_over(receipt)
            keys = keys_of(body)
            if keys.get("event_type") in self._between.message_types:
                self._between.spare_time.use(partial(self._take, body, receipt, keys))
            else:
                self._take(body, receipt, keys)
        return len(received)

    def _take_over(self, receipt: str) -> None:
        """Have the work between messages end; the message stays ours however long that takes."""
        while not self._between.spare_time.end(self._heartbeat_seconds):
            logger.warning("work between messages does not end", queue=self._queue_name)
            self._hide(receipt, self._visibility_seconds)

    @property
    def _visibility_seconds(self) -> int:
        return max(15, int(3 * self._heartbeat_seconds))

    def _take(self, body: str, receipt: str, keys: Mapping[str, str]) -> None:
        with about(**keys):
            fault = None
            if self.state:
                self.state.took(body)
            try:
                fault = self._handle(body, receipt)
            finally:
                if self.state:
                    self.state.finished(fault)
                tracing.outbox.flush()

    def _handle(self, body: str, receipt: str) -> Exception | None:
        """Have it handled, and delete it; returns the fault of which it comes again."""
        try:
            with self._kept_alive(body, receipt):
                self._consumer.handle(body, self._queue_name)
        except Exception as fault:
            logger.exception("message will be delivered again", queue=self._queue_name)
            self._give_back(receipt)
            return fault
        self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt)
        return None

    def _give_back(self, receipt: str) -> None:
        """Let the message be seen again now; where that fails, it is when its time is over."""
        self._hide(receipt, 0)

    def _hide(self, receipt: str, seconds: int) -> None:
        """Let the message be seen again in so many seconds."""
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )
        except (ClientError, BotoCoreError):
            logger.exception("message is hidden for a while yet", queue=self._queue_name)

    @contextmanager
    def _kept_alive(self, body: str, receipt: str) -> Iterator[None]:
        """Meanwhile extend the message's visibility and the saga's task in the background."""
        done = threading.Event()
        thread = threading.Thread(target=self._beat, args=(body, receipt, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _beat(self, body: str, receipt: str, done: threading.Event) -> None:
        message = _readable(body)
        began_at = time.monotonic()
        if message:
            self._tell_of(message, self._on_take)
            self.protection.hold()
        while message and not done.wait(self._heartbeat_seconds):
            held_seconds = time.monotonic() - began_at
            if held_seconds > self._deadline_seconds.get(message.event_type, math.inf):
                self._give_up(message, held_seconds)
                return
            self._on_sign_of_life()
            self.protection.hold()
            try:
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url,
                    ReceiptHandle=receipt,
                    VisibilityTimeout=self._visibility_seconds,
                )
                if message.task_token and not self._answers.heartbeat(message.task_token):
                    logger.warning("nobody waits for the task")
                self._on_heartbeat(message)
            except Exception:
                logger.exception("heartbeat failed; the next one tries again")

    @staticmethod
    def _tell_of(message: Message, listener: OnHeartbeat) -> None:
        try:
            listener(message)
        except Exception:
            logger.exception("what hears of each message failed; the next one tries again")

    def _give_up(self, message: Message, held_seconds: float) -> None:
        """From here on the message is anybody's, and this process is one to be replaced."""
        logger.error(
            "message is in hand for too long: no more heartbeats, so it is delivered again and "
            "the saga's task fails; this worker takes no other and ends",
            event_type=message.event_type,
            batch_id=message.correlation_id,
            held_seconds=round(held_seconds, 1),
        )
        self.stop()


def run_worker(worker: QueueWorker, stop_seconds: float = STOP_SECONDS) -> None:
    """Run in the main thread until SIGTERM or SIGINT; the message in hand is finished first.

    A message that takes longer than `stop_seconds` then is left to whoever gets it next: the
    process ends with STUCK_EXIT_CODE.

    When the environment variable WORKER_READY_FILE names a file, it is written before the first
    poll, says what the worker has in hand, and is touched with every sign of life: `ecp up` waits
    for it, and the container's health check wants it younger than a minute. In a container of ECS
    the task is protected while there is work.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    ready_file = os.environ.get("WORKER_READY_FILE")
    worker.protection = task_protection(os.environ)
    with _ended_by_force(worker, stop_seconds):
        if not ready_file:
            worker.run()
            return
        worker.state = WorkerState(Path(ready_file))
        worker.run(on_sign_of_life=worker.state.alive)


@contextmanager
def _ended_by_force(worker: QueueWorker, stop_seconds: float) -> Iterator[None]:
    """End the process when it has not left the block so long after it was to stop."""
    left = threading.Event()

    def watch() -> None:
        worker.await_stop()
        if not left.wait(stop_seconds):
            logger.error(
                "message in hand is not finished: the process ends, and the message is delivered "
                "again",
                stop_seconds=stop_seconds,
            )
            os._exit(STUCK_EXIT_CODE)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _readable(body: str) -> Message | None:
    """The message for heartbeats; one that breaks its contract needs none: it is not worked on."""
    try:
        return parse(body)
    except ContractViolation:
        return None
