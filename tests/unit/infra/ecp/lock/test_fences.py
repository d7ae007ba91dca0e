"""`ecp lock align`: which of the two sides is behind, and how far one step goes."""

from typing import Any

import pytest

from contracts.envelope import Message, parse
from contracts.messages import FenceRaised
from infra.ecp.lock.fences import Fences, fences_of
from services.lock.domain import LOCK_ID
from services.runtime.fences import LEAP
from tests.contract.builders import an_envelope


def an_event(version: int, fence: int | None = None) -> Message:
    event_type = "LeaseExtended" if fence is None else "FenceRaised"
    changes: dict[str, Any] = {"stream_version": version}
    if fence is not None:
        changes["data"] = FenceRaised(
            lock_id=LOCK_ID, fence=fence, requested_by="a", reason="b"
        ).model_dump()
    return parse(an_envelope(event_type, **changes))


def found(lock: Any, seen: int, *events: Message) -> Fences:
    return fences_of(
        lock,
        {"fence": seen} if seen else {},
        lambda after: [one for one in events if one.stream_version > after],
    )


def test_in_step_nothing_is_behind() -> None:
    fences = found({"stream_version": 7, "highest_fence": 5}, 5, an_event(7))
    assert (fences.granted, fences.seen) == (7, 5)
    assert not fences.lock_is_behind
    assert not fences.transformer_is_behind


def test_before_the_first_batch_nothing_is_behind() -> None:
    fences = found({}, 0)
    assert not fences.lock_is_behind
    assert not fences.transformer_is_behind
    assert not fences.forgotten


def test_a_lock_under_what_was_seen_is_behind() -> None:
    fences = found({"stream_version": 7}, 8, an_event(7))
    assert fences.lock_is_behind
    assert fences.next_step == 8


def test_one_step_goes_no_further_than_the_lock_takes_it() -> None:
    fences = found({"stream_version": 7}, 10 * LEAP, an_event(7))
    assert fences.next_step == 7 + LEAP


@pytest.mark.parametrize(("ahead", "admitted"), [(3 * LEAP, LEAP), (LEAP - 1, LEAP - 1)])
def test_one_admission_goes_no_further_than_the_transformer_takes_it(
    ahead: int, admitted: int
) -> None:
    fences = found({"stream_version": 7 + ahead}, 7, an_event(7 + ahead))
    assert fences.next_admission == 7 + admitted


def test_what_the_table_does_not_know_yet_counts() -> None:
    fences = found({"stream_version": 7}, 90, an_event(7), an_event(8, fence=90), an_event(9))
    assert (fences.granted, fences.stream_version) == (90, 9)
    assert not fences.lock_is_behind


def test_a_table_that_remembers_more_than_its_stream_is_behind_whatever_was_seen() -> None:
    fences = found({"stream_version": 7, "highest_fence": 6}, 1, an_event(3))
    assert fences.forgotten
    assert fences.lock_is_behind
    assert not fences.transformer_is_behind
    assert (fences.next_step, fences.stream_version) == (1, 0)


@pytest.mark.parametrize(("ahead", "is_behind"), [(LEAP // 2, False), (LEAP // 2 + 1, True)])
def test_a_transformer_is_behind_well_before_it_refuses(ahead: int, is_behind: bool) -> None:
    fences = found({"stream_version": 7 + ahead}, 7, an_event(7 + ahead))
    assert fences.transformer_is_behind is is_behind
