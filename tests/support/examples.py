"""How thorough tests are: examples by HYPOTHESIS_PROFILE (dev, ci, nightly), cases by marker."""

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet
from hypothesis import settings

PROFILES = {"dev": 10, "ci": 100, "nightly": 1000}
"""Examples of a test that names no number."""
EVERY = 10


def examples(in_ci: int, at_least: int = 2) -> int:
    """`in_ci` examples in profile ci; in the others as many more or fewer as a test without it."""
    return max(at_least, in_ci * settings.default.max_examples // PROFILES["ci"])


def some(cases: Iterable[object]) -> list[ParameterSet]:
    """Each tenth case of a long table, counted from the last; the others are `thorough`.

    A tuple is the values of one case, anything else its only value.
    """
    sets = [
        case if isinstance(case, ParameterSet)
        else pytest.param(*case) if isinstance(case, tuple)
        else pytest.param(case)
        for case in cases
    ]  # fmt: skip
    return [
        one if (len(sets) - 1 - place) % EVERY == 0 else thorough(one)
        for place, one in enumerate(sets)
    ]


def thorough(case: ParameterSet) -> ParameterSet:
    """The case as one that `make test` leaves to `make thorough`."""
    return case._replace(marks=[*case.marks, pytest.mark.thorough])


STEPS = [EVERY, thorough(pytest.param(1))]
"""Of a test that goes through points by itself: from one to the next."""
