"""One batch of staged files on empty tables, in a process of its own, as a new worker has it.

It prints its seconds of CPU and the peak memory in MB as JSON:
`python -m tests.performance.large_batch STAGED FOLDER`.
"""

import json
import resource
import sys
from functools import partial
from pathlib import Path

from contracts.layout import KINDS
from services.transformer.batch.transform import warm_up
from tests.performance.figures import cpu_of
from tests.performance.staged_batches import put, transform
from tests.support.transforming import local_workbench


def main(staged: Path, folder: Path) -> None:
    """From the command to published KPIs."""
    bench = local_workbench(folder)
    command = put(bench, {kind: staged / f"{kind}.parquet" for kind in KINDS})
    warm_up(bench.ports)
    used = cpu_of(partial(transform, bench, command))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": used, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
