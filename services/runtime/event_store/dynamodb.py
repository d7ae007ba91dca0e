"""The event store on DynamoDB: one table for streams, TransactWriteItems for state beside them."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from contracts.clock import Clock, NewId
from contracts.envelope import Message, MessageContext, parse
from contracts.errors import ConcurrencyConflict, Transient
from services.runtime.event_store.port import (
    CheckItem,
    Item,
    PutItem,
    StateWrite,
    StreamAppend,
    check_transaction_bytes,
    check_transaction_size,
    guarded_versions,
    to_messages,
)

CORRELATION_INDEX = "by-correlation"
THROTTLED = {
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionInProgressException",
}
THROTTLED_REASONS = {"ProvisionedThroughputExceeded", "ThrottlingError"}
"""Cancellation reasons are spelled unlike the error codes (TransactWriteItems API reference)."""
MAX_BATCH_KEYS = 100
"""Of one BatchGetItem (AWS API reference)."""
READ_ATTEMPTS = 8
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class DynamoDBEventStore:
    """Streams under (stream_id, stream_version); a GSI on correlation_id."""

    def __init__(self, client: Any, table_name: str, clock: Clock, new_id: NewId) -> None:
        self._client, self._table = client, table_name
        self._clock, self._new_id = clock, new_id

    def read(self, stream_id: str, after_version: int = 0) -> list[Message]:
        """The stream's events above a version, read consistently."""
        items = self._pages(
            "query",
            TableName=self._table,
            KeyConditionExpression="stream_id = :stream AND stream_version > :version",
            ExpressionAttributeValues=_typed({":stream": stream_id, ":version": after_version}),
            ConsistentRead=True,
        )
        return [from_item(item) for item in items]

    def append(
        self,
        *appends: StreamAppend,
        context: MessageContext,
        writes: Sequence[StateWrite] = (),
    ) -> list[Message]:
        """Append and write in one transaction of at most 100 items and 4 MB."""
        check_transaction_size(appends, writes)
        written = [
            message
            for append in appends
            for message in to_messages(append, context, self._clock, self._new_id)
        ]
        check_transaction_bytes(written, writes)
        actions = [
            *(_put_event(self._table, message) for message in written),
            *(guard for append in appends for guard in _version_guards(self._table, append)),
            *(_state_action(write) for write in writes),
        ]
        if actions:
            self._transact(actions)
        return written

    def read_correlated(self, correlation_id: str) -> list[Message]:
        """All events of one batch from the GSI, by occurred_at; eventually consistent."""
        items = self._pages(
            "query",
            TableName=self._table,
            IndexName=CORRELATION_INDEX,
            KeyConditionExpression="correlation_id = :batch",
            ExpressionAttributeValues=_typed({":batch": correlation_id}),
        )
        found = [from_item(item) for item in items]
        return sorted(found, key=lambda message: (message.occurred_at, message.event_id))

    def get_item(self, table: str, key: Item) -> dict[str, Any] | None:
        """The item under a whole key, read consistently."""
        answer = _translated(
            lambda: self._client.get_item(TableName=table, Key=_typed(key), ConsistentRead=True)
        )
        return _plain(answer["Item"]) if "Item" in answer else None

    def get_items(self, table: str, keys: Sequence[Item]) -> list[dict[str, Any]]:
        """The items that there are under whole keys, each once, read consistently.

        100 at once; what DynamoDB leaves unread (throttled, or over 16 MB) is asked for again.
        """
        distinct = list({tuple(sorted(key.items())): _typed(key) for key in keys}.values())
        return [
            item
            for start in range(0, len(distinct), MAX_BATCH_KEYS)
            for item in self._read_batch(table, distinct[start : start + MAX_BATCH_KEYS])
        ]

    def query(self, table: str, partition: Item) -> list[dict[str, Any]]:
        """All items under one partition key, in sort key order, read consistently."""
        [(name, value)] = partition.items()
        return self._pages(
            "query",
            TableName=table,
            KeyConditionExpression="#partition = :value",
            ExpressionAttributeNames={"#partition": name},
            ExpressionAttributeValues=_typed({":value": value}),
            ConsistentRead=True,
        )

    def scan(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, page by page."""
        return self._pages("scan", TableName=table, ConsistentRead=True)

    def _read_batch(self, table: str, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items under at most 100 keys; raises Transient when some stay unread."""
        found: list[dict[str, Any]] = []
        request = {table: {"Keys": keys, "ConsistentRead": True}}

        def leaves_some() -> bool:
            nonlocal request
            answer = _translated(lambda: self._client.batch_get_item(RequestItems=request))
            found.extend(_plain(item) for item in answer["Responses"].get(table, ()))
            request = answer.get("UnprocessedKeys", {})
            return bool(request)

        try:
            Retrying(
                retry=retry_if_result(bool),
                stop=stop_after_attempt(READ_ATTEMPTS),
                wait=wait_random_exponential(multiplier=0.02),
            )(leaves_some)
        except RetryError as error:
            raise Transient(f"DynamoDB leaves items of {table} unread: throttled") from error
        return found

    def _pages(self, operation: str, **request: Any) -> list[dict[str, Any]]:
        pages = self._client.get_paginator(operation).paginate(**request)
        found: list[dict[str, Any]] = _translated(
            lambda: [_plain(item) for page in pages for item in page["Items"]]
        )
        return found

    def _transact(self, actions: list[dict[str, Any]]) -> None:
        """A transaction that met another in flight is tried again: neither has won yet."""
        token = self._new_id()[:36]
        Retrying(
            retry=retry_if_exception(_is_transaction_conflict),
            stop=stop_after_attempt(6),
            wait=wait_random_exponential(multiplier=0.02),
            reraise=True,
        )(
            lambda: _translated(
                lambda: self._client.transact_write_items(
                    TransactItems=actions, ClientRequestToken=token
                )
            )
        )


class TransactionConflict(ConcurrencyConflict):
    """Another transaction on the same items was in flight; who wins is not decided."""


def _is_transaction_conflict(error: BaseException) -> bool:
    return isinstance(error, TransactionConflict)


def to_item(message: Message) -> dict[str, Any]:
    """An event as a DynamoDB item in DynamoDB JSON; `data` is kept as JSON text."""
    envelope = json.loads(message.to_json())
    envelope["data"] = json.dumps(envelope["data"], separators=(",", ":"), ensure_ascii=False)
    return _typed({name: value for name, value in envelope.items() if value is not None})


def from_item(item: Mapping[str, Any]) -> Message:
    """An event from a plain item; raises ContractViolation when it is not one."""
    envelope = {"correlation_id": None, "causation_id": None, **item}
    return parse({**envelope, "data": json.loads(item["data"])})


def _put_event(table: str, message: Message) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": table,
            "Item": to_item(message),
            "ConditionExpression": "attribute_not_exists(stream_id)",
        }
    }


def _version_guards(table: str, append: StreamAppend) -> list[dict[str, Any]]:
    """The stream must stand exactly at expected_version: a gap can never be written."""
    return [
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": _typed({"stream_id": append.stream_id, "stream_version": version}),
                "ConditionExpression": f"attribute_{'' if exists else 'not_'}exists(stream_id)",
            }
        }
        for version, exists in guarded_versions(append).items()
    ]


def _state_action(write: StateWrite) -> dict[str, Any]:
    if isinstance(write, PutItem):
        action: dict[str, Any] = {"TableName": write.table, "Item": _typed(write.item)}
        if write.unless_exists:
            name = next(iter(write.item))
            action |= {
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": name},
            }
        elif write.expected is not None:
            action |= _condition(write.expected)
        return {"Put": action}
    action = {"TableName": write.table, "Key": _typed(write.key)}
    if write.expected is not None:
        action |= _condition(write.expected)
    return {"ConditionCheck" if isinstance(write, CheckItem) else "Delete": action}


def _condition(expected: Item) -> dict[str, Any]:
    """All attributes equal; None means that the attribute must be absent."""
    names = {f"#n{n}": name for n, name in enumerate(expected)}
    values = {f":v{n}": v for n, v in enumerate(expected.values()) if v is not None}
    terms = [
        f"attribute_not_exists(#n{n})" if value is None else f"#n{n} = :v{n}"
        for n, value in enumerate(expected.values())
    ]
    condition = {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeNames": names,
    }
    return condition | ({"ExpressionAttributeValues": _typed(values)} if values else {})


def _translated(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "TransactionCanceledException":
            reasons = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            if "ConditionalCheckFailed" in reasons:
                raise ConcurrencyConflict(f"another writer was faster: {reasons}") from error
            if "TransactionConflict" in reasons:
                raise TransactionConflict(f"another writer is at work: {reasons}") from error
            if THROTTLED_REASONS & {str(reason) for reason in reasons}:
                raise Transient(f"DynamoDB is throttled: {reasons}") from error
        if code in THROTTLED:
            raise Transient(f"DynamoDB is throttled or away: {error}") from error
        raise
    except BotoCoreError as error:
        raise Transient(f"DynamoDB cannot be reached: {error}") from error


def _typed(values: Item) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in values.items()}


def _plain(item: Item) -> dict[str, Any]:
    return {name: _whole(_deserialize(value)) for name, value in item.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value
