"""From the event store's stream to the event bus: an event is on the bus iff it is in the store."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from boto3.dynamodb.types import TypeDeserializer
from pydantic_settings import BaseSettings

from contracts.aws import client
from contracts.envelope import Message
from contracts.event_store.dynamodb import from_item

MAX_ENTRIES = 10
"""Limit of PutEvents (AWS API reference)."""
logger = Logger(service="event-relay")
_deserialize = TypeDeserializer().deserialize


class RelaySettings(BaseSettings):
    """Read from the function's environment."""

    event_bus_name: str


@cache
def settings() -> RelaySettings:
    """The settings of this process."""
    return RelaySettings()


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Lambda entry point of the event store's stream."""
    return relay(event["Records"], client("events"), settings().event_bus_name)


def relay(
    records: Sequence[Mapping[str, Any]], bus: Any, bus_name: str
) -> dict[str, list[dict[str, str]]]:
    """Put every inserted event on the bus, in order.

    PutEvents answers entry by entry: the first one that failed is reported, and the stream
    comes again from there. What follows it may then be sent twice, never lost.
    """
    inserts = [record for record in records if record["eventName"] == "INSERT"]
    for chunk in _chunks(inserts, MAX_ENTRIES):
        answer = bus.put_events(Entries=[_entry(record, bus_name) for record in chunk])
        if answer["FailedEntryCount"] == 0:
            continue
        for record, result in zip(chunk, answer["Entries"], strict=True):
            if "ErrorCode" in result:
                sequence_number = record["dynamodb"]["SequenceNumber"]
                logger.warning("bus refused an event", sequence_number=sequence_number, **result)
                return {"batchItemFailures": [{"itemIdentifier": sequence_number}]}
    return {"batchItemFailures": []}


def to_entry(message: Message, bus_name: str) -> dict[str, str]:
    """A PutEvents entry whose detail is the whole envelope."""
    return {
        "EventBusName": bus_name,
        "Source": message.source,
        "DetailType": message.event_type,
        "Detail": message.to_json(),
    }


def _entry(record: Mapping[str, Any], bus_name: str) -> dict[str, str]:
    image = record["dynamodb"]["NewImage"]
    item = {name: _deserialize(value) for name, value in image.items()}
    item = json.loads(json.dumps(item, default=int))
    return to_entry(from_item(item), bus_name)


def _chunks(
    records: Sequence[Mapping[str, Any]], size: int
) -> Iterable[Sequence[Mapping[str, Any]]]:
    return (records[start : start + size] for start in range(0, len(records), size))
