"""A file that states its orders whole: what it has of an order is all that the order has."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model import ShopModel
from tests.support.examples import examples, some
from tests.support.transforming import Batch, Workbench, line, local_workbench, order
from tests.unit.transformer.shops import SourceFile, an_export, batch_of, plain

pytestmark = pytest.mark.medium

NEXT_DAY = "2025-07-08"


FIRST = an_export([order("1"), order("2")], [line("1", "p1"), line("1", "p2"), line("2", "p1")])


def standing(*files: SourceFile, folder: Path, at_once: bool) -> list[tuple[str, str, int]]:
    """The lines that stand after these files, in one batch or one by one."""
    bench = local_workbench(folder)
    for batch in [list(files)] if at_once else [[file] for file in files]:
        bench.transform(batch_of(batch))
    bench.assert_equals(batch_of(files).told_to(ShopModel()))
    return lines_of(bench)


def lines_of(bench: Workbench) -> list[tuple[str, str, int]]:
    rows = bench.facts()["order_items"]
    return sorted((row["order_id"], row["product_id"], row["quantity"]) for row in rows)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("then", "stand"),
    some(
        [
            ([an_export([order("1")], [line("1", "p2")])], [("1", "p2", 1), ("2", "p1", 1)]),
            ([an_export([order("1")], [])], [("2", "p1", 1)]),
            ([an_export([], [line("1", "p3")])], [("1", "p3", 1), ("2", "p1", 1)]),
            ([an_export([order("3")], [])], [("1", "p1", 1), ("1", "p2", 1), ("2", "p1", 1)]),
            (
                [an_export([order("1")], [line("1", "p2")], whole=False)],
                [("1", "p1", 1), ("1", "p2", 1), ("2", "p1", 1)],
            ),
            (
                [an_export([order("1", NEXT_DAY)], [line("1", "p2", 4)])],
                [("1", "p2", 4), ("2", "p1", 1)],
            ),
            (
                [an_export([order("1")], [line("1", "p2")]), plain(line("1", "p2", 5))],
                [("1", "p2", 5), ("2", "p1", 1)],
            ),
            (
                [an_export([order("1")], [line("1", "p2")]), plain(line("1", "p1", 5))],
                [("1", "p1", 5), ("1", "p2", 1), ("2", "p1", 1)],
            ),
            (
                [plain(line("1", "p1", 5)), an_export([order("1")], [line("1", "p2")])],
                [("1", "p2", 1), ("2", "p1", 1)],
            ),
            (
                [an_export([order("1")], []), an_export([order("1")], [line("1", "p9")])],
                [("1", "p9", 1), ("2", "p1", 1)],
            ),
        ]
    ),
    ids=[
        "a line removed",
        "no line left",
        "lines alone, a pair replaced",
        "an order that is not in it",
        "not stated whole",
        "moved to another day",
        "a newer pair of it",
        "a newer pair beside it",
        "an older pair",
        "emptied and filled",
    ],
)
def test_what_stands(
    tmp_path: Path, then: list[SourceFile], stand: list[tuple[str, str, int]], *, at_once: bool
) -> None:
    assert standing(FIRST, *then, folder=tmp_path, at_once=at_once) == stand


@pytest.mark.parametrize("at_once", [True, False])
def test_numbered_lines_go_with_the_order_that_is_stated_whole(
    tmp_path: Path, *, at_once: bool
) -> None:
    first = an_export([order("1")], [line("1", line_id="1"), line("1", quantity=2, line_id="2")])
    then = an_export([order("1")], [line("1", quantity=2, line_id="1")])
    assert standing(first, then, folder=tmp_path, at_once=at_once) == [("1", "p1", 2)]


@pytest.mark.parametrize("at_once", [True, False])
def test_lines_that_wait_for_their_order_are_replaced_too(tmp_path: Path, *, at_once: bool) -> None:
    files = (
        an_export([], [line("1", "p1"), line("1", "p2")]),
        an_export([], [line("1", "p1", 3)]),
    )
    assert standing(*files, folder=tmp_path, at_once=at_once) == [("1", "p1", 3)]


def test_the_newest_file_wins_whatever_the_order_in_which_it_was_staged(tmp_path: Path) -> None:
    """A statement is as new as its last file: the first file's whole order is newer than a pair."""
    files = [an_export([order("1")], [line("1", "p2")]), plain(line("1", "p1")), plain()]
    batch = batch_of(files, {0: "m", 2: "m"})
    bench = local_workbench(tmp_path)
    bench.transform(batch)
    assert lines_of(bench) == [("1", "p2", 1)]
    bench.assert_equals(batch.told_to(ShopModel()))


def test_parts_of_one_statement_state_an_order_whole_together(tmp_path: Path) -> None:
    bench = local_workbench(tmp_path)
    bench.transform(batch_of([FIRST]))
    parts = [an_export([order("1")], [line("1", "p2")]), an_export([], [line("1", "p3")])]
    bench.transform(batch_of(parts, {0: "m", 1: "m"}))
    assert lines_of(bench) == [("1", "p2", 1), ("1", "p3", 1), ("2", "p1", 1)]


def test_a_line_that_is_gone_is_told_as_restated_by_the_row_that_states_the_order(
    tmp_path: Path,
) -> None:
    bench = local_workbench(tmp_path)
    first = batch_of([FIRST])
    bench.transform(first)
    second = batch_of([an_export([order("3"), order("1")], [line("1", "p1")])])
    told = bench.transform(second)["restated"]
    assert (told["orders"], told["order_items"]) == (0, 1)
    [gone] = told["examples"]
    assert gone == {
        "kind": "order_items",
        "identity": ["1", "p2"],
        "key": f"order_items/{second.batch_id}-0.csv",
        "line": 2,
        "replaced_key": f"order_items/{first.batch_id}-0.csv",
        "replaced_line": 3,
        "replaced_batch_id": first.batch_id,
    }


def test_lines_that_equal_each_other_answer_one_each(tmp_path: Path) -> None:
    """The line that keeps its id answers itself, and leaves the other line of its content gone."""
    bench = local_workbench(tmp_path)
    two = [line("1", line_id="a"), line("1", line_id="b")]
    bench.transform(batch_of([an_export([order("1")], two)]))
    told = bench.transform(
        batch_of([an_export([order("1")], [line("1", quantity=2, line_id="a"), line("1")])])
    )
    assert told["restated"]["order_items"] == 1


def test_the_report_counts_what_stands_and_what_was_superseded_by_kind(tmp_path: Path) -> None:
    bench = local_workbench(tmp_path)
    batch = batch_of([FIRST, an_export([order("1")], [line("1", "p2")])])
    told: dict[str, Any] = bench.transform(batch)
    assert [file["accepted"] for file in told["files"]] == [3, 1]
    assert told["affected_days"] == ["2025-07-07"]


def test_a_day_that_loses_its_last_line_loses_its_categories(tmp_path: Path) -> None:
    bench = local_workbench(tmp_path)
    bench.transform(batch_of([an_export([order("1")], [line("1")])]))
    told = bench.transform(batch_of([an_export([order("1", NEXT_DAY)], [])]))
    assert told["affected_days"] == ["2025-07-07", NEXT_DAY]
    assert bench.category_kpis() == []
    assert [day["total_items_sold"] for day in bench.order_kpis()] == [0]


Shop = dict[str, tuple[str, dict[str, int]]]
"""What the shop has: by order_id its day, and the quantity of each product."""
edits = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(["2025-07-07", NEXT_DAY]),
        st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), st.integers(1, 3), max_size=3),
    ),
    max_size=3,
)
"""Orders made or changed: another day, other quantities, lines added or removed, none left."""
exported = st.sets(st.sampled_from(["1", "2", "3"]))
"""The orders that an export is of: one that is not in it is not deleted."""


@settings(
    derandomize=True,
    max_examples=examples(25),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.tuples(edits, exported, st.booleans()), min_size=2, max_size=5))
def test_the_facts_are_what_the_last_export_of_each_order_said(
    exports: list[tuple[list[tuple[str, str, dict[str, int]]], set[str], bool]],
) -> None:
    shop: Shop = {}
    seen: Shop = {}
    batches: list[list[SourceFile]] = [[]]
    for changed, chosen, is_new_batch in exports:
        shop |= {order_id: (day, lines) for order_id, day, lines in changed}
        of = {order_id: shop[order_id] for order_id in sorted(chosen & shop.keys())}
        seen |= of
        if is_new_batch:
            batches.append([])
        batches[-1].append(exported_file(of))
    with tempfile.TemporaryDirectory() as folder:
        bench = local_workbench(Path(folder))
        model = ShopModel()
        for files in filter(None, batches):
            batch = batch_of(files)
            bench.transform(batch)
            bench.assert_equals(batch.told_to(model))
        stand = {(row["order_id"], str(row["order_date"])) for row in bench.facts()["orders"]}
        assert stand == {(order_id, day) for order_id, (day, _) in seen.items()}
        assert lines_of(bench) == sorted(
            (order_id, product_id, quantity)
            for order_id, (_, lines) in seen.items()
            for product_id, quantity in lines.items()
        )


def exported_file(shop: Mapping[str, tuple[str, dict[str, int]]]) -> SourceFile:
    return an_export(
        [order(order_id, day) for order_id, (day, _) in shop.items()],
        [
            line(order_id, product_id, quantity)
            for order_id, (_, lines) in shop.items()
            for product_id, quantity in lines.items()
        ],
    )


def test_a_plain_file_may_state_its_orders_whole(tmp_path: Path) -> None:
    """The fact is the report's: a file of order lines alone can say it."""
    bench = local_workbench(tmp_path)
    bench.transform(batch_of([FIRST]))
    bench.transform(Batch([("order_items", [line("1", "p9")])], whole=[0]))
    assert lines_of(bench) == [("1", "p9", 1), ("2", "p1", 1)]


@pytest.mark.parametrize("at_once", [True, False])
def test_equal_lines_of_two_older_files_are_answered_by_one_line_once(
    tmp_path: Path, *, at_once: bool
) -> None:
    files = [plain(line("1", line_id="a")), plain(line("1", line_id="b"))]
    files.append(an_export([order("1")], [line("1")]))
    bench = local_workbench(tmp_path)
    told = [
        bench.transform(batch_of(batch))["restated"]["order_items"]
        for batch in ([files] if at_once else [[file] for file in files])
    ]
    assert sum(told) == 1
