"""Batches that a crash interrupted are found by their executions and waited for until closed."""

from collections.abc import Callable
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from contracts.identities import execution_name
from infra.local import interrupted
from infra.local.interrupted import CLOSED_SECONDS, await_closed
from tests.unit.infra.tables import create_table, put_items

MACHINE = "arn:aws:states:us-east-1:000000000000:execution:ecsJob"
TABLE = "AggregatorState"


def a_batch(number: int) -> str:
    return f"{number:016x}"


def an_execution(number: int, attempt: int = 0) -> str:
    return f"{MACHINE}:{execution_name(a_batch(number), attempt)}"


def rows(number: int, status: str, execution: str | None) -> list[dict[str, Any]]:
    """As the aggregator writes them; the number says the order of sealing."""
    batch_id = a_batch(number)
    row = {"batch_id": batch_id, "status": status, "execution_id": execution}
    found = [
        {"pk": f"batch#{batch_id}", "sk": "batch"} | row,
        {"pk": "batches", "sk": f"{number:08d}#{batch_id}"} | row,
    ]
    if execution:
        found.append({"pk": f"execution#{execution}", "sk": "batch", "batch_id": batch_id})
    return found


def put_many(dynamodb: Any, items: list[dict[str, Any]]) -> None:
    serialize = TypeSerializer().serialize
    puts = [
        {"PutRequest": {"Item": {name: serialize(value) for name, value in item.items()}}}
        for item in items
    ]
    for start in range(0, len(puts), 25):
        dynamodb.batch_write_item(RequestItems={TABLE: puts[start : start + 25]})


class Clock:
    """Time that passes only while somebody sleeps; `meanwhile` is what others do then."""

    def __init__(self, step_seconds: float, meanwhile: Callable[[int], None]) -> None:
        self.now, self.sleeps = 0.0, 0
        self._step_seconds, self._meanwhile = step_seconds, meanwhile

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += self._step_seconds
        self._meanwhile(self.sleeps)
        self.sleeps += 1


@pytest.fixture
def dynamodb(aws: Any) -> Any:
    client = aws("dynamodb")
    create_table(client, TABLE)
    return client


def nothing_happens(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(CLOSED_SECONDS, lambda _: None)
    monkeypatch.setattr(interrupted, "time", clock)
    return clock


def test_an_interrupted_batch_is_found_however_many_were_sealed_since(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_happens(monkeypatch)
    since = [row for number in range(1, 1002) for row in rows(number, "COMPLETED", None)[1:2]]
    put_many(dynamodb, [*rows(0, "RUNNING", an_execution(0)), *since])
    assert await_closed(dynamodb, [an_execution(0)]) == {a_batch(0): False}


@pytest.mark.parametrize("attempt", [0, 2])
def test_one_that_was_interrupted_before_its_start_was_recorded_is_found_by_its_name(
    dynamodb: Any, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_happens(monkeypatch)
    put_items(dynamodb, TABLE, rows(1, "SEALED", None))
    assert await_closed(dynamodb, [an_execution(1, attempt)]) == {a_batch(1): False}


def test_one_that_a_person_started_under_a_name_is_found(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_happens(monkeypatch)
    put_items(dynamodb, TABLE, rows(1, "FAILED", f"{MACHINE}:by-hand"))
    assert await_closed(dynamodb, [f"{MACHINE}:by-hand"]) == {a_batch(1): True}


def test_an_execution_that_found_nothing_to_do_is_waited_for_by_nobody(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = nothing_happens(monkeypatch)
    executions = [f"{MACHINE}:nothing-pending", an_execution(7)]
    assert await_closed(dynamodb, executions) == {}
    assert clock.sleeps == 0


def test_it_waits_as_long_as_one_batch_after_the_other_is_closed(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five times three quarters of what may pass without one."""
    put_many(
        dynamodb, [row for each in range(5) for row in rows(each, "RUNNING", an_execution(each))]
    )

    def close(number: int) -> None:
        put_items(dynamodb, TABLE, rows(number, "FAILED", an_execution(number)))

    monkeypatch.setattr(interrupted, "time", Clock(CLOSED_SECONDS * 0.75, close))
    closed = await_closed(dynamodb, [an_execution(each) for each in range(5)])
    assert closed == {a_batch(each): True for each in range(5)}


def test_those_that_nobody_closes_are_told_apart_from_those_that_are(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_many(
        dynamodb, [row for each in range(3) for row in rows(each, "RUNNING", an_execution(each))]
    )

    def close_the_first(_: int) -> None:
        put_items(dynamodb, TABLE, rows(0, "FAILED", an_execution(0)))

    monkeypatch.setattr(interrupted, "time", Clock(CLOSED_SECONDS * 0.75, close_the_first))
    closed = await_closed(dynamodb, [an_execution(each) for each in range(3)])
    assert closed == {a_batch(0): True, a_batch(1): False, a_batch(2): False}


def test_a_batch_of_a_stage_is_looked_for_in_that_stages_table(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_happens(monkeypatch)
    create_table(dynamodb, f"blue-{TABLE}")
    of_blue = an_execution(1).replace(":ecsJob:", ":blue-ecsJob:")
    serialize = TypeSerializer().serialize
    for item in rows(1, "FAILED", of_blue):
        dynamodb.put_item(
            TableName=f"blue-{TABLE}",
            Item={name: serialize(value) for name, value in item.items()},
        )
    put_many(dynamodb, rows(2, "RUNNING", an_execution(2)))
    found = await_closed(dynamodb, [of_blue, an_execution(2)])
    assert found == {a_batch(1): True, a_batch(2): False}


def test_the_sweep_of_every_stage_is_asked_for(aws: Any) -> None:
    events, sqs = aws("events"), aws("sqs")
    for prefix in ("", "blue-"):
        sqs.create_queue(QueueName=f"{prefix}aggregator-events")
        events.put_rule(Name=f"{prefix}aggregator-sweep", ScheduleExpression="rate(1 minute)")
        target = {
            "Id": "sweep",
            "Arn": f"arn:aws:sqs:us-east-1:123456789012:{prefix}aggregator-events",
            "Input": '{"sweep": "bucket"}',
        }
        events.put_targets(Rule=f"{prefix}aggregator-sweep", Targets=[target])
    events.put_rule(Name="lock-sweep", ScheduleExpression="rate(1 minute)")
    interrupted.ask_for_sweep(events, sqs)
    for prefix in ("", "blue-"):
        url = sqs.get_queue_url(QueueName=f"{prefix}aggregator-events")["QueueUrl"]
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == '{"sweep": "bucket", "after_restart": true}'
