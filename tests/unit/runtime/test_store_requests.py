"""What the event store asks of DynamoDB: strong reads, whole transactions, one retry token."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from contracts.envelope import MessageContext, parse
from contracts.errors import ConcurrencyConflict, Transient
from services.runtime.event_store import (
    DynamoDBEventStore,
    PutItem,
    StreamAppend,
    retry_on_conflict,
)
from services.runtime.event_store.dynamodb import from_item, to_item
from tests.contract.builders import an_envelope
from tests.support.doubles import refused

CONTEXT = MessageContext(source="test", correlation_id="3f2a9c0d1e4b5a67")
EVENT = parse(an_envelope("BatchCompleted", stream_version=1)).data


class Client:
    """A DynamoDB that remembers requests; transactions fail as `failures` say, in turn."""

    def __init__(self, *failures: Exception) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._failures = list(failures)

    def get_item(self, **request: Any) -> dict[str, Any]:
        self.requests.append(("get_item", request))
        return {}

    def get_paginator(self, operation: str) -> Any:
        client = self

        class Paginator:
            def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
                client.requests.append((operation, request))
                yield {"Items": []}
                yield {"Items": []}

        return Paginator()

    def transact_write_items(self, **request: Any) -> None:
        self.requests.append(("transact", request))
        if self._failures:
            raise self._failures.pop(0)


class LeavingSome(Client):
    """A DynamoDB that reads so many keys of each request and leaves the rest."""

    def __init__(self, reads: int) -> None:
        super().__init__()
        self._reads = reads

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(("batch_get_item", RequestItems["Table"]))
        [(table, asked)] = RequestItems.items()
        read, left = asked["Keys"][: self._reads], asked["Keys"][self._reads :]
        unread = {table: {**asked, "Keys": left}} if left else {}
        return {"Responses": {table: read}, "UnprocessedKeys": unread}


def test_many_items_are_asked_for_by_the_hundred_until_none_is_left() -> None:
    client = LeavingSome(reads=60)
    keys = [{"StateId": f"s{n}"} for n in range(150)]
    assert sorted(one["StateId"] for one in store_on(client).get_items("Table", keys)) == sorted(
        one["StateId"] for one in keys
    )
    assert [len(asked["Keys"]) for _, asked in client.requests] == [100, 40, 50]
    assert {asked["ConsistentRead"] for _, asked in client.requests} == {True}


def test_the_waits_for_items_that_were_left_unread_are_drawn_from_20_ms_doubling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", naps.append)
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    with pytest.raises(Transient):
        store_on(LeavingSome(reads=0)).get_items("Table", [{"StateId": "facts"}])
    assert naps == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28]


def test_items_that_stay_unread_are_not_taken_for_missing_ones() -> None:
    with pytest.raises(Transient, match="leaves items of Table unread"):
        store_on(LeavingSome(reads=0)).get_items("Table", [{"StateId": "facts"}])


def store_on(client: Client) -> DynamoDBEventStore:
    numbers = count(1)
    return DynamoDBEventStore(
        client,
        "EventStore",
        lambda: datetime(2025, 7, 8, tzinfo=UTC),
        lambda: f"00000000-0000-7000-8000-{next(numbers):012d}",
    )


def cancelled(*reasons: str) -> Exception:
    error = refused("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": code} for code in reasons]  # type: ignore[typeddict-unknown-key]
    return error


def test_what_is_decided_from_is_read_consistently() -> None:
    """A stale read decides again what was decided, or passes over what was promised."""
    client = Client()
    store = store_on(client)
    store.read("lock/a")
    store.get_item("Table", {"StateId": "facts"})
    store.query("Table", {"partition": "batches"})
    store.scan("Table")
    assert [name for name, _ in client.requests] == ["query", "get_item", "query", "scan"]
    assert [request["ConsistentRead"] for _, request in client.requests] == [True] * 4


def test_a_read_of_a_batch_asks_the_index_which_has_no_consistent_reads() -> None:
    client = Client()
    store_on(client).read_correlated("3f2a9c0d1e4b5a67")
    [(_, request)] = client.requests
    assert request["IndexName"] == "by-correlation"
    assert "ConsistentRead" not in request


def test_a_transaction_that_meets_others_is_tried_six_times_under_one_token() -> None:
    client = Client(*[cancelled("None", "TransactionConflict")] * 9)
    with pytest.raises(ConcurrencyConflict, match="another writer is at work"):
        store_on(client).append(StreamAppend("batch/a", 0, [EVENT]), context=CONTEXT)
    assert len(client.requests) == 6
    assert len({request["ClientRequestToken"] for _, request in client.requests}) == 1


def test_the_waits_between_such_transactions_are_drawn_from_20_ms_doubling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", naps.append)
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    client = Client(*[cancelled("TransactionConflict")] * 9)
    with pytest.raises(ConcurrencyConflict):
        store_on(client).append(StreamAppend("batch/a", 0, [EVENT]), context=CONTEXT)
    assert naps == [0.02, 0.04, 0.08, 0.16, 0.32]


def test_a_transaction_that_lost_is_not_tried_again() -> None:
    client = Client(cancelled("ConditionalCheckFailed", "TransactionConflict"))
    with pytest.raises(ConcurrencyConflict, match="another writer was faster"):
        store_on(client).append(StreamAppend("batch/a", 0, [EVENT]), context=CONTEXT)
    assert len(client.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        cancelled("None", "ThrottlingError"),
        cancelled("ProvisionedThroughputExceeded"),
        refused("ThrottlingException"),
        refused("InternalServerError"),
        refused("TransactionInProgressException"),
    ],
)
def test_a_throttled_transaction_is_transient(error: Exception) -> None:
    with pytest.raises(Transient):
        store_on(Client(error)).append(StreamAppend("batch/a", 0, [EVENT]), context=CONTEXT)


def test_a_denied_transaction_is_told_as_it_is() -> None:
    with pytest.raises(type(refused("x")), match="AccessDenied"):
        store_on(Client(refused("AccessDeniedException"))).append(
            StreamAppend("batch/a", 0, [EVENT]), context=CONTEXT
        )


def test_a_cancelled_transaction_of_another_reason_is_told_as_it_is() -> None:
    with pytest.raises(type(refused("x")), match="TransactionCanceled"):
        store_on(Client(cancelled("ValidationError"))).append(
            StreamAppend("batch/a", 0, [EVENT]), context=CONTEXT
        )


def test_an_append_guards_the_version_before_it_and_its_own() -> None:
    client = Client()
    write = PutItem("Table", {"StateId": "facts", "epoch": 2}, expected={"epoch": 1, "phase": None})
    store_on(client).append(StreamAppend("batch/a", 3, [EVENT]), context=CONTEXT, writes=[write])
    [(_, request)] = client.requests
    event, guard, state = request["TransactItems"]
    assert event["Put"]["TableName"] == "EventStore"
    assert event["Put"]["ConditionExpression"] == "attribute_not_exists(stream_id)"
    assert event["Put"]["Item"]["stream_version"] == {"N": "4"}
    assert guard["ConditionCheck"] == {
        "TableName": "EventStore",
        "Key": {"stream_id": {"S": "batch/a"}, "stream_version": {"N": "3"}},
        "ConditionExpression": "attribute_exists(stream_id)",
    }
    assert state["Put"] == {
        "TableName": "Table",
        "Item": {"StateId": {"S": "facts"}, "epoch": {"N": "2"}},
        "ConditionExpression": "#n0 = :v0 AND attribute_not_exists(#n1)",
        "ExpressionAttributeNames": {"#n0": "epoch", "#n1": "phase"},
        "ExpressionAttributeValues": {":v0": {"N": "1"}},
    }


def test_nothing_to_append_asks_nothing() -> None:
    client = Client()
    assert store_on(client).append(context=CONTEXT) == []
    assert client.requests == []


def test_an_item_has_no_attribute_without_a_value() -> None:
    """An index takes no NULL for a key, and DynamoDB refuses the item."""
    message = parse(an_envelope("LockReleased", stream_version=1, correlation_id=None))
    item = to_item(message)
    assert {"correlation_id", "causation_id"}.isdisjoint(item)
    plain = {name: next(iter(value.values())) for name, value in item.items()}
    numbers = {name: int(plain[name]) for name in ("schema_version", "stream_version")}
    assert from_item(plain | numbers) == message


def always_conflicting() -> None:
    raise ConcurrencyConflict("faster")


def test_the_waits_between_decisions_double_up_to_a_second() -> None:
    naps: list[float] = []
    with pytest.raises(ConcurrencyConflict):
        retry_on_conflict(always_conflicting, sleep=naps.append, jitter=float)
    assert naps == [0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]


def test_each_wait_is_drawn_from_nothing_to_the_longest() -> None:
    """Writers that lost together would otherwise meet again together."""
    naps: list[float] = []
    with pytest.raises(ConcurrencyConflict):
        retry_on_conflict(always_conflicting, sleep=naps.append)
    longest = [0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
    assert all(0 <= nap <= most for nap, most in zip(naps, longest, strict=True))
    assert len(set(naps)) > 1


def test_an_event_is_of_its_own_batch_and_otherwise_of_its_cause() -> None:
    """A single append of the lock may speak of two batches."""
    of_another = MessageContext(source="test", correlation_id="76a5b4e1d0c9a2f3")
    released = parse(an_envelope("LockReleased")).data
    completed, freed = store_on(Client()).append(
        StreamAppend("batch/a", 0, [EVENT, released]), context=of_another
    )
    assert completed.correlation_id == EVENT.batch_id
    assert freed.correlation_id == "76a5b4e1d0c9a2f3"
