"""Rows that hold several order lines, taken apart: each line becomes a row of its own.

It has the line number and the text of the row that it stands in, and that row's other cells.
Parts without any text are no lines; a row without any stays one row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.sources.model import Source
from services.runtime.csv_files.csv_records import Problem
from services.runtime.csv_files.texts import BLANKS
from services.runtime.sources.numbered import numbered_places
from services.runtime.sources.scope import Columns
from services.validator.sources.cells import Cells

MAX_LINES = 1_000
"""Of one row: each of them has all other cells of the row beside it."""
MAX_ROW_BYTES = 128 << 20
"""Of a row, taken apart."""
BYTES_AT_ONCE = 32 << 20
TOO_MANY = "row.too_many_lines"


@dataclass(frozen=True)
class LinesApart:
    """How rows of a header of `width` columns are taken apart.

    `split` are places of cells that hold a part for each line; `numbered` are the columns that
    follow those of the header, each with the places of its cells by number (None: has none).
    """

    width: int
    split: tuple[int, ...] = ()
    separator: str = ""
    numbered: tuple[tuple[int | None, ...], ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source, header: Sequence[str]) -> "LinesApart | None":
        """By what the source says of its columns; None where a row is one line."""
        explode = source.explode
        if explode is None:
            return None
        places = [Columns(tuple(header)).find(name) for name in explode.columns]
        by_name = numbered_places(explode.numbered, header)
        numbers = sorted({number for found in by_name.values() for number in found})
        return cls(
            width=len(header),
            split=tuple(place for place in places if place is not None),
            separator=explode.separator,
            numbered=tuple(tuple(map(found.get, numbers)) for found in by_name.values()),
            names=tuple(by_name),
        )

    @property
    def places(self) -> frozenset[int]:
        """The cells of the header that are read to take rows apart."""
        found = {place for places in self.numbered for place in places if place is not None}
        return frozenset({*self.split, *found})

    def apart(self, cells: Cells) -> Iterator[Cells]:
        """The same rows, line by line, in portions; a row lies in one of them whole."""
        sizes = pc.fill_null(pc.binary_length(cells.raw), 0).to_numpy().astype(np.int64)
        counts = self._most_lines(cells)
        too_many = (counts > MAX_LINES) | (counts * sizes > MAX_ROW_BYTES)
        problems = {
            row: self._too_many(int(counts[row])) for row in np.flatnonzero(too_many).tolist()
        } | cells.problems
        counts[[*problems]] = 1
        for first, end in _portions(counts * sizes):
            of_rows = {row - first: what for row, what in problems.items() if first <= row < end}
            some = Cells(
                cells.table.slice(first, end - first),
                of_rows,
                cells.raw.slice(first, end - first),
                cells.goes_on or end < len(counts),
            )
            yield self._lines(some, counts[first:end])

    def _most_lines(self, cells: Cells) -> Any:
        """By row, how many lines there are, those without any text included."""
        numbers = len(self.numbered[0]) if self.numbered else 1
        counts = np.full(len(cells.table), numbers, np.int64)
        for place in self.split:
            found = pc.count_substring(_column(cells, place), self.separator)
            counts = np.maximum(counts, pc.fill_null(found, 0).to_numpy() + 1)
        return counts

    def _lines(self, cells: Cells, counts: Any) -> Cells:
        """The rows line by line; those with a problem stay as they are."""
        parents = np.repeat(np.arange(len(counts)), counts)
        starts = np.cumsum(counts) - counts
        ordinals = np.arange(len(parents)) - starts[parents]
        columns: dict[int, Any] = {}
        is_whole = np.zeros(len(counts), bool)
        is_whole[[*cells.problems]] = True
        for place in self.split:
            given = pc.if_else(pa.array(is_whole), None, _column(cells, place))
            columns[place] = self._parts(given, parents, ordinals)
        for at, places in enumerate(self.numbered):
            columns[self.width + at] = _numbered(cells, places, parents, ordinals)
        says = np.zeros(len(parents), bool)
        for values in columns.values():
            length = pc.binary_length(pc.utf8_trim(values, characters=BLANKS))
            says |= pc.fill_null(length, 0).to_numpy() > 0
        says_any = np.logical_or.reduceat(says, starts)
        keeps = says | ((ordinals == 0) & ~says_any[parents])
        parents = parents[keeps]
        taken, kept = pa.array(parents), pa.array(keeps)
        names = [f"c{place}" for place in range(self.width + len(self.numbered))]
        table = {
            name: columns[place].filter(kept)
            if place in columns
            else _column(cells, place).take(taken)
            for place, name in enumerate(names)
        }
        for name in cells.table.column_names[self.width :]:
            table[name] = cells.table[name].combine_chunks().take(taken)
        firsts = np.flatnonzero(np.diff(parents, prepend=-1)).tolist()
        problems = {firsts[row]: what for row, what in cells.problems.items()}
        return Cells(pa.table(table), problems, cells.raw.take(taken), cells.goes_on)

    def _parts(self, texts: Any, parents: Any, ordinals: Any) -> Any:
        parts = pc.split_pattern(texts, self.separator)
        lengths = pc.fill_null(pc.list_value_length(parts), 0).to_numpy()
        starts = np.cumsum(lengths) - lengths
        places = starts[parents] + ordinals
        return parts.flatten().take(pa.array(places, mask=ordinals >= lengths[parents]))

    def _too_many(self, count: int) -> Problem:
        return Problem(
            TOO_MANY,
            f"the row holds up to {count:,} order lines; it may have {MAX_LINES:,} of them, and "
            f"with its other cells beside each no more than {MAX_ROW_BYTES >> 20} MB: divide it",
        )


def _column(cells: Cells, place: int) -> Any:
    return cells.table.column(place).combine_chunks()


def _numbered(cells: Cells, places: Sequence[int | None], parents: Any, ordinals: Any) -> Any:
    """The cell of each line out of its own column."""
    rows = len(cells.table)
    nothing = pa.nulls(rows, pa.string())
    columns = [nothing if place is None else _column(cells, place) for place in places]
    return pa.concat_arrays(columns).take(pa.array(ordinals * rows + parents))


def _portions(sizes: Any) -> Iterator[tuple[int, int]]:
    """Where portions of rows begin and end that are about so large when they are taken apart."""
    done, first = np.cumsum(sizes), 0
    while first < len(sizes):
        before = done[first - 1] if first else 0
        end = max(first + 1, int(np.searchsorted(done, before + BYTES_AT_ONCE, side="right")))
        yield first, end
        first = end
