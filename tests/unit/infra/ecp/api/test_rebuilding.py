"""`ecp api rebuild`: the views of an emptied table are those that the events made first."""

from typing import Any

import pytest

from infra.ecp.api.rebuilding import consumed, emptied, resent, waiting
from infra.ecp.terminal.errors import CommandFailed
from services.api.adapters import ViewsTable
from services.api.handler import ViewsService
from services.runtime.event_store.dynamodb import to_item
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from tests.contract.builders import OTHER_BATCH
from tests.support.doubles import RecordedDeadLetters
from tests.unit.api.harness import a_life, an_event
from tests.unit.api.test_tables import create
from tests.unit.infra.tables import create_table

ARN = "arn:aws:sqs:us-east-1:000000000000:api-events"
EVENTS = [*a_life(), *a_life(OTHER_BATCH)]
OF_NO_VIEW = an_event("FenceRaised", "lock/ecommerce-pipeline-lock", 10)


@pytest.fixture
def dynamodb(aws: Any) -> Any:
    client = aws("dynamodb")
    create(client, "api", "PipelineViews")
    create_table(client, "EventStore")
    for message in (*EVENTS, OF_NO_VIEW):
        client.put_item(TableName="EventStore", Item=to_item(message))
    return client


def a_record(number: int, body: str) -> dict[str, str]:
    return {"messageId": str(number), "body": body, "eventSourceARN": ARN}


def test_an_emptied_table_comes_to_the_same_views(aws: Any, dynamodb: Any) -> None:
    sqs, letters = aws("sqs"), RecordedDeadLetters()
    queue_url = sqs.create_queue(QueueName="api-events")["QueueUrl"]
    service = ViewsService(ViewsTable(dynamodb, "PipelineViews"), InMemoryTaskCallbacks(), letters)
    lived = [a_record(n, message.to_json()) for n, message in enumerate(EVENTS)]
    assert service.handle({"Records": lived}) == {"batchItemFailures": []}
    before = views(dynamodb)
    stray = {"pk": {"S": "batch#stray"}, "sk": {"S": "view"}}
    dynamodb.put_item(TableName="PipelineViews", Item=stray)
    assert emptied(dynamodb, "PipelineViews") == len(before) + 1
    assert views(dynamodb) == []
    assert sum(resent(dynamodb, "EventStore", sqs, queue_url, consumed())) == len(EVENTS)
    left = waiting(sqs, queue_url)
    assert next(left) == len(EVENTS)
    number = 0
    ten = {"QueueUrl": queue_url, "MaxNumberOfMessages": 10}
    while received := sqs.receive_message(**ten).get("Messages"):
        records = [a_record(n, one["Body"]) for n, one in enumerate(received, number)]
        assert service.handle({"Records": records}) == {"batchItemFailures": []}
        number += len(received)
        for one in received:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=one["ReceiptHandle"])
    assert list(left) == []
    assert (views(dynamodb), letters.letters) == (before, [])


def views(dynamodb: Any) -> list[dict[str, Any]]:
    items = dynamodb.scan(TableName="PipelineViews")["Items"]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def test_an_event_that_the_queue_refuses_is_told_of(dynamodb: Any) -> None:
    class FullQueue:
        def send_message_batch(self, **_: Any) -> Any:
            return {"Failed": [{"Id": "3", "Code": "InternalError"}]}

    with pytest.raises(CommandFailed, match=r"InternalError.*begins anew"):
        list(resent(dynamodb, "EventStore", FullQueue(), "url", consumed()))
