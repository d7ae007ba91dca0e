"""The key of the pseudonyms is rotated: users stay who they are, and every number stays."""

import hmac
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import PipelineError, StaleWriter
from contracts.messages import FactsRekeyed, FileReport, RebuildKpis, RekeyFacts, UpkeepRefused
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.domain import TransformerState
from services.transformer.batch.reconciliation import staged_check
from services.transformer.batch.state import stream_of
from services.transformer.batch.transform import transform_batch
from services.transformer.maintenance import rekeying
from services.transformer.maintenance.rebuild import rebuild_kpis
from services.transformer.maintenance.rekeying import rekey_facts
from tests.contract.builders import a_document
from tests.model import ShopModel
from tests.support.examples import STEPS, some
from tests.support.mortality import Process, ProcessDied
from tests.support.traces import traces
from tests.support.transforming import (
    Batch,
    Remembered,
    Row,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

pytestmark = pytest.mark.medium

KEYS = (b"the first key", b"the second", b"the third")
USERS = ("ann", "bob", "cleo")


def pseudonym(user: str, generation: int = 1) -> str:
    text = user
    for key in KEYS[:generation]:
        text = hmac.new(key, text.encode(), "sha256").hexdigest()
    return text


def check(generation: int) -> str:
    """What says which keys made a pseudonym."""
    return pseudonym("\0check", generation)


def by(user: str, order_id: str, day: str = "2025-07-07", generation: int = 1) -> Row:
    return order(order_id, day, user_id=pseudonym(user, generation))


def of(generation: int, *orders: Row, **more: Any) -> Batch:
    return replace(a_batch(orders, **more), pseudonym_check=check(generation))


def told(batch: Batch, model: ShopModel) -> ShopModel:
    """The model is told names: it knows no pseudonyms."""
    names = {pseudonym(user, generation): user for user in USERS for generation in (1, 2, 3)}
    by_name = [
        (
            kind,
            [row | {"user_id": names[row["user_id"]]} if kind == "orders" else row for row in rows],
        )
        for kind, rows in batch.files
    ]
    return replace(batch, files=by_name).told_to(model)


def key_of(generation: int) -> bytes:
    return KEYS[generation - 1]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def a_command(generation: int = 2, request_id: str = "rotation-1") -> RekeyFacts:
    return RekeyFacts(
        request_id=request_id,
        generation=generation,
        check_before=check(generation - 1),
        check_after=check(generation),
        requested_by="ann",
    )


def rekey(bench: Workbench, generation: int = 2, request_id: str = "rotation-1") -> Any:
    rekey_facts(a_command(generation, request_id), bench.ports, key_of)
    return events(bench, request_id)[-1]


def events(bench: Workbench, request_id: str = "rotation-1") -> list[Any]:
    return [event.data for event in bench.ports.store.read(stream_of(request_id))]


@cache
def history() -> Remembered[ShopModel]:
    return Remembered(made_history)


def some_history(bench: Workbench) -> ShopModel:
    """The bench has it from now on."""
    bench.ports = history().again()
    return deepcopy(history().made)


def made_history(bench: Workbench) -> ShopModel:
    model = ShopModel()
    for batch in (
        of(1, by("ann", "1"), by("bob", "2"), items=[line("1")], products=[product()]),
        of(1, by("ann", "3"), by("ann", "4", "2025-07-08"), items=[line("4", "p2")]),
    ):
        bench.transform(batch)
        told(batch, model)
    return model


def users_by_order(bench: Workbench) -> dict[str, str]:
    return {row["order_id"]: row["user_id"] for row in bench.facts()["orders"]}


def left_of(bench: Workbench, generation: int) -> list[str]:
    """Files of the warehouse that hold a pseudonym of that generation, or how it begins."""
    folder = bench.ports.facts._catalog._folder
    needles = [p for user in USERS for p in (pseudonym(user, generation),)]
    needles += [needle[:16] for needle in needles]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if traces(path.read_bytes(), *needles)]


def items(bench: Workbench) -> list[Any]:
    tables = bench.ports.tables.order_kpis, bench.ports.tables.category_kpis
    return [item for table in tables for item in bench.ports.store.scan(table)]


def customers(bench: Workbench) -> dict[str, int]:
    return {day["order_date"]: day["unique_customers"] for day in bench.order_kpis()}


def test_every_user_gets_the_next_pseudonym_and_no_number_changes(bench: Workbench) -> None:
    model = some_history(bench)
    kpis, lines = items(bench), bench.facts()["order_items"]
    assert left_of(bench, 1)

    done = rekey(bench)

    assert isinstance(done, FactsRekeyed)
    assert (done.generation, done.rekeyed, done.days, done.rows) == (2, True, 2, 4)
    assert users_by_order(bench) == {
        "1": pseudonym("ann", 2),
        "2": pseudonym("bob", 2),
        "3": pseudonym("ann", 2),
        "4": pseudonym("ann", 2),
    }
    assert left_of(bench, 1) == []
    assert items(bench) == kpis
    assert bench.facts()["order_items"] == lines
    assert bench.state().pseudonym_check == check(2)
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="ann"), bench.restarted().ports)
    assert events(bench, "rebuild-1")[-1].unchanged == len(kpis)
    bench.assert_equals(model)


def test_an_old_user_who_orders_again_on_an_old_day_is_the_same_customer(bench: Workbench) -> None:
    model = some_history(bench)
    before = customers(bench)
    rekey(bench)
    after = bench.restarted()
    late = of(2, by("ann", "9", generation=2))
    after.transform(late)
    assert customers(after) == before
    new = of(2, by("cleo", "10", generation=2))
    after.transform(new)
    assert customers(after)["2025-07-07"] == before["2025-07-07"] + 1
    after.assert_equals(told(new, told(late, model)))


def test_a_batch_that_was_staged_before_is_refused_and_right_after_a_redrive(
    bench: Workbench,
) -> None:
    model = some_history(bench)
    late = of(1, by("ann", "9"), by("bob", "10", "2025-07-08"))
    command = bench.stage(late)
    rekey(bench)
    facts, kpis = bench.facts(), items(bench)

    after = bench.restarted()
    with pytest.raises(StaleWriter, match="the key was rotated meanwhile"):
        transform_batch(command, after.ports)
    abandon_batch(after.abandoning(command), after.ports)

    assert after.facts() == facts
    assert items(after) == kpis
    rows = [by("ann", "9", generation=2), by("bob", "10", "2025-07-08", generation=2)]
    again = replace(of(2, *rows), batch_id=late.batch_id)
    redriven = after.restarted(fence=2)
    redriven.transform(again)
    redriven.assert_equals(told(again, model))
    assert customers(redriven) == {"2025-07-07": 2, "2025-07-08": 2}


def test_rows_of_other_keys_than_the_facts_or_each_other_are_refused() -> None:
    def a_report(check: str | None = "a", **changes: Any) -> FileReport:
        document = a_document("FileReport", accepted=2, pseudonym_check=check, **changes)
        return FileReport.model_validate(document)

    report = a_report()
    for held in (None, "a", "b"):
        with pytest.raises(StaleWriter, match="redrive the batch"):
            staged_check({0: report, 1: a_report("b")}, held)
    for other in ("b", None):
        with pytest.raises(StaleWriter, match="redrive the batch"):
            staged_check({0: a_report(other)}, "a")
    assert staged_check({0: report}, None) == staged_check({0: report}, "a") == "a"
    assert staged_check({0: a_report(None)}, None) is None
    assert staged_check({0: a_report(kind="products")}, "b") is None
    assert staged_check({0: a_report(staged=None)}, "b") is None
    guests = a_report(None, guests=2)
    assert staged_check({0: guests}, "b") is None
    assert staged_check({0: guests, 1: report}, "a") == "a"


def test_guests_stay_guests_through_a_rotation(bench: Workbench) -> None:
    """A file of guests alone names no user, so no keys made anything of it."""
    files = [("orders", [by("ann", "1")]), ("orders", [order("2", user_id="")])]
    bench.transform(Batch(files, pseudonym_check=check(1)))
    bench.transform(Batch([("orders", [order("3", user_id="")])]))
    rekey(bench)
    users = {row["order_id"]: row["user_id"] for row in bench.facts()["orders"]}
    assert users == {"1": pseudonym("ann", 2), "2": None, "3": None}
    [day] = bench.order_kpis()
    assert (day["unique_customers"], day["guests"]) == (1, 2)


def test_two_rotations_follow_each_other(bench: Workbench) -> None:
    model = some_history(bench)
    before = customers(bench)
    rekey(bench)
    bench.restarted().transform(late := of(2, by("bob", "9", generation=2)))
    told(late, model)
    done = rekey(bench.restarted(), 3, "rotation-2")
    assert done.generation == 3
    assert left_of(bench, 1) == left_of(bench, 2) == []
    assert set(users_by_order(bench).values()) == {pseudonym("ann", 3), pseudonym("bob", 3)}
    bench.restarted().transform(last := of(3, by("ann", "11", "2025-07-08", generation=3)))
    assert customers(bench) == before
    bench.assert_equals(told(last, model))


def test_a_generation_cannot_be_left_out(bench: Workbench) -> None:
    some_history(bench)
    facts = bench.facts()
    refused = rekey(bench, 3)
    assert isinstance(refused, UpkeepRefused)
    assert "generation 3 cannot be made of them" in refused.reason
    assert bench.facts() == facts


def test_another_key_than_the_one_expected_changes_nothing(bench: Workbench) -> None:
    some_history(bench)
    facts = bench.facts()
    rekey_facts(a_command(), bench.ports, lambda _: b"somebody else's")
    [refused] = events(bench)
    assert "is not the one expected" in refused.reason
    assert bench.facts() == facts
    assert bench.state().pseudonym_check == check(1)


def test_without_its_key_nothing_is_changed(bench: Workbench) -> None:
    some_history(bench)
    facts = bench.facts()

    def no_key(_: int) -> bytes:
        raise PipelineError("no such key")

    with pytest.raises(PipelineError, match="no such key"):
        rekey_facts(a_command(), bench.ports, no_key)
    assert bench.facts() == facts
    assert rekey(bench.restarted()).generation == 2


def test_before_the_first_order_a_rotation_only_says_which_generation_is_next(
    bench: Workbench,
) -> None:
    done = rekey(bench)
    assert (done.days, done.rows) == (0, 0)
    after = bench.restarted()
    with pytest.raises(StaleWriter):
        after.transform(of(1, by("ann", "1")))
    again = bench.restarted(fence=2)
    again.transform(late := of(2, by("ann", "2", generation=2)))
    again.assert_equals(told(late, ShopModel()))


def test_facts_of_which_nothing_is_said_yet_take_the_first_batch_that_says_it(
    bench: Workbench,
) -> None:
    bench.transform(replace(of(1, by("ann", "1")), pseudonym_check=None))
    item = {k: v for k, v in bench.state().to_item().items() if k != "pseudonym_check"}
    assert TransformerState.from_item(item).pseudonym_check is None
    assert bench.state().pseudonym_check is None
    bench.transform(of(1, by("ann", "2")))
    assert bench.state().pseudonym_check == check(1)
    with pytest.raises(StaleWriter):
        bench.transform(replace(of(1, by("ann", "3")), pseudonym_check=None))


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True], ids=["dies before", "loses the answer of"])
@pytest.mark.parametrize("every", STEPS)
def test_a_rotation_that_dies_anywhere_is_finished_by_asking_again(
    tmp_path: Path, every: int, *, lost: bool
) -> None:
    """Each death in a world of its own; a batch of each generation may come in between."""
    call, died = 1 - every, True
    while died:
        call += every
        world = local_workbench(tmp_path / str(call))
        batch = of(1, by("ann", "1"), by("bob", "2"), items=[line("1")])
        world.transform(batch)
        model = told(batch, ShopModel())
        process = Process(loses_answer_of=call) if lost else Process(dies_before=call)
        died = False
        try:
            rekey(world.through(process))
        except ProcessDied:
            died = True
        held = [check(1), check(2)].index(str(world.state().pseudonym_check)) + 1
        other = world.restarted()
        with pytest.raises(StaleWriter, match="redrive the batch"):
            other.transform(of(3 - held, by("ann", "8", generation=3 - held)))
        between = world.restarted(fence=2)
        late = of(held, by("ann", "9", generation=held))
        abandoned = between.stage(late)
        transform_batch(abandoned, between.ports)
        told(late, model)
        between.assert_equals(model)

        rekey(world.restarted(fence=2), request_id="rotation-2")

        assert world.state().pseudonym_check == check(2)
        assert left_of(world, 1) == []
        assert set(users_by_order(world).values()) == {pseudonym("ann", 2), pseudonym("bob", 2)}
        last = of(2, by("bob", "10", generation=2))
        after = world.restarted(fence=2)
        after.transform(last)
        after.assert_equals(told(last, model))
        assert customers(after) == {"2025-07-07": 2}
    assert call > 8


def test_a_rotation_gives_way_to_a_batch_in_work(bench: Workbench) -> None:
    some_history(bench)
    late = of(1, by("cleo", "9"))
    command = bench.stage(late)
    fence = bench.ports.facts.fence

    def rotate_meanwhile(*given: Any) -> Any:
        rekey(bench.restarted())
        return fence(*given)

    bench.ports.facts.fence = rotate_meanwhile  # type: ignore[method-assign]
    assert transform_batch(command, bench.ports)["outcome"] == "PUBLISHED"
    [refused] = events(bench)
    assert f"batch {late.batch_id} is in work" in refused.reason
    assert bench.state().pseudonym_check == check(1)


@pytest.mark.parametrize("step", some(["_replace", "_drop_older", "delete_unused"]))
def test_a_batch_that_begins_meanwhile_loses_nothing(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    model = some_history(bench)
    then = getattr(rekeying, step)
    came: list[Batch] = []

    def after_a_batch(*given: Any) -> Any:
        if not came:
            held = [check(1), check(2)].index(str(bench.state().pseudonym_check)) + 1
            came.append(of(held, by("cleo", "9", generation=held), items=[line("9")]))
            bench.restarted().transform(came[0])
        return then(*given)

    monkeypatch.setattr(rekeying, step, after_a_batch)
    rekey(bench.restarted())
    monkeypatch.undo()

    [refused] = events(bench)
    assert "a batch began meanwhile" in refused.reason
    bench.restarted().assert_equals(told(came[0], model))
    done = rekey(bench.restarted(), request_id="rotation-2")
    assert done.generation == 2
    assert left_of(bench, 1) == []
    bench.restarted().assert_equals(model)
    assert len(set(users_by_order(bench).values())) == 3


def test_time_is_asked_of_the_clock(bench: Workbench) -> None:
    some_history(bench)
    assert timedelta(0) < timedelta(seconds=rekey(bench).duration_seconds) < timedelta(seconds=1)
