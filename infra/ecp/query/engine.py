"""Running a query: DuckDB, shut in, over the columns that the query names, at one epoch.

What is read is put into tables of DuckDB's own, some files at a time; what outgrows the memory goes
to a folder of this process. So a table may be longer than the memory, and may be read twice.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Protocol, TypeVar

import duckdb
import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow

from infra.ecp.query.formats import Answer
from infra.ecp.query.statement import Statement, one_line
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from services.runtime.sources.engine import connect, stopped_after
from services.transformer.facts.data_files import data_files, month_of, partition_of, read_rows
from services.transformer.facts.kpi_tables import are_in_step
from services.transformer.facts.published import PublishedFacts
from services.transformer.facts.tables import (
    KPI_TABLES,
    READ_AS,
    SCHEMAS,
)

FILES_AT_ONCE = 16
ROWS_AT_ONCE = 50_000
MADE_OF = {"line_amount_cents": ("quantity", "unit_price_cents")}
"""What else a column is read from, where it is not there (READ_AS)."""


T = TypeVar("T")


class Heed(Protocol):
    """Runs a piece of work and gives what it gives."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Raises what it raises, and KeyboardInterrupt once the work has ended."""


@dataclass(frozen=True)
class Limits:
    """How much a query may take, and which days it sees of tables with an order_date."""

    seconds: float
    memory_mb: int
    first: date | None = None
    last: date | None = None

    def has(self, day: date) -> bool:
        """Whether a day is among those."""
        return not ((self.first and day < self.first) or (self.last and day > self.last))


@contextmanager
def answered(
    statement: Statement, published: PublishedFacts | None, limits: Limits
) -> Iterator[Answer]:
    """The answer, as it is worked out. Raises WrongUsage for what cannot be asked.

    A query of no table needs nothing published. Raises CommandFailed when a limit is met.
    """
    with ExitStack() as opened:
        spill = opened.enter_context(tempfile.TemporaryDirectory(prefix="query-"))
        database = opened.enter_context(connect(limits.memory_mb, threads=2, spill=spill))
        opened.enter_context(_explained(limits))
        opened.enter_context(stopped_after(database, limits.seconds))
        heed = opened.enter_context(_heeding_ctrl_c(database))
        check(statement, database)
        if published is not None:
            for table, columns in statement.columns.items():
                heed(partial(_load, database, table, columns, published, limits))
        reader = heed(lambda: database.sql(statement.sql).to_arrow_reader(ROWS_AT_ONCE))
        yield Answer(reader.schema, _batches(reader, heed, limits))


def check(statement: Statement, database: duckdb.DuckDBPyConnection) -> None:
    """Raises duckdb.Error for a query that cannot run, before anything is read."""
    for table in statement.columns:
        database.register(table, SCHEMAS[table].as_arrow().empty_table())
    database.execute(f"explain {statement.sql}")
    for table in statement.columns:
        database.unregister(table)


@contextmanager
def _heeding_ctrl_c(database: duckdb.DuckDBPyConnection) -> Iterator[Heed]:
    """Gives what runs a piece of work beside us, and stops the database at a KeyboardInterrupt.

    While Arrow waits for DuckDB nobody looks for signals.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="query") as thread:

        def heed(work: Callable[[], T]) -> T:
            running = thread.submit(work)
            try:
                return running.result()
            except KeyboardInterrupt:
                while not running.done():
                    database.interrupt()
                    wait([running], timeout=0.05)
                raise

        yield heed


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


def _batches(reader: pa.RecordBatchReader, heed: Heed, limits: Limits) -> Iterator[pa.RecordBatch]:
    """What goes wrong on the way comes through Arrow, with DuckDB's words."""
    while True:
        try:
            batch = heed(lambda: _next(reader))
        except (OSError, pa.ArrowException) as error:
            raise _fault(str(error), limits) from error
        if batch is None:
            return
        yield batch


@contextmanager
def _explained(limits: Limits) -> Iterator[None]:
    try:
        yield
    except (duckdb.InternalException, duckdb.FatalException):
        raise
    except duckdb.Error as error:
        raise _fault(str(error), limits) from error


def _fault(said: str, limits: Limits) -> CommandFailed:
    if said.startswith("Out of Memory Error"):
        return CommandFailed(
            f"the query needs more than {limits.memory_mb:,} MB: ask for less at once, or say "
            "--memory-mb"
        )
    if said.startswith("INTERRUPT Error"):
        return CommandFailed(
            f"the query was stopped after {limits.seconds:g} s: ask for less, or say --timeout"
        )
    return WrongUsage(one_line(said))


def _load(
    database: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    published: PublishedFacts,
    limits: Limits,
) -> None:
    _refuse_what_is_not_there(table, published)
    source, head = published.facts.table(table), published.heads[table]
    also = {one for name in columns for one in MADE_OF.get(name, ())}
    if limits.first or limits.last:
        also |= {"order_date"} & set(SCHEMAS[table].column_names)
    read = [name for name in SCHEMAS[table].column_names if name in {*columns, *also}]
    names = ", ".join(READ_AS.get(name, name) for name in columns)
    bounds, days = _bounds(table, limits)
    schema = pa.schema([(n, schema_to_pyarrow(SCHEMAS[table].find_type(n))) for n in read])
    database.register("rows_read", schema.empty_table())
    database.execute(f"create table {table} as select {names} from rows_read")
    files = _files(source, table, head, limits)
    for at in range(0, len(files), FILES_AT_ONCE):
        found = read_rows(source, read, files[at : at + FILES_AT_ONCE])
        database.register("rows_read", found)
        database.execute(f"insert into {table} select {names} from rows_read {bounds}", days)
    database.unregister("rows_read")


def _files(source: Any, table: str, head: int, limits: Limits) -> list[Any]:
    """The data files that may hold rows of those days."""
    every = data_files(source, head)
    if not (limits.first or limits.last) or "order_date" not in SCHEMAS[table].column_names:
        return every
    if table in KPI_TABLES:
        first = (limits.first or date.min).timetuple()[:2]
        last = (limits.last or date.max).timetuple()[:2]
        return [file for file in every if first <= month_of(file) <= last]
    dated = [(partition_of(file), file) for file in every]
    return [file for day, file in dated if day is not None and limits.has(day)]


def _bounds(table: str, limits: Limits) -> tuple[str, list[date]]:
    """A WHERE clause with its values; lines that wait for their order are of no day."""
    if "order_date" not in SCHEMAS[table].column_names:
        return "", []
    said = [("order_date >= ?", limits.first), ("order_date <= ?", limits.last)]
    asked = [(condition, day) for condition, day in said if day is not None]
    if not asked:
        return "", []
    return f"where {' and '.join(one for one, _ in asked)}", [day for _, day in asked]


def _refuse_what_is_not_there(table: str, published: PublishedFacts) -> None:
    if table in KPI_TABLES and not (
        all(name in published.heads for name in KPI_TABLES)
        and are_in_step(published.facts, published.heads)
    ):
        raise WrongUsage(
            f"{table} is not made yet on this pipeline: the next batch makes it, or `ecp rebuild`"
        )
