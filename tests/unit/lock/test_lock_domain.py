"""What the lock decides, as events; and that no order of happenings breaks its promises."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.clock import to_rfc3339
from contracts.messages import LeaseExtended, LockGranted, LockQueued, LockRecovered, WaiterSkipped
from services.lock.domain import Lock, LockEvent, Terms, Waiter
from services.lock.items import lock_from, lock_item
from tests.support.examples import examples

NOON = datetime(2025, 7, 7, 12, tzinfo=UTC)
LEASE = timedelta(seconds=900)


def terms(after_seconds: int = 0) -> Terms:
    return Terms(NOON + timedelta(seconds=after_seconds), LEASE)


def an_applicant(name: str) -> Waiter:
    return Waiter(execution_id=f"execution:{name}", batch_id=f"{ord(name[0]):016x}")


def a_lock(*line: str) -> Lock:
    """The lock after these acquired it, one after the other at noon."""
    lock = Lock()
    for name in line:
        lock = lock.evolve(lock.acquire(an_applicant(name), terms()), NOON)
    return lock


def kinds(events: tuple[LockEvent, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


def fence_of(lock: Lock) -> int:
    assert lock.holder is not None
    return lock.holder.fence


def test_a_free_lock_is_granted_for_a_lease_with_the_stream_version_as_fence() -> None:
    (granted,) = Lock(version=41).acquire(an_applicant("a"), terms())
    assert isinstance(granted, LockGranted)
    assert granted.fence == 42
    assert granted.lease_until == "2025-07-07T12:15:00.000Z"


def test_a_busy_lock_queues_in_the_order_of_arrival() -> None:
    lock = a_lock("a", "b", "c")
    assert lock.parties() == ("execution:a", "execution:b", "execution:c")
    (queued,) = lock.acquire(an_applicant("d"), terms())
    assert isinstance(queued, LockQueued)
    assert queued.position == 3


def test_a_waiter_that_asks_again_keeps_its_place() -> None:
    lock = a_lock("a", "b", "c", "b")
    assert lock.parties() == ("execution:a", "execution:b", "execution:c")
    (queued,) = lock.acquire(an_applicant("b"), terms())
    assert isinstance(queued, LockQueued)
    assert queued.position == 1


def test_the_holder_that_asks_again_keeps_its_fence_and_gets_a_longer_lease() -> None:
    lock = a_lock("a")
    events = lock.acquire(an_applicant("a"), terms(60))
    assert events == (
        LeaseExtended(
            lock_id="ecommerce-pipeline-lock",
            execution_id="execution:a",
            fence=1,
            lease_until="2025-07-07T12:16:00.000Z",
        ),
    )
    assert fence_of(lock.evolve(events, NOON)) == 1


def test_a_waiter_is_granted_when_the_holder_releases() -> None:
    lock = a_lock("a", "b", "c")
    events = lock.release("execution:a", 1, terms(10))
    after = lock.evolve(events, NOON)
    assert kinds(events) == ["LockReleased", "LockGranted"]
    assert after.parties() == ("execution:b", "execution:c")
    assert fence_of(after) == after.version == 5


def test_a_release_by_a_stranger_or_with_an_old_fence_does_nothing() -> None:
    lock = a_lock("a", "b")
    assert lock.release("execution:b", 1, terms()) == ()
    assert lock.release("execution:a", 2, terms()) == ()
    assert Lock().release("execution:a", 1, terms()) == ()


def test_a_heartbeat_extends_the_lease_of_owner_and_fence_only() -> None:
    lock = a_lock("a", "b")
    assert kinds(lock.extend("execution:a", 1, terms(1))) == ["LeaseExtended"]
    assert lock.extend("execution:a", 2, terms(1)) == ()
    assert lock.extend("execution:b", 1, terms(1)) == ()


def test_a_lease_never_shrinks() -> None:
    lock = a_lock("a")
    assert lock.extend("execution:a", 1, terms(-30)) == ()
    (extended,) = lock.acquire(an_applicant("a"), terms(-30))
    assert isinstance(extended, LeaseExtended)
    assert extended.lease_until == "2025-07-07T12:15:00.000Z"


def test_an_ended_holder_is_recovered_and_ended_waiters_are_passed_over() -> None:
    lock = a_lock("a", "b", "c")
    events = lock.recover({"execution:a": "FAILED", "execution:b": "ABORTED"}, terms())
    assert kinds(events) == ["WaiterSkipped", "LockRecovered", "LockGranted"]
    skipped, recovered, granted = events
    assert isinstance(skipped, WaiterSkipped)
    assert "ABORTED" in skipped.reason
    assert isinstance(recovered, LockRecovered)
    assert (recovered.reason, recovered.fence) == ("EXECUTION_ENDED", 1)
    assert isinstance(granted, LockGranted)
    assert (granted.execution_id, granted.fence) == ("execution:c", 6)


def test_an_ended_waiter_leaves_and_the_holder_stays() -> None:
    lock = a_lock("a", "b", "c")
    after = lock.evolve(lock.recover({"execution:b": "TIMED_OUT"}, terms()), NOON)
    assert after.parties() == ("execution:a", "execution:c")


def test_the_end_of_an_execution_that_is_no_party_changes_nothing() -> None:
    assert a_lock("a", "b").recover({"execution:z": "FAILED"}, terms()) == ()


def test_a_lease_that_ran_out_is_recovered_and_one_that_did_not_is_not() -> None:
    lock = a_lock("a", "b")
    assert lock.expire(terms(899)) == ()
    events = lock.expire(terms(900))
    assert kinds(events) == ["LockRecovered", "LockGranted"]
    assert isinstance(events[0], LockRecovered)
    assert events[0].reason == "LEASE_EXPIRED"


def test_a_holder_that_does_not_know_of_its_lock_gets_a_new_lease_and_keeps_its_fence() -> None:
    lock = a_lock("a", "b")
    (extended,) = lock.sweep({}, terms(900), unnotified="execution:a")
    assert isinstance(extended, LeaseExtended)
    assert (extended.execution_id, extended.fence) == ("execution:a", 1)
    assert extended.lease_until == terms(900).lease_until


def test_a_holder_that_ended_is_recovered_whether_or_not_it_knew_of_its_lock() -> None:
    events = a_lock("a", "b").sweep({"execution:a": "FAILED"}, terms(900), unnotified="execution:a")
    assert kinds(events) == ["LockRecovered", "LockGranted"]


def test_a_holder_that_ended_and_let_its_lease_run_out_is_recovered_once() -> None:
    events = a_lock("a", "b").sweep({"execution:a": "FAILED"}, terms(5000))
    assert kinds(events) == ["LockRecovered", "LockGranted"]


def test_a_person_can_break_the_lock_and_is_named() -> None:
    events = a_lock("a", "b").break_open(1, "dana", "host burnt", terms())
    assert kinds(events) == ["LockRecovered", "LockGranted"]
    assert isinstance(events[0], LockRecovered)
    assert (events[0].reason, events[0].detail) == ("BROKEN", "broken by dana: host burnt")
    assert Lock().break_open(1, "dana", "host burnt", terms()) == ()


def test_only_the_holder_that_the_person_saw_loses_the_lock() -> None:
    lock = a_lock("a", "b", "c")
    broken = lock.break_open(1, "dana", "host burnt", terms())
    after = lock.evolve(broken, NOON)
    assert after.break_open(1, "dana", "host burnt", terms()) == ()
    assert after.holder is not None
    assert after.holder.execution_id == "execution:b"


@dataclass(frozen=True)
class Recorded:
    """A message as the event store gives it back, as far as the fold reads it."""

    data: object
    occurred_at: str


NAMES = st.sampled_from("abcdefgh")


class LockMachine(RuleBasedStateMachine):
    """The lock beside a plain list of who should be where."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.lock = Lock()
        self.stream: list[Recorded] = []
        self.snapshots: list[dict[str, Any]] = [lock_item(self.lock)]
        self.holder: str | None = None
        self.line: list[str] = []
        self.fences: list[int] = []
        self.asked = 0
        self.settled = 0

    def terms(self) -> Terms:
        return Terms(self.now, LEASE)

    def apply(self, events: tuple[LockEvent, ...]) -> None:
        self.stream += [Recorded(event, to_rfc3339(self.now)) for event in events]
        self.fences += [event.fence for event in events if isinstance(event, LockGranted)]
        self.settled += sum(isinstance(event, LockGranted | WaiterSkipped) for event in events)
        self.lock = self.lock.evolve(events, self.now)
        if events:
            self.snapshots.append(lock_item(self.lock))

    def free_for_the_next(self) -> None:
        self.holder = self.line.pop(0) if self.line else None

    @rule(seconds=st.integers(0, 600))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(name=NAMES)
    def acquire(self, name: str) -> None:
        self.apply(self.lock.acquire(an_applicant(name), self.terms()))
        if name != self.holder and name not in self.line:
            self.asked += 1
            self.line.append(name)
            if self.holder is None:
                self.free_for_the_next()

    @rule(name=NAMES, off_by=st.sampled_from([0, 0, 0, -1, 1]))
    def release(self, name: str, off_by: int) -> None:
        fence = self.fences[-1] + off_by if self.fences else 1
        self.apply(self.lock.release(f"execution:{name}", fence, self.terms()))
        if name == self.holder and off_by == 0:
            self.free_for_the_next()

    @rule(name=NAMES)
    def heartbeat(self, name: str) -> None:
        fence = self.fences[-1] if self.fences else 1
        events = self.lock.extend(f"execution:{name}", fence, self.terms())
        assert not events or name == self.holder
        self.apply(events)

    @rule(names=st.sets(NAMES, max_size=3), told_twice=st.booleans())
    def executions_end(self, names: set[str], told_twice: bool) -> None:
        ended = {f"execution:{name}": "FAILED" for name in names}
        self.apply(self.lock.recover(ended, self.terms()))
        if told_twice:
            assert self.lock.recover(ended, self.terms()) == ()
        self.line = [name for name in self.line if name not in names]
        if self.holder in names:
            self.free_for_the_next()

    @rule(names=st.sets(NAMES, max_size=3))
    def sweep(self, names: set[str]) -> None:
        ended = {f"execution:{name}": "ABORTED" for name in names}
        late = self.lock.lease_expired(self.now)
        self.apply(self.lock.sweep(ended, self.terms()))
        assert self.lock.sweep(ended, self.terms()) == ()
        self.line = [name for name in self.line if name not in names]
        if self.holder in names or late:
            self.free_for_the_next()

    @rule(off_by=st.sampled_from([0, 0, -1, 1]))
    def somebody_breaks_it(self, off_by: int) -> None:
        fence = max(1, (self.fences[-1] if self.fences else 1) + off_by)
        held = self.lock.holder is not None and self.lock.holder.fence == fence
        events = self.lock.break_open(fence, "dana", "it hangs", self.terms())
        assert bool(events) == held
        self.apply(events)
        assert self.lock.break_open(fence, "dana", "again", self.terms()) == ()
        if held:
            self.free_for_the_next()

    @invariant()
    def the_right_one_holds_and_the_others_wait_in_order(self) -> None:
        expected = [name for name in (self.holder, *self.line) if name is not None]
        assert self.lock.parties() == tuple(f"execution:{name}" for name in expected)

    @invariant()
    def every_fence_is_higher_than_the_one_before(self) -> None:
        assert self.fences == sorted(set(self.fences))
        assert self.lock.holder is None or self.lock.holder.fence == self.fences[-1]

    @invariant()
    def everyone_who_asked_is_granted_skipped_or_still_in_line(self) -> None:
        assert self.asked == self.settled + len(self.lock.waiters)

    @invariant()
    def at_most_one_holds_at_every_event_of_the_stream(self) -> None:
        lock = Lock()
        for message in self.stream:
            if isinstance(message.data, LockGranted):
                assert lock.holder is None
            lock = lock.replay([message])

    @invariant()
    def a_fold_from_any_snapshot_equals_the_fold_of_the_whole_stream(self) -> None:
        whole = Lock().replay(self.stream)
        assert whole == self.lock
        for item in (self.snapshots[0], self.snapshots[len(self.snapshots) // 2]):
            snapshot = lock_from(item, whole.lock_id)
            assert snapshot.replay(self.stream[snapshot.version :]) == whole


LockMachine.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=40, derandomize=True
)
TestLockMachine = LockMachine.TestCase
