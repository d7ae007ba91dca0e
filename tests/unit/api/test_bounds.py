"""A span that is longer than may be asked at once, cut into questions with the same rows."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.api.kpis.bounds import USUAL_DAYS, pieces, usual_span
from services.api.kpis.periods import By, Span, periods

DAYS = st.dates(date(1972, 1, 1), date(2100, 12, 31))


@given(DAYS, st.integers(0, 3000), st.sampled_from(By), st.integers(31, 800))
def test_the_pieces_have_the_periods_of_the_whole_and_none_is_too_long(
    first: date, more: int, by: By, most: int
) -> None:
    whole = Span(first, first + timedelta(days=more))
    cut = list(pieces(whole, by, most))
    assert [period for piece in cut for period in periods(piece, by)] == periods(whole, by)
    assert max(piece.days for piece in cut) <= most


@given(DAYS, st.integers(0, 3000), st.sampled_from(By))
def test_there_are_no_more_pieces_than_needed(first: date, more: int, by: By) -> None:
    whole = Span(first, first + timedelta(days=more))
    cut = list(pieces(whole, by, 366))
    assert len(cut) <= whole.days // (366 - 31) + 1


def test_without_a_first_day_thirty_are_meant() -> None:
    span = usual_span(date(2025, 7, 31))
    assert (span.first, span.days) == (date(2025, 7, 2), USUAL_DAYS)
