"""Lambda entry point of the lock: commands from `lock-commands`, notices from `lock-events`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from contracts.clock import new_event_id, system_clock
from contracts.errors import Refused
from services.lock import use_cases
from services.lock.adapters import StepFunctionsExecutions
from services.lock.aws_events import ExecutionStatus, Sweep, parse_aws_event
from services.lock.metrics import sweep_metrics
from services.lock.settings import LockSettings
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records, refuse
from services.runtime.messaging.dead_letters import DeadLetters, SqsDeadLetters
from services.runtime.messaging.executions import ENDED
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks
from services.runtime.observability import metrics
from services.runtime.observability.logs import this_service
from services.runtime.storage.aws import client, is_called

EVENTS_QUEUE = "lock-events"


@dataclass(frozen=True)
class LockService:
    """Who takes what: commands go through the common consumer, notices of AWS are read here."""

    ports: use_cases.Ports
    consumer: CommandConsumer
    dead_letters: DeadLetters

    def handle(self, body: str, queue_name: str) -> None:
        """Take one message of either queue; a fault is raised, and SQS delivers it again."""
        if is_called(queue_name, EVENTS_QUEUE):
            self.take_aws_event(body, queue_name)
        else:
            self.consumer.handle(body, queue_name)

    def take_aws_event(self, body: str, queue_name: str) -> None:
        """Act on a notice; an unreadable one goes to the dead-letter queue at once."""
        try:
            self._act_on(parse_aws_event(body))
        except Refused as error:
            refuse(body, queue_name, error, self.dead_letters)

    def _act_on(self, notice: ExecutionStatus | Sweep) -> None:
        if isinstance(notice, Sweep):
            lock = use_cases.sweep(notice.lock_id, self.ports)
            metrics.write(this_service(), sweep_metrics(lock, self.ports.clock()), {})
        elif notice.status in ENDED:
            use_cases.execution_ended(
                notice.execution_id, notice.status, notice.notice_id, self.ports
            )


def lock_service(ports: use_cases.Ports, dead_letters: DeadLetters) -> LockService:
    """The service on any implementation of its ports."""
    consumer = CommandConsumer(
        {
            "AcquireLock": lambda message: use_cases.acquire_lock(message, ports),
            "ReleaseLock": lambda message: use_cases.release_lock(message, ports),
            "ExtendLease": lambda message: use_cases.extend_lease(message, ports),
            "RaiseFence": lambda message: use_cases.raise_fence(message, ports),
            "BreakLock": lambda message: use_cases.break_lock(message, ports),
        },
        ports.answers,
        dead_letters,
    )
    return LockService(ports, consumer, dead_letters)


@cache
def on_aws() -> LockService:
    """The service of this process, made on the first message."""
    settings = LockSettings()
    ports = use_cases.Ports(
        store=DynamoDBEventStore(
            client("dynamodb"), settings.event_store_table, system_clock, new_event_id
        ),
        answers=StepFunctionsTaskCallbacks(client("stepfunctions")),
        executions=StepFunctionsExecutions(client("stepfunctions")),
        clock=system_clock,
        table=settings.lock_table,
        lease=timedelta(seconds=settings.lease_seconds),
    )
    return lock_service(ports, SqsDeadLetters(client("sqs")))


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Handle every record; only those that failed come again."""
    return handle_sqs_records(event, on_aws().handle)
