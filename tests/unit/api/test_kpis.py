"""KPIs over HTTP: each number is that of the orders themselves, or there is none."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.harness import ApiHarness
from tests.unit.api.kpi_items import STAMP, Order, of, plain_category, plain_orders, published

FIRST = date(2025, 6, 20)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["Books", "Games", "=cmd()", "Spiel\nwaren"]), st.integers(0, 99_999)
    ),
    max_size=3,
).map(tuple)
ORDERS = st.lists(
    st.builds(
        Order,
        st.integers(0, 25).map(lambda n: FIRST + timedelta(days=n)),
        st.sampled_from(["anna", "ben", "cleo", ""]),
        st.booleans(),
        LINES,
    ),
    max_size=30,
)
LABELS = {
    "day": lambda one: str(one.day),
    "week": lambda one: "{}-W{:02d}".format(*one.day.isocalendar()[:2]),
    "month": lambda one: f"{one.day:%Y-%m}",
}
WHOLE = {"from_": "2025-06-01", "to": "2025-07-31"}


def an_api(orders: Sequence[Order]) -> ApiHarness:
    api = ApiHarness()
    api.kpis.order_items, api.kpis.category_items = published(orders)
    return api


def some(day: str, *, user: str = "anna", returned: bool = False, cents: int = 1000) -> Order:
    return Order(date.fromisoformat(day), user, returned, (("Books", cents),))


@given(ORDERS, st.sampled_from(["day", "week", "month"]))
def test_each_periods_numbers_are_those_of_its_orders(orders: list[Order], by: str) -> None:
    answer = an_api(orders).ask("/kpis/orders", by=by, **WHOLE).json
    found = {row["period"]: {k: row[k] for k in plain_orders([])} for row in answer["rows"]}
    periods = of(orders, LABELS[by])
    assert found == {period: plain_orders(within) for period, within in periods.items()}
    assert {k: answer["totals"][k] for k in plain_orders([])} == plain_orders(orders)


@given(ORDERS, st.sampled_from(["day", "week", "month"]))
def test_each_categorys_numbers_are_those_of_its_orders(orders: list[Order], by: str) -> None:
    answer = an_api(orders).ask("/kpis/categories", by=by, **WHOLE).json
    names = sorted({name for one in orders for name, _ in one.lines})
    expected = [
        (name, period, plain_category(within, name))
        for name in names
        for period, within in sorted(of(orders, LABELS[by]).items())
        if any(name == category for one in within for category, _ in one.lines)
    ]
    measures = plain_category([], "")
    assert [
        (row["category"], row["period"], {k: row[k] for k in measures}) for row in answer["rows"]
    ] == expected
    totals = {row["category"]: {k: row[k] for k in measures} for row in answer["totals"]}
    assert totals == {name: plain_category(orders, name) for name in names}
    assert round(answer["total_revenue"] * 100) == sum(one.cents for one in orders)


@pytest.mark.medium
@given(ORDERS, st.sampled_from(["day", "month"]))
def test_csv_has_the_same_cells_whatever_a_category_is_called(orders: list[Order], by: str) -> None:
    api = an_api(orders)
    rows = api.ask("/kpis/categories", by=by, **WHOLE).json["rows"]
    text = api.ask("/kpis/categories", {"Accept": "text/csv"}, by=by, **WHOLE).text
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(one["category"], one["period"]) for one in cells] == [
        (row["category"], row["period"]) for row in rows
    ]
    assert [float(one["daily_revenue"]) for one in cells] == [row["daily_revenue"] for row in rows]


def test_a_rate_of_a_month_is_no_mean_of_daily_rates() -> None:
    orders = [some("2025-07-01", returned=True), *[some("2025-07-02")] * 3]
    [row] = an_api(orders).ask("/kpis/orders", by="month", **WHOLE).json["rows"]
    assert row["return_rate"] == 0.25


def test_customers_are_known_of_a_day_and_not_of_more() -> None:
    api = an_api([some("2025-07-01"), some("2025-07-02")])
    days = api.ask("/kpis/orders", **WHOLE).json
    assert [row["unique_customers"] for row in days["rows"]] == [1, 1]
    assert days["totals"]["unique_customers"] is None
    text = api.ask("/kpis/orders", by="month", format="csv", **WHOLE).text
    assert text.splitlines()[1].split(",")[7] == ""


def test_an_item_without_counts_gives_no_rate_of_a_month() -> None:
    """It was published before items had them; `ecp rebuild` gives it some."""
    api = an_api([some("2025-07-01", returned=True), some("2025-07-02")])
    del api.kpis.order_items["2025-07-01"]["returned_orders"]
    del api.kpis.category_items[0]["orders"]
    [row] = api.ask("/kpis/orders", by="month", **WHOLE).json["rows"]
    assert (row["total_orders"], row["return_rate"]) == (2, None)
    [row] = api.ask("/kpis/categories", by="month", **WHOLE).json["rows"]
    assert (row["daily_revenue"], row["avg_order_value"], row["avg_return_rate"]) == (
        20.0, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("compare", "period", "revenue"), [("previous", "2025-06", 3.0), ("last_year", "2024-07", 5.0)]
)
def test_a_month_beside_the_one_before(compare: str, period: str, revenue: float) -> None:
    orders = [
        some("2025-07-31", cents=100), some("2025-06-30", cents=300), some("2024-07-31", cents=500)
    ]  # fmt: skip
    api = an_api(orders)
    july = {"from_": "2025-07-01", "to": "2025-07-31", "by": "month", "compare": compare}
    answer = api.ask("/kpis/orders", **july).json
    [row] = answer["rows"]
    assert (row["total_revenue"], row["compared"]["total_revenue"]) == (1.0, revenue)
    assert row["compared"]["period"] == period
    assert answer["totals"]["compared"]["total_revenue"] == revenue
    [row] = api.ask("/kpis/categories", category="Books", **july).json["rows"]
    assert row["compared"]["daily_revenue"] == revenue
    header, cells = api.ask("/kpis/orders", {"Accept": "text/csv"}, **july).text.splitlines()
    assert dict(zip(header.split(","), cells.split(","), strict=True))[
        "compared_total_revenue"
    ] == f"{revenue:.2f}"  # fmt: skip


def test_a_period_that_had_orders_only_before_is_shown_with_nothing() -> None:
    api = an_api([some("2025-06-30")])
    july = {"from_": "2025-07-01", "to": "2025-07-31", "by": "month", "compare": "previous"}
    [row] = api.ask("/kpis/orders", **july).json["rows"]
    assert (row["total_orders"], row["updated_at"], row["compared"]["total_orders"]) == (0, None, 1)


@pytest.mark.medium
@given(ORDERS, st.integers(1, 7))
def test_pages_put_together_are_the_whole(orders: list[Order], limit: int) -> None:
    api = an_api(orders)
    whole: list[Any] = api.ask("/kpis/categories", **WHOLE).json["rows"]
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.ask("/kpis/categories", limit=limit, **WHOLE, **cursor).json
        assert len(page["rows"]) <= limit
        found += page["rows"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == whole


def test_an_answer_that_is_known_is_not_sent_again_until_a_number_changes() -> None:
    api = an_api([some("2025-07-01")])
    first = api.ask("/kpis/orders", **WHOLE)
    etag = {"If-None-Match": first.headers["ETag"]}
    again = api.ask("/kpis/orders", etag, **WHOLE)
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
    assert api.ask("/kpis/orders", etag, by="month", **WHOLE).status == 200
    assert api.ask("/kpis/orders", {**etag, "Accept": "text/csv"}, **WHOLE).status == 200
    api.kpis.order_items["2025-07-01"]["epoch"] = 4
    assert api.ask("/kpis/orders", etag, **WHOLE).status == 200
    del api.kpis.order_items["2025-07-01"]
    assert api.ask("/kpis/orders", etag, **WHOLE).status == 200


def test_without_a_span_the_thirty_newest_days_are_meant() -> None:
    api = an_api([some("2025-07-01")])
    answer = api.ask("/kpis/orders").json
    assert (answer["first"], answer["last"]) == ("2025-07-02", "2025-07-31")
    assert api.ask("/freshness", from_="2025-07-01", to="2025-07-02").json["days"] == [
        {
            "order_date": "2025-07-01", "state": "published", "epoch": STAMP.epoch,
            "updated_at": STAMP.updated_at, "batch_id": STAMP.batch_id,
        },
        {
            "order_date": "2025-07-02", "state": "missing", "updated_at": None, "batch_id": None,
            "epoch": None,
        },
    ]  # fmt: skip
