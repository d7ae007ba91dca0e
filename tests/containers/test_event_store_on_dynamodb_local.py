"""The event store suite against the real engine of DynamoDB, and the one fault it never shows."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.clock import new_event_id
from services.runtime.event_store import DynamoDBEventStore, StreamAppend
from tests.contract.builders import a_start
from tests.contract.event_store_suite import (
    CONTEXT,
    EVENTS,
    STREAM,
    TABLES,
    EventStoreBehaviour,
    RaceBehaviour,
    create_tables,
    ticking_clock,
)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


class InTransit:
    """A client whose first transactions meet another in flight, as DynamoDB Local never says."""

    def __init__(self, client: Any, conflicts: int) -> None:
        self._client, self.conflicts_left = client, conflicts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        if self.conflicts_left:
            self.conflicts_left -= 1
            reasons = [{"Code": "TransactionConflict"} for _ in request["TransactItems"]]
            raise ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
                    "CancellationReasons": reasons,  # type: ignore[typeddict-unknown-key]
                },
                "TransactWriteItems",
            )
        return self._client.transact_write_items(**request)


class TestDynamoDBEventStoreOnDynamoDBLocal(EventStoreBehaviour, RaceBehaviour):
    @pytest.fixture
    def store(self, dynamodb_local: Any) -> Iterator[DynamoDBEventStore]:
        create_tables(dynamodb_local)
        yield DynamoDBEventStore(dynamodb_local, EVENTS, ticking_clock(), new_event_id)
        for table in (EVENTS, *TABLES):
            dynamodb_local.delete_table(TableName=table)

    @pytest.mark.usefixtures("store")
    def test_a_transaction_that_met_another_in_flight_is_written_once(
        self, dynamodb_local: Any
    ) -> None:
        client = InTransit(dynamodb_local, conflicts=2)
        store = DynamoDBEventStore(client, EVENTS, ticking_clock(), new_event_id)
        written = store.append(StreamAppend(STREAM, 0, [a_start()]), context=CONTEXT)
        assert client.conflicts_left == 0
        assert store.read(STREAM) == written
