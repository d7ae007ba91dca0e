"""What a batch leaves behind says whose it is: snapshots, tags, events, KPI items, its result."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ContractViolation, StaleWriter
from contracts.messages import FileResult
from services.transformer.batch import domain, reconciliation, settle, transform
from services.transformer.batch.domain import TransformerState
from services.transformer.batch.kpis import KpiChange
from services.transformer.batch.transform import transform_batch
from tests.support.mortality import ProcessDied
from tests.support.transforming import Workbench, a_batch, line, local_workbench, order, product

pytestmark = pytest.mark.medium

BEGAN_AT = datetime(2025, 7, 8, 12, tzinfo=UTC)
TABLES = ("orders", "order_items", "products", "order_days", "order_kpis", "category_kpis")
A_FILE_LESS_THAN_EMPTY = FileResult(
    index=0,
    key="orders/a.csv",
    kind="orders",
    status="accepted",
    rows_in=-1,
    accepted=0,
    quarantined=0,
    duplicates=0,
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


@contextmanager
def watched(facts: Any, name: str, seen: list[Any]) -> Iterator[None]:
    """Note the arguments of each call of that method."""
    method = getattr(facts, name)

    def noted(*arguments: Any) -> Any:
        seen.append(arguments)
        return method(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(facts, name, noted)
        yield


def test_the_snapshots_of_a_batch_carry_its_id_and_its_epoch(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    batch = a_batch([order("2")], [line("2")], [product()])
    bench.transform(batch)
    for name in TABLES:
        snapshot = bench.ports.facts.table(name).current_snapshot()
        assert snapshot is not None
        assert snapshot.summary is not None
        said = snapshot.summary.additional_properties
        assert (said["batch_id"], said["epoch"]) == (batch.batch_id, "2")


def test_the_facts_of_a_batch_are_tagged_with_its_id(bench: Workbench) -> None:
    first, second = a_batch([order("1")]), a_batch([order("2")])
    bench.transform(first)
    bench.transform(second)
    tags = {f"batch-{batch.batch_id}" for batch in (first, second)}
    for name in TABLES:
        table = bench.ports.facts.table(name)
        assert set(table.refs()) == {"main", *tags}
        assert table.refs()[f"batch-{second.batch_id}"].snapshot_id == (
            table.refs()["main"].snapshot_id
        )


def test_the_fence_of_a_batch_is_put_up_for_it_at_the_published_heads(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    heads, batch, fenced = bench.state().heads, a_batch([order("2")]), list[Any]()
    with watched(bench.ports.facts, "fence", fenced):
        bench.transform(batch)
    assert fenced == [(heads, 2, batch.batch_id)]


def test_the_event_at_the_point_of_no_return_tells_the_heads(bench: Workbench) -> None:
    batch = a_batch([order("1")])
    bench.transform(batch)
    events = bench.ports.store.read(f"transformation/{batch.batch_id}")
    [published] = [event for event in events if event.event_type == "FactsPublished"]
    assert published.data.snapshots == domain.as_text(bench.state().heads or {})
    assert set(published.data.snapshots) == set(TABLES)
    assert {event.correlation_id for event in events} == {batch.batch_id}


def test_items_and_result_tell_when_and_how_long(bench: Workbench) -> None:
    looks = iter([BEGAN_AT])
    later = BEGAN_AT + timedelta(seconds=1, microseconds=234_567)
    ports = replace(bench.ports, clock=lambda: next(looks, later))
    answer = transform_batch(bench.stage(a_batch([order("1")])), ports)
    assert bench.result(answer)["duration_seconds"] == 1.235
    [item] = bench.ports.store.scan("OrderKPIs")
    assert item["updated_at"] == "2025-07-08T12:00:01.234Z"


def test_a_result_that_breaks_its_contract_is_not_published(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = bench.stage(a_batch([order("1")]))
    monkeypatch.setattr(reconciliation, "file_results", lambda *_: [A_FILE_LESS_THAN_EMPTY])
    with pytest.raises(ContractViolation, match="BatchResult"):
        transform_batch(command, bench.ports)
    assert bench.events(command.batch_id) == ["TransformStarted"]
    assert bench.order_kpis() == []


@pytest.mark.parametrize(("spark_is_here", "finished_by"), [(True, "spark"), (False, "duckdb")])
def test_a_publication_that_broke_off_is_finished_by_the_engine_that_its_result_tells(
    bench: Workbench, *, spark_is_here: bool, finished_by: str
) -> None:
    asked: list[Any] = []

    def engine_of(name: Any) -> Any:
        asked.append(name)
        return bench.ports.engine_of("duckdb")

    def dies(*_arguments: object) -> None:
        raise ProcessDied("while publishing")

    command = bench.stage(a_batch([order("1")]))
    spark = replace(bench.ports, engine_of=engine_of, decided=("spark", "for the test"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settle, "publish_kpis", dies)
        with pytest.raises(ProcessDied):
            transform_batch(command, spark)
    again = replace(bench.ports, engine_of=engine_of, spark_is_here=lambda: spark_is_here)
    assert bench.result(transform_batch(command, again))["engine"] == "spark"
    assert asked == ["spark", finished_by]


def test_who_was_overtaken_after_its_mains_moved_publishes_nothing(bench: Workbench) -> None:
    """Also where there is no KPI to be refused: the state itself refuses it."""
    command = bench.stage(a_batch([], [], [product()]))
    newer = bench.restarted()
    mark = transform._Attempt._mark_publishing

    def overtaken(*arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as undone:
            undone.setattr(transform._Attempt, "_mark_publishing", mark)
            newer.transform(a_batch([order("2")]))
        return mark(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transform._Attempt, "_mark_publishing", overtaken)
        with pytest.raises(StaleWriter, match="epoch 1 is stale: a newer one has begun, which"):
            transform_batch(command, bench.ports)
    assert bench.events(command.batch_id) == ["TransformStarted"]
    assert (bench.state().epoch, bench.state().phase) == (2, "SETTLED")
    assert bench.facts()["products"] == []


@pytest.mark.parametrize(
    "state",
    [TransformerState(), TransformerState().begin("3f2a9c0d1e4b5a67", 1, 0, {})],
    ids=lambda state: state.phase,
)
def test_what_was_not_begun_to_be_published_cannot_be_finished(
    bench: Workbench, state: TransformerState
) -> None:
    nothing = KpiChange([], [], ())
    with pytest.raises(StaleWriter, match=f"epoch {state.epoch} has no publication to finish"):
        settle.finish(bench.ports, state, 0, nothing, {}, 1)
