"""What a block of rows gave, told apart: rows by kind, left out, of no kind, and what failed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.sources.faults import quoted
from contracts.sources.model import Kind
from services.runtime.sources.coded import NONE, Coded
from services.runtime.sources.compiled import CompiledSource, Form
from services.runtime.sources.given import Given, failures
from services.runtime.sources.numbers import cent_texts, number_texts

_FAULTS = pa.schema(
    [
        ("row", pa.int64()), ("line", pa.int64()), ("kind", pa.string()),
        ("column", pa.string()), ("call", pa.int16()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Shaped:
    """What one block gives; every table begins with `row` (in the block, from 0) and `line`.

    `kinds`: for each kind the rows that give one, its columns as text (NULL: no value; by distinct
    values, as an Arrow dictionary, where these are fewer) in the source's order; where the total
    comes from lines, orders have `total_extra` in place of `total_amount`. `left_out` has the
    `reason`, `left_out_of` those of single kinds. `of_no_kind`: rows that give nothing, for which
    no reason is known. `order_ids` are those of all rows of the block, also of such that give
    nothing. `faults`: where a column of the file had a value and the expression gave none: `kind`
    and `column` of ours (NULL and `leave_out` where a row cannot be judged at all; `where` is a
    column too), `call` as CompiledSource.calls counts. A row with a fault is in `kinds` as well,
    without that value, unless it is leave_out or where that cannot be judged.
    """

    rows: int
    kinds: dict[Kind, pa.Table]
    left_out: pa.Table
    left_out_of: dict[Kind, pa.Table]
    order_ids: pa.Array
    of_no_kind: pa.Table
    faults: pa.Table


@dataclass(frozen=True)
class ValueFault:
    """A fault in words: `Created at = "32.10.2026" gives no day (order_date)`.

    `values`: the file's columns that were read, with their texts as they stand in the file.
    """

    row: int
    line: int
    kind: Kind | None
    column: str
    gives: str
    values: tuple[tuple[str, str | None], ...]

    @property
    def message(self) -> str:
        """The export's columns and values, and ours."""
        read = ", ".join(f"{name} = {quoted(value or '')}" for name, value in self.values)
        return f"{read or 'this row'} gives no {self.gives} ({self.column})"


def shaped(
    compiled: CompiledSource, columns: Mapping[str, Coded], given: Given, lines: pa.Array
) -> Shaped:
    """A block's rows, taken apart; `columns` by their SQL, `lines`: where each row starts."""
    rows = len(lines)

    def placed(mask: Any) -> dict[str, pa.Array]:
        row = pa.array(np.flatnonzero(mask), pa.int64())
        return {"row": row, "line": lines if len(row) == rows else lines.take(row)}

    gives_nothing = (given.reason == NONE) & (given.unsure == NONE)
    outputs = {(output.sql, output.form) for kind in compiled.kinds for output in kind.outputs}
    texts = {each: _as_text(columns[each[0]], each[1]) for each in outputs}
    kinds: dict[Kind, pa.Table] = {}
    left_out_of: dict[Kind, pa.Table] = {}
    faults = [_faults(given.unsure, lines, None, "leave_out")]
    for kind in compiled.kinds:
        found = given.kinds[kind.kind]
        gives_nothing &= ~found.gives & (found.reason == NONE)
        gives_nothing &= (found.doubt == NONE) & (found.unsure == NONE)
        table = placed(found.gives)
        given_rows = None if found.gives.all() else table["row"]
        for output in kind.outputs:
            table[output.column] = texts[output.sql, output.form].encoded(given_rows)
        kinds[kind.kind] = pa.table(table)
        if kind.leave_out:
            is_left_out = found.reason != NONE
            left_out_of[kind.kind] = pa.table(
                placed(is_left_out) | _named(kind.leave_out, found.reason[is_left_out])
            )
        faults.append(_faults(found.doubt, lines, kind.kind, "where"))
        faults.append(_faults(found.unsure, lines, kind.kind, "leave_out"))
        for output in kind.outputs:
            if output.failure:
                calls = failures([output.failure], columns, found.gives)
                faults.append(_faults(calls, lines, kind.kind, output.column))
    is_left_out = given.reason != NONE
    return Shaped(
        rows=rows,
        kinds=kinds,
        left_out=pa.table(
            placed(is_left_out) | _named(compiled.leave_out, given.reason[is_left_out])
        ),
        left_out_of=left_out_of,
        order_ids=_order_ids(compiled, texts, rows),
        of_no_kind=pa.table(placed(gives_nothing)),
        faults=pa.concat_tables(faults),
    )


def _as_text(column: Coded, form: Form) -> Coded:
    """What an output says, as text."""
    values = column.values
    if form == "cell" and pc.any(pc.equal(values, "")).as_py():
        return replace(column, values=pc.if_else(pc.equal(values, ""), None, values))
    if form in ("cents", "number"):
        return replace(column, values=(cent_texts if form == "cents" else number_texts)(values))
    return column


def _order_ids(
    compiled: CompiledSource, texts: Mapping[tuple[str, Form], Coded], rows: int
) -> pa.Array:
    """By row, the order that it is of, whatever it gives."""
    ids = {
        output.sql: texts[output.sql, output.form].by_row()
        for kind in reversed(compiled.kinds)
        for output in kind.outputs
        if output.column == "order_id"
    }
    return pc.coalesce(pa.nulls(rows, pa.string()), *ids.values())


def _named(leave_out: Mapping[str, Any], reasons: Any) -> dict[str, pa.Array]:
    return {"reason": pa.array(list(leave_out), pa.string()).take(pa.array(reasons))}


def _faults(calls: Any, lines: pa.Array, kind: Kind | None, column: str) -> pa.Table:
    row = np.flatnonzero(calls != NONE)
    return pa.table(
        [
            pa.array(row, pa.int64()), lines.take(pa.array(row)),
            pa.array([kind] * len(row), pa.string()), pa.array([column] * len(row), pa.string()),
            pa.array(calls[row], pa.int16()),
        ],
        schema=_FAULTS,
    )  # fmt: skip
