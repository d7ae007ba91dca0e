"""How the requests of each boundary are recognised, in a batch whose files are called `name`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fault_matrix.wire import Answer, Request
from tests.support.pipeline import DATA_BUCKET

Matches = Callable[[Request], bool]
BOUNDARIES = {
    "s3_event": "S3 event",
    "queue_in": "queue in",
    "handler": "handler before and after append",
    "relay": "stream relay",
    "bus": "bus",
    "task_answer": "task answer",
    "lock": "lock",
    "facts": "facts commit",
    "kpis": "KPI publication",
}
PUBLISHING_COMMIT = 10
"""Of the commits of a batch: four fences, four writes to branches, then the mains move."""


def looks_at(key: str) -> Matches:
    """The aggregator looks at an object that an S3 event named."""
    path = f"/{DATA_BUCKET}/{key}"
    return lambda request: request.operation == "s3:HeadObject" and request.url_path == path


def on_queue(operation: str, queue: str) -> Matches:
    """A request to SQS about one queue."""

    def matches(request: Request) -> bool:
        is_meant = request.operation == f"sqs:{operation}"
        return is_meant and str(request.parameters["QueueUrl"]).endswith(f"/{queue}")

    return matches


def holds_a_message(answer: Answer) -> bool:
    """Whether ReceiveMessage gave one."""
    return bool(answer.document.get("Messages"))


def appends(event_type: str) -> Matches:
    """A transaction that appends an event of this type to the event store."""

    def matches(request: Request) -> bool:
        return any(
            item["TableName"] == "EventStore" and item["Item"]["event_type"]["S"] == event_type
            for item in _puts(request)
        )

    return matches


def writes_to(table: str) -> Matches:
    """A transaction that puts an item into this table."""
    return lambda request: any(item["TableName"] == table for item in _puts(request))


def grants_the_lock(request: Request) -> bool:
    """The lock's item and its stream change together."""
    return writes_to("ProcessingLockTable")(request) and appends("LockGranted")(request)


def puts_event(event_type: str) -> Matches:
    """PutEvents with an event of this type among its entries."""

    def matches(request: Request) -> bool:
        if request.operation != "events:PutEvents":
            return False
        return any(is_of_type(event_type)(entry) for entry in request.parameters["Entries"])

    return matches


def is_of_type(event_type: str) -> Callable[[Mapping[str, Any]], bool]:
    """An entry of PutEvents with an event of this type."""
    return lambda entry: entry["DetailType"] == event_type


def starts_execution(request: Request) -> bool:
    """What the aggregator does when BatchSealed came from the bus."""
    return request.operation == "states:StartExecution"


def answers_of_files(request: Request) -> bool:
    """The validator answers the saga for one file."""
    return "file_index" in _output_of(request)


def answer_of_transform(request: Request) -> bool:
    """The transformer answers the saga that the batch is published."""
    return "result" in _output_of(request)


def commits_facts(request: Request) -> bool:
    """A snapshot, or a move of a main, of one facts table in the Glue catalog."""
    return request.operation == "glue:UpdateTable"


def publishes_kpis(request: Request) -> bool:
    """The KPI items of a day and the check of the writer's epoch."""
    return writes_to("OrderKPIs")(request)


def _puts(request: Request) -> list[Mapping[str, Any]]:
    if request.operation != "dynamodb:TransactWriteItems":
        return []
    return [item["Put"] for item in request.parameters["TransactItems"] if "Put" in item]


def _output_of(request: Request) -> dict[str, Any]:
    if request.operation != "states:SendTaskSuccess":
        return {}
    return dict(json.loads(request.parameters["output"]))
