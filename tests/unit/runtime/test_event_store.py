"""The event store suite against the double and against DynamoDB (moto), and what AWS may answer."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from contracts.clock import new_event_id, system_clock
from contracts.errors import ConcurrencyConflict, Transient
from services.runtime.event_store import DynamoDBEventStore, InMemoryEventStore, retry_on_conflict
from tests.contract.event_store_suite import (
    EVENTS,
    TABLES,
    EventStoreBehaviour,
    RaceBehaviour,
    append,
    create_tables,
    ticking_clock,
)
from tests.support.moto_account import moto_account


class TestInMemoryEventStore(EventStoreBehaviour, RaceBehaviour):
    @pytest.fixture
    def store(self) -> InMemoryEventStore:
        return InMemoryEventStore(ticking_clock(), new_event_id, TABLES)


class OneRequestAtATime:
    """A client whose calls never overlap: moto's DynamoDB itself is not safe under threads."""

    def __init__(self, client: Any) -> None:
        self._client, self._turn = client, threading.Lock()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)

        def in_turn(**request: Any) -> Any:
            with self._turn:
                return call(**request)

        return in_turn

    def get_paginator(self, operation: str) -> "OneRequestAtATime":
        """A paginator that reads all its pages in one turn."""
        pages = self._client.get_paginator(operation)

        class Paginator:
            def paginate(self, **request: Any) -> list[Any]:
                return list(pages.paginate(**request))

        return OneRequestAtATime(Paginator())


@pytest.mark.medium
class TestDynamoDBEventStore(EventStoreBehaviour, RaceBehaviour):
    @pytest.fixture
    def store(self) -> Iterator[DynamoDBEventStore]:
        with moto_account():
            dynamodb = boto3.client("dynamodb", region_name="us-east-1")
            create_tables(dynamodb)
            yield DynamoDBEventStore(
                OneRequestAtATime(dynamodb), EVENTS, ticking_clock(), new_event_id
            )

    @pytest.mark.slow
    def test_of_16_writers_at_one_version_exactly_one_wins_every_round(self, store: Any) -> None:
        super().test_of_16_writers_at_one_version_exactly_one_wins_every_round(store)


def refusal(code: str, *reasons: str) -> ClientError:
    """What botocore raises for an error code, with a transaction's cancellation reasons."""
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(answer, "TransactWriteItems")


class FakeDynamoDB:
    """Answers each transaction with the next of `outcomes`, the last one for ever."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes = list(outcomes)
        self.tokens: list[str] = []

    def transact_write_items(self, **request: Any) -> None:
        self.tokens.append(request["ClientRequestToken"])
        outcome = self._outcomes[min(len(self.tokens), len(self._outcomes)) - 1]
        if outcome:
            raise outcome

    def get_item(self, **_request: Any) -> None:
        raise self._outcomes[0] or AssertionError("no outcome")


def store_on(dynamodb: FakeDynamoDB) -> DynamoDBEventStore:
    return DynamoDBEventStore(dynamodb, EVENTS, system_clock, new_event_id)


CONFLICT = refusal("TransactionCanceledException", "None", "TransactionConflict")


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which are not slept."""
    taken: list[float] = []
    monkeypatch.setattr("time.sleep", taken.append)
    return taken


def test_a_transaction_that_met_another_is_tried_again_as_the_same_request(
    naps: list[float],
) -> None:
    dynamodb = FakeDynamoDB(CONFLICT, CONFLICT, None)
    append(store_on(dynamodb))
    assert len(dynamodb.tokens) == 3
    assert len(set(dynamodb.tokens)) == 1
    assert len(naps) == 2


def test_a_transaction_that_never_gets_through_is_a_conflict(naps: list[float]) -> None:
    dynamodb = FakeDynamoDB(CONFLICT)
    with pytest.raises(ConcurrencyConflict, match="at work"):
        append(store_on(dynamodb))
    assert 1 < len(dynamodb.tokens) < 20
    assert max(naps) <= 0.5


@pytest.mark.usefixtures("naps")
def test_a_lost_race_is_not_tried_again_by_the_store() -> None:
    dynamodb = FakeDynamoDB(
        refusal("TransactionCanceledException", "TransactionConflict", "ConditionalCheckFailed")
    )
    with pytest.raises(ConcurrencyConflict, match="faster"):
        append(store_on(dynamodb))
    assert len(dynamodb.tokens) == 1


@pytest.mark.parametrize(
    "fault",
    [
        refusal("ProvisionedThroughputExceededException"),
        refusal("ThrottlingException"),
        refusal("RequestLimitExceeded"),
        refusal("InternalServerError"),
        refusal("TransactionInProgressException"),
        refusal("TransactionCanceledException", "None", "ThrottlingError"),
        refusal("TransactionCanceledException", "ProvisionedThroughputExceeded"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ],
    ids=lambda fault: str(fault)[:90],
)
def test_throttling_and_absence_are_transient(fault: Exception) -> None:
    with pytest.raises(Transient):
        append(store_on(FakeDynamoDB(fault)))


def test_a_throttled_read_is_transient() -> None:
    with pytest.raises(Transient):
        store_on(FakeDynamoDB(refusal("ThrottlingException"))).get_item("t", {"k": "1"})


def test_a_fault_of_ours_is_not_dressed_up_as_one_to_retry() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        append(store_on(FakeDynamoDB(refusal("AccessDeniedException"))))


def losing(times: int, error: Exception) -> Callable[[], int]:
    """A step that loses the race so many times, then tells how often it ran."""
    runs = 0

    def attempt_once() -> int:
        nonlocal runs
        runs += 1
        if runs <= times:
            raise error
        return runs

    return attempt_once


def test_a_lost_race_is_decided_again() -> None:
    naps: list[float] = []
    conflict = ConcurrencyConflict("faster")
    assert retry_on_conflict(losing(3, conflict), sleep=naps.append, jitter=float) == 4
    assert naps == [0.04, 0.08, 0.16]


def test_a_race_lost_too_often_travels_on() -> None:
    naps: list[float] = []
    with pytest.raises(ConcurrencyConflict):
        retry_on_conflict(losing(8, ConcurrencyConflict("faster")), sleep=naps.append)
    assert len(naps) == 7
    assert max(naps) <= 1.0


def test_only_conflicts_are_decided_again() -> None:
    with pytest.raises(Transient):
        retry_on_conflict(losing(1, Transient("throttled")), sleep=lambda _: None)
