"""Rows on their way to S3: local Parquet files, finished and counted before any upload."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.messages import ManifestFile
from services.validator.block_checks import QuarantinedRow

QUARANTINE_SCHEMA = pa.schema(
    {
        "batch_id": pa.string(),
        "key": pa.string(),
        "version_id": pa.string(),
        "kind": pa.string(),
        "line": pa.int64(),
        "column": pa.string(),
        "rule": pa.string(),
        "message": pa.string(),
        "raw": pa.string(),
        "contract": pa.string(),
    }
)
"""A quarantined row: where it came from, the rule it breaks, its text, the contract's version."""


class RowFile:
    """Tables of one schema appended to a local Parquet file (zstd), a row group each.

    Leaving it as a context manager closes it; a file that no row came for has no rows.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        self.path = path
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def __enter__(self) -> "RowFile":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, table: Any) -> None:
        """Append the rows of a table."""
        self._writer.write_table(table)

    def finish(self) -> int:
        """Close the file; returns how many rows it holds by its own footer."""
        self._writer.close()
        rows: int = pq.read_metadata(self.path).num_rows
        return rows


def quarantine_table(
    rows: Sequence[QuarantinedRow], batch_id: str, file: ManifestFile, contract_label: str
) -> Any:
    """Bad rows as a table of QUARANTINE_SCHEMA."""
    count = len(rows)
    return pa.Table.from_arrays(
        [
            pa.repeat(batch_id, count),
            pa.repeat(file.key, count),
            pa.repeat(file.version_id, count),
            pa.repeat(file.kind, count),
            pa.array([row.line for row in rows], pa.int64()),
            pa.array([row.column for row in rows], pa.string()),
            pa.array([row.rule for row in rows], pa.string()),
            pa.array([row.message for row in rows], pa.string()),
            pa.array([row.raw for row in rows], pa.string()),
            pa.repeat(contract_label, count),
        ],
        schema=QUARANTINE_SCHEMA,
    )
