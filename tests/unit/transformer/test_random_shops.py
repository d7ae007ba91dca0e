"""Random shops, batch after batch: the KPIs equal the model's on DuckDB, however they are cut."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts import layout
from tests.model import ShopModel
from tests.support.examples import examples
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order
from tests.unit.transformer.shops import SourceFile, batch_of, kept_apart_by_category, shops

pytestmark = pytest.mark.medium

careful = settings(
    derandomize=True,
    max_examples=examples(20),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def a_bench(folder: str) -> Workbench:
    return local_workbench(Path(folder))


def expect_model(bench: Workbench, model: ShopModel) -> None:
    assert bench.order_kpis() == model.order_kpis()
    assert bench.category_kpis() == model.category_kpis()
    assert bench.kpi_counts() == model.kpi_counts()


@pytest.mark.slow
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
            assert {kind: result["restated"][kind] for kind in layout.KINDS} == model.restated
            assert result["guests"] == model.guests
        bench.transform(shop[-1])
        expect_model(bench, model)
        shown = result["restated"]["examples"]
        assert len(shown) == min(3, sum(model.restated.values()))


@careful
@given(st.lists(kept_apart_by_category, min_size=2, max_size=6), st.data())
def test_the_same_files_cut_into_batches_in_any_way_end_the_same(
    shop: list[SourceFile], data: st.DataObject
) -> None:
    """Facts, KPIs and what was restated on the way: the order of the files is kept."""
    cuts = data.draw(st.lists(st.booleans(), min_size=len(shop) - 1, max_size=len(shop) - 1))
    pieces = [[shop[0]]]
    for file, is_new_batch in zip(shop[1:], cuts, strict=True):
        if is_new_batch:
            pieces.append([])
        pieces[-1].append(file)
    model = batch_of(shop).told_to(ShopModel())
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole, in_pieces = a_bench(one), a_bench(other)
        at_once = whole.transform(batch_of(shop))["restated"]
        one_by_one = [in_pieces.transform(batch_of(piece))["restated"] for piece in pieces]
        expect_model(whole, model)
        expect_model(in_pieces, model)
        assert said_by(in_pieces) == said_by(whole)
        for kind in layout.KINDS:
            assert sum(each[kind] for each in one_by_one) == at_once[kind] == model.restated[kind]


@pytest.mark.slow
@careful
@given(st.lists(kept_apart_by_category, min_size=1, max_size=4), st.data())
def test_the_rows_of_a_statement_cut_into_parts_in_any_way_end_the_same(
    shop: list[SourceFile], data: st.DataObject
) -> None:
    """One file, or parts of it that say that they are one statement."""
    files: list[SourceFile] = []
    statements: dict[int, str] = {}
    for number, file in enumerate(shop):
        cuts = {
            kind: data.draw(st.integers(0, len(rows)))
            for kind, rows in {file.kind: file.rows, **file.also}.items()
        }
        first, second = (
            file._replace(
                rows=file.rows[of(cuts[file.kind])],
                also={kind: rows[of(cuts[kind])] for kind, rows in file.also.items()},
            )
            for of in (slice, lambda cut: slice(cut, None))
        )
        for part in (first, second):
            statements[len(files)] = f"manifests/{number}.json"
            files.append(part)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole, in_parts = a_bench(one), a_bench(other)
        told = whole.transform(batch_of(shop))["restated"]
        told_in_parts = in_parts.transform(batch_of(files, statements))["restated"]
        expect_model(in_parts, batch_of(shop).told_to(ShopModel()))
        assert said_by(in_parts) == said_by(whole)
        assert [told_in_parts[kind] for kind in layout.KINDS] == [
            told[kind] for kind in layout.KINDS
        ]


def said_by(bench: Workbench) -> dict[str, list[str]]:
    """The facts and KPIs without the batch, file, line, run and time that they are from."""
    where = ("batch_id", "source_key", "source_line", "epoch", "updated_at")
    return {
        table: sorted(str({k: v for k, v in row.items() if k not in where}) for row in rows)
        for table, rows in bench.facts().items()
    }
