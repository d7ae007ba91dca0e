"""Lambda entry points of the api: events from `api-events`, and questions over HTTP."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from contracts.clock import new_event_id, system_clock
from services.api.adapters import KpiTables, ViewsTable
from services.api.http.app import make_app
from services.api.http.callers import Caller
from services.api.http.frozen import frozen_openapi
from services.api.http.ports import Ports
from services.api.questions.adapters import Questions
from services.api.settings import ApiSettings, ViewsSettings
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
    ports = Ports(
        ViewsTable(dynamodb, settings.views_table),
        KpiTables(dynamodb, settings.order_kpis_table, settings.category_kpis_table),
        system_clock,
        frozen_openapi,
        Questions(
            {"dynamodb": dynamodb, "s3": client("s3"), "sqs": client("sqs")},
            bucket=settings.data_bucket,
            queue_url=settings.transformer_queue_url,
            views_table=settings.views_table,
            clock=system_clock,
            new_id=new_event_id,
        ),
    )
    return make_app(ports, Caller(settings.jwt_scope, settings.aws_endpoint_url))


def take_events(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Keep the events and the views that they touch."""
    return views_on_aws().handle(event)


def answer(event: Mapping[str, Any], context: Any) -> Any:
    """Answer one question; a batch of nothing is the deployer's, to see that the code starts."""
    app = api_on_aws()
    if event.get("Records") == []:
        return {"batchItemFailures": []}
    return app.resolve(event, context)
