"""The embedded engine: DuckDB over Arrow, with pyiceberg reading and writing the facts."""

import itertools
import tempfile
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThanOrEqual,
    Or,
)
from pyiceberg.io.pyarrow import ArrowScan, pyarrow_to_schema, schema_to_pyarrow, write_file
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import FileScanTask, Table, WriteTask

from services.transformer.engines.port import (
    FILE_COLUMNS,
    BranchWrite,
    EngineName,
    StagedFile,
    iter_kinds,
    side_by_side,
    sql_of,
)
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.tables import (
    READ_AS,
    SCHEMAS,
    STAGED_COLUMNS,
    Everything,
    OnDays,
    OrderIdsBetween,
    Partition,
    Rows,
    Uncategorised,
)

EPOCH_DAY = date(1970, 1, 1)
DUCKDB_TYPES = {"string": "varchar", "int64": "bigint", "date32[day]": "date", "bool": "boolean"}
CHEAPER_READ_AGAIN = frozenset({"next_order_items", "written_orders", "written_order_items"})
"""Filters of other relations: copying their rows costs more than a second look at them."""


class DuckDBEngine:
    """One in-memory database per batch."""

    name: EngineName = "duckdb"

    def __init__(self, facts: FactsCatalog, memory_limit_mb: int = 2048) -> None:
        self._facts, self._memory_limit_mb = facts, memory_limit_mb

    @contextmanager
    def session(self) -> Iterator["DuckDBSession"]:
        """A database that is gone with the session; what outgrows its memory is spilled to disk."""
        with tempfile.TemporaryDirectory(prefix="duckdb-") as spill:
            database = duckdb.connect(
                ":memory:",
                config={
                    "memory_limit": f"{self._memory_limit_mb}MB",
                    "temp_directory": spill,
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                },
            )
            try:
                yield DuckDBSession(database, self._facts)
            finally:
                database.close()


class DuckDBSession:
    """Relations as DuckDB temporary tables and Arrow tables."""

    def __init__(self, database: Any, facts: FactsCatalog) -> None:
        self._database, self._facts = database, facts
        self._read_files: dict[str, list[DataFile]] = {}

    def stage(self, batch_id: str, files: Sequence[StagedFile]) -> None:
        """Parquet files are read where they lie; the batch's constants are joined by path."""
        inputs = {
            "path": [str(file.path) for file in files],
            **{
                name: pa.array([getattr(file, name) for file in files], kind)
                for name, kind in FILE_COLUMNS.items()
            },
        }
        of_the_file = ", ".join(f"batch_files.{name}" for name in FILE_COLUMNS)
        self._database.register("batch_files", pa.table(inputs))
        for kind, columns in STAGED_COLUMNS.items():
            paths = [str(file.path) for file in iter_kinds(files, kind)]
            relation = f"staged_{kind}"
            if not paths:
                empty = columns.empty_table()
                for name, kind_of_column in {"batch_id": pa.string(), **FILE_COLUMNS}.items():
                    empty = empty.append_column(name, pa.array([], kind_of_column))
                self._database.register(relation, empty)
                continue
            names = ", ".join(READ_AS.get(name, f"staged.{name}") for name in columns.names)
            self._database.execute(
                f"create temp table {relation} as select {names}, ? as batch_id, {of_the_file} "
                f"from ({_reading(paths, columns)}) as staged "
                "join batch_files on batch_files.path = staged.filename",
                [batch_id, paths],
            )

    def load(
        self, relation: str, table: str, columns: Sequence[str], rows: Rows, snapshot_id: int
    ) -> None:
        """Read the matching data files to Arrow; remembers which they were, for `write`."""
        source = self._facts.table(table)
        scan = source.scan(row_filter=_expression_of(rows), snapshot_id=snapshot_id)
        tasks = [task for task in scan.plan_files() if isinstance(task, FileScanTask)]
        if isinstance(rows, OnDays | Everything):
            self._read_files[table] = [task.file for task in tasks]
        found = read_columns(source, columns, scan.row_filter, tasks)
        later = [name for name in columns if name in READ_AS]
        if not later:
            self._database.register(relation, found)
            return
        self._database.register(f"stored_{relation}", found)
        names = ", ".join(READ_AS.get(name, name) for name in columns)
        self._database.execute(
            f"create or replace temp view {relation} as select {names} from stored_{relation}"
        )

    def view(self, relation: str, source: str) -> None:
        """A DuckDB view."""
        self._database.execute(f"create or replace temp view {relation} as from {source}")

    def run(self, relation: str) -> None:
        """Materialised at once, unless it is little more than a filter."""
        kind = "view" if relation in CHEAPER_READ_AGAIN else "table"
        self._database.execute(f"create temp {kind} {relation} as {sql_of(relation)}")

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows as Python values."""
        found: list[tuple[Any, ...]] = self._database.execute(sql).fetchall()
        return found

    def fetch_each(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """One after the other: each takes all cores."""
        return [self.fetch(query) for query in queries]

    def write(
        self, writes: Sequence[BranchWrite], epoch: int, snapshot_properties: dict[str, str]
    ) -> None:
        """One file per day, one snapshot per table, the tables side by side."""
        prepared = [(write, self._arrow_of(write)) for write in writes]

        def commit(write: BranchWrite, rows: pa.Table) -> None:
            table = self._facts.table(write.table)
            added = list(write_data_files(table, rows, partitioned=write.partitions is not None))
            removed = [
                file
                for file in self._read_files.get(write.table, [])
                if write.partitions is None or partition_of(file) in write.partitions
            ]
            self._facts.replace(write.table, epoch, removed, added, snapshot_properties)

        side_by_side([partial(commit, *each) for each in prepared])

    def _arrow_of(self, write: BranchWrite) -> pa.Table:
        names = [field.name for field in SCHEMAS[write.table].fields]
        order = "order by order_date" if write.partitions is not None else ""
        query = f"select {', '.join(names)} from {write.relation} {order}"
        rows = self._database.sql(query).to_arrow_table()
        return rows.cast(SCHEMAS[write.table].as_arrow())


def read_columns(
    table: Table,
    columns: Sequence[str],
    row_filter: BooleanExpression,
    tasks: Sequence[FileScanTask],
) -> pa.Table:
    """Columns of data files by today's schema, whichever schema their snapshot had.

    What an older table, or an older file, does not have is null.
    """
    has = [name for name in columns if name in table.schema().column_names]
    reader = ArrowScan(table.metadata, table.io, table.schema().select(*has), row_filter)
    found = reader.to_table(tasks)
    schema = SCHEMAS[table.name()[-1]]
    for name in columns:
        if name not in has:
            kind = schema_to_pyarrow(schema.find_type(name))
            found = found.append_column(name, pa.nulls(found.num_rows, kind))
    return found.select(list(columns))


def _reading(paths: Sequence[str], columns: pa.Schema) -> str:
    """Staged files with all of today's columns; those that older files lack are null."""
    stored = [set(pq.read_schema(path).names) for path in paths]
    some = set.union(*stored)
    lacking = "".join(
        f", cast(null as {DUCKDB_TYPES[str(column.type)]}) as {column.name}"
        for column in columns
        if column.name not in some
    )
    by_name = ", union_by_name = true" if any(names != some for names in stored) else ""
    return f"select *{lacking} from read_parquet(?, filename = true{by_name})"


def write_data_files(table: Table, rows: pa.Table, *, partitioned: bool) -> Iterator[DataFile]:
    """Write rows, sorted by order_date where `partitioned`, as one data file per day.

    pyiceberg's own split filters the whole table once per day; slices of sorted rows cost nothing.
    """
    schema = pyarrow_to_schema(rows.schema, name_mapping=table.metadata.schema().name_mapping)
    write_id, numbers = uuid.uuid4(), itertools.count()
    slices = _by_day(rows) if partitioned else [(None, rows)]
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


def _by_day(rows: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
    """Contiguous runs of equal order_date, without copying."""
    if rows.num_rows == 0:
        return
    runs = rows.select(["order_date"]).combine_chunks().column("order_date").combine_chunks()
    encoded = pa.compute.run_end_encode(runs)
    start = 0
    for end, day in zip(encoded.run_ends.to_pylist(), encoded.values.to_pylist(), strict=True):
        yield day, rows.slice(start, end - start)
        start = end


def _partition_key(table: Table, day: Partition) -> PartitionKey:
    [field] = table.spec().fields
    return PartitionKey(
        field_values=[PartitionFieldValue(field=field, value=day)],
        partition_spec=table.spec(),
        schema=table.schema(),
    )


def partition_of(file: DataFile) -> Partition:
    """The day that a data file of a dated table holds; None: lines that wait for their orders."""
    days = file.partition[0]
    return None if days is None else EPOCH_DAY + timedelta(days=days)


def _expression_of(rows: Rows) -> BooleanExpression:
    match rows:
        case Everything():
            return AlwaysTrue()
        case OrderIdsBetween(lowest, highest):
            return And(GreaterThanOrEqual("order_id", lowest), LessThanOrEqual("order_id", highest))
        case Uncategorised():
            return IsNull("category")
        case OnDays(days, waiting):
            return _on_days(days, waiting)


def _on_days(days: Collection[date], waiting: bool) -> BooleanExpression:
    on_days = In("order_date", sorted(day.isoformat() for day in days))
    return Or(on_days, IsNull("order_date")) if waiting else on_days
