"""Command line of the simulation: many seeds, one seed's story, or the mutants."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

from tests.simulation.mutants import hunt_all
from tests.simulation.run import run_seed, simulated
from tests.simulation.shrink import shrink
from tests.simulation.world import Outcome

SEEDS_AT_ONCE = 200
"""Worlds are full of cycles; collecting them now and then is cheaper than all the time."""


def main() -> int:
    """0 when every promise was kept and every mutant caught, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds to run")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--shrink", action="store_true", help="find the fewest faults that fail")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell its story")
    parser.add_argument("--mutants", action="store_true", help="print the table of mutants")
    arguments = parser.parse_args()
    if arguments.mutants:
        return _mutants(arguments.seeds)
    if arguments.seed is not None:
        with simulated():
            return _one(arguments.seed, trace=arguments.trace, small=arguments.shrink)
    return _many(arguments.first, arguments.seeds, jobs=arguments.jobs, small=arguments.shrink)


@dataclass(frozen=True)
class Tally:
    """What came of some seeds; `said` tells of those that failed."""

    seeds: int = 0
    batches: int = 0
    faults: int = 0
    steps: int = 0
    failed: tuple[int, ...] = ()
    said: tuple[str, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))


def _many(first: int, seeds: int, *, jobs: int, small: bool) -> int:
    began = time.perf_counter()
    spans = [
        range(start, min(start + SEEDS_AT_ONCE, first + seeds))
        for start in range(first, first + seeds, SEEDS_AT_ONCE)
    ]
    total = Tally()
    with ProcessPoolExecutor(jobs) as processes:
        for tally in processes.map(partial(_span, small=small), spans):
            total += tally
            for line in tally.said:
                print(line)
            if sys.stderr.isatty():
                print(f"{total.seeds} of {seeds} seeds", end="\r", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - began
    failed = f": {', '.join(map(str, total.failed))}" if total.failed else ""
    print(
        f"{seeds} seeds ({first} to {first + seeds - 1}) in {seconds:.1f} s: "
        f"{seeds / seconds:.1f} seeds/s, {total.batches} batches, {total.faults} faults, "
        f"{total.steps} steps, {len(total.failed)} failed{failed}"
    )
    return 1 if total.failed else 0


def _span(seeds: range, *, small: bool) -> Tally:
    """In a process of its own, which collects its garbage once at the end."""
    gc.disable()
    total = Tally()
    with simulated():
        for seed in seeds:
            outcome = run_seed(seed)
            broken = outcome.violation is not None
            total += Tally(
                seeds=1,
                batches=len(outcome.batches),
                faults=len(outcome.faults),
                steps=outcome.steps,
                failed=(seed,) if broken else (),
                said=tuple(_report(outcome, small=small)) if broken else (),
            )
    gc.collect()
    return total


def _one(seed: int, *, trace: bool, small: bool) -> int:
    outcome = run_seed(seed, is_told=trace)
    for line in outcome.story:
        print(line)
    if outcome.violation is not None:
        print(*_report(outcome, small=small), sep="\n")
    else:
        print(
            f"seed {seed} keeps every promise: {outcome.batches}, {len(outcome.faults)} faults, "
            f"{outcome.steps} steps, {outcome.simulated_seconds:.0f} simulated seconds"
        )
    return 1 if outcome.violation is not None else 0


def _report(outcome: Outcome, *, small: bool) -> Iterator[str]:
    yield f"seed {outcome.seed} breaks a promise: {outcome.violation}"
    yield f"  see it again: python -m tests.simulation --seed {outcome.seed} --trace"
    if not small:
        return
    kept = shrink(outcome.faults, lambda only: run_seed(outcome.seed, only).violation is not None)
    again = run_seed(outcome.seed, frozenset(kept))
    yield f"  {len(kept)} of {len(outcome.faults)} faults are enough for: {again.violation}"
    yield from (f"    {fault}" for fault in kept)


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
