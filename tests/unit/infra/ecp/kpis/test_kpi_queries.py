"""Published KPIs as `ecp kpis` gives them: chosen, sorted, exact, however many pages there are."""

import io
import json
from contextlib import redirect_stdout
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from infra.ecp.kpis import options
from infra.ecp.kpis.queries import (
    CATEGORY_FIELDS,
    ORDER_FIELDS,
    SET_BY_FIELDS,
    Period,
    PublishedKpis,
    category_kpis,
    for_people,
    order_kpis,
)
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.output import print_json
from tests.unit.infra.tables import create_table

pytestmark = pytest.mark.medium

EVER = Period()
TODAY = date(2025, 8, 1)


def reading(dynamodb: Any) -> PublishedKpis:
    return PublishedKpis(dynamodb, TODAY)


def period(first: str | None, last: str | None) -> Period:
    return options.period(first, last, TODAY)


def a_day(order_date: str, **changes: Any) -> dict[str, Any]:
    return {
        "order_date": order_date,
        "total_orders": 2,
        "total_revenue": Decimal("25.50"),
        "total_items_sold": 3,
        "return_rate": Decimal("0.5"),
        "unique_customers": 2,
        "batch_id": "3f2a9c0d1e4b5a67",
        "epoch": 3,
        "updated_at": "2025-07-07T12:00:00.000Z",
    } | changes


def a_category(category: str, order_date: str, **changes: Any) -> dict[str, Any]:
    return {
        "category": category,
        "order_date": order_date,
        "daily_revenue": Decimal("25.50"),
        "avg_order_value": Decimal("12.75"),
        "avg_return_rate": Decimal("0.3333"),
    } | changes


def test_days_come_in_calendar_order_with_the_promised_fields_and_no_other(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    create_table(dynamodb, "OrderKPIs", [a_day("2025-07-09"), a_day("2025-07-01")])
    found = order_kpis(reading(dynamodb), EVER)
    assert [kpi["order_date"] for kpi in found] == ["2025-07-01", "2025-07-09"]
    assert all(tuple(kpi) == (*ORDER_FIELDS, *SET_BY_FIELDS) for kpi in found)


def test_both_ends_of_a_period_belong_to_it(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    create_table(dynamodb, "OrderKPIs", [a_day(f"2025-07-0{day}") for day in (1, 2, 3, 4)])

    def days(first: str | None, last: str | None) -> list[str]:
        return [kpi["order_date"][-1] for kpi in order_kpis(reading(dynamodb), period(first, last))]

    assert days("2025-07-02", "2025-07-03") == ["2", "3"]
    assert days("2025-07-03", None) == ["3", "4"]
    assert days(None, "2025-07-01") == ["1"]


def test_every_page_is_read(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    padding = "x" * 390_000  # DynamoDB answers with 1 MB at most
    days = [a_day(f"2025-07-{day:02}", padding=padding) for day in range(1, 7)]
    create_table(dynamodb, "OrderKPIs", days)
    assert len(order_kpis(reading(dynamodb), EVER)) == 6


def test_days_between_two_are_asked_for_one_by_one_and_no_other_is_read(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    dates = [f"2025-0{month}-0{day}" for month in (6, 7, 8) for day in (1, 2)]
    create_table(dynamodb, "OrderKPIs", map(a_day, dates))
    categories = [a_category(name, day) for name in ("Toys", "Books") for day in dates]
    create_table(dynamodb, "CategoryKPIs", categories)
    calls: list[str] = []
    dynamodb.meta.events.register(
        "before-call.dynamodb", lambda model, **_: calls.append(model.name)
    )
    july = period("2025-07-02", "2025-08-01")
    wanted = ["2025-07-02", "2025-08-01"]
    assert [kpi["order_date"] for kpi in order_kpis(reading(dynamodb), july)] == wanted
    found = [(kpi["category"], kpi["order_date"]) for kpi in category_kpis(reading(dynamodb), july)]
    assert found == [(name, day) for name in ("Books", "Toys") for day in wanted]
    assert set(calls) == {"BatchGetItem", "Query"}


def test_one_category_is_asked_for_by_its_name(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    items = [a_category("Toys", "2025-07-02"), a_category("Books", "2025-07-02")]
    create_table(dynamodb, "CategoryKPIs", [*items, a_category("Books", "2025-07-01")])
    create_table(dynamodb, "OrderKPIs", [a_day("2025-07-01"), a_day("2025-07-02")])
    every = [
        (kpi["category"], kpi["order_date"][-1]) for kpi in category_kpis(reading(dynamodb), EVER)
    ]
    assert every == [("Books", "1"), ("Books", "2"), ("Toys", "2")]
    books = category_kpis(reading(dynamodb), Period(date(2025, 7, 2)), "Books")
    assert [(kpi["category"], kpi["order_date"]) for kpi in books] == [("Books", "2025-07-02")]
    assert category_kpis(reading(dynamodb), EVER, "books") == []


def test_programs_get_json_numbers_whole_ones_as_such(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    create_table(dynamodb, "OrderKPIs", [a_day("2025-07-01", total_revenue=Decimal("9999.10"))])
    out = io.StringIO()
    with redirect_stdout(out):
        print_json(order_kpis(reading(dynamodb), EVER))
    [kpi] = json.loads(out.getvalue())
    assert kpi == {
        "order_date": "2025-07-01",
        "total_orders": 2,
        "total_revenue": 9999.1,
        "total_items_sold": 3,
        "return_rate": 0.5,
        "unique_customers": 2,
        "guests": 0,
        "batch_id": "3f2a9c0d1e4b5a67",
        "epoch": 3,
        "updated_at": "2025-07-07T12:00:00.000Z",
    }
    assert isinstance(kpi["total_orders"], int)


def test_people_get_money_with_two_decimals_and_rates_in_percent() -> None:
    shown = for_people(a_category("Books", "2025-07-01", daily_revenue=25), CATEGORY_FIELDS)
    assert shown == ("Books", "2025-07-01", Decimal("25.00"), Decimal("12.75"), "33.33 %")


@pytest.mark.parametrize("text", ["2025-02-30", "last week", "2025-7", ""])
def test_what_is_no_day_is_wrong_usage(text: str) -> None:
    with pytest.raises(WrongUsage, match=rf"--from {text}: not a day; write it as YYYY-MM-DD"):
        period(text, None)


def test_a_period_that_ends_before_it_begins_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="--from 2025-07-02 is after --to 2025-07-01"):
        period("2025-07-02", "2025-07-01")
