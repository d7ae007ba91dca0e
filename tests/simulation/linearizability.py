"""Whether what clients of the lock saw can be explained by one order of their calls.

A search after Wing and Gong with the memory that Lowe added: place one call after the other, each
between its begin and its end, and let the lock's specification say whether its answer fits. Calls
that never ended may have happened, at any time after their begin, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["acquire", "release"]


@dataclass(frozen=True)
class Call:
    """One client's call: `fence` is what acquire answered, or what release was given.

    `held` is the answer of a release; `ended` None: no answer ever came.
    """

    client: str
    kind: Kind
    begun: float
    ended: float | None
    fence: int | None = None
    held: bool | None = None


@dataclass(frozen=True)
class LockState:
    """The specification's lock: who holds it under which fence, and the highest fence given."""

    holder: str | None = None
    fence: int = 0
    highest: int = 0

    def after(self, call: Call) -> LockState | None:
        """The lock after this call with this answer; None when it cannot answer so now."""
        if call.kind == "acquire":
            return self._acquired(call)
        holds = self.holder == call.client and self.fence == call.fence
        if call.held not in (None, holds):
            return None
        return LockState(None, 0, self.highest) if holds else self

    def _acquired(self, call: Call) -> LockState | None:
        if self.holder == call.client:
            return self if call.fence in (None, self.fence) else None
        if self.holder is not None:
            return None
        fence = self.highest + 1 if call.fence is None else call.fence
        return LockState(call.client, fence, fence) if fence > self.highest else None


def is_linearizable(history: Sequence[Call]) -> bool:
    """Whether some order of the calls explains every answer."""
    return not unexplained(history)


def unexplained(history: Sequence[Call]) -> list[Call]:
    """Empty when the history is linearizable; else the first calls that no order can explain.

    They are those that were open when the longest explanation got stuck.
    """
    calls = sorted(history, key=lambda call: call.begun)
    everyone = (1 << len(calls)) - 1
    answered = sum(1 << n for n, call in enumerate(calls) if call.ended is not None)
    stack: list[tuple[int, LockState]] = [(everyone, LockState())]
    seen = set(stack)
    stuck: list[Call] = []
    fewest = len(calls) + 1
    while stack:
        left, state = stack.pop()
        if not left & answered:
            return []
        candidates = _open_first(calls, left)
        if left.bit_count() < fewest:
            fewest, stuck = left.bit_count(), [calls[n] for n in candidates]
        for n in candidates:
            following = state.after(calls[n])
            if following is None:
                continue
            step = (left & ~(1 << n), following)
            if step not in seen:
                seen.add(step)
                stack.append(step)
    return stuck


def _open_first(calls: Sequence[Call], left: int) -> list[int]:
    """The calls that can be next: begun before every call that is left has ended."""
    remaining = [n for n in range(len(calls)) if left >> n & 1]
    ends = (calls[n].ended for n in remaining)
    first_end = min((end for end in ends if end is not None), default=float("inf"))
    return [n for n in remaining if calls[n].begun <= first_end]
