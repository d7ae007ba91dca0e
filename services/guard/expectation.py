"""What a day's number was to be expected at, and how far from it days usually are; pure.

A series is one number a day over consecutive days, NaN where there is none. What is expected of a
day rests on days before it only, and on medians, so that one wrong day changes it little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEK = 7
WEEKS = 10
WEEKS_LEAST = 5
LEVEL_DAYS = 10
LEVEL_DAYS_LEAST = 5
SPREAD_DAYS = 140
SPREAD_DAYS_LEAST = 21
LEAST_DAYS = 56
"""Days with numbers among the 70 before, without which a day is not judged."""
HISTORY_DAYS = SPREAD_DAYS + WEEK * WEEKS
"""Days before a day that its expectation and spread can rest on."""
_CONSISTENT = 1.4826
"""By which the median of absolute deviations is the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Expectation:
    """By day, in the unit of what was given; NaN where there is too little history.

    `spread`: how far days usually are from what was expected of them, as a standard deviation.
    """

    expected: Floats
    spread: Floats
    residual: Floats


def expectation(values: Floats) -> Expectation:
    """What each day was expected at, and how far it is from that."""
    weekday = _weekday_effects(values)
    level = past_median(values - weekday, LEVEL_DAYS, LEVEL_DAYS_LEAST)
    expected = level + weekday
    spread = _CONSISTENT * past_median(np.abs(values - expected), SPREAD_DAYS, SPREAD_DAYS_LEAST)
    known = np.isfinite(_past(values, WEEK * WEEKS)).sum(axis=1) >= LEAST_DAYS
    expected = np.where(known, expected, np.nan)
    return Expectation(expected, spread, values - expected)


def past_median(values: Floats, days: int, least: int) -> Floats:
    """By day, the median of so many days before it; NaN with less than `least` of them."""
    return _median(_past(values, days), least)


def _weekday_effects(values: Floats) -> Floats:
    """How a day of this weekday differed from the week around it, in the 10 weeks before."""
    nothing = np.full(WEEK // 2, np.nan)
    weeks = sliding_window_view(np.concatenate([nothing, values, nothing]), WEEK)
    differs = values - _median(weeks, WEEK // 2 + 1)
    before = np.full((len(values), WEEKS), np.nan)
    for week in range(1, WEEKS + 1):
        before[WEEK * week :, week - 1] = differs[: -WEEK * week]
    return _median(before, WEEKS_LEAST)


def _past(values: Floats, days: int) -> Floats:
    """By day, the numbers of so many days before it."""
    return sliding_window_view(np.concatenate([np.full(days, np.nan), values]), days)[:-1]


def _median(rows: Floats, least: int) -> Floats:
    """Of each row, the median of the numbers that there are; NaN with less than `least`."""
    ordered = np.sort(rows, axis=1)  # NaN comes last
    count = np.isfinite(rows).sum(axis=1)
    places = np.maximum(count, 1)[:, None]
    low = np.take_along_axis(ordered, (places - 1) // 2, axis=1)[:, 0]
    high = np.take_along_axis(ordered, places // 2, axis=1)[:, 0]
    return np.where(count >= least, (low + high) / 2, np.nan)
