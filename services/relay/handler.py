"""From the event store's stream to the event bus: an event is on the bus iff it is in the store."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from pydantic_settings import BaseSettings

from contracts.clock import Clock, system_clock
from contracts.envelope import Message
from contracts.errors import ContractViolation
from services.runtime.event_store.dynamodb import from_item
from services.runtime.observability import metrics, spans, tracing
from services.runtime.observability.event_metrics import (
    lag_seconds,
    metrics_of,
    relay_metrics,
    service_of,
)
from services.runtime.observability.logs import about, keys_of_message, logger, this_service
from services.runtime.storage.aws import client

MAX_ENTRIES = 10
MAX_REQUEST_BYTES = 262_144
"""Limits of PutEvents (AWS API reference); newer accounts take more bytes, no event of ours needs
it."""
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
    sent, again_from = _put_on_bus(inserted, bus, bus_name)
    failures = [again_from] if again_from else []
    _tell(sent, len(failures), clock())
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


class _Insert:
    """An event that was appended, and its place in the table's stream.

    Raises ContractViolation for what is no event, such as an item that somebody wrote by hand.
    """

    def __init__(self, record: Mapping[str, Any], bus_name: str) -> None:
        image = record["dynamodb"]["NewImage"]
        item = {name: _deserialize(value) for name, value in image.items()}
        stored = json.loads(json.dumps(item, default=int))
        self.message = from_item(stored)
        self.entry = to_entry(self.message, envelope_of(stored), bus_name)
        self.size_bytes = entry_bytes(self.entry)


def _put_on_bus(
    records: Sequence[Mapping[str, Any]], bus: Any, bus_name: str
) -> tuple[list[Message], str | None]:
    """Those that went out in order, and the place, if any, from which they have to come again."""
    sent: list[Message] = []
    inserts, unreadable = _readable(records, bus_name)
    for chunk in chunks(inserts):
        answer = bus.put_events(Entries=[one.entry for one in chunk])
        for one, result in zip(chunk, answer["Entries"], strict=True):
            if "ErrorCode" in result:
                sequence_number: str = records[len(sent)]["dynamodb"]["SequenceNumber"]
                with about(**keys_of_message(one.message)):
                    logger.warning(
                        "bus refused an event", sequence_number=sequence_number, **result
                    )
                return sent, sequence_number
            sent.append(one.message)
    return sent, unreadable


def _readable(
    records: Sequence[Mapping[str, Any]], bus_name: str
) -> tuple[list[_Insert], str | None]:
    """The events before the first record that is none, and that record's place.

    It comes again, for newer code may read it; after as many tries as the template says its place
    is a dead letter, and the stream goes on. What came before it goes out now.
    """
    inserts: list[_Insert] = []
    for record in records:
        try:
            inserts.append(_Insert(record, bus_name))
        except (ContractViolation, KeyError, TypeError, ValueError, RecursionError):
            sequence_number: str = record["dynamodb"]["SequenceNumber"]
            logger.exception("no event of ours", sequence_number=sequence_number)
            return inserts, sequence_number
    return inserts, None


def chunks(inserts: Iterable[_Insert]) -> Iterator[list[_Insert]]:
    """As many at once as PutEvents takes, by their number and by their bytes."""
    chunk: list[_Insert] = []
    for one in inserts:
        size_bytes = sum(each.size_bytes for each in chunk) + one.size_bytes
        if chunk and (len(chunk) == MAX_ENTRIES or size_bytes > MAX_REQUEST_BYTES):
            yield chunk
            chunk = []
        chunk.append(one)
    if chunk:
        yield chunk


def entry_bytes(entry: Mapping[str, str]) -> int:
    """How PutEvents counts an entry without a time (EventBridge user guide)."""
    return sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


def _tell(sent: Sequence[Message], refused: int, now: datetime) -> None:
    for message in sent:
        keys = keys_of_message(message)
        with about(**keys):
            logger.info("event relayed", lag_seconds=round(lag_seconds(message, now), 3))
        metrics.write(service_of(message), metrics_of(message), keys)
        if tracing.is_on():
            tracing.outbox.put(spans.relayed(message, now))
    metrics.write(this_service(), relay_metrics(sent, refused, now), {})
    tracing.outbox.flush()


def envelope_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored event as the bus gets it: whole, with fields that are newer than this code."""
    return {
        "correlation_id": None,
        "causation_id": None,
        **stored,
        "data": json.loads(stored["data"]),
    }


def to_entry(message: Message, envelope: Mapping[str, Any], bus_name: str) -> dict[str, str]:
    """A PutEvents entry whose detail is the whole envelope."""
    return {
        "EventBusName": bus_name,
        "Source": message.source,
        "DetailType": message.event_type,
        "Detail": json.dumps(envelope, separators=(",", ":"), ensure_ascii=False),
    }
