"""Random shops, batch after batch: the KPIs equal the model's on DuckDB, however they are cut."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.model import ShopModel
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order
from tests.unit.transformer.shops import lines, orders, shops

careful = settings(
    derandomize=True,
    max_examples=20,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def a_bench(folder: str) -> Workbench:
    return local_workbench(Path(folder))


def expect_model(bench: Workbench, model: ShopModel) -> None:
    assert bench.order_kpis() == model.order_kpis()
    assert bench.category_kpis() == model.category_kpis()


@careful
@given(shops)
@example(
    [a_batch([order("😀"), order("\uffe5")], [line("😀")]), a_batch([order("😀", "2025-07-08")])]
)
def test_after_each_batch_the_kpis_equal_the_models(shop: list[Batch]) -> None:
    model = ShopModel()
    with tempfile.TemporaryDirectory() as folder:
        bench = a_bench(folder)
        for batch in shop:
            result = bench.transform(batch)
            batch.told_to(model)
            expect_model(bench, model)
            assert result["waiting_order_items"] == model.waiting_order_items
        bench.transform(shop[-1])
        expect_model(bench, model)


@careful
@given(st.lists(orders, max_size=10), st.lists(lines, max_size=10), st.data())
def test_the_same_rows_cut_into_other_batches_end_the_same(
    order_rows: list[Any], line_rows: list[Any], data: st.DataObject
) -> None:
    """Lines of a pair belong together: a later batch's lines of it replace the earlier ones."""
    pairs = [(row["order_id"], row["product_id"]) for row in line_rows]
    assume(len(set(pairs)) == len(pairs) and (order_rows or line_rows))
    cut = data.draw(st.integers(0, len(order_rows))), data.draw(st.integers(0, len(line_rows)))
    lines_first = data.draw(st.booleans())
    halves = [a_batch(order_rows[: cut[0]], line_rows[: cut[1]])]
    halves.append(a_batch(order_rows[cut[0] :], line_rows[cut[1] :]))
    if lines_first:
        halves = [a_batch(items=line_rows), a_batch(order_rows)]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole, in_parts = a_bench(one), a_bench(other)
        whole.transform(a_batch(order_rows, line_rows))
        for half in halves:
            in_parts.transform(half if half.files else Batch([("orders", [])]))
        expect_model(whole, a_batch(order_rows, line_rows).told_to(ShopModel()))
        assert in_parts.order_kpis() == whole.order_kpis()
        assert in_parts.category_kpis() == whole.category_kpis()
