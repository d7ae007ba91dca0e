"""The tables that queries read, made in a moto account and filled from plain items."""

from collections.abc import Iterable, Mapping
from typing import Any

from boto3.dynamodb.types import TypeSerializer

KEYS = {
    "OrderKPIs": {"order_date": "S"},
    "CategoryKPIs": {"category": "S", "order_date": "S"},
    "ProcessingLockTable": {"LockId": "S"},
    "AggregatorState": {"pk": "S", "sk": "S"},
    "EventStore": {"stream_id": "S", "stream_version": "N"},
    "PipelineViews": {"pk": "S", "sk": "S"},
}

AT_ONCE = 25
"""Items of one request, as DynamoDB allows."""


def create_table(dynamodb: Any, name: str, items: Iterable[Mapping[str, Any]] = ()) -> None:
    """One of the pipeline's tables with these items."""
    keys = KEYS[name.rpartition("-")[2]]  # a stage stands before it
    if name == "EventStore":
        _create_event_store(dynamodb)
        return
    indexes, attributes = [], dict(keys)
    if name == "CategoryKPIs":
        indexes = [_index("by-day", [("order_date", "HASH"), ("category", "RANGE")])]
    if name == "PipelineViews":
        attributes |= {"list": "S", "at": "S"}
        indexes = [_index("by-time", [("list", "HASH"), ("at", "RANGE")])]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()
        ],
        KeySchema=[
            {"AttributeName": key, "KeyType": role}
            for key, role in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    put_items(dynamodb, name, items)


def put_items(dynamodb: Any, name: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Write plain items, no two of one key."""
    serialize = TypeSerializer().serialize
    puts = [
        {"PutRequest": {"Item": {key: serialize(value) for key, value in item.items()}}}
        for item in items
    ]
    for begin in range(0, len(puts), AT_ONCE):
        dynamodb.batch_write_item(RequestItems={name: puts[begin : begin + AT_ONCE]})


def _create_event_store(dynamodb: Any) -> None:
    attributes = KEYS["EventStore"] | {"correlation_id": "S", "occurred_at": "S"}
    by_correlation = [("correlation_id", "HASH"), ("occurred_at", "RANGE")]
    dynamodb.create_table(
        TableName="EventStore",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()
        ],
        KeySchema=[
            {"AttributeName": "stream_id", "KeyType": "HASH"},
            {"AttributeName": "stream_version", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[_index("by-correlation", by_correlation)],
    )


def _index(name: str, keys: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role in keys],
        "Projection": {"ProjectionType": "ALL"},
    }
