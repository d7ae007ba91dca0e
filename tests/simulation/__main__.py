"""Command line of the simulation: many seeds, one seed's story, or the mutants."""

from __future__ import annotations

import argparse
import gc
import sys
import time

from tests.simulation.mutants import hunt_all
from tests.simulation.run import run_seed, simulated
from tests.simulation.shrink import shrink
from tests.simulation.world import Outcome

COLLECT_EVERY = 200
"""Worlds are full of cycles; collecting them now and then is cheaper than all the time."""


def main() -> int:
    """0 when every promise was kept and every mutant caught, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds to run")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--shrink", action="store_true", help="find the fewest faults that fail")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell its story")
    parser.add_argument("--mutants", action="store_true", help="print the table of mutants")
    arguments = parser.parse_args()
    if arguments.mutants:
        return _mutants(arguments.seeds)
    gc.disable()
    with simulated():
        if arguments.seed is not None:
            return _one(arguments.seed, trace=arguments.trace, small=arguments.shrink)
        return _many(arguments.first, arguments.seeds, small=arguments.shrink)


def _many(first: int, seeds: int, *, small: bool) -> int:
    began = time.perf_counter()
    failed = []
    faults = steps = batches = 0
    for number, seed in enumerate(range(first, first + seeds), start=1):
        outcome = run_seed(seed)
        faults += len(outcome.faults)
        steps += outcome.steps
        batches += len(outcome.batches)
        if outcome.violation is not None:
            failed.append(seed)
            _report(outcome, small=small)
        if number % COLLECT_EVERY == 0:
            gc.collect()
    seconds = time.perf_counter() - began
    print(
        f"{seeds} seeds ({first} to {first + seeds - 1}) in {seconds:.1f} s: "
        f"{seeds / seconds:.1f} seeds/s, {batches} batches, {faults} faults, {steps} steps, "
        f"{len(failed)} failed{': ' + ', '.join(map(str, failed)) if failed else ''}"
    )
    return 1 if failed else 0


def _one(seed: int, *, trace: bool, small: bool) -> int:
    outcome = run_seed(seed, is_told=trace)
    for line in outcome.story:
        print(line)
    if outcome.violation is not None:
        _report(outcome, small=small)
    else:
        print(
            f"seed {seed} keeps every promise: {outcome.batches}, {len(outcome.faults)} faults, "
            f"{outcome.steps} steps, {outcome.simulated_seconds:.0f} simulated seconds"
        )
    return 1 if outcome.violation is not None else 0


def _report(outcome: Outcome, *, small: bool) -> None:
    print(f"seed {outcome.seed} breaks a promise: {outcome.violation}")
    print(f"  see it again: python -m tests.simulation --seed {outcome.seed} --trace")
    if not small:
        return
    kept = shrink(outcome.faults, lambda only: run_seed(outcome.seed, only).violation is not None)
    again = run_seed(outcome.seed, frozenset(kept))
    print(f"  {len(kept)} of {len(outcome.faults)} faults are enough for: {again.violation}")
    for fault in kept:
        print(f"    {fault}")


def _mutants(seeds: int) -> int:
    print("| mutant | seeds | first promise broken |")
    print("|---|---:|---|")
    missed = 0
    for caught in hunt_all(seeds):
        missed += caught.seed is None
        found = f"{caught.seeds}" if caught.seed is not None else f"not in {caught.seeds}"
        promise = caught.promise.replace("|", "/")[:90]
        print(f"| {caught.mutant} | {found} | {promise} |", flush=True)
        gc.collect()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
