"""The event store in dictionaries, with the same promises; for tests and simulation."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from contracts.clock import Clock, NewId
from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict
from services.runtime.event_store.port import (
    CheckItem,
    DeleteItem,
    Item,
    PutItem,
    StateWrite,
    StreamAppend,
    check_transaction_bytes,
    check_transaction_size,
    to_messages,
)

Key = tuple[Any, ...]


class InMemoryEventStore:
    """Streams and state tables; `tables` maps a table's name to its key attributes."""

    def __init__(
        self, clock: Clock, new_id: NewId, tables: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._clock, self._new_id = clock, new_id
        self._keys = dict(tables or {})
        self._streams: dict[str, list[Message]] = defaultdict(list)
        self._tables: dict[str, dict[Key, dict[str, Any]]] = {name: {} for name in self._keys}
        self._lock = threading.Lock()

    def read(self, stream_id: str, after_version: int = 0) -> list[Message]:
        """The stream's events above a version, in order."""
        with self._lock:
            return list(self._streams[stream_id][after_version:])

    def append(
        self,
        *appends: StreamAppend,
        context: MessageContext,
        writes: Sequence[StateWrite] = (),
    ) -> list[Message]:
        """Append and write in one step, or raise ConcurrencyConflict and write nothing."""
        check_transaction_size(appends, writes)
        written = [
            message
            for append in appends
            for message in to_messages(append, context, self._clock, self._new_id)
        ]
        check_transaction_bytes(written, writes)
        with self._lock:
            for append in appends:
                actual = len(self._streams[append.stream_id])
                if actual != append.expected_version:
                    raise ConcurrencyConflict(
                        f"{append.stream_id} is at {actual}, expected {append.expected_version}"
                    )
            for write in writes:
                self._check(write)
            for message in written:
                self._streams[message.stream_id].append(message)
            for write in writes:
                self._write(write)
        return written

    def read_correlated(self, correlation_id: str) -> list[Message]:
        """All events of one batch, by occurred_at."""
        with self._lock:
            found = [
                message
                for stream in self._streams.values()
                for message in stream
                if message.correlation_id == correlation_id
            ]
        return sorted(found, key=lambda message: (message.occurred_at, message.event_id))

    def get_item(self, table: str, key: Item) -> dict[str, Any] | None:
        """The item under a whole key."""
        with self._lock:
            return deepcopy(self._tables[table].get(self._key(table, key)))

    def get_items(self, table: str, keys: Sequence[Item]) -> list[dict[str, Any]]:
        """The items that there are under whole keys, each once."""
        with self._lock:
            wanted = dict.fromkeys(self._key(table, key) for key in keys)
            items = self._tables[table]
            return deepcopy([items[key] for key in wanted if key in items])

    def query(self, table: str, partition: Item) -> list[dict[str, Any]]:
        """All items under one partition key, in sort key order."""
        [(name, value)] = partition.items()
        found = [item for item in self.scan(table) if item[name] == value]
        return sorted(found, key=lambda item: self._key(table, item))

    def scan(self, table: str) -> list[dict[str, Any]]:
        """All items of a table."""
        with self._lock:
            return deepcopy(list(self._tables[table].values()))

    def _key(self, table: str, item: Item) -> Key:
        return tuple(item[name] for name in self._keys[table])

    def _check(self, write: StateWrite) -> None:
        key = write.item if isinstance(write, PutItem) else write.key
        found = self._tables[write.table].get(self._key(write.table, key))
        if isinstance(write, PutItem) and write.unless_exists and found is not None:
            raise ConcurrencyConflict(f"{write.table} already holds {self._key(write.table, key)}")
        expected = write.expected
        if expected is not None and not _matches(found, expected):
            raise ConcurrencyConflict(
                f"{write.table} {self._key(write.table, key)} is not as expected: {dict(expected)}"
            )

    def _write(self, write: StateWrite) -> None:
        match write:
            case PutItem():
                item = deepcopy(dict(write.item))
                self._tables[write.table][self._key(write.table, item)] = item
            case DeleteItem():
                self._tables[write.table].pop(self._key(write.table, write.key), None)
            case CheckItem():
                return


def _matches(found: Item | None, expected: Item) -> bool:
    """None expects an absent attribute; one that is there and null is not absent."""
    item = found or {}
    return all(
        name not in item if value is None else item.get(name) == value
        for name, value in expected.items()
    )
