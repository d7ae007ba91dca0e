"""The checker knows good histories from bad ones, and the real lock makes only good ones."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from contracts.clock import new_event_id, system_clock
from contracts.envelope import Message, MessageContext
from services.runtime.event_store import InMemoryEventStore, StateWrite, StreamAppend
from tests.simulation.linearizability import Call, LockState, is_linearizable, unexplained
from tests.simulation.lock_clients import LOCKS, assert_rounds_are_linearizable, record_history
from tests.simulation.mutants import RELEASE_UNDER_ANY_FENCE, planted


def acquired(client: str, begun: float, ended: float | None, fence: int | None) -> Call:
    return Call(client, "acquire", begun, ended, fence)


def released(
    client: str, begun: float, ended: float | None, fence: int, held: bool | None = True
) -> Call:
    return Call(client, "release", begun, ended, fence, held)


GOOD = {
    "nothing": [],
    "one after the other": [
        acquired("a", 0, 1, 1),
        released("a", 2, 3, 1),
        acquired("b", 4, 5, 3),
    ],
    "b waited while a held": [
        acquired("a", 0, 1, 1),
        acquired("b", 0, 9, 4),
        released("a", 5, 8, 1),
    ],
    "the grant came before the release was answered": [
        acquired("a", 0, 1, 1),
        acquired("b", 2, 4, 3),
        released("a", 3, 9, 1),
    ],
    "re-entrant": [acquired("a", 0, 1, 1), acquired("a", 2, 3, 1)],
    "a stale release changes nothing": [
        acquired("a", 0, 1, 1),
        released("a", 2, 3, 1),
        acquired("b", 4, 5, 3),
        released("a", 6, 7, 1, held=False),
        released("b", 8, 9, 3),
    ],
    "an unanswered release explains the next grant": [
        acquired("a", 0, 1, 1),
        released("a", 2, None, 1, held=None),
        acquired("b", 4, 5, 3),
    ],
    "an unanswered acquire may have happened": [
        acquired("a", 0, None, None),
        acquired("b", 4, 5, 3),
    ],
}
BAD = {
    "two hold at once": [acquired("a", 0, 1, 1), acquired("b", 2, 3, 2)],
    "a fence twice": [
        acquired("a", 0, 1, 5),
        released("a", 2, 3, 5),
        acquired("b", 4, 5, 5),
    ],
    "a fence that falls": [
        acquired("a", 0, 1, 5),
        released("a", 2, 3, 5),
        acquired("b", 4, 5, 4),
    ],
    "granted before the release began": [
        acquired("a", 0, 1, 1),
        acquired("b", 2, 3, 4),
        released("a", 5, 6, 1),
    ],
    "a stranger's release freed it": [
        acquired("a", 0, 1, 1),
        released("b", 2, 3, 1),
        acquired("b", 4, 5, 3),
    ],
    "a holder is told that it does not hold": [
        acquired("a", 0, 1, 1),
        released("a", 2, 3, 1, held=False),
    ],
    "released twice with effect": [
        acquired("a", 0, 1, 1),
        released("a", 2, 3, 1),
        released("a", 4, 5, 1),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_explained(name: str) -> None:
    assert unexplained(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_not(name: str) -> None:
    assert not is_linearizable(BAD[name])
    assert unexplained(BAD[name])


@pytest.mark.parametrize("seed", range(30))
def test_histories_made_from_one_order_are_explained_and_swapped_fences_are_not(seed: int) -> None:
    """Each call happens at one instant; what clients see is that instant with slack around it."""
    draw = random.Random(seed)
    state, history, moment = LockState(), [], 0.0
    for _ in range(40):
        moment += 1.0
        client = f"c{draw.randrange(5)}"
        slack = draw.uniform(0, 0.4), draw.uniform(0, 0.4)
        if state.holder is None:
            fence = state.highest + draw.choice((1, 2))
            call = acquired(client, moment - slack[0], moment + slack[1], fence)
        else:
            held = draw.random() < 0.7
            fence = state.fence if held else state.fence + 7
            call = released(state.holder, moment - slack[0], moment + slack[1], fence, held)
        following = state.after(call)
        assert following is not None
        state = following
        history.append(call)
    assert is_linearizable(draw.sample(history, len(history)))
    fences = [call for call in history if call.kind == "acquire"]
    first, last = fences[0], fences[-1]
    swapped = [
        Call(c.client, c.kind, c.begun, c.ended, {first: last, last: first}[c].fence, c.held)
        if c in (first, last)
        else c
        for c in history
    ]
    assert not is_linearizable(swapped)


class ForgetfulStore(InMemoryEventStore):
    """A store that lets every append through, whatever version it expected."""

    def read(self, stream_id: str, after_version: int = 0) -> list[Message]:
        found = super().read(stream_id, after_version)
        time.sleep(0.002)
        return found

    def append(
        self, *appends: StreamAppend, context: MessageContext, writes: Sequence[StateWrite] = ()
    ) -> list[Message]:
        with self._lock:
            current = [
                replace(one, expected_version=len(self._streams[one.stream_id])) for one in appends
            ]
        return super().append(*current, context=context, writes=writes)


def test_a_lock_on_a_store_without_conditions_is_found_out() -> None:
    store = ForgetfulStore(system_clock, new_event_id, {LOCKS: ("LockId",)})
    assert any(_is_found_out(store, number) for number in range(20))


def _is_found_out(store: InMemoryEventStore, number: int) -> bool:
    """By a history that nothing explains, or by a client that is never served."""
    try:
        return not is_linearizable(record_history(store, number, clients=4, patience_seconds=2.0))
    except TimeoutError:
        return True


def a_store_in_memory() -> InMemoryEventStore:
    return InMemoryEventStore(system_clock, new_event_id, {LOCKS: ("LockId",)})


def test_the_real_lock_in_memory_is_linearizable() -> None:
    assert unexplained(record_history(a_store_in_memory(), 0, clients=8)) == []


def test_a_lock_that_releases_under_any_fence_is_found_out() -> None:
    with planted(RELEASE_UNDER_ANY_FENCE):
        history = record_history(a_store_in_memory(), 0, clients=4)
    assert not is_linearizable(history)


@pytest.mark.thorough
@pytest.mark.integration
def test_the_real_lock_on_a_real_store_is_linearizable(lock_dynamodb: Any) -> None:
    assert_rounds_are_linearizable(lock_dynamodb)
