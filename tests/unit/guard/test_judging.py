"""What is expected of a day, and when it is odd; on plain series and on a few drawn shops."""

from datetime import date, timedelta

import numpy as np
import pytest

from services.guard.feasts import black_friday, easter, is_feast
from services.guard.judging import Measure, Series, judge
from tests.support.guard_bench import Tally, measured
from tests.support.guarded_shops import FAULTS

MONDAY = date(2024, 2, 5)
DAYS = 120
WEEK = np.array([100.0, 110, 120, 130, 160, 80, 40])


def a_series(measure: Measure = Measure.COUNT, growth: float = 0.0) -> Series:
    """A week's pattern of a thousand orders, growing by so much a day, up and down by 3 %."""
    at = np.arange(DAYS)
    wobble = np.array([1.03, 0.97, 1.0, 0.98, 1.02])[at % 5]
    values = 10 * WEEK[at % 7] * wobble * (1 + growth) ** at
    return Series(measure, MONDAY, values, values.copy())


def with_day(series: Series, at: int, factor: float) -> Series:
    values = series.values.copy()
    values[at] *= factor
    return Series(series.measure, series.first_day, values, series.orders)


def test_the_day_of_the_week_is_expected_as_a_plain_model_has_it() -> None:
    series = a_series()
    judgement = judge(series)
    for at in range(70, DAYS):
        same_weekday = sorted(series.values[at - 70 : at : 7])
        plain = (same_weekday[4] + same_weekday[5]) / 2
        assert judgement.expected[at] == pytest.approx(plain, rel=0.05)
    assert not judgement.is_odd.any()


def test_a_sunday_like_a_monday_is_odd_though_the_number_is_an_everyday_one() -> None:
    assert (MONDAY + timedelta(104)).weekday() == 6
    judgement = judge(with_day(a_series(), 104, 100 / 40))
    assert list(np.flatnonzero(judgement.is_odd)) == [104]


def test_growth_is_followed() -> None:
    assert not judge(a_series(growth=0.005)).is_odd.any()


def test_the_bounds_are_where_it_begins_to_be_odd() -> None:
    series = a_series()
    judgement = judge(series)
    for bound in (judgement.lowest[100], judgement.highest[100]):
        outward = 1.01 if bound > judgement.expected[100] else 0.99
        inside = with_day(series, 100, bound / series.values[100] / outward)
        outside = with_day(series, 100, bound / series.values[100] * outward)
        assert not judge(inside).is_odd[100]
        assert judge(outside).is_odd[100]


def test_one_wrong_day_does_not_make_the_next_ones_odd() -> None:
    for factor in (0.0, 2.0, 100.0):
        assert list(np.flatnonzero(judge(with_day(a_series(), 100, factor)).is_odd)) == [100]


def test_a_new_normal_is_said_twice_and_then_no_more() -> None:
    series = a_series()
    values = series.values * np.where(np.arange(DAYS) >= 100, 2.0, 1.0)
    found = judge(Series(series.measure, MONDAY, values, values.copy()))
    assert list(np.flatnonzero(found.is_odd)) == [100, 101]


def test_without_eight_weeks_no_day_is_judged() -> None:
    judgement = judge(a_series())
    assert np.isnan(judgement.score[:56]).all()
    assert np.isfinite(judgement.score[57:]).all()


def test_a_category_that_sells_a_few_times_a_day_may_well_not_sell_today() -> None:
    draw = np.random.default_rng(1)
    orders = draw.poisson(3, 300).astype(float)
    few = judge(Series(Measure.MONEY, MONDAY, orders * 20.0, orders))
    assert not few.is_odd[orders == 0].any()
    orders = np.full(300, 40.0) + np.arange(300) % 3
    orders[250] = 0
    assert judge(Series(Measure.MONEY, MONDAY, orders * 20.0, orders)).is_odd[250]


def test_what_was_odd_last_year_on_the_same_date_is_expected() -> None:
    draw = np.random.default_rng(2)
    values = draw.normal(1000, 40, 800)
    first, feast = date(2023, 1, 2), date(2024, 6, 18)
    at = (feast - first).days
    values[at] *= 0.5
    alone = judge(Series(Measure.COUNT, first, values, values.copy()))
    assert alone.is_odd[at]
    values[(date(2023, 6, 18) - first).days] *= 0.5
    again = judge(Series(Measure.COUNT, first, values, values.copy()))
    assert not again.is_odd[at]
    values[at] = 0
    assert judge(Series(Measure.COUNT, first, values, values.copy())).is_odd[at]


def test_feasts_that_move_are_where_they_are() -> None:
    known = {2019: (4, 21), 2024: (3, 31), 2025: (4, 20), 2026: (4, 5), 2038: (4, 25)}
    assert {year: easter(year) for year in known} == {
        year: date(year, *on) for year, on in known.items()
    }
    assert black_friday(2024) == date(2024, 11, 29)
    assert black_friday(2025) == date(2025, 11, 28)
    assert is_feast(date(2025, 12, 25))
    assert not is_feast(date(2025, 12, 23))


@pytest.fixture(scope="module")
def bench() -> dict[str, Tally]:
    """A few shops of the bench; all of it is tests/performance/test_guard.py."""
    return measured(range(900, 908), days=800, each=2)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_nearly_every_whole_fault_of_a_few_shops_is_found(
    bench: dict[str, Tally], fault: str
) -> None:
    assert bench["guard"].recall(fault, files=1) >= 0.9


@pytest.mark.slow
def test_a_few_shops_hear_less_of_nothing_than_by_three_sigma(bench: dict[str, Tally]) -> None:
    guard, plain = bench["guard"], bench["three sigma"]
    assert guard.false_alarms_a_year() <= 1.2
    assert guard.false_alarms_a_year() < plain.false_alarms_a_year() / 2


def test_of_one_or_two_orders_a_day_nothing_is_said() -> None:
    draw = np.random.default_rng(3)
    orders = np.maximum(draw.poisson(1.5, 700), 1).astype(float)
    values = np.array([draw.lognormal(6, 1.1, int(count)).sum() for count in orders])
    rate = (draw.random(700) < 0.05).astype(float)
    for measure, numbers in (
        (Measure.COUNT, orders),
        (Measure.MONEY, values),
        (Measure.RATE, rate),
    ):
        assert not judge(Series(measure, MONDAY, numbers, orders)).is_odd.any()
    many = np.full(700, 50.0) + draw.integers(0, 5, 700)
    wave = np.full(700, 0.06)
    wave[650] = 0.5
    assert judge(Series(Measure.RATE, MONDAY, wave, many)).is_odd[650]
