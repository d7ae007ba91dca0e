"""How many examples Hypothesis tries where a test wants more or fewer of them than others."""

from hypothesis import settings

PROFILES = {"dev": 10, "ci": 100, "nightly": 1000}
"""Examples of a test that names no number, by HYPOTHESIS_PROFILE."""


def examples(in_ci: int) -> int:
    """`in_ci` examples in profile ci; in the others as many more or fewer as a test without it."""
    return max(2, in_ci * settings.default.max_examples // PROFILES["ci"])
