"""How the figures are taken and kept: side by side in one run, as ratios, never as verdicts."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parents[2] / "docs" / "figures"
ORDERS = int(os.environ.get("BENCH_ORDERS", "200000"))
LINES_PER_ORDER = 3
REPETITIONS = 5
PACKAGES = ("duckdb", "pandas", "pandera", "pyarrow", "pyiceberg", "pyspark")

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Figure:
    """One number beside its reference; `ratio` is ours / reference, and so is `at_most`.

    Without `at_most` nothing was promised. `unit` is `s` or `MB`.
    """

    what: str
    ours: float
    against: str
    reference: float
    ratio: float
    at_most: float | None = None
    unit: str = "s"

    @property
    def is_missed(self) -> bool:
        """Whether a target was set and is not met."""
        return self.at_most is not None and self.ratio > self.at_most

    @property
    def verdict(self) -> str:
        """`held`, or by how much it is missed."""
        if self.at_most is None:
            return "no target"
        return f"MISSED by {self.ratio / self.at_most - 1:.0%}" if self.is_missed else "held"


def interleaved(
    ways: Mapping[str, Callable[[], object]], repetitions: int = REPETITIONS
) -> Seconds:
    """Seconds of each way: all once to warm up, then all in turn, so that noise hits all alike."""
    for way in ways.values():
        way()
    seconds: Seconds = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def cpu_of(call: Callable[[], object]) -> float:
    """Seconds of CPU of this process, all of its threads."""
    before = os.times()
    call()
    after = os.times()
    return after.user - before.user + after.system - before.system


def figure(
    what: str, ours: Sequence[float], against: str, reference: Sequence[float], **more: Any
) -> Figure:
    """Medians, and the median of the ratios of what ran side by side."""
    ratios = [one / other for one, other in zip(ours, reference, strict=True)]
    return Figure(
        what,
        round(statistics.median(ours), 4),
        against,
        round(statistics.median(reference), 4),
        round(statistics.median(ratios), 3),
        **more,
    )


def within(what: str, ours: float, limit: float, unit: str) -> Figure:
    """A figure with a limit of its own instead of a peer."""
    ratio = round(ours / limit, 3)
    return Figure(what, round(ours, 4), "the limit", limit, ratio, at_most=1.0, unit=unit)


def keep(name: str, figures: Sequence[Figure], **sizes: int) -> None:
    """Print the figures and write them to docs/figures/<name>.json."""
    show(name, figures)
    document = {"machine": machine(), "sizes": sizes, "figures": [asdict(each) for each in figures]}
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def show(name: str, figures: Sequence[Figure]) -> None:
    """A table on the terminal."""
    table = Table(title=name.replace("_", " "))
    for column in ("what", "ours", "against", "reference", "ratio", "target", ""):
        table.add_column(column)
    for each in figures:
        target = "" if each.at_most is None else f"at most {each.at_most:g}"
        ours, reference = f"{each.ours:.2f} {each.unit}", f"{each.reference:.2f} {each.unit}"
        cells = (each.what, ours, each.against, reference, f"{each.ratio:.2f}", target)
        table.add_row(*cells, each.verdict)
    Console(width=160).print(table)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
    }
