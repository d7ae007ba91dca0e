"""Rows on their way to S3: local Parquet files, finished and counted before any upload."""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.messages import ManifestFile
from contracts.sources.model import Source
from services.runtime.csv_files.header import Header
from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.duplicates import Removed
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.verdict import FileCheck

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

GROWING = "DELTA_BINARY_PACKED"
"""Encodes line numbers, which only grow, in next to no space."""

Prepare = Callable[[Any], Any]


def _unchanged(table: Any) -> Any:
    return table


class RowFile:
    """Tables of one schema appended to a local Parquet file (zstd), a row group each.

    Rows are prepared and written on a thread of their own while the next block is checked; at
    most one table waits. Leaving it as a context manager closes it.
    """

    def __init__(self, path: Path, schema: Any, prepare: Prepare = _unchanged) -> None:
        self.path = path
        self._prepare = prepare
        self._writer = _writer(path, schema)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=path.stem)
        self._waiting: Future[None] | None = None

    def __enter__(self) -> "RowFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._writer.close()

    def write(self, table: Any) -> None:
        """Append the rows of a table; a fault of the one before is raised now."""
        self._settle()
        self._waiting = self._thread.submit(self._append, table)

    def describe(self, **texts: str) -> None:
        """Say something of the file in its footer."""
        self._settle()
        self._writer.add_key_value_metadata(texts)

    def finish(self) -> int:
        """Close the file; returns how many rows it holds by its own footer."""
        self._settle()
        self._writer.close()
        rows: int = pq.read_metadata(self.path).num_rows
        return rows

    def _settle(self) -> None:
        if self._waiting is not None:
            self._waiting.result()

    def _append(self, table: Any) -> None:
        self._writer.write_table(self._prepare(table))


def _writer(path: Path, schema: Any) -> Any:
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=False,
        column_encoding={name: GROWING for name in schema.names if name == SOURCE_LINE},
    )


def keep_standing(path: Path, removed: Removed) -> int:
    """Write a closed row file anew without the rows that are removed; returns how many it holds."""
    whole = path.with_suffix(".whole")
    path.rename(whole)
    first = 0
    with pq.ParquetFile(whole) as source, _writer(path, source.schema_arrow) as target:
        for number in range(source.num_row_groups):
            rows = source.read_row_group(number)
            kept = rows.filter(pa.array(removed.stand(first, rows.num_rows)))
            first += rows.num_rows
            if kept.num_rows:
                target.write_table(kept)
    whole.unlink()
    return int(pq.read_metadata(path).num_rows)


def described(header: Header | None) -> dict[str, str]:
    """What the footer of bad rows says, so that their text can be read again without the file."""
    columns = header.names if header else ()
    delimiter, spare = (header.delimiter, header.spare) if header else (",", 0)
    return {"columns": json.dumps(columns), "delimiter": delimiter, "spare": str(spare)}


def described_by(source: Source, check: FileCheck) -> dict[str, str]:
    """The same of a source's file: also its format, and which columns name users or have no use."""
    more = {
        "user_columns": json.dumps(check.user_columns),
        "unused_columns": json.dumps(check.unknown_columns),
        "quoting": source.file.quoting,
        "encoding": source.file.encoding,
        "skip_lines": str(source.file.skip_lines),
        "source": source.label,
    }
    return described(check.header) | more


def quarantine_table(
    rows: QuarantinedRows, batch_id: str, file: ManifestFile, contract_label: str
) -> Any:
    """Bad rows as a table of QUARANTINE_SCHEMA."""
    count = len(rows)
    return pa.Table.from_arrays(
        [
            pa.repeat(batch_id, count),
            pa.repeat(file.key, count),
            pa.repeat(file.version_id, count),
            pa.repeat(file.kind, count),
            *(rows.table[name] for name in ("line", "column", "rule", "message", "raw")),
            pa.repeat(contract_label, count),
        ],
        schema=QUARANTINE_SCHEMA,
    )
