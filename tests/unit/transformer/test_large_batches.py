"""A batch that outgrows a portion is written a piece at a time, and exact all the same."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from services.transformer.engines import duckdb_engine
from services.transformer.facts.data_files import data_files, rows_in, write_data_files
from tests.model import ShopModel
from tests.support.examples import examples
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order
from tests.unit.transformer.shops import shops

ROWS = 3
careful = settings(
    derandomize=True,
    max_examples=examples(10),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def portions(monkeypatch: pytest.MonkeyPatch) -> list[pa.Table]:
    """Three rows are a portion; what was written, in turn."""
    written: list[pa.Table] = []

    def kept(table: Any, rows: pa.Table) -> Iterator[Any]:
        written.append(rows)
        return write_data_files(table, rows)

    monkeypatch.setattr(duckdb_engine, "BATCH_ROWS", ROWS)
    monkeypatch.setattr(duckdb_engine, "PORTION_BYTES", 1)
    monkeypatch.setattr(duckdb_engine, "write_data_files", kept)
    return written


def facts_of(bench: Workbench) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, sorted."""
    facts, heads = bench.ports.facts, bench.state().heads or {}
    found = {}
    for name, head in heads.items():
        table = facts.table(name)
        rows = rows_in(table, data_files(table, head)).to_pylist()
        found[name] = sorted(rows, key=repr)
    return found


@pytest.mark.medium
@careful
@given(shops)
def test_written_in_portions_facts_and_kpis_are_those_of_the_model(
    portions: list[pa.Table], shop: list[Batch]
) -> None:
    model = ShopModel()
    with tempfile.TemporaryDirectory() as folder:
        bench = local_workbench(Path(folder))
        for batch in shop:
            bench.transform(batch)
            batch.told_to(model)
            bench.assert_equals(model)


def test_no_more_than_a_portion_is_in_memory_and_no_row_is_lost_or_twice(
    portions: list[pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"o{number:02d}" for number in range(20)]
    days = [f"2025-07-{1 + number % 4:02d}" for number in range(20)]
    first = a_batch([*map(order, names, days)], [line(name) for name in names for _ in range(2)])
    again = a_batch([order(name, "2025-07-09") for name in names[5:15]])

    cut = local_workbench(tmp_path / "cut")
    cut.transform(first)
    cut.transform(again)
    assert len(portions) > 20
    assert max(rows.num_rows for rows in portions) == ROWS

    monkeypatch.undo()
    whole = local_workbench(tmp_path / "whole")
    whole.transform(first)
    whole.transform(again)
    assert facts_of(cut) == facts_of(whole)
    assert len(facts_of(whole)["orders"]) == 20
