"""The published KPIs as the guard reads them: by key, what is there, and no more."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.guard.adapters import KpiTables, SnsPeople
from services.guard.notifications import SnsNotification
from tests.unit.infra.accounts import Account
from tests.unit.infra.conftest import aws as aws
from tests.unit.infra.ecp.kpis.test_kpi_queries import a_category, a_day
from tests.unit.infra.tables import put_items

LAST = date(2025, 7, 31)
DAYS = [LAST - timedelta(back) for back in range(250)]


@pytest.fixture
def tables(aws: Any) -> KpiTables:
    dynamodb = Account(aws).client("dynamodb")
    put_items(dynamodb, "OrderKPIs", [a_day(str(day)) for day in DAYS])
    put_items(
        dynamodb,
        "CategoryKPIs",
        [
            *(a_category("Books", str(day)) for day in DAYS),
            *(a_category("Games", str(day)) for day in DAYS[12:]),
            *(a_category("Toys", str(day)) for day in DAYS[60:]),
        ],
    )
    return KpiTables(dynamodb, "OrderKPIs", "CategoryKPIs")


def test_what_lies_between_is_read_also_over_a_hundred_keys(tables: KpiTables) -> None:
    first = DAYS[220]
    history = tables.history(first, LAST + timedelta(10), LAST)
    assert sorted(history.orders) == sorted(DAYS[:221])
    assert history.orders[LAST]["order_date"] == str(LAST)
    assert sorted(history.categories["Books"]) == sorted(DAYS[:221])
    assert isinstance(history.categories["Books"][LAST]["daily_revenue"], Decimal | int)


def test_a_category_that_went_a_while_ago_is_judged_and_one_long_gone_is_not(
    tables: KpiTables,
) -> None:
    history = tables.history(DAYS[220], LAST, LAST)
    assert sorted(history.categories) == ["Books", "Games"]
    assert max(history.categories["Games"]) == DAYS[12]


def test_a_table_without_a_day_is_an_empty_history(tables: KpiTables) -> None:
    history = tables.history(date(1999, 1, 1), date(1999, 6, 1), date(1999, 5, 1))
    assert history.days() == []
    assert history.findings([date(1999, 5, 1)]) == {}


def test_a_subject_is_ascii_and_the_text_is_not_touched() -> None:
    published: list[dict[str, str]] = []

    class Topic:
        def publish(self, **told: str) -> None:
            published.append(told)

    SnsPeople(Topic(), "arn:topic").tell(SnsNotification("Bücher", "Bücher sind selten"))
    assert published == [
        {"TopicArn": "arn:topic", "Subject": "B?cher", "Message": "Bücher sind selten"}
    ]
