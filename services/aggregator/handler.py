"""Lambda entry point of the aggregator: `aggregator-files`, `-commands` and `-events`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from contracts.clock import new_event_id, system_clock
from contracts.errors import ContractViolation
from services.aggregator import adapters
from services.aggregator.aws_events import Sweep, parse_aws_event
from services.aggregator.batch import dismissals
from services.aggregator.batch import release as releasing
from services.aggregator.batch import use_cases as batch_use_cases
from services.aggregator.metrics import sweep_metrics
from services.aggregator.open_set import use_cases
from services.aggregator.open_set.upload_notifications import FILES_QUEUE, FileIntake
from services.aggregator.ports import Ports
from services.aggregator.settings import AggregatorSettings
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records, refuse
from services.runtime.messaging.dead_letters import DeadLetters, SqsDeadLetters
from services.runtime.messaging.executions import ENDED
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks, TaskCallbacks
from services.runtime.observability import metrics
from services.runtime.observability.logs import this_service
from services.runtime.storage.aws import client, is_called, queue_name_of
from services.runtime.storage.documents import S3ObjectStore

EVENTS_QUEUE = "aggregator-events"


@dataclass(frozen=True)
class AggregatorService:
    """Who takes what: files go together, notices of AWS are read here, the rest is messages."""

    ports: Ports
    intake: FileIntake
    consumer: CommandConsumer
    dead_letters: DeadLetters

    def handle_records(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Take a Lambda's SQS event; report what has to come again."""
        files = [one for one in event["Records"] if is_called(_queue_of(one), FILES_QUEUE)]
        others = [one for one in event["Records"] if not is_called(_queue_of(one), FILES_QUEUE)]
        failures = handle_sqs_records({"Records": others}, self.handle)["batchItemFailures"]
        failures += [{"itemIdentifier": message_id} for message_id in self.intake.take(files)]
        return {"batchItemFailures": failures}

    def handle(self, body: str, queue_name: str) -> None:
        """Take one message of the other two queues; a fault is raised, and SQS sends it again."""
        is_events = is_called(queue_name, EVENTS_QUEUE)
        if not (is_events and self._took_aws_event(body, queue_name)):
            self.consumer.handle(body, queue_name)

    def _took_aws_event(self, body: str, queue_name: str) -> bool:
        """Whether it was a notice of AWS (or an unreadable one) and is dealt with."""
        try:
            notice = parse_aws_event(body)
        except ContractViolation as error:
            refuse(body, queue_name, error, self.dead_letters)
            return True
        if notice is None:
            return False
        if isinstance(notice, Sweep):
            self._sweep(notice)
        elif notice.status in ENDED:
            batch_use_cases.execution_ended(
                notice.execution_id, notice.status, notice.cause, self.ports
            )
        return True

    def _sweep(self, notice: Sweep) -> None:
        use_cases.look_after_file_set(notice.bucket, self.ports)
        unfinished = batch_use_cases.sweep(self.ports, after_restart=notice.after_restart)
        open_set = self.ports.known_sets[notice.bucket]
        metrics.write(this_service(), sweep_metrics(open_set, unfinished, self.ports.clock()), {})


def aggregator_service(
    ports: Ports, answers: TaskCallbacks, dead_letters: DeadLetters
) -> AggregatorService:
    """The service on any implementation of its ports."""
    consumer = CommandConsumer(
        {
            "SealFileSet": lambda message: use_cases.seal_file_set(message, ports),
            "CloseBatch": lambda message: batch_use_cases.close_batch(message, ports),
            "RedriveBatch": lambda message: batch_use_cases.redrive_batch(message, ports),
            "DismissQuarantine": lambda message: dismissals.dismiss_quarantine(message, ports),
            "ReleaseBatch": lambda message: releasing.release_batch(message, ports),
            "BatchSealed": lambda message: batch_use_cases.start_batch(message, ports),
            "BatchRedriven": lambda message: batch_use_cases.start_batch(message, ports),
            "BatchOverdue": lambda message: use_cases.tell_overdue(message, ports),
        },
        answers,
        dead_letters,
    )
    return AggregatorService(ports, FileIntake(ports, dead_letters), consumer, dead_letters)


@cache
def on_aws() -> AggregatorService:
    """The service of this process, made on the first message."""
    settings = AggregatorSettings()
    stepfunctions, s3, sqs = client("stepfunctions"), client("s3"), client("sqs")
    ports = Ports(
        store=DynamoDBEventStore(
            client("dynamodb"), settings.event_store_table, system_clock, new_event_id
        ),
        documents=S3ObjectStore(s3),
        uploads=adapters.S3Uploads(s3),
        reports=adapters.S3Reports(s3),
        executions=adapters.StepFunctionsExecutions(stepfunctions, settings.state_machine_arn),
        checks=adapters.SqsChecks(sqs, settings.file_queue_url),
        people=adapters.SnsPeople(client("sns"), settings.notification_topic_arn),
        clock=system_clock,
        table=settings.state_table,
        settle=timedelta(seconds=settings.settle_seconds),
        overdue=timedelta(seconds=settings.overdue_seconds),
    )
    return aggregator_service(ports, StepFunctionsTaskCallbacks(stepfunctions), SqsDeadLetters(sqs))


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Handle every record; only those that failed come again."""
    return on_aws().handle_records(event)


def _queue_of(record: Mapping[str, Any]) -> str:
    return queue_name_of(record["eventSourceARN"])
