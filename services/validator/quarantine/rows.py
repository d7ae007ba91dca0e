"""Rows and files in quarantine, as their keys and their Parquet say."""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.layout import QUARANTINE_PREFIX, quarantined_rows_prefix

ROW_FIELDS = (
    "batch_id",
    "key",
    "version_id",
    "kind",
    "line",
    "column",
    "rule",
    "message",
    "raw",
    "contract",
)

EXPORT, SOURCE = "export", "source"
"""Of a row of a source's file: what the footer says of its format (`export_rows.ExportFormat`)."""

Row = dict[str, Any]


@dataclass(frozen=True)
class QuarantinedFile:
    """A file kept byte for byte, and the batch that it made REJECTED."""

    batch_id: str
    key: str
    quarantine_key: str
    size_bytes: int
    quarantined_at: str


@dataclass(frozen=True)
class Listing:
    """What lies under quarantine/: Parquet keys of rows, files, and their batches, oldest first."""

    row_keys: tuple[str, ...]
    files: tuple[QuarantinedFile, ...]
    batches: tuple[str, ...] = ()


def arrange(found: Iterable[dict[str, Any]]) -> Listing:
    """S3 entries sorted into rows and files by their keys; anything else is left out.

    Batches come in the order of their first entry, and the entries of a batch by key.
    """
    rows, files = [], []
    entries = list(found)
    began: dict[str, datetime] = {}
    for entry in entries:
        batch_id = _batch_id(entry["Key"])
        began[batch_id] = min(entry["LastModified"], began.get(batch_id, entry["LastModified"]))
    for entry in sorted(entries, key=lambda entry: (began[_batch_id(entry["Key"])], entry["Key"])):
        batch_id, _, rest = entry["Key"].removeprefix(QUARANTINE_PREFIX).partition("/")
        if rest.startswith("files/"):
            files.append(
                QuarantinedFile(
                    batch_id=batch_id,
                    key=rest.removeprefix("files/"),
                    quarantine_key=entry["Key"],
                    size_bytes=entry["Size"],
                    quarantined_at=f"{entry['LastModified']:%Y-%m-%d %H:%M}",
                )
            )
        elif entry["Key"].startswith(quarantined_rows_prefix(batch_id)) and rest.endswith(
            ".parquet"
        ):
            rows.append(entry["Key"])
    return Listing(tuple(rows), tuple(files), tuple(sorted(began, key=began.__getitem__)))


def _batch_id(key: str) -> str:
    return key.removeprefix(QUARANTINE_PREFIX).partition("/")[0]


def header_in(parquet: bytes) -> tuple[str, ...] | None:
    """The column names of the input that bad rows stood in; None where the footer is older."""
    import pyarrow.parquet as pq

    footer = pq.read_metadata(io.BytesIO(parquet)).metadata or {}
    names = json.loads(footer.get(b"columns", b"[]"))
    return tuple(names) or None


def rows_of(parquet: bytes) -> list[Row]:
    """One Parquet file of quarantined rows, sorted by line."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(parquet), partitioning=None)
    footer = pq.read_metadata(io.BytesIO(parquet)).metadata or {}
    said = {key.decode(): value.decode() for key, value in footer.items()}
    of_export = {EXPORT: said} if SOURCE in said else {}
    rows = [{name: row.get(name) for name in ROW_FIELDS} | of_export for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["key"], row["line"], row["column"] or ""))
