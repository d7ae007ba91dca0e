"""Totals of orders against their lines: a warning with the ten worst, never a rejection."""

from pathlib import Path

import pytest

from tests.support.transforming import Workbench, a_batch, line, local_workbench, order, product
from tests.unit.transformer.conftest import NewStores

pytestmark = pytest.mark.medium


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def test_totals_that_equal_their_lines_warn_of_nothing(bench: Workbench) -> None:
    batch = a_batch([order("1", total_amount="20.00")], [line("1"), line("1")], [product()])

    assert bench.transform(batch)["order_totals"] == {"differing": 0, "worst": []}


def test_the_ten_that_differ_most_are_named_worst_first_in_either_direction(
    bench: Workbench,
) -> None:
    totals = [1000 + difference for difference in (*range(1, 12), -500)]
    orders = [order(f"o{total}", total_amount=f"{total / 100:.2f}") for total in totals]

    found = bench.transform(a_batch(orders, [line(f"o{total}") for total in totals]))

    assert found["order_totals"]["differing"] == 12
    worst = found["order_totals"]["worst"]
    assert worst[0] == {"order_id": "o500", "total_amount_cents": 500, "lines_cents": 1000}
    assert [each["order_id"] for each in worst[1:]] == [f"o{1000 + n}" for n in range(11, 2, -1)]


def test_an_order_without_lines_is_not_compared(bench: Workbench) -> None:
    assert bench.transform(a_batch([order("1")]))["order_totals"]["differing"] == 0


def test_an_order_is_compared_when_its_lines_come_later_and_all_that_stand_count(
    bench: Workbench,
) -> None:
    bench.transform(a_batch([order("1", total_amount="30.00")], [line("1", "p1")]))

    later = bench.transform(a_batch(items=[line("1", "p2")]))

    [worst] = later["order_totals"]["worst"]
    assert (worst["total_amount_cents"], worst["lines_cents"]) == (3000, 2000)


def test_orders_that_the_batch_does_not_mention_are_left_alone(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", total_amount="30.00")], [line("1")]))

    assert bench.transform(a_batch([order("2")], [line("2")]))["order_totals"]["differing"] == 0


@pytest.mark.thorough
@pytest.mark.spark
def test_spark_names_the_same_ten_in_the_same_order(new_stores: NewStores) -> None:
    totals = [1000 + difference for difference in (*range(1, 12), -500)]
    orders = [order(f"o{total}", total_amount=f"{total / 100:.2f}") for total in totals]

    found = new_stores()("spark").transform(
        a_batch(orders, [line(f"o{total}") for total in totals])
    )

    assert found["engine"] == "spark"
    assert found["order_totals"]["differing"] == 12
    worst = [each["order_id"] for each in found["order_totals"]["worst"]]
    assert worst == ["o500", *(f"o{1000 + n}" for n in range(11, 2, -1))]
