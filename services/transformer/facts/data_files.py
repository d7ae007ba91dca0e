"""Data files of the facts, planned, read and written by pyiceberg.

A data file of `orders` or `order_items` is of one day: its partition says which rows it has.
"""

import itertools
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
from cachetools import LRUCache
from pyiceberg.expressions import (
    AlwaysTrue,
    BooleanExpression,
    In,
    IsNull,
    Or,
)
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import ArrowScan, pyarrow_to_schema, schema_to_pyarrow, write_file
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import FileScanTask, Table, WriteTask
from pyiceberg.transforms import MonthTransform

from contracts.errors import PipelineError
from services.transformer.facts.tables import (
    NOTHING,
    SCHEMAS,
    Everything,
    OnDays,
    Partition,
    Rows,
    Uncategorised,
)

EPOCH_DAY = date(1970, 1, 1)
EVERYTHING = Everything()
KNOWN_FILES = 5000
"""How many files' descriptions are kept, at some kilobytes each: of ten years, file by file."""
_known_manifests: LRUCache[str, tuple[DataFile, ...]] = LRUCache(KNOWN_FILES, getsizeof=len)
_lock = threading.Lock()


def data_files(table: Table, snapshot_id: int, rows: Rows = EVERYTHING) -> list[DataFile]:
    """The data files at a snapshot that may hold such rows; of `OnDays` and `Everything`, exactly.

    pyiceberg's own plan reads every manifest each time, and works out for each file what is left
    of the filter beside its day, from all days: a thousand days take a million steps.
    """
    snapshot = table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        raise PipelineError(f"{table.name()} has no snapshot {snapshot_id}")
    if rows == NOTHING:
        return []
    files = [file for each in snapshot.manifests(table.io) for file in _files_of(each, table.io)]
    match rows:
        case OnDays(days, waiting):
            wanted = {*days, None} if waiting else days
            return [file for file in files if partition_of(file) in wanted]
        case Uncategorised():
            column = table.schema().find_field("category").field_id
            return [file for file in files if (file.null_value_counts or {}).get(column) != 0]
    return files


def _files_of(manifest: ManifestFile, io: FileIO) -> tuple[DataFile, ...]:
    """What a manifest lists; it never changes, so what this process read of it is kept."""
    with _lock:
        known = _known_manifests.get(manifest.manifest_path)
    if known is None:
        entries = manifest.fetch_manifest_entry(io, discard_deleted=True)
        known = tuple(entry.data_file for entry in entries)
        if len(known) <= _known_manifests.maxsize:
            with _lock:
                _known_manifests[manifest.manifest_path] = known
    return known


def read_rows(
    table: Table, columns: Sequence[str], rows: Rows, files: Sequence[DataFile]
) -> pa.Table:
    """Columns of such rows in data files by today's schema, whichever schema their snapshot had.

    What an older table, or an older file, does not have is null.
    """
    has = [name for name in columns if name in table.schema().column_names]
    # A file of a day holds nothing else.
    left = AlwaysTrue() if isinstance(rows, OnDays) else _expression_of(rows)
    reader = ArrowScan(table.metadata, table.io, table.schema().select(*has), left)
    found = reader.to_table([FileScanTask(file) for file in files])
    schema = SCHEMAS[table.name()[-1]]
    for name in columns:
        if name not in has:
            kind = schema_to_pyarrow(schema.find_type(name))
            found = found.append_column(name, pa.nulls(found.num_rows, kind))
    return found.select(list(columns))


def write_data_files(table: Table, rows: pa.Table) -> Iterator[DataFile]:
    """Write rows, sorted by order_date where the table has days, as one data file per partition.

    pyiceberg's own split filters the whole table once per day; slices of sorted rows cost nothing.
    """
    schema = pyarrow_to_schema(rows.schema, name_mapping=table.metadata.schema().name_mapping)
    write_id, numbers, partitioned = uuid.uuid4(), itertools.count(), bool(table.spec().fields)
    slices = _by_partition(table, rows) if partitioned else [(None, rows)]
    tasks = (
        WriteTask(
            write_uuid=write_id,
            task_id=next(numbers),
            schema=schema,
            record_batches=part.combine_chunks().to_batches(),
            partition_key=_partition_key(table, day) if partitioned else None,
        )
        for day, part in slices
        if part.num_rows
    )
    yield from write_file(table.io, table.metadata, tasks)


def _by_partition(table: Table, rows: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
    """Contiguous runs of one order_date, or of one month named by its first day; not copied."""
    if rows.num_rows == 0:
        return
    runs = rows.select(["order_date"]).combine_chunks().column("order_date").combine_chunks()
    if isinstance(table.spec().fields[0].transform, MonthTransform):
        runs = pa.compute.floor_temporal(runs, unit="month")
    encoded = pa.compute.run_end_encode(runs)
    start = 0
    for end, day in zip(encoded.run_ends.to_pylist(), encoded.values.to_pylist(), strict=True):
        yield day, rows.slice(start, end - start)
        start = end


def _partition_key(table: Table, day: Partition) -> PartitionKey:
    """pyiceberg takes the transformed value: of a month, how many came before it since 1970."""
    [field] = table.spec().fields
    value: date | int | None = day
    if day is not None and isinstance(field.transform, MonthTransform):
        value = (day.year - EPOCH_DAY.year) * 12 + day.month - 1
    return PartitionKey(
        field_values=[PartitionFieldValue(field=field, value=value)],
        partition_spec=table.spec(),
        schema=table.schema(),
    )


def partition_of(file: DataFile) -> Partition:
    """The day that a data file of a dated table holds; None: lines that wait for their orders."""
    days = file.partition[0]
    return None if days is None else EPOCH_DAY + timedelta(days=days)


def month_of(file: DataFile) -> tuple[int, int]:
    """Year and month of the days that a data file of a KPI table holds."""
    years, month = divmod(file.partition[0], 12)
    return EPOCH_DAY.year + years, month + 1


def _expression_of(rows: Rows) -> BooleanExpression:
    match rows:
        case Everything():
            return AlwaysTrue()
        case Uncategorised():
            return IsNull("category")
        case OnDays(days, waiting):
            return _on_days(days, waiting)


def _on_days(days: Collection[date], waiting: bool) -> BooleanExpression:
    on_days = In("order_date", sorted(day.isoformat() for day in days))
    return Or(on_days, IsNull("order_date")) if waiting else on_days
