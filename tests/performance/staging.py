"""A file validated and staged as the validator's worker does it, without S3 around it.

Run by itself it prints the peak memory of staging files in turn, in MB:
`python -m tests.performance.staging FOLDER FILE...`, each file named after its kind.
"""

import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from contracts.file_contracts import file_contract
from contracts.messages import ManifestFile
from services.validator.pseudonyms import Pseudonyms
from services.validator.reading.file_check import check_file
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.staged_rows import accepted_schema
from services.validator.reading.verdict import FileCheck
from services.validator.row_files import (
    QUARANTINE_SCHEMA,
    RowFile,
    keep_standing,
    quarantine_table,
)

KEY = b"a key of the benchmarks"


def stage(source: Path, staged: Path, *, pseudonyms: bool = True) -> FileCheck:
    """Check a CSV file named after its kind; good rows to `staged`, bad ones beside it."""
    contract = file_contract(source.stem)
    file = ManifestFile(
        index=0,
        kind=contract.kind,
        key=f"{contract.kind}/{source.name}",
        version_id="v1",
        size_bytes=source.stat().st_size,
        etag="e",
        sha256=None,
        duplicate_of=None,
    )
    prepare = {"prepare": Pseudonyms(KEY).applied_to} if pseudonyms else {}
    with (
        RowFile(staged, accepted_schema(contract), **prepare) as accepted,
        RowFile(staged.with_suffix(".bad"), QUARANTINE_SCHEMA) as quarantined,
    ):

        def quarantine(rows: QuarantinedRows) -> None:
            quarantined.write(quarantine_table(rows, "bench", file, contract.label))

        check = check_file(
            lambda: source.open("rb"),
            contract,
            name=file.key,
            today=datetime.now(UTC).date(),
            max_rejected_fraction=0.2,
            on_accepted=accepted.write,
            on_quarantined=quarantine,
        )
        rows = accepted.finish()
        rows = keep_standing(staged, check.removed) if check.removed else rows
        assert (rows, quarantined.finish()) == (check.accepted, check.quarantined)
    return check


if __name__ == "__main__":
    for name in sys.argv[2:]:
        stage(Path(name), Path(sys.argv[1], f"{Path(name).stem}.parquet"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
