"""The event store suite against DynamoDB over HTTP: real requests, real pages, real races."""

from collections.abc import Iterator
from typing import Any

import pytest

from contracts.clock import new_event_id
from services.runtime.event_store import DynamoDBEventStore
from tests.contract.event_store_suite import (
    EVENTS,
    TABLES,
    EventStoreBehaviour,
    RaceBehaviour,
    create_tables,
    ticking_clock,
)


class TestDynamoDBEventStoreOnMiniStack(EventStoreBehaviour, RaceBehaviour):
    @pytest.fixture
    def store(self, ministack_dynamodb: Any) -> Iterator[DynamoDBEventStore]:
        create_tables(ministack_dynamodb)
        yield DynamoDBEventStore(ministack_dynamodb, EVENTS, ticking_clock(), new_event_id)
        for table in (EVENTS, *TABLES):
            ministack_dynamodb.delete_table(TableName=table)
