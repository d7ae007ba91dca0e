"""Totals that follow the lines: whenever lines come, change or go, the total is their sum."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import MaintainFacts, RebuildKpis
from services.transformer.maintenance.rebuild import rebuild_kpis
from services.transformer.maintenance.upkeep import maintain_facts
from tests.model import ShopModel
from tests.support.examples import some
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order
from tests.unit.transformer.shops import an_export, batch_of, plain
from tests.unit.transformer.test_rekeying import by, of, rekey

pytestmark = pytest.mark.medium

NEXT_DAY = "2025-07-08"
FOLLOWS = order("1", total_extra="1.50")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def taken(bench: Workbench, *batches: Batch) -> dict[str, Any]:
    """The newest result; facts and KPIs are the model's."""
    model, told = ShopModel(), {}
    for batch in batches:
        told = bench.transform(batch)
        bench.assert_equals(batch.told_to(model))
    return told


def revenue(bench: Workbench) -> dict[str, Decimal]:
    return {day["order_date"]: day["total_revenue"] for day in bench.order_kpis()}


def totals(bench: Workbench) -> dict[str, int]:
    return {row["order_id"]: row["total_amount_cents"] for row in bench.facts()["orders"]}


def test_it_is_what_lines_cost_and_add_and_the_orders_extra(bench: Workbench) -> None:
    lines = [
        line("1", quantity=3, line_amount="25.00", added_to_total="4.95"),
        line("1", "p2", 2, "0.29"),
    ]
    taken(bench, a_batch([FOLLOWS, order("2", total_amount="7.00")], [*lines, line("2")]))
    assert totals(bench) == {"1": 150 + 2995 + 58, "2": 700}
    assert revenue(bench) == {"2025-07-07": Decimal("39.03")}


def test_an_extra_may_take_away(bench: Workbench) -> None:
    taken(bench, a_batch([order("1", total_extra="-0.50")], [line("1")]))
    assert totals(bench) == {"1": 950}


def test_without_lines_it_is_the_extra_and_follows_when_they_come(bench: Workbench) -> None:
    before = a_batch([FOLLOWS, order("2", NEXT_DAY)], [line("3")])
    taken(bench, before)
    assert totals(bench)["1"] == 150
    told = taken(bench, before, a_batch(items=[line("1", added_to_total="0.05")]))
    assert totals(bench)["1"] == 1155
    assert told["affected_days"] == ["2025-07-07"]
    assert told["restated"]["orders"] == 0


def test_lines_that_waited_count_when_the_order_comes(bench: Workbench) -> None:
    taken(bench, a_batch(items=[line("1", quantity=2)]), a_batch([FOLLOWS]))
    assert totals(bench) == {"1": 2150}


@pytest.mark.parametrize(
    ("then", "total"),
    some(
        [
            (batch_of([plain(line("1", "p1", 2))]), 150 + 2000 + 1000),
            (batch_of([plain(line("1", "p1", line_amount="0.01", added_to_total="0.02"))]), 1153),
            (batch_of([an_export([FOLLOWS], [line("1", "p2")])]), 1150),
            (batch_of([an_export([FOLLOWS], [])]), 150),
            (batch_of([an_export([], [line("1", "p2", 5)])]), 5150),
            (a_batch([order("1", total_extra="0")]), 2000),
            (a_batch([order("1", total_amount="3.00")]), 300),
        ]
    ),
    ids=["restated", "another freight", "removed", "all removed", "whole", "no extra", "stated"],
)
def test_it_follows_every_change(bench: Workbench, then: Batch, total: int) -> None:
    first = a_batch([FOLLOWS, order("2")], [line("1", "p1"), line("1", "p2"), line("2")])
    told = taken(bench, first, then)
    assert totals(bench) == {"1": total, "2": 1000}
    assert told["affected_days"] == ["2025-07-07"]


def test_a_stated_total_may_give_way_to_the_lines_and_is_restated_then(bench: Workbench) -> None:
    told = taken(bench, a_batch([order("1")], [line("1", quantity=4)]), a_batch([FOLLOWS]))
    assert totals(bench) == {"1": 4150}
    assert told["restated"]["orders"] == 1


def test_an_order_that_moves_takes_its_total_along(bench: Workbench) -> None:
    moved = a_batch([order("1", NEXT_DAY, total_extra="1.50")], [line("1", "p2")])
    told = taken(bench, a_batch([FOLLOWS, order("2")], [line("1")]), moved)
    assert told["affected_days"] == ["2025-07-07", NEXT_DAY]
    assert revenue(bench) == {"2025-07-07": Decimal("10.00"), NEXT_DAY: Decimal("21.50")}


def test_what_is_stated_again_with_equal_content_is_not_restated(bench: Workbench) -> None:
    export = a_batch([FOLLOWS], [line("1", added_to_total="0.05")])
    again = replace(export, batch_id="a" * 16)
    assert taken(bench, export, again)["restated"]["orders"] == 0
    other = a_batch([order("1", total_extra="1.51")], [line("1", added_to_total="0.06")])
    told = bench.transform(other)["restated"]
    assert (told["orders"], told["order_items"]) == (1, 1)


def test_totals_that_follow_their_lines_warn_of_nothing(bench: Workbench) -> None:
    told = taken(bench, a_batch([FOLLOWS, order("2", total_amount="3.00")], [line("1"), line("2")]))
    assert told["order_totals"]["differing"] == 1
    assert [each["order_id"] for each in told["order_totals"]["worst"]] == ["2"]
    assert bench.transform(a_batch(items=[line("1", "p2")]))["order_totals"]["differing"] == 0


def test_only_days_with_a_changed_total_are_written_anew(bench: Workbench) -> None:
    """Lines of an order whose total is stated leave the orders' files as they are."""
    taken(bench, a_batch([FOLLOWS, order("2", NEXT_DAY)], [line("1"), line("2")]))
    written = {day: files_of(bench, day) for day in (date(2025, 7, 7), date(2025, 7, 8))}
    bench.transform(a_batch(items=[line("1", "p2"), line("2", "p2")]))
    assert files_of(bench, date(2025, 7, 7)) != written[date(2025, 7, 7)]
    assert files_of(bench, date(2025, 7, 8)) == written[date(2025, 7, 8)]
    lines_again = a_batch(items=[line("1", "p2")])
    written = {day: files_of(bench, day) for day in written}
    bench.transform(lines_again)
    assert files_of(bench, date(2025, 7, 7)) == written[date(2025, 7, 7)], "the total is as before"


def files_of(bench: Workbench, day: date) -> set[str]:
    tasks = bench.ports.facts._catalog.load_table("ecommerce.orders").scan().plan_files()
    days_since_1970 = (day - date(1970, 1, 1)).days
    return {task.file.file_path for task in tasks if task.file.partition[0] == days_since_1970}


def test_facts_that_were_rewritten_follow_on(bench: Workbench) -> None:
    """Other pseudonyms, upkeep and a rebuild leave the total, and that it follows its lines."""
    follows = by("ann", "1") | {"total_extra": "1.50"}
    del follows["total_amount"]
    bench.transform(of(1, follows, by("bob", "2"), items=[line("1", added_to_total="0.05")]))
    rekey(bench)
    maintain_facts(MaintainFacts(request_id="upkeep-1", requested_by="t"), bench.ports)
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="t"), bench.ports)
    assert totals(bench) == {"1": 1155, "2": 1000}
    bench.transform(a_batch(items=[line("1", "p2")]))
    assert totals(bench) == {"1": 2155, "2": 1000}
    assert revenue(bench) == {"2025-07-07": Decimal("31.55")}
