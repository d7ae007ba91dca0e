"""The lock as its queues see it: who is answered, what is stored, and what a crash leaves."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from contracts.clock import Clock, NewId, to_rfc3339
from contracts.envelope import Message, MessageContext
from contracts.errors import Transient
from contracts.messages import AcquireLock, BreakLock, ExtendLease, ReleaseLock
from services.lock import use_cases
from services.lock.domain import LOCK_ID, Lock
from services.lock.handler import LockService, lock_service
from services.lock.items import lock_from
from services.lock.use_cases import Ports
from services.runtime.event_store import InMemoryEventStore, PutItem
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from tests.support.commands import saga_command
from tests.support.doubles import RecordedDeadLetters

TABLE = "ProcessingLockTable"
STREAM = f"lock/{LOCK_ID}"
COMMANDS, EVENTS = "lock-commands", "lock-events"


@dataclass
class KnownExecutions:
    """Executions run until they are said to be over."""

    over: dict[str, str] = field(default_factory=dict)
    unreachable: bool = False

    def ended(self, execution_id: str) -> str | None:
        if self.unreachable:
            raise Transient("Step Functions is away")
        return self.over.get(execution_id)


StoreOn = Callable[[Clock, NewId], Any]


def in_memory(clock: Clock, new_id: NewId) -> InMemoryEventStore:
    return InMemoryEventStore(clock, new_id, {TABLE: ("LockId",)})


class LockHarness:
    """The service on doubles, with a clock that stands still until it is moved."""

    def __init__(self, store_on: StoreOn = in_memory) -> None:
        self.now = datetime(2025, 7, 7, 12, tzinfo=UTC)
        self.ids = (str(UUID(int=number)) for number in count(1))
        self.store = store_on(lambda: self.now, lambda: next(self.ids))
        self.answers = InMemoryTaskCallbacks()
        self.executions = KnownExecutions()
        self.dead_letters = RecordedDeadLetters()
        self.service = self.restarted()

    def restarted(self) -> LockService:
        ports = Ports(
            store=self.store,
            answers=self.answers,
            executions=self.executions,
            clock=lambda: self.now,
            table=TABLE,
            lease=timedelta(seconds=900),
        )
        return lock_service(ports, self.dead_letters)

    def send(self, command: BaseModel, token: str | None = None) -> None:
        message = saga_command(command, next(self.ids), to_rfc3339(self.now), token=token)
        self.service.handle(message.to_json(), COMMANDS)

    def acquire(self, name: str, attempt: int = 0) -> None:
        command = AcquireLock(
            lock_id=LOCK_ID, execution_id=name, batch_id=batch_of(name), attempt=attempt
        )
        self.send(command, token=f"{name}-{attempt}")

    def release(self, name: str, fence: int, answer_on: str = "release") -> Any:
        command = ReleaseLock(lock_id=LOCK_ID, execution_id=name, fence=fence, attempt=0)
        self.send(command, token=answer_on)
        return self.answers.succeeded.get(answer_on)

    def heartbeat(self, name: str, fence: int) -> None:
        self.send(ExtendLease(lock_id=LOCK_ID, execution_id=name, fence=fence))

    def break_it(self, fence: int, lock_id: str = LOCK_ID) -> None:
        self.send(
            BreakLock(lock_id=lock_id, fence=fence, requested_by="dana@host", reason="it hangs")
        )

    def status(self, name: str, status: str) -> None:
        notice = {
            "id": next(self.ids),
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {"executionArn": name, "status": status},
        }
        self.service.handle(json.dumps(notice), EVENTS)

    def wait_a_minute(self) -> None:
        """The holder, if any, is alive: its heartbeat comes."""
        self.now += timedelta(seconds=60)
        holder = self.item().get("execution_metadata") or {}
        if holder.get("execution_id"):
            self.heartbeat(holder["execution_id"], holder["fence"])

    def sweep(self) -> None:
        self.service.handle(json.dumps({"sweep": LOCK_ID}), EVENTS)

    def item(self) -> dict[str, Any]:
        found = self.store.get_item(TABLE, {"LockId": LOCK_ID})
        assert found is not None
        return found

    def pending_grant(self) -> list[str]:
        prefix = f"{LOCK_ID}/token/"
        return sorted(
            item["LockId"].removeprefix(prefix)
            for item in self.store.scan(TABLE)
            if item["LockId"].startswith(prefix)
        )

    def said(self) -> list[str]:
        return [message.event_type for message in self.store.read(STREAM)]


def batch_of(name: str) -> str:
    return name.encode().hex().ljust(16, "0")[:16]


@pytest.fixture
def harness() -> LockHarness:
    return LockHarness()


def granted(fence: int, lease_until: str = "2025-07-07T12:15:00.000Z") -> dict[str, Any]:
    return {"outcome": "GRANTED", "fence": fence, "lease_until": lease_until}


@contextmanager
def falling_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> Iterator[None]:
    """The function crashes as it calls this, with its change stored and nobody told."""

    def crash(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(owner, name, crash)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_a_free_lock_is_answered_at_once_and_the_item_names_the_holder(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    assert harness.answers.succeeded == {"a-0": granted(1)}
    assert harness.item() == {
        "LockId": "ecommerce-pipeline-lock",
        "currentlockcount": 1,
        "execution_metadata": {
            "execution_id": "a",
            "batch_id": batch_of("a"),
            "fence": 1,
            "granted_at": "2025-07-07T12:00:00.000Z",
            "lease_until": "2025-07-07T12:15:00.000Z",
        },
        "stream_version": 1,
        "highest_fence": 1,
        "waiting": 0,
        "waiters": [],
    }
    assert harness.pending_grant() == []


def test_waiters_are_answered_one_by_one_as_the_lock_is_released(harness: LockHarness) -> None:
    for name in "abc":
        harness.acquire(name)
    assert list(harness.answers.succeeded) == ["a-0"]
    assert harness.pending_grant() == ["b", "c"]
    assert harness.release("a", 1, answer_on="r1") == {"outcome": "RELEASED"}
    assert harness.answers.succeeded["b-0"] == granted(5)
    assert harness.item()["waiting"] == 1
    assert harness.release("b", 5, answer_on="r2") == {"outcome": "RELEASED"}
    assert harness.answers.succeeded["c-0"] == granted(7)
    assert harness.pending_grant() == []


def test_a_released_lock_stays_in_the_table(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.release("a", 1)
    assert harness.item()["currentlockcount"] == 0
    assert harness.item()["execution_metadata"] == {}


def test_a_second_release_is_told_that_nothing_is_held(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.release("a", 1, answer_on="r1")
    assert harness.release("a", 1, answer_on="r2") == {"outcome": "NOT_HELD"}
    assert harness.said() == ["LockGranted", "LockReleased"]


def test_a_token_is_never_in_an_event(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    events = " ".join(message.to_json() for message in harness.store.read(STREAM))
    assert '"a-0"' not in events
    assert '"b-0"' not in events


def test_the_holder_that_asks_again_is_answered_with_the_same_fence(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.now += timedelta(seconds=60)
    harness.acquire("a", attempt=1)
    assert harness.answers.succeeded["a-1"] == granted(1, "2025-07-07T12:16:00.000Z")


def test_a_waiter_that_asks_again_is_answered_on_its_newest_token(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.acquire("b", attempt=1)
    harness.acquire("b", attempt=0)
    harness.release("a", 1)
    assert "b-1" in harness.answers.succeeded
    assert "b-0" not in harness.answers.succeeded


def test_a_heartbeat_of_the_holder_moves_the_lease_and_a_strangers_does_not(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    harness.now += timedelta(seconds=100)
    harness.heartbeat("b", 1)
    harness.heartbeat("a", 2)
    assert harness.item()["execution_metadata"]["lease_until"] == "2025-07-07T12:15:00.000Z"
    harness.heartbeat("a", 1)
    assert harness.item()["execution_metadata"]["lease_until"] == "2025-07-07T12:16:40.000Z"


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"])
def test_a_holder_whose_execution_ended_is_recovered(harness: LockHarness, status: str) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.status("a", status)
    assert harness.answers.succeeded["b-0"] == granted(4)


def test_a_holder_that_starts_running_is_left_alone(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.status("a", "RUNNING")
    assert harness.said() == ["LockGranted"]


def test_a_waiter_whose_execution_ended_leaves_the_line_and_its_token_goes(
    harness: LockHarness,
) -> None:
    for name in "abc":
        harness.acquire(name)
    harness.status("b", "ABORTED")
    assert harness.pending_grant() == ["c"]
    harness.release("a", 1)
    assert "c-0" in harness.answers.succeeded


def test_status_event_sweeper_and_expired_lease_together_recover_once(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.executions.over["a"] = "FAILED"
    harness.now += timedelta(seconds=5000)
    harness.sweep()
    harness.status("a", "FAILED")
    harness.sweep()
    assert harness.said().count("LockRecovered") == 1
    assert harness.item()["execution_metadata"]["execution_id"] == "b"


def test_the_sweeper_takes_the_lock_from_an_ended_execution_before_its_lease_is_over(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    harness.executions.over["a"] = "TIMED_OUT"
    harness.sweep()
    assert harness.item()["currentlockcount"] == 0


def test_the_sweeper_takes_an_expired_lease_from_a_running_execution(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.now += timedelta(seconds=900)
    harness.sweep()
    recovered = harness.store.read(STREAM)[2].data
    assert recovered.reason == "LEASE_EXPIRED"
    assert harness.answers.succeeded["b-0"]["fence"] == 4


def test_a_holder_whose_answer_was_late_for_a_whole_lease_is_told_with_a_new_one(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot extend a lease that it does not know of, and nobody else would answer it."""
    harness.acquire("a")
    harness.acquire("b")
    with falling_at(monkeypatch, harness.answers, "succeed"):
        harness.release("a", 1)
    harness.now += timedelta(seconds=1000)
    harness.sweep()
    assert harness.said()[-2:] == ["LockGranted", "LeaseExtended"]
    assert harness.answers.succeeded["b-0"]["lease_until"] > to_rfc3339(harness.now)
    assert harness.pending_grant() == []


def test_the_sweeper_leaves_the_lock_when_nobody_can_say_whether_the_execution_lives(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    harness.now += timedelta(seconds=900)
    harness.executions.unreachable = True
    with pytest.raises(Transient):
        harness.sweep()
    assert harness.said() == ["LockGranted"]


def test_a_new_holder_whose_task_and_execution_are_gone_is_passed_over(
    harness: LockHarness,
) -> None:
    for name in "abc":
        harness.acquire(name)
    harness.answers.gone.add("b-0")
    harness.executions.over["b"] = "ABORTED"
    harness.release("a", 1)
    assert harness.item()["execution_metadata"]["execution_id"] == "c"
    assert (
        harness.answers.succeeded["c-0"]["fence"] == harness.item()["execution_metadata"]["fence"]
    )


def test_a_holder_whose_task_is_gone_but_runs_keeps_the_lock_and_may_ask_again(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.answers.gone.add("b-0")
    harness.release("a", 1)
    assert harness.pending_grant() == []
    harness.acquire("b", attempt=1)
    assert harness.answers.succeeded["b-1"]["fence"] == 4


def test_an_answer_lost_in_a_crash_is_paid_by_the_next_sweep(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.acquire("a")
    harness.acquire("b")
    with falling_at(monkeypatch, harness.answers, "succeed"):
        harness.release("a", 1)
    assert harness.pending_grant() == ["b"]
    harness.sweep()
    assert harness.answers.succeeded["b-0"] == granted(4)


def test_an_answer_given_just_before_a_crash_does_not_cost_its_holder_the_lock(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_at(monkeypatch, use_cases, "_forget_token"):
        harness.acquire("a")
    assert harness.pending_grant() == ["a"]
    harness.sweep()
    assert harness.pending_grant() == []
    assert harness.item()["execution_metadata"]["execution_id"] == "a"


def test_the_snapshot_in_the_table_equals_the_fold_of_the_whole_stream(
    harness: LockHarness,
) -> None:
    for name in "abcd":
        harness.acquire(name)
    harness.heartbeat("a", 1)
    harness.status("c", "FAILED")
    harness.release("a", 1)
    snapshot = lock_from(harness.item(), LOCK_ID)
    assert snapshot == Lock().replay(harness.store.read(STREAM))
    assert snapshot.version == len(harness.store.read(STREAM))


def test_only_events_after_the_snapshot_are_read(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        harness.acquire(name)
    read = harness.store.read
    asked: list[int] = []

    def reading(stream_id: str, after_version: int = 0) -> list[Message]:
        asked.append(after_version)
        return read(stream_id, after_version)

    monkeypatch.setattr(harness.store, "read", reading)
    harness.release("a", 1)
    assert min(asked) == 3


def test_an_item_put_back_by_hand_is_corrected_from_the_stream(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    by_hand = {"LockId": LOCK_ID, "currentlockcount": 0, "execution_metadata": {}}
    harness.store.append(context=MessageContext("by-hand"), writes=[PutItem(TABLE, by_hand)])
    harness.acquire("c")
    assert harness.item()["currentlockcount"] == 1
    assert [waiter["execution_id"] for waiter in harness.item()["waiters"]] == ["b", "c"]


@pytest.mark.medium
def test_a_sweep_of_many_dead_waiters_fits_into_one_transaction(harness: LockHarness) -> None:
    names = [f"execution-{number:03d}" for number in range(120)]
    for name in names:
        harness.acquire(name)
    harness.executions.over = dict.fromkeys(names[:100], "ABORTED")
    writes: list[int] = []
    append = harness.store.append

    def counting(*appends: Any, **kwargs: Any) -> list[Message]:
        writes.append(sum(len(a.events) + 1 for a in appends) + len(kwargs.get("writes", ())))
        return append(*appends, **kwargs)

    harness.store.append = counting
    while harness.item()["execution_metadata"]["execution_id"] != names[100]:
        harness.sweep()
    assert max(writes) <= 100
    assert harness.answers.succeeded[f"{names[100]}-0"]["outcome"] == "GRANTED"


def test_a_broken_lock_goes_to_the_next_in_line_who_is_answered(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.break_it(1)
    recovered = harness.store.read(STREAM)[2]
    assert (recovered.data.reason, recovered.data.detail) == (
        "BROKEN",
        "broken by dana@host: it hangs",
    )
    assert recovered.correlation_id == batch_of("a")
    assert harness.answers.succeeded["b-0"] == granted(4)
    assert harness.pending_grant() == []


def test_the_old_holder_can_neither_release_nor_extend_what_was_taken_from_it(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.break_it(1)
    before = harness.item()
    harness.now += timedelta(seconds=60)
    harness.heartbeat("a", 1)
    assert harness.release("a", 1) == {"outcome": "NOT_HELD"}
    assert harness.item() == before


def test_an_old_holder_that_asks_again_waits_its_turn_under_a_new_fence(
    harness: LockHarness,
) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.break_it(1)
    harness.acquire("a", attempt=1)
    assert [waiter["execution_id"] for waiter in harness.item()["waiters"]] == ["a"]
    harness.release("b", 4)
    assert harness.answers.succeeded["a-1"]["fence"] > 4


def test_a_holder_that_was_not_answered_yet_is_told_before_the_lock_is_broken(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_at(monkeypatch, harness.answers, "succeed"):
        harness.acquire("a")
    assert harness.pending_grant() == ["a"]
    harness.break_it(1)
    assert harness.answers.succeeded["a-0"] == granted(1)
    assert harness.pending_grant() == []
    assert harness.item()["currentlockcount"] == 0


def test_a_lock_is_not_broken_while_its_holder_cannot_be_told(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_at(monkeypatch, harness.answers, "succeed"):
        harness.acquire("a")
    monkeypatch.setattr(use_cases, "deliver_pending_grant", lambda *_: None)
    with pytest.raises(Transient, match="not told yet"):
        harness.break_it(1)
    assert harness.pending_grant() == ["a"]
    assert harness.item()["execution_metadata"]["execution_id"] == "a"


def test_a_break_that_comes_twice_or_late_takes_the_lock_from_nobody_else(
    harness: LockHarness,
) -> None:
    for name in "abc":
        harness.acquire(name)
    harness.break_it(1)
    harness.break_it(1)
    assert harness.said().count("LockRecovered") == 1
    assert harness.item()["execution_metadata"]["execution_id"] == "b"


def test_a_free_lock_is_not_broken_and_the_log_says_so(
    harness: LockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(
        "services.lock.use_cases.logger.warning",
        lambda line, *values: lines.append(line % values),
    )
    harness.break_it(1)
    assert harness.said() == []
    assert lines == [
        "ecommerce-pipeline-lock is not broken, for nobody holds it under fence 1, "
        "asked for by dana@host: it hangs"
    ]


def test_a_break_of_a_lock_that_is_not_there_is_kept_with_the_reason(harness: LockHarness) -> None:
    harness.break_it(1, lock_id="other")
    [(queue, _, reason)] = harness.dead_letters.letters
    assert queue == COMMANDS
    assert "'other'" in reason


def test_an_acquire_that_nobody_waits_for_changes_nothing(harness: LockHarness) -> None:
    command = AcquireLock(lock_id=LOCK_ID, execution_id="a", batch_id=batch_of("a"), attempt=0)
    harness.send(command)
    [(_, _, reason)] = harness.dead_letters.letters
    assert "carries no task token" in reason
    assert harness.said() == []


@pytest.mark.parametrize(
    ("execution_id", "attempt"),
    [("x" * 257, 0), ("a\nb", 0), ("a", 1_001), ("a", 10**15)],
    ids=["too long to ask about", "not printable", "no saga", "no saga at all"],
)
def test_an_applicant_that_no_saga_is_never_gets_into_the_line(
    harness: LockHarness, execution_id: str, attempt: int
) -> None:
    command = AcquireLock(
        lock_id=LOCK_ID, execution_id=execution_id, batch_id=batch_of("a"), attempt=attempt
    )
    harness.send(command, token="t")
    [(queue, _, reason)] = harness.dead_letters.letters
    assert queue == COMMANDS
    assert reason
    assert harness.answers.failed["t"][0] == "ContractViolation"
    assert harness.said() == []


def test_a_sweep_of_another_lock_is_a_dead_letter_at_once(harness: LockHarness) -> None:
    body = json.dumps({"sweep": "other"})
    harness.service.handle(body, EVENTS)
    [(queue, kept, reason)] = harness.dead_letters.letters
    assert (queue, kept) == (EVENTS, body)
    assert "'other'" in reason


def test_a_command_for_another_lock_fails_its_task(harness: LockHarness) -> None:
    command = ReleaseLock(lock_id="other", execution_id="a", fence=1, attempt=0)
    harness.send(command, token="t")
    assert harness.answers.failed["t"][0] == "ContractViolation"
    assert "'other'" in harness.answers.failed["t"][1]


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[]",
        '{"detail-type": "Something Else"}',
        '{"sweep": 1}',
        '{"sweep": "other"}',
        '{"detail-type": "Step Functions Execution Status Change", "id": "1", "detail": '
        '{"executionArn": {"a": 1}, "status": "FAILED"}}',
        '{"detail-type": "Step Functions Execution Status Change", "detail": '
        '{"executionArn": "a", "status": "FAILED"}}',
        '{"detail-type": "Step Functions Execution Status Change"}',
    ],
)
def test_an_unreadable_notice_goes_to_the_dead_letters(harness: LockHarness, body: str) -> None:
    harness.service.handle(body, EVENTS)
    [(queue, kept, reason)] = harness.dead_letters.letters
    assert (queue, kept) == (EVENTS, body)
    assert reason


def test_every_change_belongs_to_the_batch_that_it_is_about(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.status("a", "FAILED")
    correlations = {m.event_type: m.correlation_id for m in harness.store.read(STREAM)}
    assert correlations["LockQueued"] == batch_of("b")
    assert correlations["LockRecovered"] == batch_of("a")
