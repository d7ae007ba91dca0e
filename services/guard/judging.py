"""Which days of a series are odd, by what was to be expected of them; pure, on numpy arrays.

Counts and amounts are compared by their logarithm, so that a rise of a tenth is as large on a busy
day as on a quiet one; rates by asin(sqrt(rate)), so that chance makes the same difference at 2 % as
at 20 %. What follows from the constants is measured in tests/performance/test_guard.py.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.guard.expectation import (
    HISTORY_DAYS,
    WEEK,
    WEEKS,
    Floats,
    expectation,
    past_median,
)
from services.guard.feasts import LONGEST_YEAR, alike_last_year, is_feast

ODD_FROM = {"count": 3.5, "money": 3.5, "rate": 3.1}
"""In spreads."""
REMEMBERED_FROM = 2.5
"""In spreads: so odd a day of last year is expected again."""
LIKE_LAST_YEAR = 1.25
"""A day is expected to go as far as last year, and a quarter more."""
LEAST_SPREAD = {"count": 0.03, "money": 0.03, "rate": 0.005}
"""3 %, and half a point of asin(sqrt): a series that hardly moves is not held to less."""
FIRST_FEAST = float(np.log(3))
"""On a feast that there is no last year of, a third and three times as much are no wonder."""
SAME_DAYS, SAME_SIZE, SAME_TIMES = 10, 0.7, 2
"""A day is not odd when two of the ten before it went as far the same way, by seven tenths."""
LEAST_ORDERS = {"count": 2.5, "money": 2.5, "rate": 10.0}
"""Of so few a day, one more or less is half the number: nothing is said of it."""
NO_ORDERS = 0.5
"""What is counted for none, which has no logarithm: half of one."""
NEEDED_DAYS = HISTORY_DAYS + LONGEST_YEAR
"""Days before a day that its judgement can rest on."""


class Measure(StrEnum):
    """What a series says of a day."""

    COUNT = "count"
    MONEY = "money"
    RATE = "rate"


@dataclass(frozen=True)
class Series:
    """Numbers of consecutive days, and how many orders each rests on (0: a day without any)."""

    measure: Measure
    first_day: date
    values: Floats
    orders: Floats


@dataclass(frozen=True)
class Judgement:
    """By day, NaN where it is not judged; the first three in the unit of the series.

    `lowest` to `highest` is what would not be odd, `score` how many spreads the day is beyond what
    was expected of it.
    """

    expected: Floats
    lowest: Floats
    highest: Floats
    score: Floats
    is_odd: NDArray[np.bool_]


def judge(series: Series) -> Judgement:
    """Judge each day by the days before it."""
    known = expectation(_compared(series))
    usual_orders = np.exp(expectation(_logarithm(series.orders, NO_ORDERS)).expected)
    usual_orders[usual_orders < LEAST_ORDERS[series.measure]] = np.nan
    spread = _spread(known.spread, usual_orders, series.measure)
    first = _scores(known.residual, spread, usual_orders, series.measure)
    odd_from = ODD_FROM[series.measure]
    center = known.expected.copy()
    for at in np.flatnonzero(np.abs(first) >= odd_from):
        center[at] += _as_last_year(series.first_day, int(at), known.residual, first)
    residual = known.residual - (center - known.expected)
    score = _scores(residual, spread, usual_orders, series.measure)
    is_odd = np.abs(score) >= odd_from
    for at in np.flatnonzero(is_odd):
        is_odd[at] = not _is_usual_by_now(int(at), float(residual[at]), known.residual)
    return Judgement(
        expected=_shown(center, series.measure),
        lowest=_shown(center - odd_from * spread, series.measure),
        highest=_shown(center + odd_from * spread, series.measure),
        score=score,
        is_odd=is_odd,
    )


def _compared(series: Series) -> Floats:
    if series.measure is Measure.RATE:
        return np.arcsin(np.sqrt(np.clip(series.values, 0, 1)))
    if series.measure is Measure.COUNT:
        return _logarithm(series.values, NO_ORDERS)
    an_order = series.values / np.where(series.orders > 0, series.orders, np.nan)
    usually = past_median(an_order, WEEK * WEEKS, WEEK)
    least = np.where(np.isfinite(usually), usually, 1.0) * NO_ORDERS
    return _logarithm(series.values, np.maximum(least, 0.005))


def _logarithm(values: Floats, least: Floats | float) -> Floats:
    return np.log(np.maximum(values, least))


def _shown(compared: Floats, measure: Measure) -> Floats:
    """Back to the unit of the series."""
    if measure is Measure.RATE:
        return np.sin(np.clip(compared, 0, np.pi / 2)) ** 2
    return np.exp(compared)


def _spread(usual: Floats, usual_orders: Floats, measure: Measure) -> Floats:
    """No day is held to less than what chance makes of so many orders."""
    chance = 1 / np.sqrt(np.maximum(usual_orders, 1))
    of_rates = 0.5 if measure is Measure.RATE else 1.0
    return np.maximum(np.fmax(usual, LEAST_SPREAD[measure]), chance * of_rates)


def _scores(residual: Floats, spread: Floats, usual_orders: Floats, measure: Measure) -> Floats:
    far = residual / spread
    if measure is Measure.RATE:
        return np.where(np.isfinite(usual_orders), far, np.nan)
    # Few orders are no normal distribution by their logarithm: none of four is no wonder.
    now = usual_orders * np.exp(np.minimum(residual, 50))
    steps = 2 * (np.sqrt(now + 0.375) - np.sqrt(usual_orders + 0.375))
    return np.where(np.abs(far) < np.abs(steps), far, steps)


def _as_last_year(first_day: date, at: int, residual: Floats, score: Floats) -> float:
    """How much of a day's residual was there last year too, or may be on a feast's first time."""
    day = first_day + timedelta(at)
    past = np.array([at - back for back in alike_last_year(day) if back <= at], dtype=int)
    was = residual[past][np.abs(score[past]) >= REMEMBERED_FROM] * LIKE_LAST_YEAR
    if is_feast(day) and not np.isfinite(score[past]).any():
        was = np.array([-FIRST_FEAST, FIRST_FEAST])
    lowest, highest = np.min(was, initial=0.0), np.max(was, initial=0.0)
    return float(np.clip(residual[at], lowest, highest))


def _is_usual_by_now(at: int, beyond: float, residual: Floats) -> bool:
    before = residual[max(0, at - SAME_DAYS) : at] * np.sign(beyond)
    return int((before >= SAME_SIZE * abs(beyond)).sum()) >= SAME_TIMES
