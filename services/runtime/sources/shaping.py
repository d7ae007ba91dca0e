"""A file of a source, block by block, as rows of the contracts' kinds."""

import threading
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from contracts.errors import DataRejected
from contracts.sources.faults import quoted
from contracts.sources.model import Lookup
from services.runtime.sources import statement
from services.runtime.sources.cells import cells
from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.engine import MEMORY_LIMIT_MB, connect
from services.runtime.sources.scope import Columns
from services.runtime.sources.shaped import Shaped, ValueFault, shaped

BLOCK_SECONDS = 60.0
"""How long the expressions of a source may take for one block."""
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 2048, 1 << 20
"""What is worked out at once, and must end before DuckDB looks whether it is to stop."""


class SourceTooSlow(DataRejected):
    """The expressions of a source did not come to an end in time, or in the memory they have."""


class Shaper:
    """Shapes the blocks of one file, in their order: what it keeps between them is bounded.

    It keeps the lines counted of each order (16 bytes an order, where row_number is used) and the
    carried values of each group. Use as a context manager; it belongs to one thread.
    """

    def __init__(
        self,
        compiled: CompiledSource,
        lookups: Mapping[str, pa.Table] | None = None,
        *,
        memory_limit_mb: int = MEMORY_LIMIT_MB,
        threads: int = 1,
        block_seconds: float = BLOCK_SECONDS,
    ) -> None:
        """`lookups`: each lookup's file as a table of text columns named as its header.

        Raises DataRejected when one is missing, lacks a column, or contradicts itself.
        """
        self._compiled = compiled
        self._seconds = block_seconds
        self._connection = connect(memory_limit_mb, threads)
        self._query = statement.shaping_query(compiled)
        try:
            for lookup in compiled.source.lookups.values():
                self._add_lookup(lookup, (lookups or {}).get(lookup.name))
        except BaseException:
            self._connection.close()
            raise
        if compiled.carried:
            columns = ", ".join(f"v{place} VARCHAR" for place in compiled.carried[1])
            self._connection.execute(
                f"CREATE TEMP TABLE {statement.CARRIED} (k VARCHAR, {columns})"
            )
        if compiled.needs_position:
            self._connection.execute(
                f"CREATE TEMP TABLE {statement.POSITIONS} (h UBIGINT, lines BIGINT)"
            )

    def __enter__(self) -> "Shaper":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def shape(self, table: pa.Table, *, row_text: str = "row_text", line: str = "line") -> Shaped:
        """What a block gives: a table of the header's columns as text, by position, then `line`.

        The first columns are those of the header, in its order, whatever their names; `line`
        (int64) says where each row starts, and `row_text` (needed where the source names it) is its
        raw text. A cell that the row does not have is NULL. Raises SourceTooSlow.
        """
        width = len(self._compiled.header)
        missing = self._compiled.source.file.missing
        places = sorted(set(self._compiled.used.values()))
        columns = {"n": pa.array(range(table.num_rows), pa.int64())}
        columns |= {f"c{place}": cells(table.column(place), missing) for place in places}
        if self._compiled.needs_row_text:
            columns["row_text"] = table.column(row_text).combine_chunks()
        if width > table.num_columns:
            raise ValueError(f"the table has {table.num_columns} columns, its header {width}")
        result = self._run(pa.table(columns))
        return shaped(self._compiled, result, table.column(line).combine_chunks())

    def explain(self, table: pa.Table, faults: pa.Table) -> Iterator[ValueFault]:
        """The faults of a block in words, with the values as they stand in its table."""
        calls, used = self._compiled.calls, self._compiled.used
        for fault in faults.to_pylist():
            call = calls[fault.pop("call")]
            values = tuple(
                (name, table.column(used[name])[fault["row"]].as_py()) for name in call.columns
            )
            yield ValueFault(**fault, gives=call.gives, values=values)

    def _run(self, block: pa.Table) -> pa.Table:
        portion = block.num_rows * _BYTES_AT_ONCE // max(block.nbytes, 1)
        batches = block.combine_chunks().to_batches(
            max_chunksize=max(1, min(_ROWS_AT_ONCE, portion))
        )
        self._connection.register(statement.ROWS, pa.Table.from_batches(batches, block.schema))
        watch = threading.Timer(self._seconds, self._connection.interrupt)
        watch.daemon = True
        watch.start()
        try:
            result = self._connection.sql(self._query).to_arrow_table()
            self._remember(result)
        except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
            raise SourceTooSlow(
                f"the expressions of source {self._compiled.source.label} need more than "
                f"{self._seconds:g} seconds, or more memory than they are given, for "
                f"{block.num_rows:,} rows; write its patterns and replacements simpler"
            ) from error
        finally:
            watch.cancel()
            self._connection.unregister(statement.ROWS)
        return result

    def _remember(self, result: pa.Table) -> None:
        """What the next blocks need to know of this one."""
        if self._compiled.carried:
            self._connection.execute(statement.carried_update(*self._compiled.carried))
        if self._compiled.needs_position:
            hashes = result.column("order_hash").drop_null()
            counts = hashes.value_counts()
            values, lines = (counts.field("values"), counts.field("counts"))
            self._connection.register("counted", pa.table({"h": values, "lines": lines}))
            self._connection.execute(f"INSERT INTO {statement.POSITIONS} SELECT * FROM counted")
            self._connection.unregister("counted")

    def _add_lookup(self, lookup: Lookup, table: pa.Table | None) -> None:
        label = f"lookup {lookup.name} of source {self._compiled.source.label}"
        if table is None:
            raise DataRejected(f"the file of {label} is not there")
        header = Columns(tuple(table.column_names))
        places = []
        for column in (lookup.key, lookup.value):
            place = 0 if column is None else header.find(column)
            if place is None:
                raise DataRejected(
                    f"the file of {label} has no column {quoted(str(column))}; "
                    f"it has {', '.join(map(quoted, table.column_names[:20]))}"
                )
            places.append(place)
        missing = self._compiled.source.file.missing
        key, value = (cells(table.column(place), missing) for place in places)
        self._connection.register("looked_up", pa.table({"k": key, "v": value}))
        name = statement.lookup_table(lookup.name)
        self._connection.execute(
            f"CREATE TEMP TABLE {name} AS SELECT k, min(v) AS v, count(DISTINCT v) AS meanings "
            "FROM looked_up WHERE k IS NOT NULL GROUP BY k"
        )
        self._connection.unregister("looked_up")
        if lookup.value is not None:
            found = self._connection.execute(
                f"SELECT k FROM {name} WHERE meanings > 1 ORDER BY k LIMIT 1"
            ).fetchone()
            if found:
                raise DataRejected(
                    f"the file of {label} says several things of {quoted(found[0])}; keep one"
                )
