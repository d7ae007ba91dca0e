"""Lambda entry points of the api: events from `api-events`, and questions over HTTP."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from contracts.clock import new_event_id, system_clock
from services.api.adapters import KpiTables, ViewsTable
from services.api.corrections.adapters import Corrections
from services.api.http.app import make_app, make_operations_app
from services.api.http.callers import Caller
from services.api.http.frozen import frozen_openapi
from services.api.http.ports import Ports
from services.api.operations.adapters import SqsQueues
from services.api.operations.ports import OperationsPorts
from services.api.questions.adapters import Questions
from services.api.settings import ApiSettings, OperationsSettings, ViewsSettings
from services.api.use_cases import Intake, Views
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.runtime.messaging.dead_letters import DeadLetters, SqsDeadLetters
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks, TaskCallbacks
from services.runtime.storage.aws import client


class ViewsService:
    """Takes the events of one delivery, then shows them all at once."""

    def __init__(self, views: Views, answers: TaskCallbacks, dead_letters: DeadLetters) -> None:
        self._intake = Intake(views)
        take = self._intake.take
        self._consumer = CommandConsumer(
            {
                "BatchSealed": take,
                "BatchStarted": take,
                "BatchCompleted": take,
                "BatchRejected": take,
                "BatchFailed": take,
                "BatchRedriven": take,
                "BatchReleased": take,
                "RejectionAnswered": take,
                "QuarantineDismissed": take,
                "FileDetected": take,
                "FileIgnored": take,
                "FileSuperseded": take,
                "FileGone": take,
                "FilesReturned": take,
                "LockQueued": take,
                "LockGranted": take,
                "LockReleased": take,
                "LockRecovered": take,
                "LeaseExtended": take,
                "FileValidated": take,
                "FileRejected": take,
                "TransformStarted": take,
                "FactsPublished": take,
                "KpisPublished": take,
                "BatchAbandoned": take,
                "KpiAnomalyDetected": take,
                "KpiAnomalyResolved": take,
                "BatchArchived": take,
            },
            answers,
            dead_letters,
        )

    def handle(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Only those that failed come again; all of them when they could not be shown."""
        self._intake.forget()
        failed = handle_sqs_records(event, self._consumer.handle)
        self._intake.show()
        return failed


@cache
def views_on_aws() -> ViewsService:
    """The views of this process, made on the first message."""
    return ViewsService(
        ViewsTable(client("dynamodb"), ViewsSettings().views_table),
        StepFunctionsTaskCallbacks(client("stepfunctions")),
        SqsDeadLetters(client("sqs")),
    )


@cache
def api_on_aws() -> Any:
    """The API of this process, made on the first question."""
    settings = ApiSettings()
    dynamodb = client("dynamodb")
    clients = {"dynamodb": dynamodb, "s3": client("s3"), "sqs": client("sqs")}
    ports = Ports(
        ViewsTable(dynamodb, settings.views_table),
        KpiTables(dynamodb, settings.order_kpis_table, settings.category_kpis_table),
        system_clock,
        frozen_openapi,
        Questions(
            clients,
            bucket=settings.data_bucket,
            queue_url=settings.transformer_queue_url,
            views_table=settings.views_table,
            clock=system_clock,
            new_id=new_event_id,
        ),
        Corrections(
            clients,
            bucket=settings.data_bucket,
            queue_url=settings.validator_queue_url,
            views_table=settings.views_table,
            clock=system_clock,
            new_id=new_event_id,
        ),
    )
    caller = Caller(
        settings.jwt_scope,
        settings.aws_endpoint_url,
        settings.jwt_correct_scope,
        settings.correctors,
    )
    return make_app(ports, caller)


@cache
def operations_on_aws() -> Any:
    """The pages of operations of this process, made on the first question."""
    settings = OperationsSettings()
    queues = SqsQueues(
        {"sqs": client("sqs"), "s3": client("s3")},
        settings.archive_bucket,
        system_clock,
        settings.stage_prefix,
    )
    ports = OperationsPorts(
        ViewsTable(client("dynamodb"), settings.views_table), queues, system_clock
    )
    caller = Caller(settings.jwt_scope, settings.aws_endpoint_url)
    return make_operations_app(ports, caller, settings.jwt_operate_scope)


def take_events(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Keep the events and the views that they touch."""
    return views_on_aws().handle(event)


def answer(event: Mapping[str, Any], context: Any) -> Any:
    """Answer one question; a batch of nothing is the deployer's, to see that the code starts."""
    return _answered(api_on_aws(), event, context)


def operate(event: Mapping[str, Any], context: Any) -> Any:
    """Answer with a page of operations, or with a start that was tried."""
    return _answered(operations_on_aws(), event, context)


def _answered(app: Any, event: Mapping[str, Any], context: Any) -> Any:
    if event.get("Records") == []:
        return {"batchItemFailures": []}
    return app.resolve(event, context)
