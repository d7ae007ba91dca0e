"""Rows of a block by what they belong to: what is carried down a group, how many come before."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.runtime.sources.coded import NONE, Coded


def group_codes(keys: Coded) -> tuple[Any, Any]:
    """The distinct keys, and by row the number of its own; NONE for rows without a key."""
    encoded = pc.dictionary_encode(keys.values)
    numbers = pc.fill_null(encoded.indices, NONE).to_numpy().astype(np.int64)
    return encoded.dictionary, numbers if keys.codes is None else numbers[keys.codes]


def first_rows(mask: Any, groups: Any, count: int) -> Any:
    """By group, its first row of those that a mask names; the number of rows where none is."""
    rows = np.flatnonzero(mask & (groups != NONE))
    first = np.full(count, len(groups), np.int64)
    first[groups[rows][::-1]] = rows[::-1]
    return first


def carried_down(column: Coded, groups: Any, first: Any, before: Any) -> Coded:
    """A column with a cell's own value, else that of its group from before, else its first so far.

    `first`: by group, the first row with a value; `before`: by group, the value that the blocks
    before gave, an array.
    """
    lacks = np.flatnonzero(~column.is_valid() & (groups != NONE))
    of_group = groups[lacks]
    is_before = pc.is_valid(before).to_numpy(zero_copy_only=False)[of_group]
    above = first[of_group]
    is_above = ~is_before & (above < lacks)
    codes = column.codes.astype(np.int64)
    codes[lacks[is_above]] = column.codes[above[is_above]]
    if not is_before.any():
        return Coded(column.values, codes)
    codes[lacks[is_before]] = len(column.values) + of_group[is_before]
    return Coded(pa.concat_arrays([column.values, before]), codes)


def positions(groups: Any, before: Any) -> Any:
    """By row, its place within its group, from 1, after those that each group had before.

    `before`: by group, and at the end for rows that are of none.
    """
    rows = np.arange(len(groups))
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    is_start = np.ones(len(rows), bool)
    is_start[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(is_start, rows, 0))
    found = np.empty(len(rows), np.int64)
    found[order] = rows - starts + 1
    return found + before[groups]
