"""One batch of staged files on empty tables, in a process of its own, as a new worker has it.

It prints its seconds of CPU and of wall, and the peak memory in MB, as JSON:
`python -m tests.performance.large_batch STAGED FOLDER`.
"""

import json
import resource
import sys
from pathlib import Path
from time import perf_counter

from contracts.layout import KINDS
from services.transformer.batch.transform import warm_up
from tests.performance.staged_batches import put, transform
from tests.support.transforming import local_workbench


def main(staged: Path, folder: Path) -> None:
    """From the command to published KPIs."""
    bench = local_workbench(folder)
    command = put(bench, {kind: staged / f"{kind}.parquet" for kind in KINDS})
    warm_up(bench.ports)
    used, began = cpu_seconds(), perf_counter()
    result = transform(bench, command)
    wall, used = perf_counter() - began, cpu_seconds() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = sum(file["accepted"] for file in result["files"])
    print(json.dumps({"rows": rows, "cpu": used, "wall": wall, "peak_mb": peak_mb}))


def cpu_seconds() -> float:
    """Of this process, all of its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
