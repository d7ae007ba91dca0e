"""Lambda entry point of the guard: events and the hourly sweep from `guard-events`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from contracts.clock import new_event_id, system_clock
from services.guard.adapters import KpiTables, SnsPeople
from services.guard.domain import Completeness
from services.guard.settings import GuardSettings
from services.guard.use_cases import Ports, kpis_published, kpis_rebuilt, sweep
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.dead_letters import DeadLetters, SqsDeadLetters
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks, TaskCallbacks
from services.runtime.storage.aws import client

SWEEP = {"sweep": "newest-days"}
"""The schedule's message."""


@dataclass(frozen=True)
class GuardService:
    """Events go through the common consumer; the schedule's message is none of ours."""

    ports: Ports
    consumer: CommandConsumer

    def handle(self, body: str, queue_name: str) -> None:
        """Take one message; a fault is raised, and SQS delivers it again."""
        if _is_sweep(body):
            sweep(self.ports)
        else:
            self.consumer.handle(body, queue_name)


def _is_sweep(body: str) -> bool:
    try:
        return bool(json.loads(body) == SWEEP)
    except (ValueError, RecursionError):
        return False  # The consumer refuses it, and says why.


def guard_service(ports: Ports, answers: TaskCallbacks, dead_letters: DeadLetters) -> GuardService:
    """The service on any implementation of its ports."""
    consumer = CommandConsumer(
        {
            "KpisPublished": lambda message: kpis_published(message, ports),
            "KpisRebuilt": lambda message: kpis_rebuilt(message, ports),
        },
        answers,
        dead_letters,
    )
    return GuardService(ports, consumer)


@cache
def on_aws() -> GuardService:
    """The service of this process, made on the first message."""
    settings = GuardSettings()
    dynamodb = client("dynamodb")
    ports = Ports(
        store=DynamoDBEventStore(dynamodb, settings.event_store_table, system_clock, new_event_id),
        kpis=KpiTables(dynamodb, settings.order_kpis_table, settings.category_kpis_table),
        people=SnsPeople(client("sns"), settings.notification_topic_arn),
        clock=system_clock,
        completeness=Completeness(
            timedelta(hours=settings.day_is_over_hours),
            timedelta(minutes=settings.settle_minutes),
        ),
    )
    return guard_service(
        ports,
        StepFunctionsTaskCallbacks(client("stepfunctions")),
        SqsDeadLetters(client("sqs")),
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Handle every record; only those that failed come again."""
    return handle_sqs_records(event, on_aws().handle)
