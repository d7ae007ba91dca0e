"""Lambda entry point of the archiver: commands from `archiver-commands`."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from contracts.clock import new_event_id, system_clock
from services.archiver import use_cases
from services.archiver.adapters import S3Objects
from services.archiver.erasure import erase_from_archive
from services.archiver.settings import ArchiverSettings
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.dead_letters import SqsDeadLetters
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks
from services.runtime.privacy.erasure import ErasurePorts
from services.runtime.storage.aws import CONFIG, client
from services.runtime.storage.documents import S3ObjectStore
from services.runtime.storage.object_versions import S3Versions

THREADS = 16
READ_TIMEOUT_SECONDS = 300
"""S3 answers a CopyObject of a GiB when it is done, which may take minutes."""


@cache
def on_aws() -> CommandConsumer:
    """The service of this process, made on the first message."""
    settings = ArchiverSettings()
    answers = StepFunctionsTaskCallbacks(client("stepfunctions"))
    s3 = boto3.client(
        "s3",
        config=CONFIG.merge(
            Config(max_pool_connections=4 * THREADS, read_timeout=READ_TIMEOUT_SECONDS)
        ),
    )
    ports = use_cases.Ports(
        store=DynamoDBEventStore(
            client("dynamodb"), settings.event_store_table, system_clock, new_event_id
        ),
        documents=S3ObjectStore(s3),
        objects=S3Objects(s3),
        answers=answers,
        archive_bucket=settings.archive_bucket,
        threads=THREADS,
    )
    erasing = ErasurePorts(
        store=ports.store,
        documents=ports.documents,
        versions_of=lambda bucket: S3Versions(s3, bucket),
        clock=system_clock,
    )
    return CommandConsumer(
        {
            "ArchiveBatch": lambda message: use_cases.archive_batch(message, ports),
            "EraseFromArchive": lambda message: erase_from_archive(message, erasing),
        },
        answers,
        SqsDeadLetters(client("sqs")),
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Handle every record; only those that failed come again."""
    return handle_sqs_records(event, on_aws().handle)
