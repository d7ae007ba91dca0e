"""A long-running SQS consumer: one message at a time, with heartbeats, polite on SIGTERM."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from contracts.answers import TaskAnswers
from contracts.aws import queue_name_of
from contracts.consumer import CommandConsumer
from contracts.envelope import Message, parse
from contracts.errors import ContractViolation

OnHeartbeat = Callable[[Message], None]
LONG_POLL_SECONDS = 2
"""Short, so that an idle worker stops within two seconds of SIGTERM."""
RETRY_POLL_SECONDS = 1.0
logger = Logger(service="ecommerce-pipeline", child=True)


class QueueWorker:
    """Polls one queue until stopped."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        consumer: CommandConsumer,
        answers: TaskAnswers,
        on_heartbeat: OnHeartbeat,
        heartbeat_seconds: float = 5.0,
        idle_exit_seconds: float = 0.0,
    ) -> None:
        self._sqs, self._queue_url = sqs, queue_url
        self._queue_name = queue_name_of(queue_url)
        self._consumer, self._answers = consumer, answers
        self._on_heartbeat, self._heartbeat_seconds = on_heartbeat, heartbeat_seconds
        self._idle_exit_seconds = idle_exit_seconds
        self._stopping = threading.Event()
        self._on_sign_of_life: Callable[[], object] = lambda: None

    def stop(self) -> None:
        """Finish the message in hand, take no other."""
        self._stopping.set()

    def run(self, on_sign_of_life: Callable[[], object] = lambda: None) -> None:
        """Poll until stopped, or idle for `idle_exit_seconds` (0: for ever).

        A queue that is away is polled again after a second. `on_sign_of_life` is called before
        each poll, and every `heartbeat_seconds` while a message is in hand.
        """
        self._on_sign_of_life = on_sign_of_life
        busy_at = time.monotonic()
        while not self._stopping.is_set():
            self._on_sign_of_life()
            try:
                if self.poll_once():
                    busy_at = time.monotonic()
                elif 0 < self._idle_exit_seconds < time.monotonic() - busy_at:
                    logger.info("idle: the saga wakes a new container when there is work")
                    return
            except (ClientError, BotoCoreError):
                logger.exception("queue cannot be reached", queue=self._queue_name)
                self._stopping.wait(RETRY_POLL_SECONDS)

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
            self._take(message["Body"], message["ReceiptHandle"])
        return len(received)

    @property
    def _visibility_seconds(self) -> int:
        return max(15, int(3 * self._heartbeat_seconds))

    def _take(self, body: str, receipt: str) -> None:
        try:
            with self._kept_alive(body, receipt):
                self._consumer.handle(body, self._queue_name)
        except Exception:
            logger.exception("message will be delivered again", queue=self._queue_name)
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
            )
            return
        self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt)

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
        while message and not done.wait(self._heartbeat_seconds):
            self._on_sign_of_life()
            try:
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url,
                    ReceiptHandle=receipt,
                    VisibilityTimeout=self._visibility_seconds,
                )
                if message.task_token and not self._answers.heartbeat(message.task_token):
                    logger.warning("nobody waits for the task", event_type=message.event_type)
                self._on_heartbeat(message)
            except (ClientError, BotoCoreError):
                logger.exception("heartbeat failed; the next one tries again")


def run_worker(worker: QueueWorker) -> None:
    """Run in the main thread until SIGTERM or SIGINT; the message in hand is finished first.

    When the environment variable WORKER_READY_FILE names a file, it is written before the first
    poll, and touched with every sign of life: `ecp up` waits for it, and the container's health
    check wants it younger than a minute.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    ready_file = os.environ.get("WORKER_READY_FILE")
    if not ready_file:
        worker.run()
        return
    path = Path(ready_file)
    path.write_text(str(os.getpid()))
    worker.run(on_sign_of_life=path.touch)


def _readable(body: str) -> Message | None:
    """The message for heartbeats; one that breaks its contract needs none: it is not worked on."""
    try:
        return parse(body)
    except ContractViolation:
        return None
