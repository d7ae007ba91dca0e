"""How thorough tests are, by HYPOTHESIS_PROFILE (dev, ci, nightly) and TEST_STRIDE."""

import os
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
    """From one case of a long table, or point where a process dies, to the next: 1 is each of them.

    `make test` has no other.
    """
    return int(os.environ.get("TEST_STRIDE", "1"))


def some(points: Sequence[Point]) -> Sequence[Point]:
    """The last of the points or cases, and those a stride before each: all where it is 1."""
    return points[:: -stride()][::-1]
