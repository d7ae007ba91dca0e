"""How thorough tests are, by HYPOTHESIS_PROFILE: dev for seconds, ci for all, nightly for hours."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

Point = TypeVar("Point")

PROFILES = {"dev": 10, "ci": 100, "nightly": 1000}
"""Examples of a test that names no number."""


def examples(in_ci: int) -> int:
    """`in_ci` examples in profile ci; in the others as many more or fewer as a test without it."""
    return max(2, in_ci * settings.default.max_examples // PROFILES["ci"])


def stride() -> int:
    """From one point where a process dies to the next: each of them, but in profile dev."""
    return 1 if settings.default.max_examples >= PROFILES["ci"] else 5


def some(points: Sequence[Point]) -> Sequence[Point]:
    """All points; in profile dev the last of them, and those a stride before."""
    return points[:: -stride()][::-1]
