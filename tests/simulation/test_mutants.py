"""The simulation catches faults in the real code: a sample here, all of them by `make mutants`."""

from __future__ import annotations

import os

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, hunt

BUDGET = int(os.environ.get("MUTANT_SEEDS", "200"))
NEEDS_MORE = frozenset(
    {
        "lock: broken before its holder is told",
        "lock: the sweep pays no debts",
        "transformer: only the epoch guards the state",
        "transformer: KPIs without the epoch's condition",
        "transformer: history is not read again",
    }
)
"""Caught too, but by more seeds than a test run has time for: `make mutants`."""
pytestmark = pytest.mark.usefixtures("simulation")


def test_there_are_mutants_of_every_part() -> None:
    parts = {mutant.name.partition(":")[0] for mutant in MUTANTS}
    assert parts == {"lock", "transformer", "aggregator", "archiver", "relay", "consumer", "saga"}
    assert len({mutant.name for mutant in MUTANTS} - NEEDS_MORE) >= 30


@pytest.mark.parametrize(
    "mutant", [one for one in MUTANTS if one.name not in NEEDS_MORE], ids=lambda one: one.name
)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    caught = hunt(mutant, BUDGET)
    assert caught.seed is not None, f"{BUDGET} seeds do not show: {mutant.name}"
