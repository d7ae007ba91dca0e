"""A column of a block by its distinct values: what is made of it is made once for each of them.

Columns of exports repeat: days, states, prices, names. Expressions are pure functions of a row, so
what they give for a value, or for a combination of values, holds for every row that has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NONE = -1
"""In place of the number of a group, a reason or a call where a row has none."""


@dataclass(frozen=True)
class Coded:
    """Row n has `values[codes[n]]`; without codes, `values[n]`."""

    values: Any
    codes: Any = None

    @classmethod
    def of(cls, array: Any) -> "Coded":
        """An array by its distinct values, of which NULL is one."""
        encoded = pc.dictionary_encode(array, null_encoding="encode")
        return cls(encoded.dictionary, encoded.indices.to_numpy())

    def by_row(self) -> Any:
        """The values of all rows, as an array."""
        return self.values if self.codes is None else self.values.take(pa.array(self.codes))

    def at(self, rows: Any) -> Any:
        """The values of some rows, as an array."""
        return self.values.take(pa.array(rows if self.codes is None else self.codes[rows]))

    def encoded(self, rows: Any = None) -> Any:
        """The values of some rows, or of all, as an array that has each distinct one once."""
        if self.codes is None:
            return self.values if rows is None else self.values.take(pa.array(rows))
        codes = pa.array((self.codes if rows is None else self.codes[rows]).astype(np.int32))
        if self.values.null_count:
            codes = pc.if_else(pc.is_valid(self.values).take(codes), codes, None)
        return pa.DictionaryArray.from_arrays(codes, self.values)

    def mask(self, mask: Any) -> Any:
        """By row, in numpy, what is said of each value by an array of booleans without nulls."""
        found = mask.to_numpy(zero_copy_only=False)
        return found if self.codes is None else found[self.codes]

    def is_true(self) -> Any:
        """By row, where a condition holds."""
        return self.mask(pc.fill_null(self.values, False))

    def is_valid(self) -> Any:
        """By row, where there is a value."""
        return self.mask(pc.is_valid(self.values))


@dataclass(frozen=True)
class Combinations:
    """The combinations of values that the rows of some columns have.

    `codes[n]` is the one of row n, None where each row counts as one of its own; `rows[code]` is a
    row that has it, None where that is so and where the combinations are the values of one column.
    """

    count: int
    codes: Any = None
    rows: Any = None

    @classmethod
    def of(cls, columns: Sequence[Coded], rows: int) -> "Combinations":
        """Of so many rows; without columns there is one combination.

        Where more than half of the rows differ it does not pay to tell them apart.
        """
        if any(column.codes is None for column in columns):
            return cls(rows)
        if len(columns) == 1:
            return cls(len(columns[0].values), columns[0].codes)
        codes, count = np.zeros(rows, np.int64), min(rows, 1)
        for column in columns:
            pairs = codes.astype(np.int64) * len(column.values) + column.codes
            encoded = pc.dictionary_encode(pa.array(pairs))
            codes, count = encoded.indices.to_numpy(), len(encoded.dictionary)
            if count * 2 > rows:
                return cls(rows)
        first = np.zeros(count, np.int64)
        first[codes[::-1]] = np.arange(rows - 1, -1, -1)
        return cls(count, codes, first)

    def values(self, column: Coded) -> Any:
        """What a column has for each of them."""
        if self.rows is not None:
            return column.at(self.rows)
        return column.by_row() if self.codes is None else column.values
