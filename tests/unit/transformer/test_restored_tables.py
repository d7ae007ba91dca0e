"""EventStore or TransformerState is put back to an earlier second, and the other is not.

docs/cost.md says to restore both to one second. Of one alone: nothing is counted twice, nothing is
lost in silence, and who cannot go on says why.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import StaleWriter
from services.runtime.event_store import InMemoryEventStore
from services.transformer.maintenance.exclusive_writer import exclusive_epoch
from tests.model import ShopModel
from tests.support.transforming import (
    TABLES,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

FIRST = a_batch([order("1")], [line("1")], [product()])
SECOND = a_batch([order("2", "2025-07-08")], [line("2")])
THIRD = a_batch([order("3", "2025-07-08")], [line("3")])


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def store_of(bench: Workbench) -> InMemoryEventStore:
    assert isinstance(bench.ports.store, InMemoryEventStore)
    return bench.ports.store


def the_state(bench: Workbench) -> Any:
    return deepcopy(store_of(bench)._tables[TABLES.state])


def the_streams(bench: Workbench) -> Any:
    return deepcopy(store_of(bench)._streams)


def overtaken_by(other: Workbench, late: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other publishes SECOND between the late one's look at the state and at the tables."""
    waiting, really_load = [SECOND], late.ports.facts.load

    def load(epoch: int) -> Any:
        while waiting:
            other.transform(waiting.pop())
        return really_load(epoch)

    monkeypatch.setattr(late.ports.facts, "load", load)


@pytest.mark.medium
def test_transformer_state_alone_stops_every_writer_with_the_reason(bench: Workbench) -> None:
    """Its heads are those of before: going on from them would drop the second batch's rows."""
    bench.transform(FIRST)
    before = the_state(bench)
    replace(bench, fence=2).transform(SECOND)
    standing = bench.standing()
    after = the_state(bench)
    store_of(bench)._tables[TABLES.state] = before
    later = replace(bench, fence=3)
    with pytest.raises(StaleWriter, match="written by epoch 2, and TransformerState knows of 1"):
        later.transform(THIRD)
    with pytest.raises(StaleWriter, match="restored"), exclusive_epoch("request", later.ports):
        raise AssertionError("nobody may write")
    assert bench.standing() == standing
    store_of(bench)._tables[TABLES.state] = after
    later.transform(THIRD)
    later.assert_equals(THIRD.told_to(SECOND.told_to(FIRST.told_to(ShopModel()))))


@pytest.mark.medium
def test_a_state_that_a_newer_writer_changed_meanwhile_is_read_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another container publishes between our look at the state and our look at the tables."""
    bench.transform(FIRST)
    other, late = replace(bench.restarted(), fence=2), replace(bench.restarted(), fence=3)
    overtaken_by(other, late, monkeypatch)
    late.transform(THIRD)
    late.assert_equals(THIRD.told_to(SECOND.told_to(FIRST.told_to(ShopModel()))))


@pytest.mark.medium
def test_upkeep_that_a_batch_overtakes_before_it_began_goes_on_after_it(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transform(FIRST)
    other, late = replace(bench.restarted(), fence=2), bench.restarted()
    overtaken_by(other, late, monkeypatch)
    with exclusive_epoch("request", late.ports) as writer:
        assert writer is not None
        assert writer.epoch == 3
    late.assert_equals(SECOND.told_to(FIRST.told_to(ShopModel())))


@pytest.mark.medium
def test_event_store_alone_counts_nothing_twice(bench: Workbench) -> None:
    """The batch's story is gone, so it is run again: its rows replace themselves."""
    bench.transform(FIRST)
    before = the_streams(bench)
    replace(bench, fence=2).transform(SECOND)
    store_of(bench)._streams = before
    with pytest.raises(StaleWriter, match="lock fence 1 is stale: 2 was seen"):
        bench.transform(SECOND)
    later = replace(bench, fence=4)
    later.transform(SECOND)
    later.assert_equals(SECOND.told_to(FIRST.told_to(ShopModel())))
    later.transform(THIRD)
    later.assert_equals(THIRD.told_to(SECOND.told_to(FIRST.told_to(ShopModel()))))


@pytest.mark.medium
def test_both_to_one_second_leave_the_facts_ahead_and_say_so(bench: Workbench) -> None:
    """The facts lie in S3 and Glue, which no restore of a table moves."""
    bench.transform(FIRST)
    state, streams = the_state(bench), the_streams(bench)
    replace(bench, fence=2).transform(SECOND)
    store_of(bench)._streams, store_of(bench)._tables[TABLES.state] = streams, state
    with pytest.raises(StaleWriter, match="written by epoch 2, and TransformerState knows of 1"):
        replace(bench, fence=2).transform(SECOND)
