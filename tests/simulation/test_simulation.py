"""Seeds of the simulation, and that it deserves trust: it replays, it shrinks, it is not idle."""

from __future__ import annotations

import os

import pytest

from tests.simulation.mutants import MUTANTS, planted
from tests.simulation.run import run_seed
from tests.simulation.shrink import shrink
from tests.support.examples import examples, some

SEEDS = int(os.environ.get("SIMULATION_SEEDS", max(500, examples(500))))
"""`make simulate` runs 100,000."""
CHUNK = 100
pytestmark = pytest.mark.usefixtures("simulation")


@pytest.mark.parametrize("first", some(range(0, SEEDS, CHUNK)))
def test_every_promise_is_kept(first: int) -> None:
    outcomes = [run_seed(seed) for seed in range(first, first + CHUNK)]
    broken = {one.seed: one.violation for one in outcomes if one.violation is not None}
    assert broken == {}, "see python -m tests.simulation --seed N --trace"


def test_the_weather_is_bad_enough_to_mean_something() -> None:
    outcomes = [run_seed(seed) for seed in range(100)]
    kinds = {fault.partition("#")[2].partition(" ")[2] for one in outcomes for fault in one.faults}
    ends = [status for one in outcomes for status in one.batches.values()]
    assert {"crash before", "crash after", "throttled", "ambiguous", "frozen"} <= kinds
    assert {"duplicated", "delayed", "lost", "refused entry", "stale read"} <= kinds
    assert "person stops" in {fault.partition(" #")[0] for one in outcomes for fault in one.faults}
    assert ends.count("COMPLETED") > 100
    assert "REJECTED" in ends


@pytest.mark.parametrize("seed", [3, 17, 42])
def test_a_seed_replays_exactly(seed: int) -> None:
    first, again = run_seed(seed, is_told=True), run_seed(seed, is_told=True)
    assert first.story == again.story
    assert len(first.story) > 20


def test_a_failure_is_shrunk_to_the_faults_that_it_needs() -> None:
    with planted(next(one for one in MUTANTS if one.name.startswith("relay"))):
        broken = next(one for one in map(run_seed, range(1, 200)) if one.violation is not None)
        kept = shrink(broken.faults, lambda only: run_seed(broken.seed, only).violation is not None)
    assert 1 <= len(kept) < len(broken.faults)
    assert any("bus entry" in fault for fault in kept)
    assert run_seed(broken.seed, frozenset(kept)).violation is None


def test_shrinking_keeps_what_is_needed_and_nothing_else() -> None:
    faults = [f"fault {number}" for number in range(50)]
    needed = {"fault 7", "fault 31"}
    assert set(shrink(faults, lambda only: needed <= only)) == needed
