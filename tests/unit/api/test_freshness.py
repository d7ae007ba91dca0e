"""When a source is late by its own rhythm, and what daily numbers lack."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from contracts.clock import to_rfc3339
from services.api.kpis.freshness import Rhythm, days_of_arrival, rhythm_of, what_is_missing

NOW = datetime(2025, 7, 31, 12, tzinfo=UTC)
YESTERDAY = date(2025, 7, 30)


def a_source(name: str = "orders", days_ago: float | None = 1) -> dict[str, Any]:
    at = None if days_ago is None else to_rfc3339(NOW - timedelta(days=days_ago))
    return {"source": name, "arrived_at": at}


def every(gap: int, times: int) -> list[date]:
    return [YESTERDAY - timedelta(days=gap * n) for n in range(times)]


@pytest.mark.parametrize(
    ("gap", "times", "days_ago", "is_late"),
    [
        (1, 5, 1.9, False),
        (1, 5, 2.1, True),
        (7, 3, 13.9, False),
        (7, 3, 14.1, True),
        (1, 2, 6.9, False),
        (1, 2, 7.1, True),
        (1, 0, 7.1, True),
    ],
)
def test_late_is_after_twice_the_usual_gap_or_so_many_days(
    gap: int, times: int, days_ago: float, is_late: bool
) -> None:
    found = rhythm_of(a_source(days_ago=days_ago), every(gap, times), NOW, late_after=7)
    assert found.is_late is is_late
    assert found.usual_gap == (gap if times >= 3 else None)


def test_the_usual_gap_is_the_median_and_files_of_one_day_are_one_arrival() -> None:
    came = [date(2025, 7, day) for day in (1, 1, 2, 3, 4, 20, 20)]
    assert rhythm_of(a_source(), came, NOW, 7).usual_gap == 1.0


def test_products_are_not_expected_until_they_have_a_rhythm_of_their_own() -> None:
    old = a_source("products", days_ago=300)
    assert rhythm_of(old, every(1, 1), NOW, 7) == Rhythm(
        "products", old["arrived_at"], None, None, False
    )
    assert rhythm_of(old, every(1, 3), NOW, 7).is_late


def test_a_source_of_which_no_arrival_is_known_is_not_late() -> None:
    assert not rhythm_of(a_source(days_ago=None), [], NOW, 7).is_late


def test_what_is_missing_is_said_in_sentences() -> None:
    late = rhythm_of(a_source(days_ago=5.25), every(1, 5), NOW, 7)
    unknown = rhythm_of(a_source("my-shop", days_ago=9), [], NOW, 7)
    assert what_is_missing(YESTERDAY, False, [late, unknown], NOW) == [
        "2025-07-30 (yesterday, UTC) has no KPIs",
        "orders is late: its last file came 5.2 days ago; files come every day, so 2 are allowed",
        "my-shop is late: its last file came 9.0 days ago; 7 are allowed",
    ]
    fresh = rhythm_of(a_source(days_ago=0.5), every(1, 5), NOW, 7)
    assert what_is_missing(YESTERDAY, True, [fresh], NOW) == []


def test_days_of_arrival_are_those_of_utc_by_source() -> None:
    files = [
        {"source": "orders", "validated_at": "2025-07-01T23:59:59.000Z"},
        {"source": "orders", "validated_at": "2025-07-02T00:30:00.000+02:00"},
        {"source": "my-shop", "validated_at": "2025-07-03T00:00:00.000Z"},
    ]
    assert days_of_arrival(files) == {
        "orders": {date(2025, 7, 1)},
        "my-shop": {date(2025, 7, 3)},
    }
