"""What a number is made of, as a DataFrame: asked for, waited for, and looked at in its parts."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest

from ecommerce_pipeline import Busy, Client, NotFound, WrongQuestion
from ecommerce_pipeline.on_aws import TableAnswers
from ecommerce_pipeline.over_http import HttpAnswers, Unsigned
from services.api.adapters import KpiTables, ViewsTable
from tests.contract.builders import a_document
from tests.support.served_api import served
from tests.unit.api.harness import TODAY, ApiHarness

DAY = "2025-07-01"
NAME = "=1+1 & more"
MEASURES = [
    {"name": "daily_revenue", "published": "10.50", "recomputed": "10.5"},
    {"name": "avg_return_rate", "published": "0.25", "recomputed": None},
]
FILES = [
    {
        "kind": "orders", "batch_id": "3f2a9c0d1e4b5a67", "key": "orders/a.csv", "rows": 2,
        "orders": 2, "amount": "10", "returned_orders": 1,
    }
]  # fmt: skip


@pytest.fixture
def harness() -> ApiHarness:
    harness = ApiHarness()
    item = {"order_date": DAY, "epoch": 3, "updated_at": "2025-07-02T00:00:00.000Z"}
    harness.kpis.order_items[DAY] = item
    harness.kpis.category_items.append({**item, "category": NAME})
    return harness


@pytest.fixture(params=["http", "tables"])
def answers(request: pytest.FixtureRequest, harness: ApiHarness) -> Iterator[Any]:
    views, kpis = cast(ViewsTable, harness.views), cast(KpiTables, harness.kpis)
    if request.param == "tables":
        yield TableAnswers(views, kpis, lambda: TODAY, lambda: harness.others)
        return
    with served(harness.app.resolve) as api:
        yield HttpAnswers(api.url, Unsigned(), 30)


def a_client(harness: ApiHarness, answers: Any, after: int, **fields: Any) -> Client:
    """One whose transformer has said after so many pauses."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == after:
            [command, *_] = harness.others.asked
            harness.others.answers[command.question_id] = a_document(
                "KpiExplanation", question_id=command.question_id, category=command.category,
                **fields,
            )  # fmt: skip

    return Client(answers, "here", sleep=sleep)


def test_it_is_asked_for_and_waited_for(harness: ApiHarness, answers: Any) -> None:
    client = a_client(harness, answers, 3, measures=MEASURES, contributions=FILES, equal=False)
    found = client.why(DAY, NAME)
    missing = ["quantity", "snapshot"]
    assert found.drop(columns=missing).to_dict("records") == [{**FILES[0], "amount": Decimal("10")}]
    assert found[missing].isna().all(axis=None)
    assert found.attrs["equal"] is False
    [command] = {one.question_id: one for one in harness.others.asked}.values()
    assert (command.order_date, command.category) == (DAY, NAME)


def test_measures_have_their_own_places(harness: ApiHarness, answers: Any) -> None:
    client = a_client(harness, answers, 1, measures=MEASURES)
    found = client.why(DAY, NAME, of="measures")
    assert [str(value) for value in found["published"]] == ["10.50", "0.2500"]
    assert [str(value) for value in found["recomputed"]] == ["10.50", "None"]


def test_lines_are_there_with_how_many_are_left_out(harness: ApiHarness, answers: Any) -> None:
    client = a_client(harness, answers, 1, lines_left_out=7)
    found = client.why(DAY, of="lines")
    assert found.attrs["left_out"] == 7
    assert str(found["line"].dtype) == "Int64"
    assert {"order_id", "product_id", "quantity", "line_amount"} <= set(found.columns)


def test_who_waits_too_long_is_told_so(harness: ApiHarness, answers: Any) -> None:
    client = a_client(harness, answers, 100)
    with pytest.raises(Busy, match="still worked out after 3 s"):
        client.why(DAY, wait_seconds=3)
    assert len({one.question_id for one in harness.others.asked}) == 1


def test_of_what_is_not_there_nothing_is_asked(harness: ApiHarness, answers: Any) -> None:
    client = a_client(harness, answers, 1)
    with pytest.raises(NotFound, match="nothing of category Toys is published for 2025-07-01"):
        client.why(DAY, "Toys")
    with pytest.raises(NotFound, match="nothing of orders is published for 2025-07-02"):
        client.why("2025-07-02")
    with pytest.raises(WrongQuestion, match="of='rows': there is files, lines, measures"):
        client.why(DAY, of=cast(Any, "rows"))
    assert harness.others.asked == []
