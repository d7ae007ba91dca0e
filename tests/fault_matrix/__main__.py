"""Runs the matrix: `python -m tests.fault_matrix [--boundary B] [--fault F]`.

All 90 cells write docs/fault-matrix.json and the table of docs/reliability.md; a part of
them is only printed. The exit code is 1 when a cell went wrong.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fault_matrix.boundaries import BOUNDARIES
from tests.fault_matrix.cells import Bench, CellName, Outcome
from tests.fault_matrix.plans import FAULTS
from tests.fault_matrix.report import write
from tests.fault_matrix.stand import standing


def main() -> int:
    """Run what is asked for, one cloud per fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boundary", choices=BOUNDARIES, action="append")
    parser.add_argument("--fault", choices=FAULTS, action="append")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    for fault in options.fault or FAULTS:
        outcomes += run_on_a_cloud([(one, fault) for one in options.boundary or BOUNDARIES])
    wrong = [one for one in outcomes if not one.is_right]
    print(f"{len(outcomes)} cells, {len(wrong)} wrong")
    if len(outcomes) == len(BOUNDARIES) * len(FAULTS):
        write(outcomes)
    return 1 if wrong else 0


def run_on_a_cloud(cells: list[CellName]) -> list[Outcome]:
    """Run cells on one cloud, telling of each."""
    outcomes = []
    with tempfile.TemporaryDirectory() as directory, standing(Path(directory)) as stand:
        bench = Bench(stand, cells)
        for cell in cells:
            outcome = bench.run(cell)
            outcomes.append(outcome)
            tell(outcome)
    return outcomes


def tell(outcome: Outcome) -> None:
    """One line, and all that is known when it went wrong."""
    verdict = "right" if outcome.is_right else "WRONG"
    print(
        f"{outcome.boundary:12} {outcome.fault:12} {verdict} {outcome.seconds:5.1f} s "
        f"injected {outcome.injected} {outcome.ended}",
        flush=True,
    )
    for line in (*outcome.wrong, *outcome.story):
        print(f"    {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
