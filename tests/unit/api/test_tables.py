"""The tables that the templates make, and the dictionaries of the other tests: one behaviour."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import boto3
import pytest

from services.api.adapters import KpiTables, ViewsTable
from services.api.kpis.periods import Span
from services.api.use_cases import Intake
from services.api.views.domain import ViewItem
from tests.contract.builders import BATCH
from tests.contract.declared import PROJECT, Template
from tests.support.moto_account import moto_account
from tests.unit.api.harness import InMemoryKpis, InMemoryViews, a_life
from tests.unit.api.kpi_items import Order, published
from tests.unit.infra.tables import put_items

pytestmark = pytest.mark.medium

FIRST = date(2025, 1, 1)
ORDERS = [
    Order(FIRST + timedelta(days=n), "anna", n % 3 == 0, (("Books", n), ("Games", 7)))
    for n in range(0, 230, 2)
]


def create(dynamodb: Any, service: str, name: str) -> None:
    """A table as the template of its service has it."""
    tables = Template(PROJECT / f"services/{service}/template.yaml").of_type("AWS::DynamoDB::Table")
    [table] = [table for table in tables.values() if table["TableName"] == name]
    taken = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema")
    indexes = {k: table[k] for k in ("GlobalSecondaryIndexes",) if k in table}
    dynamodb.create_table(**{key: table[key] for key in taken}, **indexes)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with moto_account():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture(params=["memory", "dynamodb"])
def views(request: pytest.FixtureRequest, dynamodb: Any) -> Any:
    if request.param == "memory":
        return InMemoryViews()
    create(dynamodb, "api", "PipelineViews")
    return ViewsTable(dynamodb, "PipelineViews")


@pytest.fixture(params=["memory", "dynamodb"])
def kpis(request: pytest.FixtureRequest, dynamodb: Any) -> Any:
    order_items, category_items = published(ORDERS)
    if request.param == "memory":
        return InMemoryKpis(order_items, category_items)
    for name, items in (("OrderKPIs", order_items.values()), ("CategoryKPIs", category_items)):
        create(dynamodb, "transformer", name)
        put_items(dynamodb, name, items)
    return KpiTables(dynamodb, "OrderKPIs", "CategoryKPIs")


def test_of_two_items_the_one_of_the_higher_rank_stands(views: Any) -> None:
    for n, ranks in enumerate(permutations("123")):
        views.put([ViewItem("a", str(n), rank, {"rank": rank}) for rank in ranks])
        assert views.get("a", str(n)) == {"rank": "3"}


def test_an_equal_rank_changes_nothing(views: Any) -> None:
    views.put([ViewItem("a", "b", "1", {"n": 1}), ViewItem("a", "b", "1", {"n": 2})])
    assert views.get("a", "b") == {"n": 1}


def test_a_partition_is_read_in_order_in_whole_or_by_its_beginning(views: Any) -> None:
    for sk in ("b#2", "a#1", "b#1"):
        views.put([ViewItem("p", sk, "1", {"sk": sk})])
    views.put([ViewItem("other", "b#0", "1", {})])
    assert [one["sk"] for one in views.page("p", "", None, None).bodies] == ["a#1", "b#1", "b#2"]
    first = views.page("p", "b#", None, 1)
    second = views.page("p", "b#", first.next, 5)
    assert [first.bodies, second.bodies, second.next] == [[{"sk": "b#1"}], [{"sk": "b#2"}], None]


def test_a_list_is_read_newest_first_and_left_by_what_is_listed_no_more(views: Any) -> None:
    for n in range(3):
        views.put([ViewItem("p", str(n), "1", {"n": n}, "files", f"2025-07-0{n + 1}")])
    views.put([ViewItem("p", "1", "2", {"n": 1})])
    views.put([ViewItem("p", "9", "1", {"n": 9}, "batches", "2025-07-09")])
    first = views.newest("files", None, 1)
    second = views.newest("files", first.next, 5)
    assert [first.bodies, second.bodies, second.next] == [[{"n": 2}], [{"n": 0}], None]


def test_the_events_of_a_batch_come_back_as_they_were(views: Any) -> None:
    life = a_life()
    intake = Intake(views)
    for message in life:
        intake.take(message)
    intake.show()
    found = views.events_of(BATCH)
    assert sorted(one.to_json() for one in found) == sorted(one.to_json() for one in life)
    assert views.get(f"batch#{BATCH}", "view")["status"] == "COMPLETED"


def test_days_are_read_by_key_however_many(kpis: Any) -> None:
    asked = [FIRST + timedelta(days=n) for n in range(231)]
    found = kpis.orders([*asked, *asked])
    assert [item["order_date"] for item in found] == [str(one.day) for one in ORDERS]


def test_a_category_is_read_from_its_first_day_to_its_last(kpis: Any) -> None:
    span = Span(FIRST + timedelta(days=2), FIRST + timedelta(days=6))
    assert [str(item["daily_revenue"]) for item in kpis.category("Books", span)] == [
        "0.02", "0.04", "0.06",
    ]  # fmt: skip
    assert kpis.category("Nothing", span) == []


def test_all_categories_of_a_day_are_found(kpis: Any) -> None:
    found = kpis.categories([FIRST + timedelta(days=n) for n in (4, 3, 2)])
    assert [(item["order_date"], item["category"]) for item in found] == [
        ("2025-01-03", "Books"), ("2025-01-03", "Games"),
        ("2025-01-05", "Books"), ("2025-01-05", "Games"),
    ]  # fmt: skip


def test_keys_that_dynamodb_leaves_unread_are_asked_for_again(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(dynamodb, "transformer", "OrderKPIs")
    put_items(dynamodb, "OrderKPIs", published(ORDERS)[0].values())
    asked = dynamodb.batch_get_item
    requests: list[int] = []

    def throttled(RequestItems: Any) -> Any:
        keys = RequestItems["OrderKPIs"]["Keys"]
        requests.append(len(keys))
        answer = asked(RequestItems={"OrderKPIs": {"Keys": keys[:40]}})
        left = {"OrderKPIs": {"Keys": keys[40:]}} if keys[40:] else {}
        return answer | {"UnprocessedKeys": left}

    monkeypatch.setattr(dynamodb, "batch_get_item", throttled)
    kpis = KpiTables(dynamodb, "OrderKPIs", "CategoryKPIs")
    days = [FIRST + timedelta(days=n) for n in range(90)]
    assert len(kpis.orders(days)) == 45
    assert requests == [90, 50, 10]
