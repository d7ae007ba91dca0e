"""A writer that was overtaken loses at each store by itself: KPIs, state, branch and main.

The second writer is real: another process's catalog and engine on the same MiniStack.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from contracts.envelope import MessageContext
from contracts.errors import ConcurrencyConflict, PipelineError, StaleWriter, Transient
from contracts.messages import BatchManifest, TransformBatch
from services.runtime.event_store import PutItem
from services.transformer.batch import settle
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.kpis import KpiChange, OrderDay
from services.transformer.batch.merge_plan import plan_merge
from services.transformer.batch.publication import Stamp, publish_kpis
from services.transformer.batch.state import change_state, current_state
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.port import EngineName
from tests.model import ShopModel
from tests.support.examples import thorough
from tests.support.mortality import ProcessDied
from tests.support.transforming import Workbench, a_batch, line, manifest_of, order, product
from tests.unit.transformer.conftest import NewStores

pytestmark = pytest.mark.integration
SPARK = pytest.param("spark", id="spark", marks=pytest.mark.spark)
ENGINES = [pytest.param("duckdb", id="duckdb"), thorough(SPARK)]
CONTEXT = MessageContext(source="test", correlation_id="test")
FIRST = a_batch([order("1")], [line("1")], [product()])
STALE = a_batch([order("1", total_amount="66.66"), order("2", "2025-07-08")], [line("1")])


class Overtaken:
    """A writer that fenced epoch 2 for STALE, and another that has begun epoch 3 since."""

    def __init__(self, process: Callable[[EngineName], Workbench], engine: EngineName) -> None:
        self.newer = process("duckdb")
        self.newer.transform(FIRST)
        self.slow, self._engine = process(engine), engine
        facts, self.epoch = self.slow.ports.facts, 2
        self.heads = facts.load(1)
        self._raise_epoch(self.slow, self.epoch)
        facts.fence(self.heads, self.epoch, STALE.batch_id)

    def _raise_epoch(self, bench: Workbench, epoch: int) -> None:
        state = current_state(bench.ports)
        begun = state.begin(STALE.batch_id, 1, 0, self.heads)
        assert begun.epoch == epoch
        change_state(bench.ports, state, begun, 0)

    def is_overtaken(self) -> None:
        """The newer writer takes epoch 3 up to its fence."""
        heads = self.newer.ports.facts.load(2)
        self._raise_epoch(self.newer, 3)
        self.newer.ports.facts.fence(self.heads, 3, STALE.batch_id)
        assert heads.keys() == self.heads.keys()

    def writes(self) -> None:
        """What an attempt does between fence and publication."""
        self.slow.stage(STALE)
        ports = self.slow.ports
        reports = ports.inputs.reports(BatchManifest.model_validate(manifest_of(STALE)))
        with (
            ports.inputs.fetch(reports) as files,
            ports.engine_of(self._engine).session() as session,
        ):
            made = plan_merge(session, STALE.batch_id, files, self.heads)
            session.write(made.writes, self.epoch, {"epoch": str(self.epoch)})


@pytest.fixture(params=ENGINES)
def overtaken(request: pytest.FixtureRequest, new_stores: NewStores) -> Overtaken:
    return Overtaken(new_stores(), request.param)


def test_it_cannot_write_to_a_branch_that_was_fenced_away(overtaken: Overtaken) -> None:
    overtaken.is_overtaken()
    with pytest.raises(StaleWriter):
        overtaken.writes()
    assert len(overtaken.newer.facts()["orders"]) == 1


def test_it_cannot_move_main_after_another_fence(overtaken: Overtaken) -> None:
    overtaken.writes()
    overtaken.is_overtaken()
    with pytest.raises(StaleWriter, match="another writer has committed"):
        overtaken.slow.ports.facts.publish(overtaken.epoch, STALE.batch_id)
    assert len(overtaken.newer.facts()["orders"]) == 1


def test_it_cannot_move_main_even_when_it_has_seen_the_newer_fence(overtaken: Overtaken) -> None:
    """Metadata read again shows the newer main, and the branch if Spark makes it anew."""
    overtaken.writes()
    heads = overtaken.slow.ports.facts.branch_heads(overtaken.epoch)
    overtaken.is_overtaken()
    slow = overtaken.slow.ports.facts
    for name, table in overtaken.newer.ports.facts._tables.items():
        table.manage_snapshots().create_branch(heads[name], f"e{overtaken.epoch}").commit()
        slow._tables[name] = table.refresh()
    with pytest.raises(StaleWriter, match="another writer has committed"):
        slow.publish(overtaken.epoch, STALE.batch_id)
    assert len(overtaken.newer.facts()["orders"]) == 1


def test_it_cannot_publish_a_kpi(new_stores: NewStores) -> None:
    overtaken = Overtaken(new_stores(), "duckdb")
    before = overtaken.newer.order_kpis()
    change = KpiChange([OrderDay(date(2025, 7, 7), 9, 9, 9, 9, 9)], [], [])
    slow = overtaken.slow.ports
    overtaken.is_overtaken()
    stamp = Stamp(STALE.batch_id, overtaken.epoch, "2025-07-08T00:00:00.000Z")
    with pytest.raises(StaleWriter, match=r"epoch 2 .* is stale"):
        publish_kpis(slow.store, slow.tables, change, stamp, CONTEXT)
    assert overtaken.newer.order_kpis() == before
    publish_kpis(slow.store, slow.tables, change, Stamp(STALE.batch_id, 3, "now"), CONTEXT)
    assert overtaken.newer.order_kpis() != before


def test_it_cannot_change_the_state(new_stores: NewStores) -> None:
    overtaken = Overtaken(new_stores(), "duckdb")
    before = current_state(overtaken.slow.ports)
    overtaken.is_overtaken()
    table = overtaken.slow.ports.tables.state
    write = PutItem(table, before.settle().to_item(), expected=before.as_stored())
    with pytest.raises(ConcurrencyConflict):
        overtaken.slow.ports.store.append(context=CONTEXT, writes=[write])
    assert current_state(overtaken.newer.ports).epoch == 3


@pytest.mark.parametrize("engine", ["duckdb", SPARK])
@pytest.mark.parametrize("deed", ["transform", thorough(pytest.param("abandon"))])
def test_a_whole_attempt_that_is_overtaken_before_it_publishes_loses(
    new_stores: NewStores, engine: EngineName, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer writer does its whole work between the older one's writing and its publishing."""
    process = new_stores()
    newer, slow = process("duckdb"), process(engine)
    newer.transform(FIRST)
    command = slow.stage(STALE)
    publish = slow.ports.facts.publish

    def overtaken_first(epoch: int, batch_id: str) -> Any:
        newer.fence = 2
        if deed == "abandon":
            abandon_batch(newer.abandoning(command).model_copy(update={"fence": 2}), newer.ports)
        else:
            transform_batch(command.model_copy(update={"fence": 2}), newer.ports)
        return publish(epoch, batch_id)

    monkeypatch.setattr(slow.ports.facts, "publish", overtaken_first)
    if deed == "abandon":
        with pytest.raises(StaleWriter):
            transform_batch(command, slow.ports)
    else:
        theirs = transform_batch(command, slow.ports)
        assert newer.result(theirs)["engine"] == "duckdb"
        assert newer.result(theirs)["epoch"] == 3

    model = FIRST.told_to(ShopModel())
    if deed == "transform":
        STALE.told_to(model)
    assert newer.order_kpis() == model.order_kpis()
    assert newer.category_kpis() == model.category_kpis()
    assert len(newer.facts()["orders"]) == len(model.orders)


@pytest.mark.parametrize("deed", ["transform", "abandon"])
def test_a_stale_holder_hears_that_its_batch_is_published_as_soon_as_it_is(
    new_stores: NewStores, deed: str
) -> None:
    """The batch died while it was being published; the next holder of the lock finishes it."""
    process = new_stores()
    command = dies_while_publishing(process("duckdb"))
    asked: list[object] = []

    def ask() -> None:
        bench = process("duckdb")
        try:
            if deed == "abandon":
                asked.append(abandon_batch(bench.abandoning(command), bench.ports)["outcome"])
            else:
                asked.append(transform_batch(command, bench.ports)["outcome"])
        except PipelineError as error:
            asked.append(type(error))

    newer = process("duckdb")
    newer.fence = 2
    publish = publish_kpis

    def asked_meanwhile(*arguments: Any) -> None:
        ask()
        publish(*arguments)

    third = newer.stage(a_batch([order("3")], [line("3")]))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settle, "publish_kpis", once(asked_meanwhile, then=publish))
        transform_batch(third, newer.ports)
    ask()
    assert asked == [Transient, "PUBLISHED"]


def test_a_stale_holder_of_a_batch_that_was_not_publishing_stays_stale(
    new_stores: NewStores,
) -> None:
    process = new_stores()
    slow, newer = process("duckdb"), process("duckdb")
    command = slow.stage(STALE)
    newer.fence = 2
    newer.transform(FIRST)
    for attempt in (
        lambda: transform_batch(command, slow.ports),
        lambda: abandon_batch(slow.abandoning(command), slow.ports),
    ):
        with pytest.raises(StaleWriter, match="lock fence 1 is stale"):
            attempt()


def dies_while_publishing(bench: Workbench) -> TransformBatch:
    """The command of a batch whose first attempt died past the point of no return."""
    command = bench.stage(STALE)

    def dies(*_arguments: object) -> None:
        raise ProcessDied("while publishing")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settle, "publish_kpis", dies)
        with pytest.raises(ProcessDied):
            transform_batch(command, bench.ports)
    return command


def once(first: Callable[..., None], then: Callable[..., None]) -> Callable[..., None]:
    """The first call goes to one, all others to the other."""
    calls = iter([first])
    return lambda *arguments: next(calls, then)(*arguments)
