"""The lock at its edges: messages for no lock, tokens that change hands, and what it measures."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.envelope import MessageContext
from contracts.errors import Transient
from contracts.messages import AcquireLock, ExtendLease, RaiseFence
from services.lock import handler
from services.lock.adapters import StepFunctionsExecutions
from services.lock.domain import LOCK_ID, Lock
from services.lock.items import lock_from, lock_item, token_item, token_key
from services.runtime.event_store import PutItem
from services.runtime.fences import LEAP
from services.runtime.observability.metrics import Measure
from tests.support.doubles import Refusing, refused
from tests.unit.lock.test_lock_messages import (
    COMMANDS,
    EVENTS,
    STREAM,
    TABLE,
    LockHarness,
    batch_of,
)


@pytest.fixture
def harness() -> LockHarness:
    return LockHarness()


@pytest.mark.parametrize(
    "command",
    [
        AcquireLock(lock_id="other", execution_id="a", batch_id=batch_of("a"), attempt=0),
        ExtendLease(lock_id="other", execution_id="a", fence=1),
    ],
    ids=["AcquireLock", "ExtendLease"],
)
def test_a_command_for_another_lock_is_a_dead_letter_and_touches_nothing(
    harness: LockHarness, command: Any
) -> None:
    harness.acquire("a")
    before = harness.item()
    harness.now += timedelta(minutes=1)
    harness.send(command, token="t" if isinstance(command, AcquireLock) else None)
    [(queue, _, reason)] = harness.dead_letters.letters
    assert queue == COMMANDS
    assert "there is no lock 'other'" in reason
    assert harness.item() == before


def test_a_late_copy_of_an_earlier_attempt_is_taken_quietly(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b", attempt=1)
    harness.acquire("b", attempt=0)
    assert harness.answers.failed == {}
    assert harness.dead_letters.letters == []


def test_the_same_attempt_of_a_redriven_execution_is_answered_on_its_new_token(
    harness: LockHarness,
) -> None:
    """A redrive counts its attempts from 0 again, under the same execution id."""
    harness.acquire("a")
    harness.acquire("b")
    again = AcquireLock(lock_id=LOCK_ID, execution_id="b", batch_id=batch_of("b"), attempt=0)
    harness.send(again, token="redriven")
    harness.release("a", 1)
    assert "redriven" in harness.answers.succeeded
    assert "b-0" not in harness.answers.succeeded


def test_a_token_that_came_while_the_older_one_was_answered_is_still_owed(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.acquire("a")
    harness.acquire("b")
    succeed = harness.answers.succeed

    def meanwhile(token: str, answer: Mapping[str, Any]) -> bool:
        if token == "b-0":
            newer = token_item(LOCK_ID, "b", "b-1", 1)
            context = MessageContext("another instance")
            harness.store.append(context=context, writes=[PutItem(TABLE, newer)])
            return False
        return succeed(token, answer)

    monkeypatch.setattr(harness.answers, "succeed", meanwhile)
    harness.release("a", 1)
    assert harness.pending_grant() == ["b"]
    harness.sweep()
    assert harness.answers.succeeded["b-1"]["outcome"] == "GRANTED"


def test_a_newer_attempt_that_came_while_an_older_one_was_decided_keeps_its_token(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one looked for a token before the newer one was there."""
    harness.acquire("a")
    get_item = harness.store.get_item

    def overtaken(table: str, key: Mapping[str, Any]) -> Any:
        found = get_item(table, key)
        if key == token_key(LOCK_ID, "b"):
            monkeypatch.undo()
            harness.acquire("b", attempt=1)
        return found

    monkeypatch.setattr(harness.store, "get_item", overtaken)
    harness.acquire("b", attempt=0)
    harness.release("a", 1)
    assert "b-1" in harness.answers.succeeded
    assert "b-0" not in harness.answers.succeeded


def test_a_heartbeat_that_gains_no_time_is_no_event(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.heartbeat("a", 1)
    assert harness.said() == ["LockGranted"]


def sweep_metrics_of(harness: LockHarness, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What a sweep writes, by name."""
    written: list[tuple[str, Sequence[Measure], Mapping[str, str]]] = []
    monkeypatch.setattr(handler.metrics, "write", lambda *given: written.append(given))
    harness.sweep()
    [(service, measures, properties)] = written
    assert service
    assert properties == {}
    return {measure.metric.name: measure.value for measure in measures}


def test_a_sweep_measures_for_how_long_the_lock_is_held_and_how_many_wait(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sweep_metrics_of(harness, monkeypatch) == {"LOCK_HELD": 0.0, "LOCK_WAITERS": 0}
    for name in "abc":
        harness.acquire(name)
    assert sweep_metrics_of(harness, monkeypatch) == {"LOCK_HELD": 0.0, "LOCK_WAITERS": 2}
    harness.now += timedelta(seconds=61)
    assert sweep_metrics_of(harness, monkeypatch) == {"LOCK_HELD": 61.0, "LOCK_WAITERS": 2}


def test_a_clock_that_is_behind_measures_no_negative_time(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.acquire("a")
    harness.now = datetime(2025, 7, 7, 11, 59, tzinfo=UTC)
    assert sweep_metrics_of(harness, monkeypatch)["LOCK_HELD"] == 0.0


@pytest.mark.parametrize(
    "notice",
    [
        {"id": "n1", "detail-type": "Another Change", "detail": {"executionArn": "a"}},
        {"id": "n1", "detail-type": "Another Change", "detail": "text"},
        {
            "id": "n1",
            "detail-type": "Another Change",
            "detail": {"executionArn": "a", "status": "FAILED"},
        },
    ],
)
def test_a_notice_of_another_kind_is_a_dead_letter_and_recovers_nothing(
    harness: LockHarness, notice: dict[str, Any]
) -> None:
    harness.acquire("a")
    harness.service.handle(json.dumps(notice), EVENTS)
    [(queue, body, reason)] = harness.dead_letters.letters
    assert (queue, json.loads(body)) == (EVENTS, notice)
    assert "neither a sweep nor a Step Functions Execution Status Change" in reason
    assert harness.said() == ["LockGranted"]


class Described:
    """A Step Functions that knows one execution."""

    def __init__(self, status: str) -> None:
        self._status = status

    def describe_execution(self, executionArn: str) -> dict[str, str]:
        assert executionArn == "arn:a"
        return {"status": self._status}


def test_only_a_final_status_is_the_end_of_an_execution() -> None:
    assert StepFunctionsExecutions(Described("RUNNING")).ended("arn:a") is None
    assert StepFunctionsExecutions(Described("ABORTED")).ended("arn:a") == "ABORTED"
    unknown = StepFunctionsExecutions(Refusing(refused("ExecutionDoesNotExist")))
    assert unknown.ended("arn:a") == "UNKNOWN"
    with pytest.raises(Transient):
        StepFunctionsExecutions(Refusing(refused("ThrottlingException"))).ended("arn:a")


def test_the_function_hands_each_record_to_the_service(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "on_aws", lambda: harness.service)
    harness.acquire("a")
    harness.executions.over["a"] = "FAILED"
    record = {"messageId": "m1", "eventSourceARN": f"arn:{EVENTS}", "body": '{"sweep": "%s"}'}
    record["body"] %= LOCK_ID
    assert handler.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert harness.item()["currentlockcount"] == 0


def test_an_item_tells_of_the_lock_that_is_asked_for() -> None:
    assert lock_from(None, "another").lock_id == "another"
    held = lock_item(Lock(lock_id="another", version=4))
    assert lock_from(held, "another") == Lock(lock_id="another", version=4)
    del held["highest_fence"]
    assert lock_from(held, "another").highest_fence == 0


def test_the_last_attempt_that_a_saga_may_make_gets_into_the_line(harness: LockHarness) -> None:
    harness.acquire("a", attempt=1_000)
    assert harness.answers.succeeded["a-1000"]["outcome"] == "GRANTED"


def ask(harness: LockHarness, seen: int) -> None:
    harness.send(RaiseFence(lock_id=LOCK_ID, seen_fence=seen, requested_by="dana", reason="why"))


def test_a_lock_without_a_past_is_raised_by_steps_too(harness: LockHarness) -> None:
    ask(harness, 1 + LEAP)
    assert harness.said() == []
    [(_, _, reason)] = harness.dead_letters.letters
    assert "too far above 0" in reason


@pytest.mark.parametrize(("remembered", "kept"), [(1, 0), (2, 1), (3, 1)])
def test_a_stream_that_ends_before_the_tables_memory_is_gone_on_with(
    remembered: int, kept: int
) -> None:
    """The event store was put back to an earlier time, by one event or by more."""
    fuller, restored = LockHarness(), LockHarness()
    for name in "abc"[:remembered]:
        fuller.acquire(name)
    for name in "abc"[:kept]:
        restored.acquire(name)
    write = PutItem(TABLE, fuller.item())
    restored.store.append(context=MessageContext("restore"), writes=[write])
    ask(restored, 1)
    assert restored.said()[-1] == "FenceRaised"
    assert restored.store.read(STREAM)[-1].data.fence == remembered


def test_a_stream_that_is_as_long_as_the_table_remembers_is_believed(harness: LockHarness) -> None:
    harness.acquire("a")
    ask(harness, 1)
    assert harness.said() == ["LockGranted"]


def test_the_events_queue_of_a_stage_is_known_as_one(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.executions.over["a"] = "FAILED"
    harness.service.handle(json.dumps({"sweep": LOCK_ID}), f"blue-{EVENTS}")
    assert harness.item()["currentlockcount"] == 0
    harness.service.handle("no json", f"blue-{EVENTS}")
    assert [queue for queue, *_ in harness.dead_letters.letters] == [f"blue-{EVENTS}"]
