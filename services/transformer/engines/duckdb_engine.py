"""The embedded engine: DuckDB over Arrow, with pyiceberg reading and writing the facts."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import DataFile

from contracts.errors import PipelineError
from services.transformer.engines.duckdb_reading import no_rows, reading
from services.transformer.engines.port import (
    FILE_COLUMNS,
    BranchWrite,
    EngineName,
    StagedFile,
    iter_kinds,
    side_by_side,
    sql_for,
)
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.compaction import BATCH_RATIO, outgrown
from services.transformer.facts.data_files import (
    data_files,
    in_order,
    rows_in,
    sizes_of,
    write_data_files,
)
from services.transformer.facts.local_copies import LocalCopies
from services.transformer.facts.tables import (
    PARTITIONS,
    READ_AS,
    SCHEMAS,
    STAGED_COLUMNS,
    OfOrders,
    Rows,
)

DUCKDB_TYPES = {"string": "varchar", "int64": "bigint", "date32[day]": "date", "bool": "boolean"}
BATCH_ROWS = 50_000
PORTION_BYTES = 64 << 20
"""Of sorted rows in memory, before they are written: two data files of the largest."""
CHEAPER_READ_AGAIN = frozenset(
    {
        *("affected_days", "gone_orders", "coming_orders", "gone_order_items"),
        *("coming_order_items", "kpi_orders", "kpi_order_items"),
    }
)
"""Read once, or filters of other relations: copying their rows costs more than a second look."""


class DuckDBEngine:
    """One in-memory database per batch."""

    name: EngineName = "duckdb"

    def __init__(self, facts: FactsCatalog, memory_limit_mb: int = 2048) -> None:
        self._facts, self._memory_limit_mb = facts, memory_limit_mb
        self._copies = LocalCopies()

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
                with self._copies.kept():
                    yield DuckDBSession(database, self._facts, self._copies)
            finally:
                database.close()


class DuckDBSession:
    """Relations as DuckDB temporary tables and Arrow tables."""

    def __init__(self, database: Any, facts: FactsCatalog, copies: LocalCopies) -> None:
        self._database, self._facts, self._copies = database, facts, copies

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
        """The matching data files are read where they lie, on this machine's disk.

        Rows of some orders are looked for once; all others are a view: of files only those columns
        are read that a step needs.
        """
        source = self._facts.table(table)
        files = data_files(source, snapshot_id, rows)
        if not files:
            found = no_rows(table, columns)
        else:
            paths = self._copies.paths_of(source.io, files)
            found = reading(source, columns, dict(zip(map(str, paths), files, strict=True)), rows)
        kind = "table" if isinstance(rows, OfOrders) else "view"
        self._database.execute(f"create or replace temp {kind} {relation} as {found}")

    def total_rows(self, table: str, snapshot_id: int) -> int:
        """As the snapshot's own summary counts them."""
        return self._facts.total_rows({table: snapshot_id})[table]

    def view(self, relation: str, source: str) -> None:
        """A DuckDB view."""
        self._database.execute(f"create or replace temp view {relation} as from {source}")

    def run(self, relation: str) -> None:
        """Materialised at once, unless it is little more than a filter."""
        kind = "view" if relation in CHEAPER_READ_AGAIN else "table"
        self._database.execute(f"create temp {kind} {relation} as {sql_for('duckdb', relation)}")

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
        """One snapshot per table, the tables side by side; of a small one one more file per day.

        A large one is written in portions before the next is read, all but its last, so that no
        more of it is in memory: nobody sees its files until they are committed.
        """
        prepared = [(write, *self._large_part_written(write)) for write in writes]

        def commit(write: BranchWrite, written: list[DataFile], rows: pa.Table) -> None:
            table = self._facts.table(write.table)
            replaced, others = self._files_that_go(write, epoch)
            small = [] if written else _too_many_small(write.table, others, rows)
            if small:
                rows = in_order(write.table, pa.concat_tables([rows, rows_in(table, small)]))
            added = [*written, *write_data_files(table, rows)]
            self._facts.replace(write.table, epoch, [*replaced, *small], added, snapshot_properties)

        side_by_side([partial(commit, *each) for each in prepared])

    def _large_part_written(self, write: BranchWrite) -> tuple[list[DataFile], pa.Table]:
        """The files of all portions but the last, and its rows: mostly there is but one."""
        table, portions = self._facts.table(write.table), self._portions_of(write)
        written: list[DataFile] = []
        last = next(portions)
        for rows in portions:
            written += write_data_files(table, last)
            last = rows
        return written, last

    def _files_that_go(
        self, write: BranchWrite, epoch: int
    ) -> tuple[list[DataFile], list[DataFile]]:
        """Those that are replaced, and those that stay."""
        head = self._facts.branch_heads(epoch)[write.table]
        files = data_files(self._facts.table(write.table), head)
        if write.files is None:
            return files, []
        replaced = [file for file in files if file.file_path in write.files]
        if len(replaced) != len(write.files):
            raise PipelineError(f"facts table {write.table} has lost a file that is to be replaced")
        return replaced, [file for file in files if file.file_path not in write.files]

    def _portions_of(self, write: BranchWrite) -> Iterator[pa.Table]:
        """The rows, sorted, in tables of bounded size; without any, one that is empty."""
        schema = SCHEMAS[write.table].as_arrow()
        order = "order by order_date, order_id" if PARTITIONS[write.table].fields else ""
        query = f"select {', '.join(schema.names)} from {write.relation} {order}"
        reader = self._database.sql(query).to_arrow_reader(BATCH_ROWS)
        batches: list[pa.RecordBatch] = []
        size = 0
        for batch in reader:
            if size >= PORTION_BYTES:
                yield pa.Table.from_batches(batches).cast(schema)
                batches, size = [], 0
            batches.append(batch)
            size += batch.nbytes
        yield pa.Table.from_batches(batches, reader.schema).cast(schema)


def _too_many_small(table: str, files: Sequence[DataFile], rows: pa.Table) -> list[DataFile]:
    """The small files of days to which rows are added, if so many are there that no turn between
    batches can have been had."""
    has_days = bool(PARTITIONS[table].fields)
    added_to = set(rows["order_date"].unique().to_pylist()) if has_days else {None}
    many = outgrown(table, sizes_of(table, files), BATCH_RATIO)
    paths = {path for merge in many if merge.partition in added_to for path in merge.paths}
    return [file for file in files if file.file_path in paths]


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
