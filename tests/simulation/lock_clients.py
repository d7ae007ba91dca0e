"""Many threads that take and give back the real lock on a DynamoDB, and what each of them saw."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message
from contracts.errors import ConcurrencyConflict, Transient
from contracts.messages import AcquireLock, ReleaseLock
from services.lock import use_cases as lock
from services.lock.domain import LOCK_ID
from services.runtime.event_store import DynamoDBEventStore
from tests.simulation.linearizability import Call, unexplained
from tests.support.commands import saga_command

EVENTS, LOCKS = "LockEvents", "ProcessingLockTable"
LEASE = timedelta(minutes=15)
PATIENCE_SECONDS = 600.0
ROUNDS = int(os.environ.get("LINEARIZABILITY_ROUNDS", "5"))
ROUNDS_ON_A_TABLE = 5
"""MiniStack answers a query by looking at every event that was ever written."""
CLIENTS = 32
CONNECTIONS = 64


class Answers:
    """Wakes whoever waits for a token; a token is answered once."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._given: dict[str, Mapping[str, Any]] = {}
        self._changed = threading.Condition()

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        with self._changed:
            if token in self._given:
                return False
            self._given[token] = dict(output)
            self._changed.notify_all()
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        return self.succeed(token, {"error": error, "cause": cause})

    def heartbeat(self, token: str) -> bool:
        return token not in self._given

    def wait_for(self, token: str) -> Mapping[str, Any]:
        """The answer; raises TimeoutError when none comes."""
        with self._changed:
            if not self._changed.wait_for(lambda: token in self._given, self._patience_seconds):
                raise TimeoutError(f"{token} was never answered")
            return self._given[token]


class LivingExecutions:
    """Every execution goes on."""

    def ended(self, _execution_id: str) -> str | None:
        return None


def create_tables(client: Any) -> None:
    """The lock's stream and its table, without anything in them."""
    for table in {EVENTS, LOCKS} & set(client.list_tables()["TableNames"]):
        client.delete_table(TableName=table)
    for table, keys in (
        (EVENTS, {"stream_id": "S", "stream_version": "N"}),
        (LOCKS, {"LockId": "S"}),
    ):
        client.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def assert_rounds_are_linearizable(client: Any, rounds: int = ROUNDS) -> None:
    """In each round every client is granted once, each under a fence of its own, in one order."""
    for number in range(rounds):
        if number % ROUNDS_ON_A_TABLE == 0:
            create_tables(client)
        history = record_history(on_dynamodb(client), number, clients=CLIENTS)
        granted = [call.fence for call in history if call.kind == "acquire"]
        assert len(granted) == CLIENTS
        assert len(set(granted)) == CLIENTS
        assert unexplained(history) == [], f"round {number}"


def on_dynamodb(client: Any) -> DynamoDBEventStore:
    """The real store on the tables of this suite."""
    return DynamoDBEventStore(client, EVENTS, system_clock, new_event_id)


def record_history(
    store: lock.Store, round_number: int, clients: int, patience_seconds: float = PATIENCE_SECONDS
) -> list[Call]:
    """Each client acquires and releases; every second one also releases wrongly and twice."""
    answers = Answers(patience_seconds)
    ports = lock.Ports(
        store=store,
        answers=answers,
        executions=LivingExecutions(),
        clock=system_clock,
        table=LOCKS,
        lease=LEASE,
    )
    with ThreadPoolExecutor(clients) as threads:
        seen = threads.map(
            lambda number: _one_client(
                f"execution-{round_number}-{number}", ports, answers, number
            ),
            range(clients),
        )
        return [call for calls in seen for call in calls]


def _one_client(client: str, ports: lock.Ports, answers: Answers, number: int) -> list[Call]:
    token = f"token-{client}"
    batch_id = f"{number:016x}"
    acquire = AcquireLock(lock_id=LOCK_ID, execution_id=client, batch_id=batch_id, attempt=0)
    begun = time.monotonic()
    _deliver(lambda: lock.acquire_lock(_sent(acquire, batch_id, token), ports))
    answer = answers.wait_for(token)
    fence = answer["fence"]
    calls = [Call(client, "acquire", begun, time.monotonic(), fence)]
    if number % 2:
        stale = ReleaseLock(lock_id=LOCK_ID, execution_id=client, fence=fence + 1, attempt=0)
        calls.append(_release(client, stale, batch_id, ports))
    release = ReleaseLock(lock_id=LOCK_ID, execution_id=client, fence=fence, attempt=0)
    calls.append(_release(client, release, batch_id, ports))
    if number % 2:
        calls.append(_release(client, release, batch_id, ports))
    return calls


def _release(client: str, command: ReleaseLock, batch_id: str, ports: lock.Ports) -> Call:
    begun = time.monotonic()
    outcomes: list[str] = []
    _deliver(
        lambda: outcomes.append(lock.release_lock(_sent(command, batch_id, None), ports)["outcome"])
    )
    held = outcomes[0] == "RELEASED"
    return Call(client, "release", begun, time.monotonic(), command.fence, held)


def _deliver(handle: Any) -> None:
    """As SQS and the saga do: a call that met too much traffic comes again."""
    while True:
        try:
            handle()
        except (ConcurrencyConflict, Transient):
            continue
        return


def _sent(command: Any, batch_id: str, token: str | None) -> Message:
    return saga_command(command, new_event_id(), to_rfc3339(system_clock()), batch_id, token)
