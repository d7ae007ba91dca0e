"""Fences that a writer has seen and the lock has not granted: the next grant is above them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.errors import Refused
from contracts.messages import RaiseFence
from services.lock.domain import LOCK_ID, Lock, Terms, Waiter
from services.lock.items import lock_from, lock_item
from services.runtime.fences import LEAP
from tests.unit.lock.test_lock_messages import COMMANDS, TABLE, LockHarness

TERMS = Terms(datetime(2025, 7, 7, 12, tzinfo=UTC), timedelta(seconds=900))
A, B = Waiter("a", "0" * 16), Waiter("b", "1" * 16)


@pytest.fixture
def harness() -> LockHarness:
    return LockHarness()


def ask(harness: LockHarness, seen: int, lock_id: str = LOCK_ID) -> None:
    harness.send(
        RaiseFence(lock_id=lock_id, seen_fence=seen, requested_by="dana@host", reason="restored")
    )


def fence_of(harness: LockHarness) -> Any:
    return harness.item()["execution_metadata"]["fence"]


def raised(harness: LockHarness) -> list[int]:
    return [
        event.data.fence
        for event in harness.store.read(f"lock/{LOCK_ID}")
        if event.event_type == "FenceRaised"
    ]


def test_the_next_grant_is_above_the_fence_that_was_seen(harness: LockHarness) -> None:
    harness.acquire("a")
    ask(harness, 500)
    assert raised(harness) == [500]
    assert fence_of(harness) == 1
    harness.acquire("b")
    harness.release("a", 1)
    assert fence_of(harness) == 501
    assert harness.answers.succeeded["b-0"]["fence"] == 501
    harness.release("b", 501, answer_on="r2")
    harness.acquire("c")
    assert fence_of(harness) == 502


def test_a_fence_that_was_or_may_have_been_granted_changes_nothing(harness: LockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    ask(harness, 1)
    ask(harness, 2)
    assert raised(harness) == []
    ask(harness, 3)
    ask(harness, 3)
    assert raised(harness) == [3]


def test_a_fence_too_far_above_is_kept_with_the_reason(harness: LockHarness) -> None:
    harness.acquire("a")
    ask(harness, 2 + LEAP)
    assert raised(harness) == []
    [(queue, _, reason)] = harness.dead_letters.letters
    assert queue == COMMANDS
    assert f"fence {2 + LEAP} is too far above 1" in reason
    ask(harness, 1 + LEAP)
    assert raised(harness) == [1 + LEAP]


def test_another_lock_is_not_raised(harness: LockHarness) -> None:
    ask(harness, 5, lock_id="other")
    assert len(harness.dead_letters.letters) == 1


def test_an_event_store_of_an_earlier_time_does_not_stop_the_lock(harness: LockHarness) -> None:
    """The table remembers version 6, the stream ends at 2: nothing can be appended after 6."""
    for name in "abc":
        harness.acquire(name)
    harness.release("a", 1)
    remembered = harness.item()
    earlier = LockHarness()
    earlier.acquire("a")
    earlier.status("a", "FAILED")
    earlier.store.append(context=_context(), writes=[_put(remembered)])
    stuck = remembered["stream_version"]
    assert stuck > len(earlier.store.read(f"lock/{LOCK_ID}"))
    ask(earlier, 1)
    assert raised(earlier) == [stuck]
    earlier.acquire("d")
    assert earlier.item()["execution_metadata"]["execution_id"] == "d"
    assert fence_of(earlier) == stuck + 1
    assert earlier.answers.succeeded["d-0"]["fence"] == stuck + 1


def _context() -> Any:
    from contracts.envelope import MessageContext

    return MessageContext("test")


def _put(item: dict[str, Any]) -> Any:
    from services.runtime.event_store import PutItem

    return PutItem(TABLE, item)


def test_the_snapshot_remembers_what_was_raised() -> None:
    lock = Lock(version=4)
    lock = lock.evolve(lock.raise_fence(90, "dana", "why"), TERMS.now)
    assert lock_from(lock_item(lock), LOCK_ID) == lock
    (granted,) = lock.acquire(A, TERMS)
    assert granted.fence == 91


def test_a_snapshot_of_the_code_before_has_raised_nothing() -> None:
    item = lock_item(Lock(version=4))
    del item["highest_fence"]
    (granted,) = lock_from(item, LOCK_ID).acquire(A, TERMS)
    assert granted.fence == 5


def test_fences_grow_whatever_is_raised_in_between() -> None:
    lock, fences = Lock(), [0]
    for seen in (3, 10, 2, 11, 40, 1, 41):
        for events in (lock.acquire(A, TERMS), lock.raise_fence(seen, "dana", "why")):
            lock = lock.evolve(events, TERMS.now)
        assert lock.holder is not None
        assert lock.holder.fence > fences[-1]
        fences.append(lock.holder.fence)
        lock = lock.evolve(lock.release("a", lock.holder.fence, TERMS), TERMS.now)
    assert fences == sorted(set(fences))


def test_a_leap_is_refused_by_the_rule_itself() -> None:
    with pytest.raises(Refused):
        Lock(version=7).raise_fence(8 + LEAP, "dana", "why")
