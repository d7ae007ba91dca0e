"""Seeds of the simulation as tests of the mutation run: few first, for most faults fail at once.

Not collected by `make test`, which runs thousands of them.
"""

import gc
import signal
from collections.abc import Iterator

import pytest

from tests.simulation.run import run_seed, simulated

SEEDS = (range(1, 4), range(4, 21))
LONGEST_SECONDS = 180
"""A fault that makes the simulation turn for ever is noticed, too."""


@pytest.fixture(autouse=True)
def simulation() -> Iterator[None]:
    """Ended by SIGALRM when it takes too long: no code of ours may catch that."""
    signal.alarm(LONGEST_SECONDS)
    with simulated():
        yield
    signal.alarm(0)
    gc.collect()


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_every_promise_is_kept(seeds: range) -> None:
    for seed in seeds:
        assert run_seed(seed).violation is None
