"""The lock's own suite, and its clients' histories, against the real engine of DynamoDB."""

from typing import Any

import pytest

from contracts.clock import new_event_id
from services.runtime.event_store import DynamoDBEventStore
from tests.simulation import lock_clients
from tests.unit.lock.test_lock_messages import *  # noqa: F403 - every test of that module
from tests.unit.lock.test_lock_messages import LockHarness

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]


@pytest.fixture
def lock_tables(dynamodb_local: Any) -> Any:
    lock_clients.create_tables(dynamodb_local)
    return dynamodb_local


@pytest.fixture
def harness(lock_tables: Any) -> LockHarness:
    """In place of the one in memory.

    Its ids are real ones: DynamoDB remembers a transaction's token for ten minutes, and takes a
    second transaction under the same one for a repetition.
    """
    events = lock_clients.EVENTS
    return LockHarness(
        lambda clock, _: DynamoDBEventStore(lock_tables, events, clock, new_event_id)
    )


def test_the_real_lock_on_dynamodb_local_is_linearizable(lock_tables: Any) -> None:
    lock_clients.assert_rounds_are_linearizable(lock_tables)
