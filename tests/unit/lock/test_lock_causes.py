"""Every event of the lock names the batch that it is about and the message that caused it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.messages import ExtendLease, RaiseFence
from services.lock.domain import LOCK_ID, Lock
from tests.support.commands import saga_command
from tests.unit.lock.test_lock_messages import COMMANDS, STREAM, LockHarness, batch_of, falling_at

BATCH = "00000000000000aa"
"""The batch that the commands themselves name."""


class TracedLockHarness(LockHarness):
    """A harness that keeps the ids of the messages that it was sent, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def send(self, command: BaseModel, token: str | None = None) -> None:
        message = saga_command(command, next(self.ids), to_rfc3339(self.now), BATCH, token)
        self.sent.append(message.event_id)
        self.service.handle(message.to_json(), COMMANDS)

    def dies_unanswered(self, name: str) -> None:
        """Whoever grants it the lock finds its task and its execution gone."""
        self.answers.gone.add(f"{name}-0")
        self.executions.over[name] = "ABORTED"

    def causes(self) -> list[tuple[str, str | None, str | None]]:
        """(type, batch, cause) of each event."""
        return [
            (event.event_type, event.correlation_id, event.causation_id)
            for event in self.store.read(STREAM)
        ]


@pytest.fixture
def harness() -> TracedLockHarness:
    return TracedLockHarness()


def test_a_grant_and_a_place_in_line_are_of_the_batch_that_asked(
    harness: TracedLockHarness,
) -> None:
    harness.acquire("a")
    harness.acquire("b")
    asked_a, asked_b = harness.sent
    assert harness.causes() == [
        ("LockGranted", batch_of("a"), asked_a),
        ("LockQueued", batch_of("b"), asked_b),
    ]


def test_a_release_and_the_grant_that_follows_have_one_cause(harness: TracedLockHarness) -> None:
    harness.acquire("a")
    harness.acquire("b")
    harness.release("a", 1)
    cause = harness.sent[-1]
    assert harness.causes()[2:] == [
        ("LockReleased", BATCH, cause),
        ("LockGranted", batch_of("b"), cause),
    ]


def test_a_longer_lease_is_of_the_batch_whose_heartbeat_it_was(harness: TracedLockHarness) -> None:
    harness.acquire("a")
    harness.now = harness.now.replace(minute=1)
    harness.heartbeat("a", 1)
    assert harness.causes()[1:] == [("LeaseExtended", BATCH, harness.sent[-1])]


def test_a_recovery_is_of_the_batch_that_lost_the_lock_and_says_how_it_ended(
    harness: TracedLockHarness,
) -> None:
    harness.acquire("a")
    harness.status("a", "TIMED_OUT")
    notice = str(next(harness.ids))
    [_, recovered] = harness.store.read(STREAM)
    assert recovered.correlation_id == batch_of("a")
    assert recovered.causation_id is not None
    assert harness.sent[-1] < recovered.causation_id < notice
    assert "TIMED_OUT" in recovered.data.detail


def test_a_broken_lock_names_the_message_that_broke_it(harness: TracedLockHarness) -> None:
    harness.acquire("a")
    harness.break_it(1)
    assert harness.causes()[1:] == [("LockRecovered", batch_of("a"), harness.sent[-1])]


DEEDS: dict[str, Callable[[TracedLockHarness], Any]] = {
    "release": lambda harness: harness.release("a", 1),
    "break": lambda harness: harness.break_it(1),
}
REMINDERS: dict[str, Callable[[TracedLockHarness], Any]] = {
    "heartbeat": lambda harness: harness.heartbeat("a", 9),
    "break": lambda harness: harness.break_it(9),
    "raised fence": lambda harness: harness.send(a_raise(1)),
}
"""Messages that change nothing by themselves."""


def a_raise(seen_fence: int) -> RaiseFence:
    return RaiseFence(lock_id=LOCK_ID, seen_fence=seen_fence, requested_by="dana", reason="why")


@pytest.mark.parametrize("deed", DEEDS)
def test_passing_over_a_dead_holder_has_the_cause_of_its_grant(
    harness: TracedLockHarness, deed: str
) -> None:
    for name in "abc":
        harness.acquire(name)
    harness.dies_unanswered("b")
    before = len(harness.causes())
    DEEDS[deed](harness)
    since = harness.causes()[before:]
    assert [name for name, _, _ in since].count("LockGranted") == 2
    assert {cause for _, _, cause in since} == {harness.sent[-1]}


def test_so_has_one_that_died_while_it_asked(harness: TracedLockHarness) -> None:
    harness.dies_unanswered("a")
    harness.acquire("a")
    assert [name for name, _, _ in harness.causes()] == ["LockGranted", "LockRecovered"]
    assert {cause for _, _, cause in harness.causes()} == {harness.sent[-1]}


def test_so_has_one_that_is_passed_over_after_an_execution_ended(
    harness: TracedLockHarness,
) -> None:
    for name in "ab":
        harness.acquire(name)
    harness.dies_unanswered("b")
    before = len(harness.causes())
    harness.status("a", "FAILED")
    since = harness.causes()[before:]
    assert [name for name, _, _ in since] == ["LockRecovered", "LockGranted", "LockRecovered"]
    assert len({cause for _, _, cause in since}) == 1
    assert None not in {cause for _, _, cause in since}


@pytest.mark.parametrize("deed", REMINDERS)
def test_any_message_pays_what_is_owed_and_is_the_cause(
    harness: TracedLockHarness, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function crashed before it answered; meanwhile the holder died."""
    with falling_at(monkeypatch, harness.answers, "succeed"):
        harness.acquire("a")
    harness.dies_unanswered("a")
    REMINDERS[deed](harness)
    assert harness.causes()[1:] == [("LockRecovered", batch_of("a"), harness.sent[-1])]
    assert harness.pending_grant() == []


def test_a_heartbeat_answers_a_holder_that_was_not_told(
    harness: TracedLockHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_at(monkeypatch, harness.answers, "succeed"):
        harness.acquire("a")
    harness.heartbeat("b", 1)
    assert harness.answers.succeeded["a-0"]["fence"] == 1


def test_a_holder_that_asks_again_has_its_longer_lease_under_its_batch(
    harness: TracedLockHarness,
) -> None:
    harness.acquire("a")
    harness.now = harness.now.replace(minute=1)
    harness.acquire("a", attempt=1)
    assert harness.causes()[1:] == [("LeaseExtended", batch_of("a"), harness.sent[-1])]


def test_a_raised_fence_names_the_message_that_asked_for_it(harness: TracedLockHarness) -> None:
    command = RaiseFence(
        lock_id=LOCK_ID, seen_fence=500, requested_by="dana@host", reason="restored"
    )
    harness.send(command)
    assert harness.causes() == [("FenceRaised", BATCH, harness.sent[-1])]


def test_an_event_of_another_stream_is_no_part_of_the_lock() -> None:
    """Folded in silence, it would count as a version and be forgotten."""
    stranger = ExtendLease(lock_id=LOCK_ID, execution_id="a", fence=1)
    with pytest.raises(TypeError, match="ExtendLease is no event of this stream"):
        Lock().evolve((stranger,), datetime(2025, 7, 7, tzinfo=UTC))  # type: ignore[arg-type]
