"""A file of a source, block by block, as rows of the contracts' kinds."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataRejected
from services.runtime.sources import statement
from services.runtime.sources.cells import cells
from services.runtime.sources.coded import NONE, Coded, Combinations
from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.engine import MEMORY_LIMIT_MB, connect, stopped_after
from services.runtime.sources.given import given
from services.runtime.sources.groups import carried_down, first_rows, group_codes, positions
from services.runtime.sources.lookup_tables import add_lookup
from services.runtime.sources.numbers import narrowed
from services.runtime.sources.shaped import Shaped, ValueFault, shaped
from services.runtime.sources.steps import POSITION, Step, steps_to
from services.runtime.sources.values import NARROW

BLOCK_SECONDS = 60.0
"""How long the expressions of a source may take for one block."""
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 2048, 1 << 20
"""What is worked out at once, and must end before DuckDB looks whether it is to stop."""
_TELLING_ROWS = 1 << 14
"""From so many rows on a block says whether the values of some columns repeat in a file."""


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
        self._steps = steps_to(statement.wanted(compiled), compiled)
        self._key_steps = steps_to([compiled.carried[0]], compiled) if compiled.carried else []
        self._varied: set[Step] = set()
        """Steps whose columns were found to repeat too little: their rows are taken one by one."""
        try:
            for lookup in compiled.source.lookups.values():
                add_lookup(
                    self._connection, compiled.source, lookup, (lookups or {}).get(lookup.name)
                )
        except BaseException:
            self._connection.close()
            raise
        if compiled.carried:
            self._connection.execute(
                f"CREATE TEMP TABLE {statement.CARRIED} (place INTEGER, k VARCHAR, v VARCHAR)"
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
        if width > table.num_columns:
            raise ValueError(f"the table has {table.num_columns} columns, its header {width}")
        try:
            with stopped_after(self._connection, self._seconds):
                return self._shaped(table, row_text, table.column(line).combine_chunks())
        except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
            raise SourceTooSlow(
                f"the expressions of source {self._compiled.source.label} need more than "
                f"{self._seconds:g} seconds, or more memory than they are given, for "
                f"{table.num_rows:,} rows; write its patterns and replacements simpler"
            ) from error

    def _shaped(self, table: pa.Table, row_text: str, lines: pa.Array) -> Shaped:
        rows = table.num_rows
        columns = {
            f"c{place}": self._cells(table.column(place))
            for place in sorted(set(self._compiled.used.values()))
        }
        if self._compiled.needs_row_text:
            columns["row_text"] = Coded(table.column(row_text).combine_chunks())
        if self._compiled.carried:
            self._carry(columns, rows)
        for step in self._steps:
            if not step.needs_position:
                self._work_out(step, columns, rows)
        found = given(self._compiled, columns, rows)
        if self._compiled.needs_position:
            hashes = columns[statement.order_hash(self._compiled)]
            columns[POSITION] = self._positions(hashes, found.kinds["order_items"].gives)
            for step in self._steps:
                if step.needs_position:
                    self._work_out(step, columns, rows)
        return shaped(self._compiled, columns, found, lines)

    def explain(self, table: pa.Table, faults: pa.Table) -> Iterator[ValueFault]:
        """The faults of a block in words, with the values as they stand in its table."""
        calls, used = self._compiled.calls, self._compiled.used
        for fault in faults.to_pylist():
            call = calls[fault.pop("call")]
            values = tuple(
                (name, table.column(used[name])[fault["row"]].as_py()) for name in call.columns
            )
            yield ValueFault(**fault, gives=call.gives, values=values)

    def _cells(self, texts: pa.ChunkedArray) -> Coded:
        column = Coded.of(texts.combine_chunks())
        return replace(column, values=cells(column.values, self._compiled.source.file.missing))

    def _work_out(self, step: Step, columns: dict[str, Coded], rows: int) -> None:
        """What a step gives, once for each combination of what its columns hold."""
        combinations = Combinations(rows)
        if step not in self._varied:
            combinations = Combinations.of([columns[name] for name in step.columns], rows)
            if combinations.codes is None and rows >= _TELLING_ROWS:
                self._varied.add(step)
        factors = {name: columns[f"m{name[1:]}"] for name in step.reads if name[0] == NARROW}
        narrow = {name: narrowed(factor.values) for name, factor in factors.items()}
        if None not in narrow.values():
            factors = {name: replace(factors[name], values=narrow[name]) for name in factors}
        block = {
            name: combinations.values(factors.get(name) or columns[name]) for name in step.reads
        }
        result = self._ask(step.query, statement.ROWS, combinations.count, block)
        for sql, values in zip(step.gives, result.columns, strict=True):
            columns[sql] = Coded(values.combine_chunks(), combinations.codes)

    def _carry(self, columns: dict[str, Coded], rows: int) -> None:
        """Fill cells that lack from their group, and remember the first value of each group."""
        key, places = self._compiled.carried or ("", ())
        for step in self._key_steps:
            self._work_out(step, columns, rows)
        keys, groups = group_codes(columns[key])
        names = pa.array([f"c{place}" for place in places])
        for number, name in enumerate(names.to_pylist()):
            place = pa.repeat(pa.scalar(number, pa.int32()), len(keys))
            asked = {"place": place, "k": keys}
            found = self._ask(statement.carried_asked(), statement.ASKED, len(keys), asked)
            before = _placed(found["v"], found["n"], len(keys), pa.string())
            first = first_rows(columns[name].is_valid(), groups, len(keys))
            is_new = pc.is_null(before).to_numpy(zero_copy_only=False) & (first < rows)
            mask = pa.array(is_new)
            self._keep(
                statement.CARRIED,
                {
                    "place": place.filter(mask),
                    "k": keys.filter(mask),
                    "v": columns[name].at(first[is_new]),
                },
            )
            columns[name] = carried_down(columns[name], groups, first, before)

    def _positions(self, hashes: Coded, gives: Any) -> Coded:
        """The place of each line in its order, the blocks before counted."""
        orders, groups = group_codes(hashes)
        groups = np.where(gives, groups, NONE)
        asked = {"h": orders}
        found = self._ask(statement.lines_asked(), statement.ASKED, len(orders), asked)
        before = np.zeros(len(orders) + 1, np.int64)
        before[found["n"].to_numpy()] = found["lines"].to_numpy()
        lines = np.bincount(groups[gives], minlength=len(orders))
        counted = pa.array(lines > 0)
        self._keep(
            statement.POSITIONS,
            {"h": orders.filter(counted), "lines": pa.array(lines).filter(counted)},
        )
        return Coded.of(pa.array(positions(groups, before)))

    def _keep(self, name: str, rows: dict[str, pa.Array]) -> None:
        """More rows of what the next blocks need to know."""
        self._connection.register("more", pa.table(rows))
        self._connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM more")
        self._connection.unregister("more")

    def _ask(self, query: str, name: str, count: int, columns: Mapping[str, pa.Array]) -> pa.Table:
        """The answer to a query over a table of so many rows, which it has as `name`."""
        block = pa.table({"n": pa.array(np.arange(count)), **columns})
        portion = block.num_rows * _BYTES_AT_ONCE // max(block.nbytes, 1)
        batches = block.combine_chunks().to_batches(
            max_chunksize=max(1, min(_ROWS_AT_ONCE, portion))
        )
        self._connection.register(name, pa.Table.from_batches(batches, block.schema))
        try:
            return self._connection.sql(query).to_arrow_table()
        finally:
            self._connection.unregister(name)


def _placed(values: Any, places: Any, count: int, kind: pa.DataType) -> pa.Array:
    """Values at these places of an array, NULL elsewhere."""
    at = np.full(count, NONE, np.int64)
    at[places.to_numpy()] = np.arange(len(places))
    return values.combine_chunks().cast(kind).take(pa.array(at, mask=at == NONE))
