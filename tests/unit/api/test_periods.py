"""Days, weeks and months of a span, and what each is compared with."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.kpis.periods import By, Compare, Span, compared, compared_whole, label, periods

DAYS = st.dates(date(1972, 1, 1), date(2040, 12, 31))


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


@given(DAYS, st.integers(0, 800), st.sampled_from(By))
def test_periods_cover_each_day_once_and_begin_where_a_calendar_does(
    first: date, more: int, by: By
) -> None:
    whole = Span(first, first + timedelta(days=more))
    cut = periods(whole, by)
    assert [day for period in cut for day in period.dates()] == list(whole.dates())
    for period in cut[1:]:
        assert by is not By.WEEK or period.first.isoweekday() == 1
        assert by is not By.MONTH or period.first.day == 1
    assert len({label(period, by) for period in cut}) == len(cut)


@pytest.mark.parametrize(
    ("period", "by", "compare", "expected"),
    [
        (("2025-03-01", "2025-03-01"), By.DAY, Compare.PREVIOUS, ("2025-02-28", "2025-02-28")),
        (("2024-02-29", "2024-02-29"), By.DAY, Compare.LAST_YEAR, ("2023-02-28", "2023-02-28")),
        (("2025-07-07", "2025-07-13"), By.WEEK, Compare.PREVIOUS, ("2025-06-30", "2025-07-06")),
        (("2025-07-07", "2025-07-13"), By.WEEK, Compare.LAST_YEAR, ("2024-07-08", "2024-07-14")),
        (("2025-03-01", "2025-03-31"), By.MONTH, Compare.PREVIOUS, ("2025-02-01", "2025-02-28")),
        (("2025-02-01", "2025-02-28"), By.MONTH, Compare.PREVIOUS, ("2025-01-01", "2025-01-31")),
        (("2025-02-01", "2025-02-28"), By.MONTH, Compare.LAST_YEAR, ("2024-02-01", "2024-02-29")),
        (("2025-07-10", "2025-07-31"), By.MONTH, Compare.PREVIOUS, ("2025-06-10", "2025-06-30")),
        (("2025-01-01", "2025-01-31"), By.MONTH, Compare.PREVIOUS, ("2024-12-01", "2024-12-31")),
    ],
)
def test_a_period_is_compared_with_the_same_one_before(
    period: tuple[str, str], by: By, compare: Compare, expected: tuple[str, str]
) -> None:
    assert compared(span(*period), by, compare) == span(*expected)


@pytest.mark.parametrize(
    ("whole", "compare", "expected"),
    [
        (("2025-07-01", "2025-07-31"), Compare.PREVIOUS, ("2025-06-01", "2025-06-30")),
        (("2025-01-01", "2025-03-31"), Compare.PREVIOUS, ("2024-10-01", "2024-12-31")),
        (("2025-07-08", "2025-07-14"), Compare.PREVIOUS, ("2025-07-01", "2025-07-07")),
        (("2025-07-08", "2025-07-14"), Compare.LAST_YEAR, ("2024-07-08", "2024-07-14")),
    ],
)
def test_totals_are_compared_with_as_much_before(
    whole: tuple[str, str], compare: Compare, expected: tuple[str, str]
) -> None:
    assert compared_whole(span(*whole), compare) == span(*expected)


def test_a_week_of_two_years_has_the_iso_year() -> None:
    assert label(span("2024-12-30", "2025-01-05"), By.WEEK) == "2025-W01"
    assert label(span("2021-01-01", "2021-01-03"), By.WEEK) == "2020-W53"
