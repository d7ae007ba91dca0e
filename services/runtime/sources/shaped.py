"""What a block of rows gave, told apart: rows by kind, left out, of no kind, and what failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.sources.faults import quoted
from contracts.sources.model import Kind
from services.runtime.sources.compiled import CompiledSource

_FAULTS = pa.schema(
    [
        ("row", pa.int64()), ("line", pa.int64()), ("kind", pa.string()),
        ("column", pa.string()), ("call", pa.int16()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Shaped:
    """What one block gives; every table begins with `row` (in the block, from 0) and `line`.

    `kinds`: for each kind the rows that give one, its columns as text (NULL: no value) in the
    source's order; where the total comes from lines, orders have `total_extra` in place of
    `total_amount`. `left_out` has the `reason`, `left_out_of` those of single kinds. `of_no_kind`:
    rows that give nothing, for which no reason is known. `order_ids` are those of all rows of the
    block, also of such that give nothing. `faults`: where a column of the file had a
    value and the expression gave none: `kind` and `column` of ours (NULL and `leave_out` where a
    row cannot be judged at all; `where` is a column too), `call` as CompiledSource.calls counts. A
    row with a fault is in `kinds` as well, without that value, unless it is leave_out or where that
    cannot be judged.
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


def shaped(compiled: CompiledSource, result: pa.Table, lines: pa.Array) -> Shaped:
    """The result of the shaping query, taken apart; `lines`: where each row starts."""
    rows = result.column("n").combine_chunks()

    def placed(mask: Any, more: Mapping[str, Any]) -> pa.Table:
        row = rows.filter(mask)
        return pa.table({"row": row, "line": lines.take(row)} | dict(more))

    reason = result.column("reason").combine_chunks()
    is_left_out = pc.is_valid(reason)
    gives_nothing = pc.and_(
        pc.invert(is_left_out), pc.is_null(result.column("unsure").combine_chunks())
    )
    kinds: dict[Kind, pa.Table] = {}
    left_out_of: dict[Kind, pa.Table] = {}
    faults = [_faults(result, lines, None, "leave_out", "unsure")]
    for kind in compiled.kinds:
        gives = result.column(f"gives_{kind.kind}").combine_chunks()
        gives_nothing = pc.and_(gives_nothing, pc.invert(gives))
        kinds[kind.kind] = placed(
            gives,
            {
                output.column: result.column(f"{kind.kind}.{output.column}")
                .combine_chunks()
                .filter(gives)
                for output in kind.outputs
            },
        )
        if kind.leave_out:
            reasons = result.column(f"reason_{kind.kind}").combine_chunks()
            is_left_out_of = pc.is_valid(reasons)
            left_out_of[kind.kind] = placed(is_left_out_of, _named(kind.leave_out, reasons))
            gives_nothing = pc.and_(gives_nothing, pc.invert(is_left_out_of))
        for column in ("where", "leave_out", *(output.column for output in kind.outputs)):
            name = f"{kind.kind}.{column}?"
            if name in result.column_names:
                found = _faults(result, lines, kind.kind, column, name)
                faults.append(found)
                if column in ("where", "leave_out") and found.num_rows:
                    failed = pc.is_valid(result.column(name).combine_chunks())
                    gives_nothing = pc.and_(gives_nothing, pc.invert(failed))
    return Shaped(
        rows=result.num_rows,
        kinds=kinds,
        left_out=placed(is_left_out, _named(compiled.leave_out, reason)),
        left_out_of=left_out_of,
        order_ids=result.column("of_order").combine_chunks().cast(pa.string()),
        of_no_kind=placed(gives_nothing, {}),
        faults=pa.concat_tables(faults),
    )


def _named(leave_out: Mapping[str, Any], reasons: pa.Array) -> dict[str, pa.Array]:
    return {"reason": pa.array(list(leave_out), pa.string()).take(reasons.drop_null())}


def _faults(
    result: pa.Table, lines: pa.Array, kind: Kind | None, column: str, name: str
) -> pa.Table:
    calls = result.column(name).combine_chunks()
    failed = pc.is_valid(calls)
    row = result.column("n").combine_chunks().filter(failed)
    return pa.table(
        [
            row, lines.take(row), pa.array([kind] * len(row), pa.string()),
            pa.array([column] * len(row), pa.string()), calls.filter(failed).cast(pa.int16()),
        ],
        schema=_FAULTS,
    )  # fmt: skip
