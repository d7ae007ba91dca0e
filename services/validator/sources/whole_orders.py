"""An order counts whole or not at all: what becomes of the orders of a file of order lines.

The rows of an order may lie anywhere in the file. Each row of each order is kept in short, in
memory or by hash in temporary files (reading/duplicates.py, Pile), and settled at the file's end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.duplicate_candidates import hashes_of
from services.validator.reading.duplicates import HASH, Pile, shown_values
from services.validator.sources.judging import ORDER_ID, Judged
from services.validator.sources.kind_checks import ROW

ORDINAL, STATES, IS_BAD, LINE_ID, CONTENT = "ordinal", "states", "is bad", "line_id", "content"
_NONE = -1

LINE_AGAIN, ORDER_AGAIN, LACKS, WITH_ANOTHER = range(1, 5)
"""Why a row falls: its line, or its order, is stated otherwise; no row says what is required;
another row of its order is quarantined."""


@dataclass(frozen=True)
class Settled:
    """What became of some orders.

    `orders` are those that stand, with their first line; `fallen` (line, rule, column, order_id,
    at_line, detail) are rows that were right by themselves, or seemed so; `removed` are ordinals of
    order lines that do not stand, of which the `duplicates` say what another line of theirs says.
    `folded` rows state an order that stands once more, `fallen_of` counts those that state one that
    does not.
    """

    orders: Any
    fallen: Any
    removed: Any
    duplicates: int
    folded: int
    fallen_orders: int
    fallen_items: int


def in_short(judged: Judged, first_ordinal: int, seed: int, *, has_line_ids: bool) -> Any:
    """The rows of a block that are of an order, as `settled` needs them."""
    rows = len(judged.lines)
    chosen = judged.is_open & pc.is_valid(judged.order_ids).to_numpy(zero_copy_only=False)
    numbers = np.flatnonzero(chosen)
    ids = judged.order_ids.take(pa.array(numbers))
    columns: dict[str, Any] = {
        ORDER_ID: ids,
        HASH: pa.array(hashes_of([ids], seed), pa.uint64()),
        SOURCE_LINE: pa.array(judged.lines[numbers], pa.int64()),
        IS_BAD: pa.array(judged.is_bad[numbers]),
    }
    items = judged.kinds["order_items"].right
    ordinal = np.full(rows, _NONE, np.int64)
    ordinal[items[ROW].to_numpy()] = np.arange(first_ordinal, first_ordinal + items.num_rows)
    columns[ORDINAL] = pa.array(ordinal[numbers])
    if has_line_ids:
        content = np.zeros(rows, np.uint64)
        content[items[ROW].to_numpy()] = _content(items, seed)
        columns[CONTENT] = pa.array(content[numbers])
        columns[LINE_ID] = _placed(items, LINE_ID, rows).take(pa.array(numbers))
    if "orders" in judged.kinds:
        orders = judged.kinds["orders"].right
        states = np.zeros(rows, bool)
        states[orders[ROW].to_numpy()] = True
        columns[STATES] = pa.array(states[numbers])
        for name in orders.column_names:
            if name not in (ORDER_ID, ROW, "currency"):
                columns[name] = _placed(orders, name, rows).take(pa.array(numbers))
    return pa.table(columns)


def _placed(table: Any, column: str, rows: int) -> Any:
    place = np.full(rows, _NONE, np.int64)
    place[table[ROW].to_numpy()] = np.arange(table.num_rows)
    values = table[column]
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return values.take(pa.array(place, mask=place < 0))


def _content(items: Any, seed: int) -> Any:
    """A hash of what each line says, but for its id and its place."""
    texts = [
        pc.fill_null(pc.cast(items[name], pa.string()), "\0").combine_chunks()
        for name in items.column_names
        if name not in (ROW, LINE_ID, ORDER_ID, "currency")
    ]
    return hashes_of(texts, seed)


def settled(pile: Pile, required: Sequence[str]) -> Iterator[Settled]:
    """The orders of each part of the pile; `required` columns have to stand on one of the rows."""
    for read in pile.parts():
        tables = [*read()]
        if tables:
            yield _settle(pa.concat_tables(tables), required)


def _settle(rows: Any, required: Sequence[str]) -> Settled:
    """All rows of some orders."""
    codes = pc.dictionary_encode(rows[ORDER_ID].combine_chunks()).indices.to_numpy()
    order = np.lexsort((rows[SOURCE_LINE].to_numpy(), codes))
    rows, codes = rows.take(pa.array(order)), codes[order]
    groups = _Groups.of(codes)
    lines = rows[SOURCE_LINE].to_numpy()
    at_fault = rows[IS_BAD].to_numpy().copy()
    was_bad = at_fault.copy()
    rules = np.zeros(len(lines), np.int8)
    because = np.zeros(len(lines), np.int64)
    details = pa.nulls(len(lines), pa.string())
    columns = pa.nulls(len(lines), pa.string())
    is_again = np.zeros(len(lines), bool)
    if LINE_ID in rows.column_names:
        is_again, contradicted, stands = _repeated_lines(rows, codes)
        new = contradicted & ~at_fault
        rules[new], because[new] = LINE_AGAIN, lines[stands[new]]
        at_fault |= contradicted
        is_again &= ~at_fault
    merged: dict[str, Any] = {}
    states = None
    if STATES in rows.column_names:
        states = rows[STATES].to_numpy()
        for name in _order_columns(rows):
            values = rows[name].combine_chunks()
            first, differs = groups.first_said(values)
            merged[name] = values.take(pa.array(np.maximum(first, 0), mask=first < 0))
            new = differs & ~at_fault
            if new.any():
                there = np.maximum(first, 0)[groups.of_row]
                details = pc.if_else(
                    pa.array(new), _difference(name, values, values.take(pa.array(there))), details
                )
                rules[new], because[new] = ORDER_AGAIN, lines[there[new]]
                at_fault |= differs
        is_stated = np.logical_or.reduceat(states, groups.starts)
        firsts = _first_true(states, groups)
        is_whole = is_stated & ~np.logical_or.reduceat(at_fault, groups.starts)
        for name in required:
            lacks = pc.is_null(merged[name]).to_numpy(zero_copy_only=False) & is_whole
            new = np.zeros(len(lines), bool)
            new[firsts[lacks]] = True
            new &= ~at_fault
            rules[new] = LACKS
            columns = pc.if_else(pa.array(new), name.removesuffix("_cents"), columns)
            at_fault |= new
    falls = np.logical_or.reduceat(at_fault, groups.starts)
    fault_row = _first_true(at_fault, groups)
    is_incomplete = falls[groups.of_row] & ~at_fault
    rules[is_incomplete] = WITH_ANOTHER
    because[is_incomplete] = lines[fault_row[groups.of_row[is_incomplete]]]
    is_again &= ~falls[groups.of_row]
    fallen = falls[groups.of_row] & ~was_bad
    ordinals = rows[ORDINAL].to_numpy()
    removed = ordinals[(fallen | is_again) & (ordinals >= 0)]
    table = pa.table(
        {
            SOURCE_LINE: lines[fallen],
            "rule": rules[fallen],
            "column": columns.filter(pa.array(fallen)),
            ORDER_ID: rows[ORDER_ID].filter(pa.array(fallen)),
            "at_line": because[fallen],
            "detail": details.filter(pa.array(fallen)),
        }
    )
    orders, folded, fallen_orders = None, 0, 0
    if states is not None:
        stands = is_stated & ~falls
        kept = pa.array(stands)
        orders = pa.table(
            {ORDER_ID: rows[ORDER_ID].take(pa.array(groups.starts)).filter(kept)}
            | {name: values.filter(kept) for name, values in merged.items()}
            | {SOURCE_LINE: lines[firsts[stands]]}
        )
        folded = int((states & ~falls[groups.of_row]).sum()) - orders.num_rows
        fallen_orders = int((states & fallen).sum())
    return Settled(
        orders=orders,
        fallen=table,
        removed=removed,
        duplicates=int(is_again.sum()),
        folded=folded,
        fallen_orders=fallen_orders,
        fallen_items=int((fallen & (ordinals >= 0)).sum()),
    )


def _order_columns(rows: Any) -> Sequence[str]:
    ours = {ORDER_ID, HASH, SOURCE_LINE, IS_BAD, ORDINAL, CONTENT, LINE_ID, STATES}
    return [name for name in rows.column_names if name not in ours]


@dataclass(frozen=True)
class _Groups:
    """Rows of one order lie together: where each order starts, and which is each row's."""

    starts: Any
    of_row: Any

    @classmethod
    def of(cls, codes: Any) -> "_Groups":
        is_start = np.ones(len(codes), bool)
        is_start[1:] = codes[1:] != codes[:-1]
        return cls(np.flatnonzero(is_start), np.cumsum(is_start) - 1)

    def first_said(self, values: Any) -> tuple[Any, Any]:
        """By order, the row that says a value first (-1: none); the rows that say another one."""
        encoded = pc.dictionary_encode(values).indices
        said = pc.is_valid(encoded).to_numpy(zero_copy_only=False)
        codes = pc.fill_null(encoded, _NONE).to_numpy()
        rows = np.where(said, np.arange(len(codes)), len(codes))
        first = np.minimum.reduceat(rows, self.starts)
        first[first == len(codes)] = _NONE
        differs = said & (codes != codes[np.maximum(first, 0)[self.of_row]])
        return first, differs


def _first_true(mask: Any, groups: _Groups) -> Any:
    """By order, its first row for which it is true, or its first one."""
    rows = np.where(mask, np.arange(len(mask)), len(mask))
    first = np.minimum.reduceat(rows, groups.starts)
    return np.where(first == len(mask), groups.starts, first)


def _repeated_lines(rows: Any, codes: Any) -> tuple[Any, Any, Any]:
    """Lines whose id comes again: that say the same, that say otherwise, and which line stands.

    The last of each id does. Rows are sorted by order and line.
    """
    count = len(codes)
    ids = pc.dictionary_encode(rows[LINE_ID].combine_chunks()).indices
    has_id = pc.is_valid(ids).to_numpy(zero_copy_only=False) & (rows[ORDINAL].to_numpy() >= 0)
    numbers = pc.fill_null(ids, _NONE).to_numpy().astype(np.int64)
    numbers = np.where(has_id, numbers, -2 - np.arange(count))
    order = np.lexsort((np.arange(count), numbers, codes))
    is_last = np.ones(count, bool)
    same = (numbers[order][1:] == numbers[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    is_last[:-1] = ~same
    last_at = np.flatnonzero(is_last)
    last_of = order[last_at[np.searchsorted(last_at, np.arange(count))]]
    stands = np.empty(count, np.int64)
    stands[order] = last_of
    content = rows[CONTENT].to_numpy()
    repeats = has_id & (stands != np.arange(count))
    says_same = content == content[stands]
    return repeats & says_same, repeats & ~says_same, stands


def _difference(name: str, here: Any, there: Any) -> Any:
    """`total_amount 10.00 here, 30.00 there`; who it was is nobody's business."""
    column = name.removesuffix("_cents")
    if column == "user_id":
        return pa.array(["another user_id"] * len(here), pa.string())
    return pc.binary_join_element_wise(
        f"{column} ", shown_values(name, here), " here, ", shown_values(name, there), " there", ""
    )
