"""DynamoDB pages as plain Python items; which table and what it means is asked elsewhere."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def get_item(dynamodb: Any, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """One item, read consistently."""
    answer = dynamodb.get_item(TableName=table, Key=typed(key), ConsistentRead=True)
    return plain(answer["Item"]) if "Item" in answer else None


def query(
    dynamodb: Any,
    table: str,
    partition: Mapping[str, Any],
    *,
    newest_first: bool = False,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Items under one partition key in sort key order, at most `limit` of them."""
    [(name, value)] = partition.items()
    request = {
        "TableName": table,
        "KeyConditionExpression": "#partition = :value",
        "ExpressionAttributeNames": {"#partition": name},
        "ExpressionAttributeValues": typed({":value": value}),
        "ScanIndexForward": not newest_first,
        "ConsistentRead": True,
    }
    if limit is not None:
        request["Limit"] = limit
    found: list[dict[str, Any]] = []
    for item in pages(dynamodb, "query", request):
        found.append(item)
        if limit is not None and len(found) == limit:
            break
    return found


def scan(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    """Every item of a table, in no order."""
    return list(pages(dynamodb, "scan", {"TableName": table, "ConsistentRead": True}))


def pages(dynamodb: Any, call: str, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The items of every page of a call that gives pages."""
    for page in dynamodb.get_paginator(call).paginate(**request):
        yield from (plain(item) for item in page["Items"])


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as DynamoDB's API has them."""
    return {name: _serialize(value) for name, value in values.items()}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item's values; whole numbers as int."""
    return {name: _whole(_deserialize(value)) for name, value in item.items()}


def _whole(value: Any) -> Any:
    """Whole numbers as int; other numbers stay Decimal, exactly as stored."""
    match value:
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case list():
            return [_whole(entry) for entry in value]
        case dict():
            return {name: _whole(entry) for name, entry in value.items()}
    return value
