"""Lambda entry point of the lineage: events from `lineage-events`."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from services.lineage.adapters import S3BatchDocuments, backend_if_any
from services.lineage.settings import LineageSettings
from services.lineage.use_cases import Ports, batch_changed
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.dead_letters import DeadLetters, SqsDeadLetters
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks, TaskCallbacks
from services.runtime.storage.aws import client


def lineage_service(
    ports: Ports, answers: TaskCallbacks, dead_letters: DeadLetters
) -> CommandConsumer:
    """The service on any implementation of its ports."""
    return CommandConsumer(
        {
            "BatchStarted": lambda message: batch_changed(message, ports),
            "BatchCompleted": lambda message: batch_changed(message, ports),
            "BatchRejected": lambda message: batch_changed(message, ports),
            "BatchFailed": lambda message: batch_changed(message, ports),
        },
        answers,
        dead_letters,
    )


@cache
def on_aws() -> CommandConsumer:
    """The service of this process, made on the first message."""
    settings = LineageSettings()
    return lineage_service(
        Ports(
            documents=S3BatchDocuments(client("s3"), settings.data_bucket),
            backend=backend_if_any(),
            namespace=settings.openlineage_namespace,
            database=settings.glue_database,
        ),
        StepFunctionsTaskCallbacks(client("stepfunctions")),
        SqsDeadLetters(client("sqs")),
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Handle every record; only those that failed come again."""
    return handle_sqs_records(event, on_aws().handle)
