"""What `ExplainKpi` puts: a published number, the same from the facts, and what it is made of."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import Refused
from contracts.messages import ExplainKpi
from services.transformer.history import explaining
from services.transformer.history.explaining import explain_kpi
from tests.support.questions import answer_to
from tests.support.transforming import (
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

pytestmark = pytest.mark.medium

DAY = "2025-07-07"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def explain(bench: Workbench, category: str | None, day: str = DAY) -> dict[str, Any]:
    command = ExplainKpi(
        question_id="why-1", order_date=day, category=category, requested_by="tests"
    )
    return answer_to(bench, explain_kpi, command)


def test_a_category_is_told_with_its_files_and_lines(bench: Workbench) -> None:
    first = a_batch(
        [order("1"), order("2", status="returned"), order("3", "2025-07-08")],
        [line("1", "p1", 2, "1.50"), line("2", "p1", 1, "10.00"), line("3", "p1", 9)],
        [product("p1", "Books")],
    )
    late = a_batch(
        [], [line("2", "p9", 5, "0.01"), line("1", "p2", 4, "2.25")], [product("p2", "Books")]
    )
    for batch in (first, late):
        bench.transform(batch)

    told = explain(bench, "Books")

    revenue = 2 * Decimal("1.50") + Decimal("10.00") + 4 * Decimal("2.25")
    assert {one["name"]: one["published"] for one in told["measures"]} == {
        "daily_revenue": str(revenue),
        "avg_order_value": str(revenue / 2),
        "avg_return_rate": "0.5000",
    }
    assert all(one["published"] == one["recomputed"] for one in told["measures"])
    assert told["equal"] is True
    assert told["published_by"] == late.batch_id
    lines = [(one["batch_id"], one["order_id"], one["line_amount"]) for one in told["lines"]]
    assert sorted(lines) == sorted(
        [
            (first.batch_id, "1", "3.00"),
            (first.batch_id, "2", "10.00"),
            (late.batch_id, "1", "9.00"),
        ]
    )
    amounts = [one["amount"] for one in told["contributions"] if one["kind"] == "order_items"]
    assert sum(map(Decimal, amounts)) == revenue
    assert told["lines_left_out"] == told["contributions_left_out"] == 0


def test_the_orders_of_a_day_are_told_too(bench: Workbench) -> None:
    bench.transform(
        a_batch(
            [order("1", total_amount="10.00"), order("2", total_amount="5.50")], [line("1", "p1")]
        )
    )

    told = explain(bench, None)

    measures = {one["name"]: one["published"] for one in told["measures"]}
    assert measures["total_orders"] == "2"
    assert measures["total_revenue"] == "15.50"
    assert told["category"] is None


def test_of_very_many_lines_and_files_the_rest_is_counted(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "MOST_LINES", 2)
    monkeypatch.setattr(explaining, "MOST_CONTRIBUTIONS", 1)
    bench.transform(
        a_batch(
            [order("1", total_amount="99.00")], [line("1", "p1"), line("1", "p2"), line("1", "p3")]
        )
    )

    told = explain(bench, "Unknown")

    assert (len(told["lines"]), told["lines_left_out"]) == (2, 1)
    assert [one["kind"] for one in told["contributions"]] == ["orders"]
    assert told["contributions_left_out"] == 1


def test_a_number_that_is_not_what_the_facts_give_is_told_as_such(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", total_amount="10.00")], [line("1", "p1")]))
    table = bench.ports.store._tables[bench.ports.tables.order_kpis]  # type: ignore[attr-defined]
    [item] = table.values()
    item["total_orders"] = 7

    told = explain(bench, None)

    assert told["equal"] is False
    [orders] = [one for one in told["measures"] if one["name"] == "total_orders"]
    assert (orders["published"], orders["recomputed"]) == ("7", "1")


def test_what_nobody_published_is_told_as_nothing(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))

    told = explain(bench, "Books")

    assert {one["published"] for one in told["measures"]} == {None}
    assert (told["equal"], told["contributions"], told["lines"]) == (True, [], [])
    assert told["published_by"] is None


def test_a_day_that_there_is_not_is_refused(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    with pytest.raises(Refused, match="why-1"):
        explain(bench, None, "2025-02-30")


def test_it_says_when_it_was_worked_out(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    now = datetime(2025, 7, 9, 3, tzinfo=UTC)
    then = replace(bench, ports=replace(bench.ports, clock=lambda: now))
    assert explain(then, None)["explained_at"] == "2025-07-09T03:00:00.000Z"
