"""What `CompareBatch` and `ListWaiting` put, beside a plain model of the same rows."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import CompareBatch, ListWaiting
from services.transformer.history import comparing, waiting
from services.transformer.history.comparing import compare_batch
from services.transformer.history.waiting import list_waiting
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


def difference(bench: Workbench, batch_id: str) -> dict[str, Any]:
    command = CompareBatch(question_id="diff-1", batch_id=batch_id, requested_by="tests")
    return answer_to(bench, compare_batch, command)


def test_a_batch_is_told_by_days_and_by_kpis_before_and_after(bench: Workbench) -> None:
    first = a_batch(
        [order("1"), order("2")],
        [line("1", "p1", 2, "1.50"), line("2", "p1", 1, "10.00")],
        [product("p1", "Books")],
    )
    second = a_batch([order("3")], [line("3", "p1", 4, "2.25")], [])
    later = a_batch([order("4")], [line("4", "p1", 9, "9.00")], [])
    for batch in (first, second, later):
        bench.transform(batch)

    told = difference(bench, second.batch_id)

    before = 2 * Decimal("1.50") + Decimal("10.00")
    [day] = told["days"]
    counts = {name: count for name, count in day.items() if count and name != "order_date"}
    assert (day["order_date"], counts) == (DAY, {"orders_added": 1, "lines_added": 1})
    by_category = {one["category"]: one for one in told["kpis"]}
    revenue = {one["name"]: one for one in by_category["Books"]["measures"]}["daily_revenue"]
    assert (revenue["before"], revenue["after"]) == (str(before), str(before + 4 * Decimal("2.25")))
    orders = {one["name"]: one for one in by_category[None]["measures"]}["total_orders"]
    assert (orders["before"], orders["after"]) == ("2", "3")
    assert told["missing"] is None


def test_the_first_batch_of_a_day_has_nothing_before_it(bench: Workbench) -> None:
    batch = a_batch([order("1")], [line("1", "p1", 1, "1.00")], [product("p1", "Books")])
    bench.transform(batch)
    told = difference(bench, batch.batch_id)
    assert all(one["before"] is None for kpi in told["kpis"] for one in kpi["measures"])
    assert (told["products_added"], told["products_restated"]) == (1, 0)


def test_a_batch_that_is_not_published_has_changed_nothing(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1", "p1")], [product("p1", "Books")]))
    told = difference(bench, "0" * 16)
    assert told["missing"] == "it is not published: it has changed nothing"
    assert (told["days"], told["kpis"]) == ([], [])


def test_of_very_many_items_the_first_are_told_and_the_others_counted(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST_KPIS", 3)
    monkeypatch.setattr(comparing, "MOST_DAYS", 2)
    days = [f"2025-07-{n:02d}" for n in range(1, 6)]
    batch = a_batch(
        [order(str(n), day) for n, day in enumerate(days)],
        [line(str(n), "p1") for n in range(5)],
        [product("p1", "Books")],
    )
    bench.transform(batch)
    told = difference(bench, batch.batch_id)
    assert (len(told["kpis"]), told["kpis_left_out"]) == (3, 7)
    assert (len(told["days"]), told["days_left_out"]) == (2, 3)


def test_what_waits_is_told_with_files_and_ids_that_are_alike(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_TOLD", 2)
    batch = a_batch(
        [order("00100"), order("7")],
        [
            line("100", "p1"), line("100", "p2"), line("200", "p1"), line("300", "p1"),
            line("7", "nobody"),
        ],
        [product("p1", "Books"), product("p2", "Toys")],
    )  # fmt: skip
    bench.transform(batch)
    command = ListWaiting(question_id="waiting-1", requested_by="tests")
    told = answer_to(bench, list_waiting, command)
    assert (told["order_lines"], told["product_lines"]) == (4, 1)
    first, second = told["orders"]
    assert (first["id"], first["lines"], second["id"]) == ("100", 2, "200")
    assert first["alike"] == [{"id": "00100", "differs_in": "leading zeros"}]
    assert told["orders_left_out"] == 1
    [file] = first["files"]
    assert (file["batch_id"], file["lines"]) == (batch.batch_id, 2)
    assert [one["id"] for one in told["products"]] == ["nobody"]
