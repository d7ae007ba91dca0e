"""A user leaves the facts, older snapshots and all files of them; every number stays."""

from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import (
    EraseFromFacts,
    MaintainFacts,
    RebuildKpis,
    UpkeepRefused,
    UserErasedFromFacts,
)
from services.transformer.batch.state import stream_of
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts import tables
from services.transformer.facts.data_files import data_files, write_data_files
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.history.batch_difference import difference, snapshots_around
from services.transformer.maintenance import erasure
from services.transformer.maintenance.erasure import erase_from_facts
from services.transformer.maintenance.rebuild import rebuild_kpis
from services.transformer.maintenance.upkeep import maintain_facts
from tests.model import ShopModel
from tests.support.examples import STEPS, some
from tests.support.mortality import Process, ProcessDied
from tests.support.traces import traces
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

pytestmark = pytest.mark.medium

USER, TOKEN, OTHER = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def a_command(
    bench: Workbench, request_id: str = "erasure-1", check: str = "1" * 64
) -> EraseFromFacts:
    request = {
        "erasure_id": "erasure-1",
        "requested_by": "ann",
        "requested_at": "2025-07-08T00:00:00.000Z",
        "user_id": None,
        "user_token": None,
        "pseudonyms": [{"check": check, "pseudonym": USER, "token": TOKEN}],
    }
    ref = bench.ports.objects.put_json("archive", "erasures/open/erasure-1/pseudonym.json", request)
    return EraseFromFacts(request_id=request_id, request=ref, requested_by="ann")


def erase(bench: Workbench, request_id: str = "erasure-1") -> UserErasedFromFacts:
    erase_from_facts(a_command(bench, request_id), bench.ports)
    event = events(bench, request_id)[-1]
    assert isinstance(event, UserErasedFromFacts)
    return event


def events(bench: Workbench, request_id: str = "erasure-1") -> list[Any]:
    return [event.data for event in bench.ports.store.read(stream_of(request_id))]


def left_of(bench: Workbench, *needles: str) -> dict[str, list[str]]:
    """Which needles are in which files of the warehouse."""
    folder = bench.ports.facts._catalog._folder
    found = {
        str(path.relative_to(folder)): traces(path.read_bytes(), *needles)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {path: what for path, what in found.items() if what}


@cache
def history() -> Remembered[tuple[list[Batch], ShopModel]]:
    return Remembered(made_history)


def some_history(bench: Workbench) -> tuple[list[Batch], ShopModel]:
    """The bench has it from now on."""
    bench.ports = history().again()
    return deepcopy(history().made)


def made_history(bench: Workbench) -> tuple[list[Batch], ShopModel]:
    """A user on two days; one order of theirs is somebody else's since, one moved its day."""
    batches = [
        a_batch([order("0", "2025-07-01", user_id=OTHER)], [line("0")], [product("p1")]),
        a_batch(
            [
                order("1", user_id=USER),
                order("2", user_id=USER),
                order("3", user_id=OTHER),
                order("4", "2025-07-08", user_id=USER),
            ],
            [line("1"), line("2"), line("4", "p2")],
        ),
        a_batch([order("2", user_id=OTHER), order("4", "2025-07-09", user_id=USER)]),
        a_batch(
            [order("5", "2025-07-08", user_id=OTHER), order("6", "2025-07-08", user_id="")],
            [line("5")],
        ),
    ]
    model = ShopModel()
    for batch in batches:
        bench.transform(batch)
        batch.told_to(model)
    return batches, model


def can_be_compared(bench: Workbench, batch: Batch) -> bool:
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    around = snapshots_around(facts, batch.batch_id)
    return around is not None and bool(
        difference(facts, DuckDBEngine(facts), batch.batch_id, around).days
    )


def kpi_items(bench: Workbench) -> list[Any]:
    tables = bench.ports.tables.order_kpis, bench.ports.tables.category_kpis
    return [item for table in tables for item in bench.ports.store.scan(table)]


def test_the_user_is_gone_from_every_file_and_the_orders_stay(bench: Workbench) -> None:
    _, model = some_history(bench)
    assert len(left_of(bench, USER, USER[:16])) > 4
    facts, kpis = bench.facts(), kpi_items(bench)

    done = erase(bench)

    assert left_of(bench, USER, USER[:16]) == {}
    assert (done.days, done.rows) == (2, 2)
    expected = [
        {**row, "user_id": TOKEN if row["user_id"] == USER else row["user_id"]}
        for row in facts["orders"]
    ]
    by_order = {row["order_id"]: row for row in bench.facts()["orders"]}
    assert by_order == {row["order_id"]: row for row in expected}
    assert bench.facts()["order_items"] == facts["order_items"]
    assert kpi_items(bench) == kpis
    bench.restarted().assert_equals(model)


def test_other_users_keep_their_pseudonyms_and_other_days_their_files(bench: Workbench) -> None:
    some_history(bench)
    before = set(left_of(bench, OTHER))
    erase(bench)
    untouched = {path for path in before if "order_date=2025-07-01" in path}
    assert untouched
    assert untouched <= set(left_of(bench, OTHER))


def test_files_of_the_same_day_without_the_user_are_left(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "FILE_ROWS", 2)
    users = [OTHER, OTHER, OTHER, USER, OTHER, OTHER]
    batch = a_batch([order(str(n), user_id=user) for n, user in enumerate(users)])
    bench.transform(batch)
    before = standing(bench)
    erase(bench)
    assert len(before) == 3
    assert len(before & standing(bench)) == 2
    bench.restarted().assert_equals(batch.told_to(ShopModel()))


def standing(bench: Workbench) -> set[str]:
    table = bench.ports.facts._catalog.load_table(("ecommerce", "orders"))
    return {file.file_path for file in data_files(table, table.current_snapshot().snapshot_id)}


def test_a_rebuild_finds_nothing_and_later_batches_come_out_right(bench: Workbench) -> None:
    _, model = some_history(bench)
    erase(bench)

    after = bench.restarted()
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="ann"), after.ports)
    rebuilt = events(bench, "rebuild-1")[-1]
    assert (rebuilt.order_kpis, rebuilt.category_kpis, rebuilt.deleted) == (0, 0, 0)
    late = a_batch([order("1", "2025-07-08", user_id=OTHER)], [line("2", quantity=4)])
    after.transform(late)
    after.assert_equals(late.told_to(model))
    maintain_facts(
        MaintainFacts(request_id="upkeep-1", requested_by="ann"), bench.restarted().ports
    )
    bench.restarted().assert_equals(model)


def test_batches_from_the_first_that_held_the_user_are_compared_no_longer(
    bench: Workbench,
) -> None:
    batches, _ = some_history(bench)
    done = erase(bench)
    assert done.dropped_tags == 3
    assert [can_be_compared(bench, batch) for batch in batches] == [True, False, False, False]
    late = a_batch([order("9", "2025-07-09", user_id=OTHER)])
    after = bench.restarted()
    after.transform(late)
    facts = ReadOnlyFacts(after.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    around = snapshots_around(facts, late.batch_id)
    assert around is not None
    changed = difference(facts, DuckDBEngine(facts), late.batch_id, around)
    assert {day.isoformat(): c["orders_added"] for day, c in changed.days.items() if day} == {
        "2025-07-09": 1
    }


def test_a_second_erasure_changes_nothing_and_says_so(bench: Workbench) -> None:
    some_history(bench)
    erase(bench)
    folder = bench.ports.facts._catalog._folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    locations = dict(bench.ports.facts._catalog.metadata_locations)

    again = erase(bench.restarted(), "erasure-2")

    assert (again.deleted_files, again.expired_snapshots, again.dropped_tags) == (0, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert bench.ports.facts._catalog.metadata_locations == locations


def test_a_user_who_never_ordered_changes_nothing(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", user_id=OTHER)]))
    done = erase(bench)
    assert (done.days, done.rows, done.deleted_files) == (0, 0, 0)


def test_what_an_unfinished_writer_left_is_deleted_too(bench: Workbench) -> None:
    _, model = some_history(bench)
    orders = bench.ports.facts._catalog.load_table(("ecommerce", "orders"))
    rows = orders.scan(row_filter="order_id == '1'").to_arrow()
    [orphan] = write_data_files(orders, rows)
    erase(bench)
    assert not Path(orphan.file_path.removeprefix("file://")).exists()
    assert left_of(bench, USER, USER[:16]) == {}
    bench.restarted().assert_equals(model)


def test_only_older_snapshots_hold_the_user(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", user_id=USER)]))
    bench.transform(a_batch([order("1", user_id=OTHER)]))
    done = erase(bench)
    assert (done.days, done.rows) == (0, 0)
    assert done.deleted_files > 0
    assert left_of(bench, USER, USER[:16]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True], ids=["dies before", "loses the answer of"])
@pytest.mark.parametrize("every", STEPS)
def test_an_erasure_that_dies_anywhere_is_finished_by_asking_again(
    tmp_path: Path, every: int, *, lost: bool
) -> None:
    """Each death in a world of its own, for an erasure deletes files that copies would share."""
    call, died = 1 - every, True
    while died:
        call += every
        world = local_workbench(tmp_path / str(call))
        batch = a_batch([order("1", user_id=USER), order("2", user_id=OTHER)], [line("1")])
        world.transform(batch)
        process = Process(loses_answer_of=call) if lost else Process(dies_before=call)
        died = False
        try:
            erase_from_facts(a_command(world), world.through(process).ports)
        except ProcessDied:
            died = True
        again = world.restarted()
        erase_from_facts(a_command(again), again.ports)
        [done] = events(world)
        assert (done.days, done.rows) == (1, 1)
        assert left_of(world, USER, USER[:16]) == {}
        late = a_batch([order("9", user_id=OTHER)])
        after = world.restarted()
        after.transform(late)
        after.assert_equals(late.told_to(batch.told_to(ShopModel())))
    assert call > 8


def test_an_erasure_that_dies_while_files_are_deleted_is_finished_by_asking_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_history(bench)
    io = type(bench.ports.facts._catalog.load_table(("ecommerce", "orders")).io)
    delete, deleted = io.delete, []

    def until_the_fifth(self: Any, location: str) -> None:
        if len(deleted) == 5:
            raise ProcessDied("before a file was deleted")
        deleted.append(location)
        delete(self, location)

    monkeypatch.setattr(io, "delete", until_the_fifth)
    with pytest.raises(ProcessDied):
        erase_from_facts(a_command(bench), bench.ports)
    monkeypatch.undo()
    assert left_of(bench, USER)

    done = erase(bench.restarted())

    assert left_of(bench, USER, USER[:16]) == {}
    assert (done.days, done.rows) == (2, 2)


def test_an_erasure_gives_way_to_a_batch_in_work(bench: Workbench) -> None:
    some_history(bench)
    late = a_batch([order("9", "2025-07-09")])
    command = bench.stage(late)
    fence = bench.ports.facts.fence

    def erase_meanwhile(*given: Any) -> Any:
        other = bench.restarted()
        erase_from_facts(a_command(other), other.ports)
        return fence(*given)

    bench.ports.facts.fence = erase_meanwhile  # type: ignore[method-assign]
    assert transform_batch(command, bench.ports)["outcome"] == "PUBLISHED"
    [refused] = events(bench)
    assert isinstance(refused, UpkeepRefused)
    assert f"batch {late.batch_id} is in work" in refused.reason


@pytest.mark.parametrize("step", some(["_replace", "expire_since", "delete_unused"]))
def test_a_batch_that_begins_meanwhile_loses_nothing(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    _, model = some_history(bench)
    late = a_batch([order("9", "2025-07-09", user_id=OTHER)], [line("9", "p1")])
    then = getattr(erasure, step)

    def after_a_batch(*given: Any) -> Any:
        bench.restarted().transform(late)
        return then(*given)

    monkeypatch.setattr(erasure, step, after_a_batch)
    slow = bench.restarted()
    erase_from_facts(a_command(slow), slow.ports)
    monkeypatch.undo()

    [refused] = events(bench)
    assert "a batch began meanwhile" in refused.reason
    bench.restarted().assert_equals(late.told_to(model))
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="ann"), bench.restarted().ports)
    assert events(bench, "rebuild-1")[-1].unchanged == len(kpi_items(bench))

    done = erase(bench.restarted(), "erasure-2")
    assert left_of(bench, USER, USER[:16]) == {}
    assert done.rows == 2
    bench.restarted().assert_equals(model)


def test_an_erasure_by_pseudonyms_of_other_keys_is_refused(bench: Workbench) -> None:
    bench.transform(replace(a_batch([order("1", user_id=USER)]), pseudonym_check="1" * 64))
    erase_from_facts(a_command(bench, check="2" * 64), bench.ports)
    [refused] = events(bench)
    assert "are made by other keys" in refused.reason
    assert left_of(bench, USER)
