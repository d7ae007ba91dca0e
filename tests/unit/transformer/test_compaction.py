"""Turns between batches: the same rows in fewer files, and nobody is ever in their way."""

import queue
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from contracts.clock import new_event_id
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.errors import Transient
from contracts.messages import RebuildKpis, TransformBatch
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.spare_time import Between, SpareTime
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.messaging.worker import QueueWorker
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.state import Answer
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts import compaction as choice
from services.transformer.facts import retention, tables
from services.transformer.facts.data_files import data_files, rows_in, write_data_files
from services.transformer.facts.order_index import index_faults
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.facts.retention import kept_tags, snapshot_of
from services.transformer.facts.tables import FACTS, INDEX
from services.transformer.history.batch_difference import difference, snapshots_around
from services.transformer.maintenance import compaction
from services.transformer.maintenance.compaction import BetweenBatches
from services.transformer.maintenance.rebuild import rebuild_kpis
from tests.model import ShopModel
from tests.support.doubles import RecordedDeadLetters
from tests.support.examples import examples, some
from tests.support.mortality import Process, ProcessDied
from tests.support.transforming import (
    Batch,
    Remembered,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)
from tests.unit.transformer.shops import shops

pytestmark = pytest.mark.medium

TUESDAY = "2025-07-08"
CALLS = 17
"""The epoch; 6 fences; 3 tables written; 6 moves; the state."""
LATE = a_batch(
    [order("2", TUESDAY), order("w3"), order("new")], [line("4", quantity=3)], [product("p2")]
)
"""Moves an order, settles a line that waited, replaces one, and adds."""


def made_batches(bench: Workbench) -> tuple[list[Batch], ShopModel]:
    """Each of one order, its line, and a line that waits: as many as a tier takes."""
    model, batches = ShopModel(), []
    for number in range(choice.RATIO):
        batches.append(
            a_batch(
                [order(str(number))],
                [line(str(number), "p2"), line(f"w{number}")],
                [product("p1")] if number == 0 else [],
            )
        )
        bench.transform(batches[-1])
        batches[-1].told_to(model)
    return batches, model


@cache
def history() -> Remembered[tuple[list[Batch], ShopModel]]:
    return Remembered(made_batches)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    workbench = local_workbench(tmp_path)
    workbench.ports = history().again()
    return workbench


@pytest.fixture
def batches() -> list[Batch]:
    return deepcopy(history().made)[0]


@pytest.fixture
def model() -> ShopModel:
    return deepcopy(history().made)[1]


def turns(bench: Workbench, is_over: Callable[[], bool] = lambda: False) -> None:
    BetweenBatches(bench.ports, is_over, new_event_id)()


def files(bench: Workbench) -> dict[str, int]:
    heads, facts = bench.state().heads or {}, bench.ports.facts
    facts.load(bench.state().epoch)
    return {name: len(data_files(facts.table(name), heads[name])) for name in FACTS}


CROWDED = {"orders": 8, "order_items": 16, "products": 1, INDEX: 8}
IN_ORDER = {"orders": 1, "order_items": 2, "products": 1, INDEX: 1}


def expect_exact(bench: Workbench, model: ShopModel) -> None:
    bench.assert_equals(model)
    assert bench.kpi_tables() == (model.order_kpis(), model.category_kpis())
    assert len(bench.facts()["order_items"]) == sum(map(len, model.lines.values()))
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    assert index_faults(DuckDBEngine(facts), bench.state().heads or {}) == 0


def test_a_turn_makes_small_files_one_and_changes_no_row(
    bench: Workbench, model: ShopModel
) -> None:
    before = bench.facts()
    assert files(bench) == CROWDED
    turns(bench)
    assert files(bench) == IN_ORDER
    assert bench.facts() == before
    expect_exact(bench.restarted(), model)


def test_the_batch_after_a_turn_is_exact_by_the_same_process_and_by_another(
    bench: Workbench, model: ShopModel
) -> None:
    turns(bench)
    bench.transform(LATE)
    LATE.told_to(model)
    expect_exact(bench, model)
    again = a_batch([order("0", TUESDAY, total_amount="1.00")])
    bench.restarted().transform(again)
    expect_exact(bench, again.told_to(model))


def test_facts_that_are_in_order_are_not_looked_at_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = BetweenBatches(bench.ports, lambda: False, new_event_id)
    between()
    epoch = bench.state().epoch
    looks: list[object] = []
    monkeypatch.setattr(compaction, "crowding", lambda *given: looks.append(given))
    between()
    assert looks == []
    assert bench.state().epoch == epoch


def test_a_turn_says_nothing_and_keeps_every_batch(
    bench: Workbench, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few are kept: turns are none of them."""
    monkeypatch.setattr(retention, "KEPT_BATCHES", choice.RATIO - 1)
    appended: list[Any] = []
    append = bench.ports.store.append

    def noted(*appends: Any, **rest: Any) -> Any:
        appended.extend(appends)
        return append(*appends, **rest)

    monkeypatch.setattr(bench.ports.store, "append", noted)
    bench.ports.facts.load(bench.state().epoch)
    orders = bench.ports.facts.table("orders").metadata
    kept = kept_tags(orders, datetime.now(UTC))
    turns(bench)
    orders = bench.ports.facts.table("orders").metadata
    assert kept_tags(orders, datetime.now(UTC)) == kept
    assert all(snapshot_of(orders, batch.batch_id) for batch in batches)
    assert appended == []


def test_snapshots_of_turns_go_with_the_next_publication(bench: Workbench) -> None:
    turns(bench)
    published = bench.ports.facts.table("orders").metadata.current_snapshot_id
    bench.transform(a_batch([order("x")]))
    bench.transform(a_batch([order("y")]))
    ids = {each.snapshot_id for each in bench.ports.facts.table("orders").metadata.snapshots}
    assert published not in ids


def test_what_a_batch_changed_is_told_after_a_turn(bench: Workbench, model: ShopModel) -> None:
    turns(bench)
    bench.transform(LATE)
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    around = snapshots_around(facts, LATE.batch_id)
    assert around is not None
    found = difference(facts, DuckDBEngine(facts), LATE.batch_id, around)
    assert {str(day) for day in found.days} >= {"2025-07-07", TUESDAY}


def test_a_batch_that_is_given_up_leaves_what_a_turn_made(
    bench: Workbench, model: ShopModel
) -> None:
    turns(bench)
    standing, command = bench.standing(), bench.stage(LATE)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=15)).ports)
    assert abandon_batch(bench.abandoning(command), bench.restarted().ports) == {
        "outcome": "ABANDONED"
    }
    assert bench.standing() == standing
    turns(bench.restarted())
    redriven = command.model_copy(update={"fence": command.fence + 1})
    transform_batch(redriven, bench.restarted().ports)
    expect_exact(bench.restarted(), LATE.told_to(model))


@pytest.mark.parametrize("call", some(range(14, 25)))
def test_a_batch_that_dies_after_a_turn_is_finished_by_another(
    bench: Workbench, model: ShopModel, call: int
) -> None:
    """What it began on is of no batch, and is still there to be compared with."""
    turns(bench)
    with pytest.raises(ProcessDied):
        transform_batch(bench.stage(LATE), bench.through(Process(dies_before=call)).ports)
    third = a_batch([order("third")])
    bench.restarted(fence=2).transform(third)
    if "FactsPublished" in bench.events(LATE.batch_id):
        LATE.told_to(model)
    expect_exact(bench.restarted(), third.told_to(model))


def test_a_turn_leaves_a_batch_in_work_alone(bench: Workbench, model: ShopModel) -> None:
    command = bench.stage(LATE)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=22)).ports)
    state = bench.state()
    turns(bench.restarted())
    assert bench.restarted().state() == state
    transform_batch(command, bench.restarted().ports)
    expect_exact(bench.restarted(), LATE.told_to(model))


def test_a_turn_makes_as_many_calls_as_these_tests_break(bench: Workbench) -> None:
    process = Process()
    turns(bench.through(process))
    assert process.calls == CALLS


@pytest.mark.parametrize("call", some(range(1, CALLS + 1)))
def test_a_turn_that_dies_anywhere_costs_nothing(
    bench: Workbench, model: ShopModel, call: int
) -> None:
    """The next batch, of another process, is exact: rows, index, KPIs; and turns go on after it."""
    with pytest.raises(ProcessDied):
        turns(bench.through(Process(dies_before=call)))
    bench.restarted().transform(LATE)
    LATE.told_to(model)
    expect_exact(bench.restarted(), model)
    turns(bench.restarted())
    expect_exact(bench.restarted(), model)


@pytest.mark.parametrize("file", some([1, 2, 4]))
def test_a_turn_that_dies_among_its_data_files_costs_nothing(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch, file: int
) -> None:
    written: list[Any] = []

    def mortal(*given: Any) -> Any:
        for each in write_data_files(*given):
            written.append(each)
            if len(written) == file:
                raise ProcessDied(f"after data file {file}")
            yield each

    monkeypatch.setattr(compaction, "write_data_files", mortal)
    with pytest.raises(ProcessDied):
        turns(bench)
    monkeypatch.undo()
    bench.restarted().transform(LATE)
    expect_exact(bench.restarted(), LATE.told_to(model))


@pytest.mark.parametrize("call", some(range(1, CALLS + 1)))
def test_a_turn_that_died_is_taken_up_by_the_next(
    bench: Workbench, model: ShopModel, call: int
) -> None:
    with pytest.raises(ProcessDied):
        turns(bench.through(Process(dies_before=call)))
    turns(bench.restarted())
    assert files(bench.restarted()) == IN_ORDER
    expect_exact(bench.restarted(), model)


@pytest.mark.parametrize("call", some(range(1, CALLS + 1)))
def test_a_turn_that_loses_an_answer_is_followed_by_a_batch_of_the_same_process(
    bench: Workbench, model: ShopModel, call: int
) -> None:
    same = bench.through(Process(loses_answer_of=call))
    with pytest.raises(ProcessDied):
        turns(same)
    same.transform(LATE)
    expect_exact(bench.restarted(), LATE.told_to(model))


LOOKS = 11
"""Before the turn, in each read, before each write, each commit and the move."""


def test_a_turn_gives_way_wherever_it_is(bench: Workbench, model: ShopModel) -> None:
    """At each of its looks: the facts are as before, and the batch is exact."""
    before, gave_way = bench.facts(), 0
    for look in range(1, 40):
        fork = bench.forked()
        seen = [0]

        def is_over(at: int = look, seen: list[int] = seen) -> bool:
            seen[0] += 1
            return seen[0] >= at

        turns(fork, is_over)
        if files(fork) == IN_ORDER:
            break
        gave_way += 1
        assert fork.facts() == before
        assert files(fork) == CROWDED
    assert gave_way >= LOOKS
    fork = bench.forked()
    turns(fork, lambda: True)
    fork.transform(LATE)
    expect_exact(fork, LATE.told_to(model))


def test_a_turn_looks_between_its_commits(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = bench.ports.facts
    committed: list[str] = []
    replace_files = facts.replace

    def noted(name: str, *given: Any) -> None:
        committed.append(name)
        replace_files(name, *given)

    monkeypatch.setattr(facts, "replace", noted)
    turns(bench, lambda: bool(committed))
    assert len(committed) == 1
    monkeypatch.undo()
    bench.transform(LATE)
    expect_exact(bench, LATE.told_to(model))


def test_a_batch_that_begins_elsewhere_wins_and_is_not_disturbed(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = bench.restarted()

    def after_a_batch(*given: Any) -> Any:
        if "transformed" not in done:
            done.append("transformed")
            bench.restarted().transform(LATE)
        return write_data_files(*given)

    done: list[str] = []
    monkeypatch.setattr(compaction, "write_data_files", after_a_batch)
    turns(slow)
    LATE.told_to(model)
    expect_exact(bench.restarted(), model)
    assert done == ["transformed"]


def test_a_turn_elsewhere_that_fences_last_makes_a_batch_begin_again_and_no_more(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one moment at which two processes can meet: the turn looked just before it began."""
    other, here = bench.restarted(), bench.restarted()
    at_fence, go_on, fenced = threading.Event(), threading.Event(), threading.Event()
    others_fence, our_fence = other.ports.facts.fence, here.ports.facts.fence

    def late(*given: Any) -> None:
        at_fence.set()
        assert go_on.wait(30)
        try:
            others_fence(*given)
        finally:
            fenced.set()

    def after_it(*given: Any) -> None:
        go_on.set()
        assert fenced.wait(30)
        our_fence(*given)

    monkeypatch.setattr(other.ports.facts, "fence", late)
    turn = threading.Thread(target=turns, args=(other,))
    turn.start()
    assert at_fence.wait(30)
    command = here.stage(LATE)
    monkeypatch.setattr(here.ports.facts, "fence", after_it)
    with pytest.raises(Transient, match="begin again"):
        transform_batch(command, here.ports)
    turn.join()
    assert transform_batch(command, here.ports)["outcome"] == "PUBLISHED"
    expect_exact(bench.restarted(), LATE.told_to(model))


def test_a_slow_store_holds_nobody_up_for_a_second(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read takes longer than anybody may wait."""
    over, reading = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        reading.set()
        time.sleep(3)
        return rows_in(*given)

    monkeypatch.setattr(compaction, "rows_in", slow)
    turn = threading.Thread(target=turns, args=(bench, over.is_set))
    turn.start()
    assert reading.wait(30)
    asked_at = time.monotonic()
    over.set()
    turn.join()
    assert time.monotonic() - asked_at < 1
    bench.transform(LATE)
    expect_exact(bench, LATE.told_to(model))


def test_a_turn_that_would_lose_a_row_publishes_nothing(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "rows_in", lambda *given: rows_in(*given).slice(1))
    with pytest.raises(Exception, match="would change the rows"):
        turns(bench)
    monkeypatch.undo()
    expect_exact(bench.restarted(), model)


def test_kpis_are_rebuilt_from_what_a_turn_made(bench: Workbench, model: ShopModel) -> None:
    turns(bench)
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="t"), bench.restarted().ports)
    expect_exact(bench.restarted(), model)


class Queue:
    """Gives what is put into it, after a while at most; as a long poll does."""

    def __init__(self) -> None:
        self._bodies: queue.Queue[str] = queue.Queue()
        self.put = self._bodies.put

    def receive_message(self, **_request: Any) -> dict[str, Any]:
        try:
            return {"Messages": [{"Body": self._bodies.get(timeout=0.2), "ReceiptHandle": "r"}]}
        except queue.Empty:
            return {}

    def delete_message(self, **_request: Any) -> None: ...

    def change_message_visibility(self, **_request: Any) -> None: ...


def test_a_batch_that_comes_during_a_turn_waits_less_than_a_second(
    bench: Workbench, model: ShopModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker itself: its turn reads from a store that takes three seconds."""
    reading = threading.Event()
    begun_at: list[float] = []

    def slow(*given: Any) -> Any:
        reading.set()
        time.sleep(3)
        return rows_in(*given)

    def transform(message: Message) -> Answer:
        begun_at.append(time.monotonic())
        answer = transform_batch(message.data, bench.ports)
        worker.stop()
        return answer

    monkeypatch.setattr(compaction, "rows_in", slow)
    commands, answers, spare_time = Queue(), InMemoryTaskCallbacks(), SpareTime()
    worker = QueueWorker(
        commands,
        "http://queue/transformer-commands",
        CommandConsumer({"TransformBatch": transform}, answers, RecordedDeadLetters()),
        answers,
        on_heartbeat=lambda _message: None,
        between=Between(spare_time, BetweenBatches(bench.ports, spare_time.is_over, new_event_id)),
    )
    command = bench.stage(LATE)
    polling = threading.Thread(target=worker.run)
    polling.start()
    assert reading.wait(30)
    sent_at = time.monotonic()
    commands.put(command_body(command))
    polling.join(60)
    assert begun_at[0] - sent_at < 1
    [answer] = answers.succeeded.values()
    assert answer["outcome"] == "PUBLISHED"
    expect_exact(bench, LATE.told_to(model))


def command_body(command: TransformBatch) -> str:
    context = MessageContext("ecommerce-pipeline/saga", command.batch_id)
    message = unanswered_command(
        command, context, f"batch/{command.batch_id}", new_event_id(), "2025-07-08T00:00:00.000Z"
    )
    return str(replace(message, task_token="token").to_json())


@pytest.mark.slow
@settings(
    derandomize=True,
    max_examples=examples(20),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(shop=shops)
def test_random_shops_with_turns_between_all_batches_equal_the_model(
    tmp_path_factory: pytest.TempPathFactory, shop: list[Batch]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compaction, "RATIO", 2)
        patched.setattr(choice, "TIERS", (0.3, 0.6))
        patched.setattr(tables, "FILE_ROWS", 4)
        patched.setattr(tables, "INDEX_FILE_ROWS", 4)
        bench, model = local_workbench(tmp_path_factory.mktemp("shop")), ShopModel()
        for batch in shop:
            bench.transform(batch)
            turns(bench)
            expect_exact(bench, batch.told_to(model))
