"""Gives mutants that the unit tests left alive to the simulation, each in a process of its own.

`python -m tests.mutation.simulate SEEDS NAME...`, started in mutmut's folder of mutants. Prints the
mutants that a seed found.
"""

import os
import signal
import sys

from tests.simulation.run import run_seed, simulated

LONGEST_SECONDS = 120
"""A mutant that makes the simulation turn for ever is found, too."""


def main() -> None:
    """Seeds from 1 upwards until one fails."""
    seeds = range(1, int(sys.argv[1]) + 1)
    with simulated():
        run_seed(0)
        for name in sys.argv[2:]:
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                _try(name, seeds)
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            if code != 0:
                print(f"found {name}", flush=True)


def _try(name: str, seeds: range) -> None:
    """Ends the process: 0 when no seed failed, 1 when one did; a signal when it took too long."""
    signal.alarm(LONGEST_SECONDS)
    os.environ["MUTANT_UNDER_TEST"] = name
    found = True  # an exception that gets out of a seed is a finding, too
    try:
        found = any(run_seed(seed).violation is not None for seed in seeds)
    finally:
        os._exit(1 if found else 0)


if __name__ == "__main__":
    main()
