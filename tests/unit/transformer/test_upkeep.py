"""Between batches the facts are looked after: nothing that counts is lost, nothing piles up."""

import itertools
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import FactsMaintained, MaintainFacts, RebuildKpis
from services.transformer.batch.state import stream_of
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts import tables
from services.transformer.facts.data_files import data_files, write_data_files
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.facts.tables import TABLES as FACTS
from services.transformer.history.batch_difference import difference, snapshots_around
from services.transformer.maintenance import upkeep
from services.transformer.maintenance.rebuild import rebuild_kpis
from services.transformer.maintenance.upkeep import maintain_facts
from tests.model import ShopModel
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

COMMAND = MaintainFacts(request_id="upkeep-1", requested_by="schedule")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def days_later(bench: Workbench, days: float) -> Workbench:
    """The same stores, seen by a process that starts so many days from now."""
    then = datetime.now(UTC) + timedelta(days=days)
    started = bench.restarted()
    return replace(started, ports=replace(started.ports, clock=lambda: then))


def events(bench: Workbench, request_id: str = "upkeep-1") -> list[Any]:
    return [event.data for event in bench.ports.store.read(stream_of(request_id))]


def table(bench: Workbench, name: str) -> Any:
    return bench.ports.facts._catalog.load_table(("ecommerce", name))


def files_of(bench: Workbench, name: str) -> set[Path]:
    folder = Path(table(bench, name).location().removeprefix("file://"))
    return {path for path in folder.rglob("*") if path.is_file()}


def files_at_head(bench: Workbench, name: str) -> int:
    """Data files of the published facts."""
    return len(data_files(table(bench, name), (bench.state().heads or {})[name]))


@cache
def history(count: int) -> Remembered[tuple[list[Batch], ShopModel]]:
    return Remembered(lambda bench: made_batches(bench, count))


def some_batches(bench: Workbench, count: int) -> tuple[list[Batch], ShopModel]:
    """The bench has them from now on."""
    bench.ports = history(count).again()
    return deepcopy(history(count).made)


def made_batches(bench: Workbench, count: int) -> tuple[list[Batch], ShopModel]:
    """Each restates order 0, so that files are replaced."""
    model = ShopModel()
    batches = []
    for number in range(count):
        batches.append(
            a_batch(
                [order("0", total_amount=f"{number}.00"), order(f"{number + 1}")],
                [line("0", "p1", number + 1), line(f"{number + 1}", "p1")],
                [product("p1")],
            )
        )
        bench.transform(batches[-1])
        batches[-1].told_to(model)
    return batches, model


def maintained(bench: Workbench) -> dict[str, Any]:
    [event] = events(bench)
    assert isinstance(event, FactsMaintained)
    return {each.table: each for each in event.tables}


def can_be_compared(bench: Workbench, batch: Batch) -> bool:
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    around = snapshots_around(facts, batch.batch_id)
    return around is not None and bool(
        difference(facts, DuckDBEngine(facts), batch.batch_id, around).days
    )


def test_a_batch_leaves_one_snapshot_behind_however_many_came_before(bench: Workbench) -> None:
    batches, _ = some_batches(bench, 4)
    assert {len(table(bench, name).metadata.snapshots) for name in FACTS} == {len(batches) + 1}
    assert all(can_be_compared(bench, batch) for batch in batches)


def test_a_copy_of_the_metadata_does_not_copy_its_history(bench: Workbench) -> None:
    some_batches(bench, 2)
    metadata = table(bench, "orders").metadata
    copied = metadata.model_copy(deep=True)
    assert copied is not metadata
    assert copied.snapshots is not metadata.snapshots
    assert all(
        mine is theirs for mine, theirs in zip(copied.snapshots, metadata.snapshots, strict=True)
    )
    assert all(copied.refs[name] is ref for name, ref in metadata.refs.items())


def test_a_copy_of_the_metadata_may_be_changed_without_the_table(bench: Workbench) -> None:
    some_batches(bench, 2)
    metadata = table(bench, "orders").metadata
    before = metadata.model_dump()
    copied = metadata.model_copy(deep=True)
    copied.snapshots.pop()
    copied.refs.clear()
    copied.properties["mine"] = "1"
    assert metadata.model_dump() == before


def test_a_transaction_shows_what_was_staged_so_far_and_works_it_out_once(
    bench: Workbench,
) -> None:
    some_batches(bench, 2)
    transaction = table(bench, "orders").transaction()
    first = transaction.table_metadata
    assert transaction.table_metadata is first
    transaction.set_properties(mine="1")
    assert transaction.table_metadata.properties["mine"] == "1"
    assert "mine" not in first.properties
    assert "mine" not in table(bench, "orders").properties


@pytest.mark.slow
def test_manifests_are_merged_before_they_are_many(bench: Workbench) -> None:
    for number in range(25):
        bench.transform(a_batch([order(str(number), f"2025-06-{number + 1:02d}")]))
    orders = table(bench, "orders")
    assert len(orders.current_snapshot().manifests(orders.io)) < 20
    assert len(bench.facts()["orders"]) == 25


def test_recent_batches_are_kept_whole(bench: Workbench) -> None:
    batches, model = some_batches(bench, 3)

    maintain_facts(COMMAND, days_later(bench, 80).ports)

    assert {each.expired_snapshots for each in maintained(bench).values()} == {0}
    assert all(can_be_compared(bench, batch) for batch in batches)
    bench.restarted().assert_equals(model)


def test_batches_over_the_retention_go_with_their_tags_and_files(bench: Workbench) -> None:
    old, model = some_batches(bench, 3)
    before = files_of(bench, "orders")

    maintain_facts(COMMAND, days_later(bench, 91).ports)

    done = maintained(bench)["orders"]
    assert (done.dropped_tags, done.expired_snapshots, done.kept_snapshots) == (2, 3, 1)
    gone = before - files_of(bench, "orders")
    assert len(gone) == done.deleted_files > 0
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    assert snapshots_around(facts, old[0].batch_id) is None
    assert len(bench.facts()["orders"]) == 4
    late = a_batch([order("0", "2025-07-09")])
    after = bench.restarted()
    after.transform(late)
    after.assert_equals(late.told_to(model))
    assert can_be_compared(after, late)


def test_an_upkeep_looks_before_each_file_that_it_deletes(bench: Workbench) -> None:
    _, model = some_batches(bench, 3)
    before, later = files_of(bench, "orders"), days_later(bench, 91)
    maintain_facts(COMMAND, later.ports, lambda: bool(before - files_of(bench, "orders")))
    [refused] = events(bench)
    assert "goes first" in refused.reason
    assert len({path for path in before - files_of(bench, "orders") if path.suffix != ".json"}) == 1
    bench.restarted().assert_equals(model)


def test_only_old_files_that_nothing_refers_to_are_deleted(bench: Workbench) -> None:
    some_batches(bench, 2)
    orders = table(bench, "orders")
    rows = orders.scan().to_arrow()
    [orphan, *_] = write_data_files(orders, rows)
    referred = files_of(bench, "orders") - {Path(orphan.file_path.removeprefix("file://"))}

    maintain_facts(COMMAND, days_later(bench, 2).ports)
    assert maintained(bench)["orders"].deleted_files == 0

    again = MaintainFacts(request_id="upkeep-2", requested_by="ann")
    maintain_facts(again, days_later(bench, 4).ports)
    [event] = events(bench, "upkeep-2")
    by_table = {each.table: each for each in event.tables}
    assert not Path(orphan.file_path.removeprefix("file://")).exists()
    assert by_table["orders"].deleted_files >= 1
    assert {path for path in referred if path.suffix == ".parquet"} <= files_of(bench, "orders")


def a_crowded_day(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> ShopModel:
    batch = a_batch([order(str(number)) for number in range(9)], [line("1", "p1")])
    engine = bench.ports.facts.replace

    def one_file_a_row(name: str, epoch: int, removed: Any, added: Any, properties: Any) -> None:
        source = bench.ports.facts.table(name)
        rows = [part for file in added for part in _rows_of(source, file)]
        engine(name, epoch, removed, rows, properties)

    monkeypatch.setattr(bench.ports.facts, "replace", one_file_a_row)
    bench.transform(batch)
    monkeypatch.undo()
    return batch.told_to(ShopModel())


def _rows_of(source: Any, file: Any) -> Iterator[Any]:
    import pyarrow.parquet as pq

    rows = pq.read_table(file.file_path.removeprefix("file://"), partitioning=None)
    rows = rows.cast(source.schema().as_arrow())
    for number in range(rows.num_rows):
        yield from write_data_files(source, rows.slice(number, 1))


def test_a_day_of_many_files_becomes_one_file_and_stays_the_same_day(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_crowded_day(bench, monkeypatch)
    before = bench.facts()
    assert (
        len(
            data_files(
                table(bench, "orders"), table(bench, "orders").current_snapshot().snapshot_id
            )
        )
        == 9
    )

    maintain_facts(COMMAND, bench.restarted().ports)

    done = maintained(bench)
    assert (done["orders"].compacted_partitions, done["orders"].compacted_files) == (1, 9)
    assert done["order_items"].compacted_files == 0
    assert bench.facts() == before
    assert files_at_head(bench, "orders") == 1
    late = a_batch([order("2", "2025-07-09")])
    after = bench.restarted()
    after.transform(late)
    after.assert_equals(late.told_to(model))


def test_an_upkeep_gives_way_to_a_command_wherever_it_is_and_is_taken_up(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done stays; asked again, it goes on from there."""
    model = a_crowded_day(bench, monkeypatch)
    for at in itertools.count(1):
        fork, seen = bench.forked(), itertools.count(1)
        maintain_facts(COMMAND, fork.ports, lambda at=at, seen=seen: next(seen) >= at)
        [ended] = events(fork)
        if isinstance(ended, FactsMaintained):
            break
        assert "goes first; what was done until then stays" in ended.reason
        fork.restarted().assert_equals(model)
        again = MaintainFacts(request_id="upkeep-2", requested_by="ann")
        maintain_facts(again, fork.restarted().ports)
        assert isinstance(events(fork, "upkeep-2")[-1], FactsMaintained)
        assert files_at_head(fork, "orders") == 1
    assert at > 12


def test_full_files_of_a_day_are_left(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FILE_ROWS", 2)
    bench.transform(a_batch([order(str(number)) for number in range(10)]))
    assert files_at_head(bench, "orders") == 5
    maintain_facts(COMMAND, bench.restarted().ports)
    assert maintained(bench)["orders"].compacted_files == 0


def test_a_batch_that_begins_meanwhile_wins_over_a_compaction(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_crowded_day(bench, monkeypatch)
    late = a_batch([order("9", "2025-07-09")])
    slow = bench.restarted()
    publish = slow.ports.facts.publish

    def after_a_batch(epoch: int, request_id: str) -> Any:
        bench.restarted().transform(late)
        return publish(epoch, request_id)

    monkeypatch.setattr(slow.ports.facts, "publish", after_a_batch)
    maintain_facts(COMMAND, slow.ports)

    [refused] = events(bench)
    assert "a batch began meanwhile" in refused.reason
    bench.restarted().assert_equals(late.told_to(model))


def test_a_batch_that_begins_meanwhile_wins_over_an_expiry(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = some_batches(bench, 3)
    late = a_batch([order("9", "2025-07-09")])
    slow = days_later(bench, 100)
    overdue = upkeep.overdue

    def after_a_batch(*given: Any) -> Any:
        if not late_is_done:
            late_is_done.append(True)
            bench.restarted().transform(late)
        return overdue(*given)

    late_is_done: list[bool] = []
    monkeypatch.setattr(upkeep, "overdue", after_a_batch)
    maintain_facts(COMMAND, slow.ports)

    [refused] = events(bench)
    assert "a batch began meanwhile" in refused.reason
    bench.restarted().assert_equals(late.told_to(model))
    assert can_be_compared(bench, late)


def test_an_upkeep_gives_way_to_a_batch_in_work(bench: Workbench) -> None:
    some_batches(bench, 1)
    late = a_batch([order("9", "2025-07-09")])
    command = bench.stage(late)
    fence = bench.ports.facts.fence

    def upkeep_meanwhile(*given: Any) -> Any:
        maintain_facts(COMMAND, days_later(bench, 100).ports)
        return fence(*given)

    bench.ports.facts.fence = upkeep_meanwhile  # type: ignore[method-assign]
    assert transform_batch(command, bench.ports)["outcome"] == "PUBLISHED"

    [refused] = events(bench)
    assert f"batch {late.batch_id} is in work" in refused.reason


def test_what_an_upkeep_leaves_can_be_rebuilt_from(bench: Workbench) -> None:
    _, model = some_batches(bench, 3)
    maintain_facts(COMMAND, days_later(bench, 100).ports)

    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="ann"), bench.restarted().ports)

    assert events(bench, "rebuild-1")[-1].unchanged == 2
    bench.assert_equals(model)
    assert date(2025, 7, 7).isoformat() == events(bench, "rebuild-1")[0].first_day
