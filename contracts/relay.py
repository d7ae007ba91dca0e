"""From the event store's stream to the event bus: an event is on the bus iff it is in the store."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from pydantic_settings import BaseSettings

from contracts import metrics, traces, tracing
from contracts.aws import client
from contracts.clock import Clock, system_clock
from contracts.envelope import Message
from contracts.event_store.dynamodb import from_item
from contracts.logs import about, keys_of_message, logger, this_service
from contracts.measures import lag_seconds, measures_of, relay_measures, service_of

MAX_ENTRIES = 10
"""Limit of PutEvents (AWS API reference)."""
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
    records: Sequence[Mapping[str, Any]], bus: Any, bus_name: str, clock: Clock = system_clock
) -> dict[str, list[dict[str, str]]]:
    """Put every inserted event on the bus, in order.

    PutEvents answers entry by entry: the first one that failed is reported, and the stream
    comes again from there. What follows it may then be sent twice, never lost. Only what does not
    come again is told of, so that nothing is told twice.
    """
    inserted = [record for record in records if record["eventName"] == "INSERT"]
    sent, refused = _put_on_bus(inserted, bus, bus_name)
    failures = [refused.sequence_number] if refused else []
    _tell([insert.message for insert in sent], len(failures), clock())
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


class _Insert:
    """An event that was appended, and its place in the table's stream."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        image = record["dynamodb"]["NewImage"]
        item = {name: _deserialize(value) for name, value in image.items()}
        self.message = from_item(json.loads(json.dumps(item, default=int)))
        self.sequence_number: str = record["dynamodb"]["SequenceNumber"]


def _put_on_bus(
    records: Sequence[Mapping[str, Any]], bus: Any, bus_name: str
) -> tuple[list[_Insert], _Insert | None]:
    """Those that went out in order, and the one, if any, from which on they have to come again."""
    sent: list[_Insert] = []
    for start in range(0, len(records), MAX_ENTRIES):
        chunk = [_Insert(record) for record in records[start : start + MAX_ENTRIES]]
        answer = bus.put_events(Entries=[to_entry(one.message, bus_name) for one in chunk])
        for insert, result in zip(chunk, answer["Entries"], strict=True):
            if "ErrorCode" in result:
                with about(**keys_of_message(insert.message)):
                    logger.warning(
                        "bus refused an event", sequence_number=insert.sequence_number, **result
                    )
                return sent, insert
            sent.append(insert)
    return sent, None


def _tell(sent: Sequence[Message], refused: int, now: datetime) -> None:
    for message in sent:
        keys = keys_of_message(message)
        with about(**keys):
            logger.info("event relayed", lag_seconds=round(lag_seconds(message, now), 3))
        metrics.write(service_of(message), measures_of(message), keys)
        if tracing.is_on():
            tracing.outbox.put(traces.relayed(message, now))
    metrics.write(this_service(), relay_measures(sent, refused, now), {})
    tracing.outbox.flush()


def to_entry(message: Message, bus_name: str) -> dict[str, str]:
    """A PutEvents entry whose detail is the whole envelope."""
    return {
        "EventBusName": bus_name,
        "Source": message.source,
        "DetailType": message.event_type,
        "Detail": message.to_json(),
    }
