"""The event store: a port, an in-memory and a DynamoDB implementation, one behaviour suite."""

from services.runtime.event_store.dynamodb import DynamoDBEventStore
from services.runtime.event_store.memory import InMemoryEventStore
from services.runtime.event_store.port import (
    CheckItem,
    DeleteItem,
    EventStore,
    PutItem,
    StateTables,
    StateWrite,
    StreamAppend,
    retry_on_conflict,
)

__all__ = [
    "CheckItem",
    "DeleteItem",
    "DynamoDBEventStore",
    "EventStore",
    "InMemoryEventStore",
    "PutItem",
    "StateTables",
    "StateWrite",
    "StreamAppend",
    "retry_on_conflict",
]
