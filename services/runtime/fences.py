"""Fences of the lock as a writer judges them: stale ones, and ones that the lock never granted.

A writer does not ask the lock about each command: the fence alone says who is older. What it cannot
know by that, it asks only when it has refused somebody (`fence_questions.py`).
"""

from __future__ import annotations

from contracts.errors import Refused, StaleWriter

LEAP = 100_000
"""A fence further above the highest one seen was never granted: the lock's stream grows by some
five events a batch and one a minute, so between two commands lie at most a few thousand
(docs/decisions/0017)."""


def admit(fence: int, seen: int, leap: int = LEAP) -> None:
    """Raise StaleWriter for a fence under the highest one seen, Refused for one far above it."""
    if fence < seen:
        raise StaleWriter(
            f"lock fence {fence} is stale: {seen} was seen; acquire the lock again", seen_fence=seen
        )
    if is_never_granted(fence, seen, leap):
        raise Refused(
            f"the lock never granted fence {fence}: the highest one seen is {seen}, and it grows "
            "by some five a batch; if the state of this service was restored, `ecp lock align` "
            "puts it back in step with the lock"
        )


def is_never_granted(fence: int, beside: int, leap: int = LEAP) -> bool:
    """Whether a fence is so far above another one that the lock cannot have granted it."""
    return fence > beside + leap
