"""The event store: a port, an in-memory and a DynamoDB implementation, one behaviour suite."""

from contracts.event_store.dynamodb import DynamoDBEventStore
from contracts.event_store.memory import InMemoryEventStore
from contracts.event_store.port import (
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
