"""The stand-in for the facts keeps the promises of the real FactsCatalog, and computes as the SQL.

One suite for both: the dictionaries of the simulation, and pyiceberg on a local catalog.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from contracts.errors import StaleWriter
from contracts.messages import BatchManifest
from services.transformer.batch.merge_plan import plan_merge as compose_by_sql
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.engines.port import StagedFile
from services.transformer.facts.catalog import FactsCatalog
from tests.simulation.composition import compose as compose_in_dictionaries
from tests.simulation.facts import (
    FACTS,
    KPI_TABLES,
    TABLES,
    Catalog,
    SimulatedEngine,
    SimulatedFacts,
)
from tests.support.local_catalog import LocalCatalog
from tests.support.transforming import a_batch, line, local_workbench, manifest_of, order, product


class Shelf(Protocol):
    """A place for facts that several writers see, and a way to write something to a branch."""

    def writer(self) -> Any: ...
    def write(self, writer: Any, table: str, epoch: int) -> None: ...


class Dictionaries:
    def __init__(self) -> None:
        self._catalog = Catalog()

    def writer(self) -> SimulatedFacts:
        return SimulatedFacts(self._catalog)

    def write(self, writer: SimulatedFacts, table: str, epoch: int) -> None:
        writer.replace_rows(table, epoch, {"o1": "a row"}, 1, {"epoch": str(epoch)})


class Iceberg:
    def __init__(self, folder: Path) -> None:
        self._catalog = LocalCatalog(folder)

    def writer(self) -> FactsCatalog:
        return FactsCatalog(self._catalog, "ecommerce")

    def write(self, writer: FactsCatalog, table: str, epoch: int) -> None:
        writer.replace(table, epoch, [], [], {"epoch": str(epoch)})


@pytest.fixture(params=["dictionaries", "iceberg"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Dictionaries() if request.param == "dictionaries" else Iceberg(tmp_path)


def test_the_tables_are_born_with_a_head_that_every_writer_sees(shelf: Shelf) -> None:
    heads = shelf.writer().load(0)
    assert set(heads) == set(TABLES)
    assert shelf.writer().load(0) == heads


def test_a_writer_fences_writes_its_branch_and_publishes(shelf: Shelf) -> None:
    writer = shelf.writer()
    heads = writer.load(0)
    writer.fence(heads, 1, "b1")
    fence = shelf.writer().load(1)
    assert all(fence[table] != heads[table] for table in TABLES)
    shelf.write(writer, "orders", 1)
    branch = writer.branch_heads(1)
    assert branch["orders"] != fence["orders"]
    assert branch["products"] == fence["products"]
    assert shelf.writer().load(1) == fence
    shelf.write(writer, "order_kpis", 1)
    branch = writer.branch_heads(1)
    assert writer.publish(1, "b1") == branch
    half = shelf.writer().load(1)
    assert {name: half[name] for name in FACTS} == {name: branch[name] for name in FACTS}
    assert {name: half[name] for name in KPI_TABLES} == {name: fence[name] for name in KPI_TABLES}
    writer.publish_kpis(branch, "b1")
    assert shelf.writer().load(1) == branch


def test_the_kpi_tables_are_published_by_whoever_finishes_the_work_of_a_dead_writer(
    shelf: Shelf,
) -> None:
    dead, next_one = shelf.writer(), shelf.writer()
    dead.fence(dead.load(0), 1, "b1")
    shelf.write(dead, "order_kpis", 1)
    heads = dead.publish(1, "b1")
    next_one.load(1)
    next_one.publish_kpis(heads, "b1")
    assert shelf.writer().load(1) == heads
    with pytest.raises(StaleWriter):
        dead.publish_kpis(heads, "b1")
    dead.forget()
    dead.load(1)
    dead.publish_kpis(heads, "b1")
    assert shelf.writer().load(1) == heads


def test_a_newer_fence_keeps_the_kpi_tables_of_a_stale_writer_away(shelf: Shelf) -> None:
    old, new = shelf.writer(), shelf.writer()
    heads = old.load(0)
    old.fence(heads, 1, "b1")
    shelf.write(old, "category_kpis", 1)
    stale = old.branch_heads(1)
    new.load(1)
    new.fence(heads, 2, "b2")
    with pytest.raises(StaleWriter):
        old.publish_kpis(stale, "b1")
    with pytest.raises(StaleWriter):
        new.publish_kpis(stale, "b1")


def test_a_stale_writer_cannot_publish_after_a_newer_fence(shelf: Shelf) -> None:
    old, new = shelf.writer(), shelf.writer()
    heads = old.load(0)
    old.fence(heads, 1, "b1")
    shelf.write(old, "orders", 1)
    new.load(1)
    new.fence(heads, 2, "b1")
    with pytest.raises(StaleWriter):
        old.publish(1, "b1")
    shelf.write(new, "orders", 2)
    assert shelf.writer().load(9) != new.publish(2, "b1")


def test_a_fence_fails_when_main_moved_after_the_load(shelf: Shelf) -> None:
    old, new = shelf.writer(), shelf.writer()
    heads = old.load(0)
    new.load(0)
    new.fence(heads, 2, "b2")
    with pytest.raises(StaleWriter):
        old.fence(heads, 1, "b1")


def test_a_write_to_a_branch_that_another_has_moved_fails(shelf: Shelf) -> None:
    one, other = shelf.writer(), shelf.writer()
    heads = one.load(0)
    one.fence(heads, 1, "b1")
    other.load(1)
    shelf.write(one, "orders", 1)
    with pytest.raises(StaleWriter):
        shelf.write(other, "orders", 1)


def test_a_fence_puts_back_what_was_moved_and_never_published(shelf: Shelf) -> None:
    dead, next_one = shelf.writer(), shelf.writer()
    heads = dead.load(0)
    dead.fence(heads, 1, "b1")
    shelf.write(dead, "orders", 1)
    dead.publish(1, "b1")
    next_one.load(1)
    next_one.fence(heads, 2, "b1")
    assert next_one.total_rows(next_one.branch_heads(2)) == next_one.total_rows(heads)
    shelf.write(next_one, "orders", 2)
    next_one.publish(2, "b1")


@pytest.mark.parametrize("seed", range(3))
def test_both_compute_the_same_batch_after_batch(seed: int, tmp_path: Path) -> None:
    """Old dates, lines that wait, categories that come late: drawn, then compared whole."""
    draw = random.Random(seed)
    workbench = local_workbench(tmp_path)
    catalog = Catalog()
    for number in range(4):
        batch = a_batch(
            orders=[
                order(
                    f"o{draw.randrange(5)}",
                    f"2025-07-0{draw.randrange(7, 10)}",
                    status=status,
                    user_id=draw.choice(("u1", "")),
                )
                for status in draw.choices(("completed", "returned"), k=draw.randrange(1, 4))
            ],
            items=[
                line(f"o{draw.randrange(6)}", f"p{draw.randrange(3)}", draw.randrange(1, 4))
                for _ in range(draw.randrange(1, 5))
            ],
            products=[product(f"p{number}", draw.choice(("Books", "Toys")))] * (number % 2),
        )
        again = [line(f"o{draw.randrange(6)}", f"p{draw.randrange(3)}", 7) for _ in range(3)]
        batch = replace(batch, files=[*batch.files, ("order_items", again)])
        workbench.stage(batch)
        manifest = BatchManifest.model_validate(manifest_of(batch))
        epoch = number + 1
        real, plain = workbench.ports.facts, SimulatedFacts(catalog)
        rows_of = {str(index): list(rows) for index, (_, rows) in enumerate(batch.files)}
        engines = DuckDBEngine(real), SimulatedEngine(plain, lambda key, rows=rows_of: rows[key])
        files = [
            StagedFile(kind, index, f"{kind}/{index}.csv", Path(str(index)))
            for index, (kind, _) in enumerate(batch.files)
        ]
        answers = []
        for facts, engine, compose in (
            (real, engines[0], compose_by_sql),
            (plain, engines[1], compose_in_dictionaries),
        ):
            heads = facts.load(number)
            facts.fence(heads, epoch, batch.batch_id)
            with engine.session() as session:
                staged = files
                if facts is real:
                    reports = workbench.ports.inputs.reports(manifest)
                    with workbench.ports.inputs.fetch(reports) as staged:
                        answers.append(compose(session, batch.batch_id, staged, heads))
                        session.write(answers[-1].writes, epoch, {"epoch": str(epoch)})
                else:
                    answers.append(compose(session, batch.batch_id, staged, heads))  # type: ignore[arg-type]
                    session.write(answers[-1].writes, epoch, {"epoch": str(epoch)})
            facts.publish_kpis(facts.publish(epoch, batch.batch_id), batch.batch_id)
        by_sql, in_dictionaries = answers
        assert sorted(in_dictionaries.affected_days) == sorted(by_sql.affected_days)
        assert in_dictionaries.accepted_rows == by_sql.accepted_rows
        assert {k: n for k, n in in_dictionaries.superseded_rows.items() if n} == (
            by_sql.superseded_rows
        )
        assert in_dictionaries.guests == by_sql.guests
        assert in_dictionaries.waiting_order_items == by_sql.waiting_order_items
        for part in ("order_days", "category_days", "gone"):
            ours, theirs = getattr(in_dictionaries.kpis, part), getattr(by_sql.kpis, part)
            assert sorted(ours, key=repr) == sorted(theirs, key=repr)
