"""Data files of the facts, planned, read and written by pyiceberg.

A data file of `orders` or `order_items` is of one day: its partition says which rows it has. It is
sorted by order_id, and its statistics say from which to which.
"""

import itertools
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
from cachetools import LRUCache
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import ArrowScan, pyarrow_to_schema, schema_to_pyarrow, write_file
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import FileScanTask, Table, WriteTask
from pyiceberg.transforms import MonthTransform

from contracts.errors import PipelineError
from services.transformer.facts.compaction import FileSize
from services.transformer.facts.tables import (
    FILE_BYTES,
    NOTHING,
    PARTITIONS,
    SCHEMAS,
    Everything,
    InFiles,
    OfOrders,
    OnDays,
    Partition,
    Rows,
    Uncategorised,
    file_rows,
)

EPOCH_DAY = date(1970, 1, 1)
NO_DAY = -(1 << 31)
"""A number of days since 1970 that no date has."""
EVERYTHING = Everything()
FILE_ORDER = ("order_date", "order_id")
KNOWN_FILES = 5000
"""How many files' descriptions are kept, at some kilobytes each: of ten years, file by file."""
_known_manifests: LRUCache[str, tuple[DataFile, ...]] = LRUCache(KNOWN_FILES, getsizeof=len)
_lock = threading.Lock()


def data_files(table: Table, snapshot_id: int, rows: Rows = EVERYTHING) -> list[DataFile]:
    """The data files at a snapshot that may hold such rows.

    But for `Uncategorised` and `OfOrders` they hold no others.

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
        case OnDays(days, waiting, without):
            wanted = {*days, None} if waiting else days
            found = [file for file in files if partition_of(file) in wanted]
            return [file for file in found if file.file_path not in without]
        case OfOrders(_, reach):
            column = table.schema().find_field("order_id").field_id
            return [
                file
                for file in files
                if (ids := reach.get(partition_of(file))) and _may_hold(file, column, *ids)
            ]
        case InFiles(paths):
            return [file for file in files if file.file_path in paths]
        case Uncategorised():
            column = table.schema().find_field("category").field_id
            return [file for file in files if (file.null_value_counts or {}).get(column) != 0]
    return files


def _may_hold(file: DataFile, column: int, least: str, greatest: str) -> bool:
    """Whether values of a text column may lie in between; bounds are cut off, and never too far."""
    lower = (file.lower_bounds or {}).get(column)
    upper = (file.upper_bounds or {}).get(column)
    begins = lower is None or lower <= greatest.encode()
    return begins and (upper is None or upper >= least.encode())


def sizes_of(table: str, files: Iterable[DataFile]) -> list[FileSize]:
    """What compaction decides from; an unpartitioned table is one partition."""
    has_days = bool(PARTITIONS[table].fields)
    return [
        FileSize(
            file.file_path,
            partition_of(file) if has_days else None,
            file.record_count,
            file.file_size_in_bytes,
        )
        for file in files
    ]


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


def rows_in(table: Table, files: Sequence[DataFile]) -> pa.Table:
    """All rows of some data files, in today's schema."""
    schema = SCHEMAS[table.name()[-1]]
    return read_rows(table, schema.column_names, files).cast(schema.as_arrow())


def read_rows(table: Table, columns: Sequence[str], files: Sequence[DataFile]) -> pa.Table:
    """Columns of data files by today's schema, whichever schema their snapshot had.

    What an older table, or an older file, does not have is null.
    """
    has = [name for name in columns if name in table.schema().column_names]
    reader = ArrowScan(table.metadata, table.io, table.schema().select(*has), AlwaysTrue())
    found = reader.to_table([FileScanTask(file) for file in files])
    schema = SCHEMAS[table.name()[-1]]
    for name in columns:
        if name not in has:
            kind = schema_to_pyarrow(schema.find_type(name))
            found = found.append_column(name, pa.nulls(found.num_rows, kind))
    return found.select(list(columns))


def write_data_files(table: Table, rows: pa.Table) -> Iterator[DataFile]:
    """Write rows, sorted as `in_order` does, as data files of one partition each, none too large.

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
        for day, of_day in slices
        for part in _capped(of_day, file_rows(table.name()[-1]))
    )
    yield from write_file(table.io, table.metadata, tasks)


def in_order(table: str, rows: pa.Table) -> pa.Table:
    """As data files have them: by day, and of a day by order_id."""
    by = [name for name in FILE_ORDER if name in rows.column_names]
    ordered = [(name, "ascending") for name in by]
    return rows.sort_by(ordered) if PARTITIONS[table].fields else rows


def _capped(rows: pa.Table, most_rows: int) -> Iterator[pa.Table]:
    """Pieces of about one size; not copied."""
    pieces = max(-(-rows.num_rows // most_rows), -(-rows.nbytes // FILE_BYTES))
    size = -(-rows.num_rows // pieces) if pieces else 0
    yield from (rows.slice(at, size) for at in range(0, rows.num_rows, size or 1))


def _by_partition(table: Table, rows: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
    """Contiguous runs of one order_date, or of one month named by its first day; not copied."""
    if rows.num_rows == 0:
        return
    runs = rows.select(["order_date"]).combine_chunks().column("order_date").combine_chunks()
    if isinstance(table.spec().fields[0].transform, MonthTransform):
        runs = pa.compute.floor_temporal(runs, unit="month")
    # A run of nulls falls into as many as there are values left behind them.
    numbers = runs.cast(pa.int32()).fill_null(NO_DAY)
    encoded = pa.compute.run_end_encode(numbers)
    start = 0
    for end, day in zip(encoded.run_ends.to_pylist(), encoded.values.to_pylist(), strict=True):
        part = rows.slice(start, end - start)
        yield None if day == NO_DAY else EPOCH_DAY + timedelta(days=day), part
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
