"""What every event store promises; a test class per implementation inherits it.

The inheriting class gives the fixture `store`, whose state tables are those of TABLES and whose
clock is `ticking_clock`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict, ContractViolation
from services.runtime.event_store import (
    CheckItem,
    DeleteItem,
    PutItem,
    StateWrite,
    StreamAppend,
    retry_on_conflict,
)
from services.runtime.event_store.dynamodb import CORRELATION_INDEX
from tests.contract.builders import BATCH, OTHER_BATCH, a_failure, a_start

EVENTS = "EventStore"
LOCKS = "Locks"
DAYS = "Days"
TABLES = {LOCKS: ("LockId",), DAYS: ("category", "order_date")}
WRITERS = 16
ROUNDS = 20
STREAM = f"batch/{BATCH}"
OTHER_STREAM = f"batch/{OTHER_BATCH}"
ITEM_OF_100_KB = {"LockId": "last", "text": "x" * 100_000}
CONTEXT = MessageContext("ecommerce-pipeline/test", correlation_id=BATCH, causation_id="cause")


def ticking_clock() -> Callable[[], datetime]:
    """A clock that is a second later each time it is asked."""
    now = datetime(2025, 7, 7, 12, tzinfo=UTC)

    def clock() -> datetime:
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return clock


def create_tables(dynamodb: Any) -> None:
    """The event store's table and the state tables, as the templates make them."""
    dynamodb.create_table(
        TableName=EVENTS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "stream_id", "AttributeType": "S"},
            {"AttributeName": "stream_version", "AttributeType": "N"},
            {"AttributeName": "correlation_id", "AttributeType": "S"},
            {"AttributeName": "occurred_at", "AttributeType": "S"},
        ],
        KeySchema=_keys("stream_id", "stream_version"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": CORRELATION_INDEX,
                "KeySchema": _keys("correlation_id", "occurred_at"),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    for table, names in TABLES.items():
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=_keys(*names),
        )


def _keys(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": name, "KeyType": kinds[n]} for n, name in enumerate(names)]


def append(
    store: Any,
    count: int = 1,
    at: int = 0,
    stream: str = STREAM,
    context: MessageContext = CONTEXT,
    writes: Sequence[StateWrite] = (),
) -> list[Message]:
    """Append `count` small events to one stream that stands at version `at`."""
    events = [a_start(attempt=at + n) for n in range(count)]
    return list(store.append(StreamAppend(stream, at, events), context=context, writes=writes))


def write(store: Any, *writes: StateWrite) -> None:
    """Write state alone."""
    store.append(context=CONTEXT, writes=writes)


class StreamBehaviour:
    """Appending and reading events."""

    def test_a_stream_that_nobody_wrote_is_empty(self, store: Any) -> None:
        assert store.read(STREAM) == []

    def test_events_are_read_in_order_and_numbered_from_1(self, store: Any) -> None:
        append(store, 12)
        found = store.read(STREAM)
        assert [message.stream_version for message in found] == list(range(1, 13))
        assert [message.data.attempt for message in found] == list(range(12))

    def test_what_append_returns_is_what_is_read(self, store: Any) -> None:
        assert append(store, 3) == store.read(STREAM)

    def test_an_event_says_who_spoke_about_what_and_when(self, store: Any) -> None:
        [message] = append(store)
        assert message.source == "ecommerce-pipeline/test"
        assert (message.correlation_id, message.causation_id) == (BATCH, "cause")
        assert message.occurred_at == "2025-07-07T12:00:01.000Z"
        assert (message.event_type, message.schema_version) == ("BatchStarted", 1)
        assert message.task_token is None

    def test_an_event_outside_any_batch_has_no_correlation(self, store: Any) -> None:
        store.append(
            StreamAppend(OTHER_STREAM, 0, [a_start()]), context=MessageContext("ecommerce-pipeline")
        )
        assert store.read(OTHER_STREAM)[0].causation_id is None

    def test_reading_can_begin_after_a_version(self, store: Any) -> None:
        append(store, 5)
        assert [message.stream_version for message in store.read(STREAM, 3)] == [4, 5]
        assert store.read(STREAM, 5) == []

    @pytest.mark.parametrize("expected_version", [0, 1, 3, 9])
    def test_an_append_at_another_version_is_refused(
        self, store: Any, expected_version: int
    ) -> None:
        append(store, 2)
        with pytest.raises(ConcurrencyConflict):
            append(store, at=expected_version)
        assert len(store.read(STREAM)) == 2

    def test_a_new_stream_cannot_begin_with_a_gap(self, store: Any) -> None:
        with pytest.raises(ConcurrencyConflict):
            append(store, at=4)
        assert store.read(STREAM) == []

    @pytest.mark.parametrize("expected_version", [0, 1, 3])
    def test_an_append_without_events_holds_the_stream_to_its_version_too(
        self, store: Any, expected_version: int
    ) -> None:
        append(store, 2)
        with pytest.raises(ConcurrencyConflict):
            append(store, 0, at=expected_version)

    def test_an_append_without_events_at_the_right_version_is_fine(self, store: Any) -> None:
        append(store, 2)
        assert append(store, 0, at=2) == []
        assert append(store, 0, at=0, stream=OTHER_STREAM) == []

    def test_streams_change_together_or_not_at_all(self, store: Any) -> None:
        append(store, 1, stream=OTHER_STREAM)
        mine = StreamAppend(STREAM, 0, [a_start()])
        with pytest.raises(ConcurrencyConflict):
            store.append(mine, StreamAppend(OTHER_STREAM, 0, [a_start()]), context=CONTEXT)
        assert store.read(STREAM) == []
        store.append(mine, StreamAppend(OTHER_STREAM, 1, [a_start()]), context=CONTEXT)
        assert (len(store.read(STREAM)), len(store.read(OTHER_STREAM))) == (1, 2)

    def test_an_event_that_breaks_its_schema_is_refused_and_nothing_is_written(
        self, store: Any
    ) -> None:
        nonsense = a_start(batch_id="not a batch")
        with pytest.raises(ContractViolation, match="batch_id"):
            store.append(StreamAppend(STREAM, 0, [a_start(), nonsense]), context=CONTEXT)
        assert store.read(STREAM) == []

    def test_an_event_over_200_kb_is_refused(self, store: Any) -> None:
        with pytest.raises(ContractViolation, match="200000"):
            store.append(StreamAppend(STREAM, 0, [a_failure("x" * 200_000)]), context=CONTEXT)

    def test_more_than_a_transaction_holds_is_refused_and_nothing_is_written(
        self, store: Any
    ) -> None:
        with pytest.raises(ContractViolation, match="100"):
            append(store, 101)
        assert store.read(STREAM) == []

    def test_a_transaction_holds_100_items(self, store: Any) -> None:
        append(store, 100)
        assert len(store.read(STREAM)) == 100

    def test_a_stream_of_more_than_a_page_is_read_whole(self, store: Any) -> None:
        for version in range(14):
            event = a_failure(f"{version} {'x' * 90_000}")
            store.append(StreamAppend(STREAM, version, [event]), context=CONTEXT)
        assert [int(message.data.reason.split()[0]) for message in store.read(STREAM)] == list(
            range(14)
        )

    def test_a_batch_is_read_across_streams_in_order_of_time(self, store: Any) -> None:
        append(store, 1, stream="lock/ecommerce-pipeline-lock")
        append(store, 2)
        elsewhere = MessageContext("ecommerce-pipeline/test", correlation_id=OTHER_BATCH)
        store.append(
            StreamAppend(OTHER_STREAM, 0, [a_start(batch_id=OTHER_BATCH)]), context=elsewhere
        )
        append(store, 1, at=1, stream="lock/ecommerce-pipeline-lock")
        found = store.read_correlated(BATCH)
        assert [(message.stream_id.split("/")[0], message.stream_version) for message in found] == [
            ("lock", 1),
            ("batch", 1),
            ("batch", 2),
            ("lock", 2),
        ]
        assert store.read_correlated("0000000000000000") == []


class StateBehaviour:
    """State items that change together with streams."""

    def test_state_and_events_are_written_together(self, store: Any) -> None:
        append(store, writes=[PutItem(LOCKS, {"LockId": "a", "fence": 1})])
        assert store.get_item(LOCKS, {"LockId": "a"}) == {"LockId": "a", "fence": 1}

    def test_an_item_holds_400_kb(self, store: Any) -> None:
        fits = {"LockId": "a", "text": "é" * 200_000}
        write(store, PutItem(LOCKS, fits))
        for text in ("é" * 204_800, ["x" * 1_000] * 410):
            with pytest.raises(ContractViolation, match=r"DynamoDB takes 409600: put"):
                write(store, PutItem(LOCKS, {"LockId": "b", "text": text}))
        assert store.scan(LOCKS) == [fits]

    def test_a_transaction_holds_4_mb(self, store: Any) -> None:
        items = [{"LockId": f"{number:02}", "text": "x" * 390_000} for number in range(10)]
        write(store, *(PutItem(LOCKS, item) for item in items))
        with pytest.raises(ContractViolation, match=r"bytes in one append; DynamoDB takes 4000000"):
            append(store, writes=[PutItem(LOCKS, item) for item in [*items, ITEM_OF_100_KB]])
        assert store.read(STREAM) == []

    def test_many_items_are_read_at_once_those_that_exist_and_each_once(self, store: Any) -> None:
        for start in range(0, 250, 50):
            write(
                store,
                *(PutItem(LOCKS, {"LockId": f"l{n}", "n": n}) for n in range(start, start + 50)),
            )
        keys = [{"LockId": f"l{n}"} for n in (*range(300), 7, 7)]
        found = store.get_items(LOCKS, keys)
        assert sorted(item["n"] for item in found) == list(range(250))
        assert store.get_items(LOCKS, []) == []
        assert store.get_items(LOCKS, [{"LockId": "l299"}]) == []

    def test_a_stream_that_moved_keeps_the_state_as_it_was(self, store: Any) -> None:
        append(store)
        with pytest.raises(ConcurrencyConflict):
            append(store, writes=[PutItem(LOCKS, {"LockId": "a"})])
        assert store.get_item(LOCKS, {"LockId": "a"}) is None

    def test_a_condition_that_fails_writes_neither_events_nor_state(self, store: Any) -> None:
        with pytest.raises(ConcurrencyConflict):
            append(
                store,
                writes=[
                    PutItem(LOCKS, {"LockId": "a"}),
                    CheckItem(LOCKS, {"LockId": "b"}, expected={"fence": 7}),
                ],
            )
        assert store.read(STREAM) == []
        assert store.get_item(LOCKS, {"LockId": "a"}) is None

    def test_plain_values_come_back_as_they_were(self, store: Any) -> None:
        item = {
            "LockId": "a",
            "count": 3,
            "rate": Decimal("0.0300"),
            "free": True,
            "holder": None,
            "waiters": [{"execution_id": "e1", "position": 1}, "e2"],
            "metadata": {"fence": 12, "lease": {"until": "2025-07-07"}},
        }
        write(store, PutItem(LOCKS, item))
        found = store.get_item(LOCKS, {"LockId": "a"})
        assert found == item
        assert type(found["count"]) is int
        assert type(found["free"]) is bool
        assert type(found["metadata"]["fence"]) is int

    def test_an_item_read_is_a_copy(self, store: Any) -> None:
        write(store, PutItem(LOCKS, {"LockId": "a", "waiters": []}))
        store.get_item(LOCKS, {"LockId": "a"})["waiters"].append("me")
        assert store.get_item(LOCKS, {"LockId": "a"}) == {"LockId": "a", "waiters": []}

    def test_putting_replaces_the_item_whole(self, store: Any) -> None:
        write(store, PutItem(LOCKS, {"LockId": "a", "old": 1}))
        write(store, PutItem(LOCKS, {"LockId": "a", "new": 2}))
        assert store.get_item(LOCKS, {"LockId": "a"}) == {"LockId": "a", "new": 2}

    def test_unless_exists_lets_only_the_first_one_in(self, store: Any) -> None:
        write(store, PutItem(LOCKS, {"LockId": "a", "by": 1}, unless_exists=True))
        with pytest.raises(ConcurrencyConflict):
            write(store, PutItem(LOCKS, {"LockId": "a", "by": 2}, unless_exists=True))
        assert store.get_item(LOCKS, {"LockId": "a"}) == {"LockId": "a", "by": 1}

    def test_unless_exists_looks_at_the_whole_key(self, store: Any) -> None:
        for day in ("2025-07-07", "2025-07-08"):
            item = {"category": "Books", "order_date": day}
            write(store, PutItem(DAYS, item, unless_exists=True))
        assert len(store.scan(DAYS)) == 2

    @pytest.mark.parametrize(
        "conditional",
        [
            PutItem(LOCKS, {"LockId": "a", "fence": 8}, expected={"fence": 7, "holder": None}),
            DeleteItem(LOCKS, {"LockId": "a"}, expected={"fence": 7, "holder": None}),
            CheckItem(LOCKS, {"LockId": "a"}, expected={"fence": 7, "holder": None}),
        ],
        ids=["put", "delete", "check"],
    )
    @pytest.mark.parametrize(
        ("found", "passes"),
        [
            ({"LockId": "a", "fence": 7}, True),
            ({"LockId": "a", "fence": 6}, False),
            ({"LockId": "a", "fence": "7"}, False),
            ({"LockId": "a"}, False),
            ({"LockId": "a", "fence": 7, "holder": "someone"}, False),
            ({"LockId": "a", "fence": 7, "holder": None}, False),
            (None, False),
        ],
        ids=["equal", "other value", "other type", "missing", "present", "null is present", "none"],
    )
    def test_expected_attributes_must_all_be_so_and_none_means_absent(
        self, store: Any, conditional: StateWrite, found: dict[str, Any] | None, passes: bool
    ) -> None:
        if found:
            write(store, PutItem(LOCKS, found))
        if passes:
            append(store, writes=[conditional])
            assert len(store.read(STREAM)) == 1
            return
        with pytest.raises(ConcurrencyConflict):
            append(store, writes=[conditional])
        assert store.read(STREAM) == []
        assert store.get_item(LOCKS, {"LockId": "a"}) == found

    def test_expecting_only_absence_holds_for_a_missing_item(self, store: Any) -> None:
        write(store, PutItem(LOCKS, {"LockId": "a"}, expected={"fence": None}))
        write(store, CheckItem(LOCKS, {"LockId": "b"}, expected={"fence": None}))
        assert store.get_item(LOCKS, {"LockId": "a"}) == {"LockId": "a"}

    def test_a_check_writes_nothing(self, store: Any) -> None:
        write(store, PutItem(LOCKS, {"LockId": "a", "fence": 7}))
        append(store, writes=[CheckItem(LOCKS, {"LockId": "a"}, expected={"fence": 7})])
        assert store.get_item(LOCKS, {"LockId": "a"}) == {"LockId": "a", "fence": 7}

    def test_deleting_what_is_not_there_is_fine(self, store: Any) -> None:
        write(store, PutItem(LOCKS, {"LockId": "a"}))
        write(store, DeleteItem(LOCKS, {"LockId": "a"}), DeleteItem(LOCKS, {"LockId": "b"}))
        assert store.scan(LOCKS) == []

    def test_a_query_gives_one_partition_in_sort_key_order(self, store: Any) -> None:
        for category, day in [("Books", "2"), ("Toys", "1"), ("Books", "10"), ("Books", "1")]:
            write(store, PutItem(DAYS, {"category": category, "order_date": day}))
        found = store.query(DAYS, {"category": "Books"})
        assert [item["order_date"] for item in found] == ["1", "10", "2"]
        assert store.query(DAYS, {"category": "Music"}) == []

    def test_a_scan_gives_every_item_however_many_pages_they_fill(self, store: Any) -> None:
        for number in range(16):
            write(store, PutItem(LOCKS, {"LockId": f"{number:02}", "text": "x" * 90_000}))
        found = sorted(item["LockId"] for item in store.scan(LOCKS))
        assert found == [f"{number:02}" for number in range(16)]


class RaceBehaviour:
    """Many writers at once; for implementations that are safe under threads."""

    def test_of_16_writers_at_one_version_exactly_one_wins_every_round(self, store: Any) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            for version in range(ROUNDS):
                attempts = [
                    pool.submit(_write_at, store, version, writer) for writer in range(WRITERS)
                ]
                winners = [won for won in (attempt.result() for attempt in attempts) if won]
                assert len(winners) == 1
                [stored] = store.read(STREAM, version)
                assert stored == winners[0]
                assert store.get_item(LOCKS, {"LockId": "a"})["by"] == stored.data.attempt

    def test_16_writers_who_decide_again_all_get_through_once(self, store: Any) -> None:
        def decide_again(writer: int) -> None:
            def once() -> None:
                store.append(
                    StreamAppend(STREAM, len(store.read(STREAM)), [a_start(attempt=writer)]),
                    context=CONTEXT,
                )

            retry_on_conflict(once, attempts=200)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(decide_again, range(WRITERS)))
        assert sorted(m.data.attempt for m in store.read(STREAM)) == list(range(WRITERS))


def _write_at(store: Any, version: int, writer: int) -> Message | None:
    """The event that was written, or None when another writer was faster."""
    try:
        [stored] = store.append(
            StreamAppend(STREAM, version, [a_start(attempt=writer)]),
            context=CONTEXT,
            writes=[PutItem(LOCKS, {"LockId": "a", "by": writer})],
        )
    except ConcurrencyConflict:
        return None
    return stored


class EventStoreBehaviour(StreamBehaviour, StateBehaviour):
    """All of it."""
