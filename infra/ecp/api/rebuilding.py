"""Every event of the event store to the api once more (docs/decisions/0022, Read side).

Whoever reads the views reads the api's table; who reads the event store is `ecp`. The table is
emptied first: an event that the api takes meanwhile, and that is emptied away, was in the store
before, so that it is sent again.
"""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml

from infra.ecp.terminal.errors import CommandFailed
from infra.environments import PROJECT
from services.runtime.event_store.dynamodb import from_item
from services.runtime.storage import items

KEYS_AT_ONCE = 25
"""Limit of BatchWriteItem (AWS API reference)."""
MESSAGES_AT_ONCE = 10
MAX_REQUEST_BYTES = 262_144
"""Limits of SendMessageBatch (AWS API reference)."""
POLL_SECONDS = 0.5


def consumed() -> frozenset[str]:
    """The types of events that the api takes."""
    declared = yaml.safe_load((PROJECT / "services/api/service.yaml").read_text())
    return frozenset(entry.split()[0] for entry in declared["consumes"]["events"])


def emptied(dynamodb: Any, table: str) -> int:
    """Delete every item; returns how many there were."""
    removed = 0
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression="pk, sk", ConsistentRead=True
    )
    for page in pages:
        keys = page["Items"]
        for start in range(0, len(keys), KEYS_AT_ONCE):
            left = {table: [{"DeleteRequest": {"Key": key}} for key in keys[start:][:KEYS_AT_ONCE]]}
            while left:
                left = dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems", {})
        removed += len(keys)
    return removed


def resent(
    dynamodb: Any, event_store: str, sqs: Any, queue_url: str, types: Collection[str]
) -> Iterator[int]:
    """Send every event of these types; yields how many went in each request."""
    waiting: list[str] = []
    stored = items.pages(dynamodb, "scan", {"TableName": event_store, "ConsistentRead": True})
    for item in stored:
        if item["event_type"] not in types:
            continue
        body = from_item(item).to_json()
        size_bytes = sum(len(one.encode()) for one in (*waiting, body))
        if len(waiting) == MESSAGES_AT_ONCE or (waiting and size_bytes > MAX_REQUEST_BYTES):
            yield _send(sqs, queue_url, waiting)
            waiting = []
        waiting.append(body)
    if waiting:
        yield _send(sqs, queue_url, waiting)


def _send(sqs: Any, queue_url: str, bodies: Sequence[str]) -> int:
    """One that SQS refuses is not passed over: an event would be missing."""
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    answer: Mapping[str, Any] = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    if failed := answer.get("Failed"):
        said = json.dumps(failed[0], default=str)
        raise CommandFailed(f"an event could not be sent, {said}; `ecp api rebuild` begins anew")
    return len(bodies)


def waiting(sqs: Any, queue_url: str) -> Iterator[int]:
    """How many messages wait or are in hand, at each change until there are none."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = None
    while True:
        answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
        left = sum(int(answer["Attributes"][name]) for name in names)
        if not left:
            return
        if left != told:
            yield left
        told = left
        time.sleep(POLL_SECONDS)
