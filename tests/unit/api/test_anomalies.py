"""Odd numbers as the API and the console tell of them, whatever order their events came in."""

import csv
import io
from itertools import permutations

import pyarrow.parquet as pq
import pytest

from contracts.envelope import Message
from services.api.http.formats import PARQUET
from tests.unit.api.harness import ApiHarness, an_event

HOSTILE = "<b>Books</b>\n\u202e"
BOUNDS = {"expected": 8120, "lowest": 6890, "highest": 9570}


def detected(day: str, version: int, value: float, **told: object) -> Message:
    data = {"order_date": day, "value": value, "score": -4.4, "category": None, **BOUNDS, **told}
    return an_event("KpiAnomalyDetected", f"kpi-anomaly/{day}", version, version, **data)


def resolved(day: str, version: int, value: float, odd_value: float) -> Message:
    data = {"order_date": day, "value": value, "odd_value": odd_value, **BOUNDS}
    return an_event("KpiAnomalyResolved", f"kpi-anomaly/{day}", version, version, **data)


FIRST, SECOND, THIRD = "2025-07-06", "2025-07-07", "2025-07-08"
BOOKS = {"series": "category_revenue", "category": HOSTILE}
EVENTS = [
    detected(FIRST, 1, 4020),
    resolved(FIRST, 2, 8040, 4020),
    detected(SECOND, 1, 4000),
    detected(SECOND, 2, 4020),
    detected(SECOND, 3, 0, **BOOKS),
]


@pytest.fixture
def api() -> ApiHarness:
    found = ApiHarness()
    found.hear(*EVENTS)
    return found


def rows(api: ApiHarness, **query: object) -> list[tuple[str, str, str, float]]:
    found = api.ask("/kpis/anomalies", from_="2025-07-01", to="2025-07-31", **query).json["rows"]
    return [(one["order_date"], one["series"], one["status"], one["value"]) for one in found]


def test_the_last_that_was_said_of_a_number_stands(api: ApiHarness) -> None:
    assert rows(api) == [
        (FIRST, "orders", "resolved", 8040),
        (SECOND, "category_revenue", "odd", 0),
        (SECOND, "orders", "odd", 4020),
    ]
    assert [one[0] for one in rows(api, status="odd")] == [SECOND, SECOND]
    assert [one[0] for one in rows(api, status="resolved")] == [FIRST]


@pytest.mark.medium
def test_the_views_are_the_same_in_any_order_and_any_deliveries(api: ApiHarness) -> None:
    whole = rows(api)
    for order in permutations(EVENTS[:4]):
        again = ApiHarness()
        for message in (*order, EVENTS[4], order[0]):
            again.hear(message)
        assert rows(again) == whole


def test_only_days_that_are_asked_for(api: ApiHarness) -> None:
    asked = api.ask("/kpis/anomalies", from_=SECOND, to=SECOND).json
    assert (asked["first"], asked["last"]) == (SECOND, SECOND)
    assert {one["order_date"] for one in asked["rows"]} == {SECOND}
    assert api.ask("/kpis/anomalies", from_=THIRD, to=THIRD).json["rows"] == []


def test_page_by_page_it_is_the_whole(api: ApiHarness) -> None:
    span = {"from_": "2025-07-01", "to": "2025-07-31"}
    whole, found = api.ask("/kpis/anomalies", **span).json["rows"], []
    cursor: dict[str, str] = {}
    while True:
        page = api.ask("/kpis/anomalies", limit=1, **span, **cursor).json
        found += page["rows"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == whole
    of_other_days = api.ask("/kpis/anomalies", from_=THIRD, to=THIRD, **cursor)
    assert of_other_days.status == 400
    assert "other days" in of_other_days.json["detail"]


def test_as_csv_and_parquet_it_is_the_same(api: ApiHarness) -> None:
    span = {"from_": "2025-07-01", "to": "2025-07-31"}
    whole = api.ask("/kpis/anomalies", **span).json["rows"]
    text = api.ask("/kpis/anomalies", format="csv", **span)
    told = list(csv.DictReader(io.StringIO(text.text)))
    assert [(one["order_date"], one["category"], float(one["value"])) for one in told] == [
        (one["order_date"], one["category"] or "", one["value"]) for one in whole
    ]
    answer = api.ask("/kpis/anomalies", {"Accept": PARQUET}, **span)
    table = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert [(str(one["order_date"]), one["series"], one["value"]) for one in table] == [
        (one["order_date"], one["series"], one["value"]) for one in whole
    ]


def test_an_answer_that_is_known_is_not_sent_again_until_it_changes(api: ApiHarness) -> None:
    span = {"from_": "2025-07-01", "to": "2025-07-31"}
    etag = api.ask("/kpis/anomalies", **span).headers["ETag"]
    assert api.ask("/kpis/anomalies", {"If-None-Match": etag}, **span).status == 304
    api.hear(resolved(SECOND, 4, 8000, 4020))
    assert api.ask("/kpis/anomalies", {"If-None-Match": etag}, **span).status == 200


def test_a_category_of_any_length_has_a_place_of_its_own() -> None:
    api = ApiHarness()
    longest = "\U0001f4da" * 256
    names = [longest, longest[:-1] + "b", "b"]
    for version, name in enumerate(names, start=1):
        api.hear(detected(FIRST, version, 1, series="category_revenue", category=name))
    found = api.ask("/kpis/anomalies", from_=FIRST, to=FIRST).json["rows"]
    assert {one["category"] for one in found} == set(names)
    assert all(len(sk.encode()) <= 1024 for _, sk in api.views.items)
