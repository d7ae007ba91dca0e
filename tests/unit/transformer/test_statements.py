"""A newer file replaces what an older one said, in one batch as in several."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import PipelineError
from contracts.messages import BatchManifest, FileReport
from services.transformer.batch import reconciliation
from services.transformer.batch.transform import transform_batch
from tests.contract.builders import a_document
from tests.support.examples import some
from tests.support.transforming import (
    Batch,
    LocalInputs,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

pytestmark = pytest.mark.medium

OVERLAPPING = (
    ("order_items", [line("1", "p1"), line("2", "p1"), line("3", "p1")]),
    ("order_items", [line("2", "p1"), line("3", "p1", 2), line("4", "p1")]),
)
ORDERS = ("orders", [order(str(number)) for number in range(1, 5)])


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def sold(bench: Workbench) -> tuple[int, Decimal]:
    """Items and revenue of the one day that has lines."""
    [day] = bench.order_kpis()
    return day["total_items_sold"], sum(
        (each["daily_revenue"] for each in bench.category_kpis()), Decimal(0)
    )


def restated(result: dict[str, Any]) -> tuple[int, int, int]:
    found = result["restated"]
    return found["orders"], found["order_items"], found["products"]


def lines_of(bench: Workbench) -> list[tuple[str, str | None, int]]:
    rows = bench.facts()["order_items"]
    found = [(row["product_id"], row["line_id"], row["quantity"]) for row in rows]
    return sorted(found, key=str)


def test_overlapping_exports_count_once_in_one_batch_and_in_two(tmp_path: Path) -> None:
    at_once, one_by_one = (local_workbench(tmp_path / name) for name in ("one", "two"))
    whole = at_once.transform(Batch([ORDERS, *OVERLAPPING]))
    one_by_one.transform(Batch([ORDERS, OVERLAPPING[0]]))
    second = one_by_one.transform(Batch([OVERLAPPING[1]]))
    assert sold(at_once) == sold(one_by_one) == (5, Decimal("50.00"))
    assert restated(whole) == restated(second) == (0, 1, 0)
    assert [file["duplicates"] for file in whole["files"]] == [0, 0, 0]
    assert [file["accepted"] for file in whole["files"]] == [4, 3, 3]


def test_the_first_three_of_what_was_replaced_are_named(bench: Workbench) -> None:
    first = a_batch([order("1"), order("2")], [line("1")], [product("p1", "Books")])
    bench.transform(first)
    second = a_batch(
        [order("2", total_amount="9.00"), order("1", status="returned")],
        [line("1", quantity=2)],
        [product("p1", "Toys")],
    )
    found = bench.transform(second)["restated"]
    assert (found["orders"], found["order_items"], found["products"]) == (2, 1, 1)
    assert found["examples"] == [
        {
            "kind": "orders",
            "identity": ["1"],
            "key": f"orders/{second.batch_id}-0.csv",
            "line": 3,
            "replaced_key": f"orders/{first.batch_id}-0.csv",
            "replaced_line": 2,
            "replaced_batch_id": first.batch_id,
        },
        {
            "kind": "orders",
            "identity": ["2"],
            "key": f"orders/{second.batch_id}-0.csv",
            "line": 2,
            "replaced_key": f"orders/{first.batch_id}-0.csv",
            "replaced_line": 3,
            "replaced_batch_id": first.batch_id,
        },
        {
            "kind": "order_items",
            "identity": ["1", "p1"],
            "key": f"order_items/{second.batch_id}-1.csv",
            "line": 2,
            "replaced_key": f"order_items/{first.batch_id}-1.csv",
            "replaced_line": 2,
            "replaced_batch_id": first.batch_id,
        },
    ]


def test_what_is_stated_again_with_equal_content_is_not_restated(bench: Workbench) -> None:
    rows = [order("1", user_id="")], [line("1"), line("1")], [product()]
    bench.transform(a_batch(*rows))
    assert restated(bench.transform(a_batch(*rows))) == (0, 0, 0)


def test_each_time_that_content_changes_counts(bench: Workbench) -> None:
    """As it would, file by file."""
    told = bench.transform(
        Batch([("orders", [order("1", total_amount=total)]) for total in ("1", "2", "2.00", "1")])
    )
    assert restated(told) == (2, 0, 0)
    assert bench.order_kpis()[0]["total_revenue"] == Decimal("1.00")


def test_a_guest_who_becomes_known_is_restated(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", user_id="")]))
    assert restated(bench.transform(a_batch([order("1", user_id="anna")]))) == (1, 0, 0)


def test_parts_of_one_statement_add_up(bench: Workbench) -> None:
    parts = [("order_items", [line("1")]), ("order_items", [line("1", quantity=2)])]
    statement = dict.fromkeys((1, 2), "manifests/parts.json")
    told = bench.transform(Batch([("orders", [order("1")]), *parts], statements=statement))
    assert sold(bench) == (3, Decimal("30.00"))
    assert restated(told) == (0, 0, 0)


def test_a_statement_of_parts_replaces_what_older_files_said(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1", quantity=7), line("1", quantity=8)]))
    parts = [("order_items", [line("1")]), ("order_items", [line("1", quantity=8)])]
    told = bench.transform(Batch(parts, statements=dict.fromkeys((0, 1), "m")))
    assert lines_of(bench) == [("p1", None, 1), ("p1", None, 8)]
    assert restated(told) == (0, 1, 0)


def test_an_order_that_two_parts_state_is_restated_by_the_last(bench: Workbench) -> None:
    parts = [("orders", [order("1", total_amount=total)]) for total in ("1.00", "2.00")]
    told = bench.transform(Batch(parts, statements=dict.fromkeys((0, 1), "m")))
    assert bench.order_kpis()[0]["total_revenue"] == Decimal("2.00")
    assert restated(told) == (1, 0, 0)


def test_a_line_id_names_the_line_that_is_replaced(bench: Workbench) -> None:
    first = [line("1", line_id="a"), line("1", line_id="b", quantity=2)]
    bench.transform(a_batch([order("1")], first))
    told = bench.transform(a_batch(items=[line("1", line_id="b", quantity=5)]))
    assert lines_of(bench) == [("p1", "a", 1), ("p1", "b", 5)]
    assert restated(told) == (0, 1, 0)
    assert told["restated"]["examples"][0]["identity"] == ["1", "b"]


def test_a_line_may_change_its_product_and_is_counted_under_the_new_one(bench: Workbench) -> None:
    products = [product("p1", "Books"), product("p2", "Toys")]
    bench.transform(a_batch([order("1")], [line("1", "p1", line_id="a")], products))
    bench.transform(a_batch(items=[line("1", "p2", line_id="a")]))
    assert [each["category"] for each in bench.category_kpis()] == ["Toys"]


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize(
    ("older", "newer", "stand"),
    some(
        [
            ([""], ["a"], ["a"]),
            (["a", "b"], [""], [None]),
            (["a", ""], ["b"], ["a", "b"]),
            (["a", ""], ["a"], ["a"]),
            (["a", "b"], ["b", ""], ["b", None]),
        ]
    ),
)
def test_lines_with_and_without_line_id_of_one_pair(
    bench: Workbench, older: list[str], newer: list[str], stand: list[str | None], *, cut: bool
) -> None:
    """docs/decisions/0016: nothing is counted twice when an export begins to number its lines."""
    files = [
        ("order_items", [line("1", line_id=one) for one in older]),
        ("order_items", [line("1", line_id=one, quantity=2) for one in newer]),
    ]
    for batch in [[each] for each in files] if cut else [files]:
        bench.transform(Batch(batch))
    found = [line_id for _, line_id, _ in lines_of(bench)]
    assert sorted(found, key=str) == sorted(stand, key=str)


def test_a_line_costs_its_line_amount(bench: Workbench) -> None:
    lines = [line("1", quantity=3, line_amount="10.00"), line("1", "p2", 2, "5.00")]
    told = bench.transform(a_batch([order("1", total_amount="20.00")], lines, [product()]))
    assert {each["category"]: each["daily_revenue"] for each in bench.category_kpis()} == {
        "Books": Decimal("10.00"),
        "Unknown": Decimal("10.00"),
    }
    assert told["order_totals"] == {"differing": 0, "worst": []}
    assert {row["line_amount_cents"] for row in bench.facts()["order_items"]} == {1000}


def test_guests_are_orders_and_no_customers(bench: Workbench) -> None:
    told = bench.transform(
        Batch(
            [
                ("orders", [order("1", user_id=""), order("2", user_id=""), order("3")]),
                ("orders", [order("2", user_id="u1"), order("4", "2025-07-08", user_id="")]),
            ]
        )
    )
    days = {
        day["order_date"]: (day["unique_customers"], day["guests"]) for day in bench.order_kpis()
    }
    assert days == {"2025-07-07": (1, 1), "2025-07-08": (0, 1)}
    assert (told["guests"], [file["guests"] for file in told["files"]]) == (2, [2, 1])


def test_a_staged_row_that_neither_stands_nor_is_replaced_stops_the_batch(
    bench: Workbench,
) -> None:
    manifest = BatchManifest.model_validate(a_document("BatchManifest"))
    counts = {"rows_in": 3, "accepted": 3, "quarantined": 0, "duplicates": 0}
    report = FileReport.model_validate(a_document("FileReport", **counts))
    stand, replaced = {("orders", 0): 1}, {("orders", 0): 2}
    [told] = reconciliation.file_results(manifest, {0: report}, stand, replaced)
    assert told.accepted == 3
    with pytest.raises(PipelineError, match=r"3 rows were staged, 1 stand and 1 are replaced"):
        reconciliation.file_results(manifest, {0: report}, stand, {("orders", 0): 1})


def test_the_validators_duplicates_are_passed_on(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    inputs = bench.ports.inputs
    assert isinstance(inputs, LocalInputs)
    inputs.batches[command.batch_id][0] |= {
        "rows_in": 3,
        "duplicates": 2,
        "unknown_columns": ["note"],
    }
    [told] = bench.result(transform_batch(command, bench.ports))["files"]
    assert (told["rows_in"], told["accepted"], told["duplicates"]) == (3, 1, 2)
    assert told["unknown_columns"] == ["note"]


def test_files_of_a_statement_are_stated_when_the_last_of_them_is() -> None:
    document = a_document("BatchManifest")
    [file] = document["files"]
    names = ({"statement": "m"}, {}, {"statement": "m"}, {"statement": None})
    document["files"] = [{**file, "index": index, **name} for index, name in enumerate(names)]
    manifest = BatchManifest.model_validate(document)
    assert reconciliation.statement_indexes(manifest) == {0: 2, 1: 1, 2: 2, 3: 3}
