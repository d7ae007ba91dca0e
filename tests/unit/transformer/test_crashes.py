"""A batch that dies at any call to a store ends as if it had not, by a new attempt or a redrive."""

import pytest

from contracts.errors import StaleWriter, Transient
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.transform import transform_batch
from tests.model import ShopModel
from tests.support.examples import some, thorough
from tests.support.mortality import Process, ProcessDied
from tests.support.transforming import Workbench, a_batch, line, local_workbench, order, product

pytestmark = pytest.mark.medium

MONDAY, TUESDAY = "2025-07-07", "2025-07-08"
FIRST = a_batch([order("1"), order("2")], [line("1"), line("2"), line("3")], [product()])
SECOND = a_batch(
    [order("1", TUESDAY), order("3", status="returned")],
    [line("2", quantity=7), line("3", "p2")],
    [product("p2", "Games")],
)
CALLS = 24
"""6 fences, 6 branches, 6 moves; 4 appends (the KPIs fit in one of them); 2 documents."""
EVERY_CALL = range(1, CALLS + 1)
EVERY_COMMIT = range(1, 19)
FIRST_MOVE, MARK = 14, 20
"""Of the facts, and the point of no return; the KPI tables move after it."""


@pytest.fixture(scope="module")
def after_the_first(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = local_workbench(tmp_path_factory.mktemp("crashes"))
    bench.transform(FIRST)
    return bench


@pytest.fixture
def bench(after_the_first: Workbench) -> Workbench:
    return after_the_first.forked()


def expect_both_batches(bench: Workbench) -> None:
    """KPIs equal to the model's, the facts in step with them, the second batch published once."""
    model = SECOND.told_to(FIRST.told_to(ShopModel()))
    assert bench.order_kpis() == model.order_kpis()
    assert bench.category_kpis() == model.category_kpis()
    assert bench.kpi_tables() == (model.order_kpis(), model.category_kpis())
    facts = bench.facts()
    assert {row["order_id"]: str(row["order_date"]) for row in facts["orders"]} == {
        order_id: row["order_date"] for order_id, row in model.orders.items()
    }
    assert len(facts["order_items"]) == sum(map(len, model.lines.values()))
    assert bench.events(SECOND.batch_id).count("KpisPublished") == 1


def test_a_batch_makes_as_many_calls_as_these_tests_break(bench: Workbench) -> None:
    process = Process()
    transform_batch(bench.stage(SECOND), bench.through(process).ports)
    assert process.calls == CALLS
    expect_both_batches(bench)


@pytest.mark.parametrize("call", some(EVERY_CALL))
def test_a_process_that_dies_is_followed_by_another(bench: Workbench, call: int) -> None:
    command = bench.stage(SECOND)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=call)).ports)
    transform_batch(command, bench.restarted().ports)
    expect_both_batches(bench)


@pytest.mark.parametrize("call", some(EVERY_CALL))
def test_a_process_that_loses_an_answer_tries_again(bench: Workbench, call: int) -> None:
    command = bench.stage(SECOND)
    same = bench.through(Process(loses_answer_of=call))
    with pytest.raises(ProcessDied):
        transform_batch(command, same.ports)
    transform_batch(command, same.ports)
    expect_both_batches(bench)


@pytest.mark.parametrize("commit", some(EVERY_COMMIT))
def test_a_commit_whose_answer_was_lost_makes_nobody_stale(bench: Workbench, commit: int) -> None:
    """The client asks again and is refused, by itself: the attempt begins anew."""
    command = bench.stage(SECOND)
    same = bench.stuttering(commit)
    with pytest.raises(Transient, match="no newer one has begun"):
        transform_batch(command, same.ports)
    transform_batch(command, same.ports)
    expect_both_batches(bench)


@pytest.mark.parametrize("commit", some([1, 2, 3, 4, 5, 6]))
def test_an_abandoning_whose_answer_was_lost_is_asked_for_again(
    bench: Workbench, commit: int
) -> None:
    before = bench.standing()
    command = bench.stage(SECOND)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=FIRST_MOVE + 1)).ports)
    undo, same = bench.abandoning(command), bench.stuttering(commit)
    with pytest.raises(Transient, match="no newer one has begun"):
        abandon_batch(undo, same.ports)
    assert abandon_batch(undo, same.ports) == {"outcome": "ABANDONED"}
    assert bench.standing() == before


@pytest.mark.parametrize("call", some(EVERY_CALL))
def test_a_batch_that_died_is_abandoned_and_redriven(bench: Workbench, call: int) -> None:
    """Up to the point of no return all is as before the batch; after it the batch is finished."""
    before, kpi_tables = bench.standing(), bench.kpi_tables()
    command = bench.stage(SECOND)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=call)).ports)
    if "FactsPublished" not in bench.events(SECOND.batch_id):
        assert bench.kpi_tables() == kpi_tables

    answer = abandon_batch(bench.abandoning(command), bench.restarted().ports)

    was_publishing = "FactsPublished" in bench.events(SECOND.batch_id)
    assert answer["outcome"] == ("PUBLISHED" if was_publishing else "ABANDONED")
    if not was_publishing:
        assert bench.standing() == before
        assert bench.kpi_tables() == kpi_tables
        with pytest.raises(StaleWriter):
            transform_batch(command, bench.restarted().ports)
        redriven = command.model_copy(update={"fence": command.fence + 1})
        transform_batch(redriven, bench.restarted().ports)
    expect_both_batches(bench)


@pytest.mark.parametrize("call", some(range(1, 9)))
def test_an_abandoning_that_dies_is_tried_again(bench: Workbench, call: int) -> None:
    before = bench.standing()
    command = bench.stage(SECOND)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=FIRST_MOVE + 1)).ports)
    undo = bench.abandoning(command)
    with pytest.raises(ProcessDied):
        abandon_batch(undo, bench.through(Process(dies_before=call)).ports)
    assert abandon_batch(undo, bench.restarted().ports) == {"outcome": "ABANDONED"}
    assert bench.standing() == before


@pytest.mark.parametrize(
    "call", [MARK, *(thorough(pytest.param(MARK + n)) for n in (1, 2, 3)), MARK + 4]
)
def test_another_batch_settles_first_what_broke_off(bench: Workbench, call: int) -> None:
    """It undoes what was not yet publishing, and finishes what was."""
    with pytest.raises(ProcessDied):
        transform_batch(bench.stage(SECOND), bench.through(Process(dies_before=call)).ports)
    third = a_batch([order("4", TUESDAY)])
    bench.restarted(fence=2).transform(third)

    model = FIRST.told_to(ShopModel())
    was_publishing = "FactsPublished" in bench.events(SECOND.batch_id)
    if was_publishing:
        SECOND.told_to(model)
    third.told_to(model)
    assert was_publishing == (call > MARK)
    bench.assert_equals(model)
    assert len(bench.facts()["orders"]) == len(model.orders)
