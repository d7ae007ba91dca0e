"""DataFrames of the client: columns and types, with rows and without, whatever is in them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import pandas as pd
import pytest

from ecommerce_pipeline import Client, WrongQuestion, connect
from ecommerce_pipeline.on_aws import TableAnswers
from services.api.adapters import KpiTables, ViewsTable
from services.api.kpis.bounds import MAX_DAYS, MAX_DAYS_OF_ALL_CATEGORIES
from tests.support.served_api import Served, served
from tests.unit.api.harness import TODAY, ApiHarness, a_life, an_event
from tests.unit.api.kpi_items import Order, published

TYPES = {
    "period": "str",
    "order_date": "datetime64[ns]",
    "last_date": "datetime64[ns]",
    "total_orders": "Int64",
    "total_revenue": "object",
    "total_items_sold": "Int64",
    "return_rate": "object",
    "unique_customers": "Int64",
    "guests": "Int64",
    "updated_at": "datetime64[ns, UTC]",
}


def some(day: str, cents: int = 1000, category: str = "Books", returned: bool = False) -> Order:
    return Order(date.fromisoformat(day), "anna", returned, ((category, cents),))


@pytest.fixture
def harness() -> ApiHarness:
    return ApiHarness()


@pytest.fixture
def api(harness: ApiHarness) -> Iterator[Served]:
    with served(harness.app.resolve) as found:
        yield found


@pytest.fixture(params=["http", "tables"])
def client(request: pytest.FixtureRequest, harness: ApiHarness, api: Served) -> Client:
    if request.param == "http":
        return connect(api.url)
    views, kpis = cast(ViewsTable, harness.views), cast(KpiTables, harness.kpis)
    answers = TableAnswers(views, kpis, lambda: TODAY, lambda: harness.others)
    return Client(answers, "here", clock=lambda: TODAY)


def types_of(frame: Any) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def fill(harness: ApiHarness, *orders: Order) -> None:
    harness.kpis.order_items, harness.kpis.category_items = published(orders)


def test_columns_and_types_are_the_same_with_and_without_rows(
    harness: ApiHarness, client: Client
) -> None:
    empty = client.order_kpis("2025-07-01", "2025-07-31")
    assert (len(empty), types_of(empty)) == (0, TYPES)
    none = client.category_kpis("2025-07-01", "2025-07-31", compare="previous")
    batches, quarantine = client.batches(), client.quarantine()
    assert (len(batches), len(quarantine)) == (0, 0)
    fill(harness, some("2025-07-01", 1050), some("2025-07-02"))
    harness.hear(*a_life())
    found = client.order_kpis("2025-07-01", "2025-07-31")
    assert (len(found), types_of(found)) == (2, TYPES)
    filled = client.category_kpis("2025-07-01", "2025-07-31", compare="previous")
    assert types_of(filled) == types_of(none)
    assert types_of(client.batches()) == types_of(batches)
    assert types_of(client.quarantine()) == types_of(quarantine)


def test_money_and_rates_are_exact_decimals(harness: ApiHarness, client: Client) -> None:
    fill(harness, some("2025-07-01", 1050, returned=True), some("2025-07-01", 25))
    [row] = client.order_kpis("2025-07-01", "2025-07-01").to_dict("records")
    assert (row["total_revenue"], row["return_rate"]) == (Decimal("10.75"), Decimal("0.5000"))
    assert str(row["total_revenue"] * 3) == "32.25"
    fill(harness, some("2025-07-01", 1000), some("2025-07-02", 2000))
    months = client.order_kpis("2025-07-01", "2025-07-31", by="month")
    days = client.order_kpis("2025-07-01", "2025-07-31")["total_revenue"]
    assert [str(value) for value in (*days, *months["total_revenue"])] == [
        "10.00",
        "20.00",
        "30.00",
    ]
    assert row["order_date"] == pd.Timestamp("2025-07-01")
    assert row["updated_at"] == pd.Timestamp("2025-07-08T00:00:00Z")


def test_numbers_may_be_floats(harness: ApiHarness, api: Served) -> None:
    fill(harness, some("2025-07-01", 1050), some("2025-07-02"))
    found = connect(api.url, numbers="float").order_kpis("2025-07-01", "2025-07-31", by="month")
    assert types_of(found) == TYPES | {"total_revenue": "float64", "return_rate": "Float64"}
    assert found["total_revenue"].sum() == 20.5
    assert found["unique_customers"].isna().all()


def test_what_a_row_is_compared_with_is_beside_it(harness: ApiHarness, client: Client) -> None:
    fill(harness, some("2025-06-30", 300), some("2025-07-31", 100))
    [row] = client.order_kpis(
        "2025-07-01", "2025-07-31", by="month", compare="previous"
    ).to_dict("records")  # fmt: skip
    assert row["compared_period"] == "2025-06"
    assert row["compared_total_revenue"] == Decimal("3.00")
    alone = client.order_kpis("2025-06-01", "2025-06-30", by="month", compare="previous")
    assert pd.isna(alone["compared_period"][0])
    assert alone["compared_order_date"].isna().all()


@pytest.mark.medium
@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_a_span_of_many_years_is_cut_and_put_together(
    by: Any, harness: ApiHarness, api: Served
) -> None:
    days = [f"{year}-{month:02d}-28" for year in range(2016, 2026) for month in (1, 2, 12)]
    names = ("Games", "Books")
    fill(harness, *(some(day, 100 + n, names[n % 2]) for n, day in enumerate(days)))
    client = connect(api.url)
    orders = client.order_kpis("2016-01-01", "2025-12-31", by=by, compare="last_year")
    assert sum(orders["total_revenue"]) * 100 == sum(100 + n for n in range(len(days)))
    categories = client.category_kpis("2016-01-01", "2025-12-31", by=by)
    assert sum(categories["daily_revenue"]) == sum(orders["total_revenue"])
    places = list(zip(categories["category"], categories["order_date"], strict=True))
    assert places == sorted(set(places))
    pieces = 3653 // MAX_DAYS + 1, 3653 // MAX_DAYS_OF_ALL_CATEGORIES + 1
    assert len(api.asked) >= sum(pieces)
    assert not orders["period"].duplicated().any()


@pytest.mark.medium
def test_pages_are_followed_to_the_end(harness: ApiHarness, api: Served) -> None:
    names = [f"category {n:04d}" for n in range(1203)]
    fill(harness, *(some("2025-07-01", 100, name) for name in names))
    found = connect(api.url).category_kpis("2025-07-01", "2025-07-01")
    assert list(found["category"]) == names
    assert len(api.asked) == 2


def test_batches_and_quarantine_as_the_views_have_them(harness: ApiHarness, client: Client) -> None:
    harness.hear(*a_life())
    [batch] = client.batches().to_dict("records")
    assert (batch["status"], batch["rows_in"], batch["first_day"]) == (
        "COMPLETED", 30, pd.Timestamp("2025-07-01"),
    )  # fmt: skip
    [file] = client.quarantine().to_dict("records")
    assert (file["key"], file["quarantined"], file["is_dismissed"]) == ("orders/a.csv", 2, False)
    assert len(client.batches(limit=0)) == 0
    with pytest.raises(WrongQuestion, match="limit=-1"):
        client.batches(limit=-1)


ANOMALY_TYPES = {
    "order_date": "datetime64[ns]",
    **dict.fromkeys(("series", "category", "status"), "str"),
    **dict.fromkeys(("value", "expected", "lowest", "highest"), "object"),
    "score": "Float64",
    "odd_value": "object",
    "published_by": "str",
    "told_at": "datetime64[ns, UTC]",
}
FAR = {"value": 4020, "expected": 8120, "lowest": 6890.25, "highest": 9570, "category": None}
RATE = {"value": 0.25, "expected": 0.0712, "lowest": 0.05, "highest": 0.1001, "odd_value": 0.0}
BOOKS = {"series": "category_revenue", "category": "=1+1"}


def some_anomalies(harness: ApiHarness) -> None:
    """A number that is odd still, one that is not, and one of a category, on three days."""

    def say(told: str, day: str, **data: Any) -> None:
        harness.hear(an_event(f"KpiAnomaly{told}", f"kpi-anomaly/{day}", 1, order_date=day, **data))

    say("Detected", "2025-07-01", series="orders", **FAR, score=-4.4)
    say("Resolved", "2025-07-03", series="return_rate", category=None, **RATE)
    say("Detected", "2025-07-31", **FAR | BOOKS, score=5.25)


def test_odd_numbers_have_the_same_columns_and_types_with_and_without_rows(
    harness: ApiHarness, client: Client
) -> None:
    empty = client.anomalies("2025-07-01", "2025-07-31")
    assert (len(empty), types_of(empty)) == (0, ANOMALY_TYPES)
    some_anomalies(harness)
    found = client.anomalies("2025-07-01", "2025-07-31")
    assert (len(found), types_of(found)) == (3, ANOMALY_TYPES)


def test_an_odd_number_has_the_places_of_what_it_is_a_number_of(
    harness: ApiHarness, client: Client
) -> None:
    some_anomalies(harness)
    orders, rate, books = client.anomalies("2025-07-01", "2025-07-31").to_dict("records")
    assert [str(orders[name]) for name in ("value", "lowest")] == ["4020", "6890.25"]
    assert [str(rate[name]) for name in ("value", "expected", "odd_value")] == [
        "0.2500", "0.0712", "0.0000",
    ]  # fmt: skip
    assert [str(books[name]) for name in ("value", "highest")] == ["4020.00", "9570.00"]
    assert (orders["score"], orders["odd_value"], books["category"]) == (-4.4, None, "=1+1")
    assert pd.isna(rate["score"])
    assert pd.isna(orders["category"])
    assert books["order_date"] == pd.Timestamp("2025-07-31")
    assert orders["told_at"] == pd.Timestamp("2025-07-07T12:00:00Z")


def test_odd_numbers_may_be_floats(harness: ApiHarness, api: Served) -> None:
    some_anomalies(harness)
    found = connect(api.url, numbers="float").anomalies("2025-07-01", "2025-07-31")
    amounts = ("value", "expected", "lowest", "highest", "odd_value")
    assert types_of(found) == ANOMALY_TYPES | dict.fromkeys(amounts, "float64")
    assert list(found["lowest"]) == [6890.25, 0.05, 6890.25]
    assert list(found["odd_value"].isna()) == [True, False, True]


def test_odd_numbers_of_some_days_and_of_one_status(harness: ApiHarness, client: Client) -> None:
    some_anomalies(harness)

    def days(*asked: Any, **how: Any) -> list[str]:
        return [str(day)[:10] for day in client.anomalies(*asked, **how)["order_date"]]

    assert days() == ["2025-07-03", "2025-07-31"]
    assert days("2025-07-01", status="odd") == ["2025-07-01", "2025-07-31"]
    assert days("2025-07-01", "2025-07-30", status="resolved") == ["2025-07-03"]
    assert days("2000-01-01", "2025-07-30") == ["2025-07-01", "2025-07-03"]
    assert days(last="2025-07-02") == ["2025-07-01"]
    with pytest.raises(WrongQuestion, match="status='mended': there is odd, resolved"):
        client.anomalies(status=cast(Any, "mended"))
    with pytest.raises(WrongQuestion, match="is no day"):
        client.anomalies("20250701")


@pytest.mark.medium
def test_a_long_span_of_odd_numbers_is_asked_for_in_parts_and_page_by_page(
    harness: ApiHarness, api: Served
) -> None:
    for day in ("2020-02-29", "2025-07-31"):
        stream = f"kpi-anomaly/{day}"
        names = [f"category {n:04d}" for n in range(1100 if day.startswith("2025") else 1)]
        told = {"series": "category_revenue", "order_date": day, "score": 4.0}
        harness.hear(
            *(
                an_event("KpiAnomalyDetected", stream, n, **FAR | told | {"category": name})
                for n, name in enumerate(names, start=1)
            )
        )
    found = connect(api.url).anomalies("2020-01-01", "2025-12-31")
    assert len(found) == 1101
    assert not found.duplicated(["order_date", "category"]).any()
    assert len(api.asked) == 2192 // MAX_DAYS + 1 + 1


def test_without_days_the_thirty_newest_are_meant(harness: ApiHarness, client: Client) -> None:
    fill(harness, some("2025-06-01"), some("2025-07-20"))
    assert list(client.order_kpis()["period"]) == ["2025-07-20"]
    assert list(client.order_kpis("2025-01-01")["period"]) == ["2025-06-01", "2025-07-20"]
    assert list(client.order_kpis(last="2025-06-15")["period"]) == ["2025-06-01"]
    since = client.order_kpis(datetime(2025, 6, 2, tzinfo=UTC), date(2025, 7, 31))
    assert list(since["period"]) == ["2025-07-20"]


HOSTILE = [
    "=1+1",
    "a&b=c#d/ä?",
    "\x01\x1b[2J",
    "q\"u'o",
    "x" * 1024,
    "y" * 256,
    "🛒 \u202e",
    " a ",
    "a\r\nb",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_category_may_be_called_anything(name: str, harness: ApiHarness, client: Client) -> None:
    fill(harness, some("2025-07-01", 100, name), some("2025-07-01", 200))
    found = client.category_kpis("2025-07-01", "2025-07-31")
    assert set(found["category"]) == {name, "Books"}


@pytest.mark.parametrize("name", [name for name in HOSTILE if len(name) <= 256])
def test_a_category_is_asked_for_by_whatever_it_is_called(
    name: str, harness: ApiHarness, client: Client
) -> None:
    fill(harness, some("2025-07-01", 100, name), some("2025-07-01", 200))
    found = client.category_kpis("2025-07-01", "2025-07-31", category=name)
    assert list(found["category"]) == [name]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"first": "2025-02-30"}, "first='2025-02-30' is no day"),
        ({"first": "20250701"}, "is no day; write YYYY-MM-DD"),
        ({"last": 7}, "last=7 is no day"),
        ({"first": "2025-07-02", "last": "2025-07-01"}, "first 2025-07-02 is after"),
        ({"first": "1970-01-01"}, "days go from 1972-01-01 to 2199-12-31"),
        ({"by": "year"}, "by='year': there is day, week, month"),
        ({"compare": "before"}, "compare='before': there is previous, last_year"),
    ],
)
def test_a_wrong_question_says_what_can_be_asked(asked: Any, said: str, client: Client) -> None:
    with pytest.raises(WrongQuestion, match=said):
        client.order_kpis(**asked)


def test_there_is_no_ranking_of_one_category(client: Client) -> None:
    for ask in (client.category_kpis, client.why):
        with pytest.raises(WrongQuestion, match="category: name one"):
            ask("2025-07-01", category="")
    with pytest.raises(WrongQuestion):
        client.category_kpis(top=0)
    with pytest.raises(WrongQuestion):
        client.category_kpis(top=1, category="Books")
