"""What an event store promises (docs/design.md, Event store); nothing here touches AWS."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from contracts.clock import Clock, NewId, to_rfc3339
from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict, ContractViolation

T = TypeVar("T")
Item = Mapping[str, Any]

MAX_TRANSACTION_ITEMS = 100
MAX_TRANSACTION_BYTES = 4_000_000
"""Limits of TransactWriteItems (AWS API reference; it says 4 MB)."""
MAX_ITEM_BYTES = 400 * 1024
"""Of a DynamoDB item, the names of its attributes counted (DynamoDB developer guide, Quotas)."""


@dataclass(frozen=True)
class StreamAppend:
    """New events for one stream, which must stand at expected_version (0: it is new)."""

    stream_id: str
    expected_version: int
    events: Sequence[BaseModel]


@dataclass(frozen=True)
class PutItem:
    """Write an item whole: unless it exists, or if it has the expected attributes, or always.

    With `unless_exists` the first attribute of `item` must be its partition key.
    """

    table: str
    item: Item
    unless_exists: bool = False
    expected: Item | None = None


@dataclass(frozen=True)
class DeleteItem:
    """Delete an item, if it has the expected attributes where given; a missing one is fine."""

    table: str
    key: Item
    expected: Item | None = None


@dataclass(frozen=True)
class CheckItem:
    """Write nothing, but fail the transaction unless the item has the expected attributes."""

    table: str
    key: Item
    expected: Item


StateWrite = PutItem | DeleteItem | CheckItem


class EventStore(Protocol):
    """Streams of events, each appended to under its expected version."""

    def read(self, stream_id: str, after_version: int = 0) -> list[Message]:
        """The stream's events above a version, in order; consistent with every append."""

    def append(
        self,
        *appends: StreamAppend,
        context: MessageContext,
        writes: Sequence[StateWrite] = (),
    ) -> list[Message]:
        """Append to streams and write state items in one transaction.

        Raises ConcurrencyConflict when a stream has moved or a condition fails; then nothing
        was written. Raises Transient when the store is throttled or away.
        """

    def read_correlated(self, correlation_id: str) -> list[Message]:
        """All events of one batch, by occurred_at; may lag behind the newest append."""


class StateTables(Protocol):
    """State items that change together with streams."""

    def get_item(self, table: str, key: Item) -> dict[str, Any] | None:
        """The item under a whole key, read consistently; whole numbers come back as int."""

    def get_items(self, table: str, keys: Sequence[Item]) -> list[dict[str, Any]]:
        """The items that there are under whole keys, read as get_item does, each once, in no order.

        Raises Transient when the store goes on leaving some of them unread.
        """

    def query(self, table: str, partition: Item) -> list[dict[str, Any]]:
        """All items under one partition key, in sort key order."""

    def scan(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, in no order."""


def to_messages(
    append: StreamAppend, context: MessageContext, clock: Clock, new_id: NewId
) -> list[Message]:
    """Wrap new events into envelopes that follow the stream's expected version.

    An event that names its batch is correlated to that one: a single append of the lock may
    speak of two.
    """
    return [
        Message(
            event_id=new_id(),
            event_type=type(event).__name__,
            schema_version=1,
            source=context.source,
            occurred_at=to_rfc3339(clock()),
            stream_id=append.stream_id,
            stream_version=append.expected_version + position,
            correlation_id=getattr(event, "batch_id", None) or context.correlation_id,
            causation_id=context.causation_id,
            data=event,
        )
        for position, event in enumerate(append.events, start=1)
    ]


def check_transaction_size(appends: Sequence[StreamAppend], writes: Sequence[StateWrite]) -> None:
    """Raise ContractViolation when events, version guards and writes are over 100 items."""
    items = sum(len(append.events) + len(guarded_versions(append)) for append in appends)
    items += len(writes)
    if items > MAX_TRANSACTION_ITEMS:
        raise ContractViolation(
            f"{items} writes in one append; DynamoDB takes {MAX_TRANSACTION_ITEMS}: "
            "append in several steps"
        )


def check_transaction_bytes(messages: Sequence[Message], writes: Sequence[StateWrite]) -> None:
    """Raise ContractViolation when an item is over 400 KB, or all of them are over 4 MB.

    Also when an event breaks its schema or is over 200 KB (`Message.to_json`).
    """
    total = sum(len(message.to_json().encode()) for message in messages)
    for write in writes:
        size = item_bytes(write.item if isinstance(write, PutItem) else write.key)
        if size > MAX_ITEM_BYTES:
            raise ContractViolation(
                f"an item of {write.table} would have {size} bytes; DynamoDB takes "
                f"{MAX_ITEM_BYTES}: put what it holds into S3 and keep its ObjectRef"
            )
        total += size
    if total > MAX_TRANSACTION_BYTES:
        raise ContractViolation(
            f"{total} bytes in one append; DynamoDB takes {MAX_TRANSACTION_BYTES}: "
            "append in several steps"
        )


def item_bytes(value: Any) -> int:
    """At least what DynamoDB counts for a plain value (developer guide, Item sizes)."""
    match value:
        case str():
            return len(value.encode())
        case bytes() | bytearray():
            return len(value)
        case Mapping():
            inner = (item_bytes(name) + item_bytes(one) + 1 for name, one in value.items())
            return 3 + sum(inner)
        case list() | tuple() | set() | frozenset():
            return 3 + sum(item_bytes(one) + 1 for one in value)
        case bool() | None:
            return 1
    return len(str(value)) // 2 + 3


def guarded_versions(append: StreamAppend) -> dict[int, bool]:
    """Versions that must (True) or must not (False) exist for the append to be right.

    An event to be written is its own guard against a stream that has moved on.
    """
    behind = {append.expected_version: True} if append.expected_version else {}
    ahead = {} if append.events else {append.expected_version + 1: False}
    return behind | ahead


def retry_on_conflict(
    attempt_once: Callable[[], T],
    attempts: int = 8,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[float], float] | None = None,
) -> T:
    """Run gather-decide-apply again while another writer is faster; then let the conflict travel.

    Waits a random 0 to 20 ms, doubling, at most 1 s, between attempts.
    """
    draw = jitter or (lambda longest: random.uniform(0, longest))  # noqa: S311
    return Retrying(
        retry=retry_if_exception_type(ConcurrencyConflict),
        stop=stop_after_attempt(attempts),
        wait=lambda state: draw(min(1.0, 0.02 * 2**state.attempt_number)),
        sleep=sleep,
        reraise=True,
    )(attempt_once)
