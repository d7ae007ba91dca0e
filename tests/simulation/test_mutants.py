"""The simulation catches faults in the real code: a sample here, all of them by `make mutants`."""

from __future__ import annotations

import os

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, hunt
from tests.support.examples import some

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
SHOWN_BY = {
    "aggregator: dead executions are ignored": 7,
    "aggregator: lookups are not waited for": 27,
    "aggregator: overtaken versions are passed over": 73,
    "aggregator: sealing drops the files that it leaves": 5,
    "aggregator: the execution's name is random": 11,
    "archiver: a gone input stops it": 11,
    "archiver: deletes the newest version": 19,
    "consumer: foreign bytes are trusted": 5,
    "consumer: one record fails its batch": 33,
    "lock: a fence is raised in vain": 38,
    "lock: anyone releases": 6,
    "lock: dead waiters are not skipped": 1065,
    "lock: last come, first served": 6,
    "lock: the debt is struck out before it is paid": 118,
    "lock: the sweep recovers nobody": 61,
    "relay: FailedEntryCount is ignored": 6,
    "saga: a failed batch is called COMPLETED": 5,
    "saga: a failed batch is not undone": 145,
    "saga: a rejected file goes on": 6,
    "saga: the lock goes before the batch is undone": 145,
    "saga: the lock is not released": 8,
    "transformer: a stale writer says that it published": 5,
    "transformer: abandoning does not raise the epoch": 33,
    "transformer: any fence is admitted": 5,
    "transformer: main moves without its guard": 19,
    "transformer: nobody asks the lock": 38,
    "transformer: settle does not finish PUBLISHING": 26,
    "transformer: the epoch is not raised on retry": 5,
    "transformer: vanished categories stay": 24,
}
"""The first seed that shows a mutant, where that is not among the first few: it is tried first."""
pytestmark = pytest.mark.usefixtures("simulation")


def test_there_are_mutants_of_every_part() -> None:
    parts = {mutant.name.partition(":")[0] for mutant in MUTANTS}
    assert parts == {"lock", "transformer", "aggregator", "archiver", "relay", "consumer", "saga"}
    assert len({mutant.name for mutant in MUTANTS} - NEEDS_MORE) >= 30


@pytest.mark.parametrize(
    "mutant", some(one for one in MUTANTS if one.name not in NEEDS_MORE), ids=lambda one: one.name
)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    caught = hunt(mutant, 1, SHOWN_BY.get(mutant.name, 1))
    if caught.seed is None:
        caught = hunt(mutant, BUDGET)
    assert caught.seed is not None, f"{BUDGET} seeds do not show: {mutant.name}"
