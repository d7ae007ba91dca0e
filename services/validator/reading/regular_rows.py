"""Lines of one record each by the fast path: rows that are certain, explained, or in doubt.

A usual file has one width. Where lines have more or fewer fields, those of one width go together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.errors import PipelineError
from services.runtime.csv_files.csv_records import Record, read_record
from services.runtime.csv_files.row_checks import RowChecks
from services.validator.reading.arrow_checks import SOURCE_LINE, ArrowChecks, Texts
from services.validator.reading.explained_rows import (
    ExplainedRows,
    explained_narrow_rows,
    explained_rows,
)
from services.validator.reading.file_text import BLANK_BYTES, IS_SOLID
from services.validator.reading.lines import Lines
from services.validator.reading.record_shapes import for_arrow

RAW = "raw"
"""The column of a row's own text, where it is asked for."""

_RAW_FIELD = pa.field(RAW, pa.string())


@dataclass(frozen=True)
class DoubtfulRecords:
    """Records to be judged one by one; `read` gives a part of them, in order.

    `places` are the lines that they start in, in order.
    """

    places: Any
    read: Callable[[slice], Iterator[Record]]

    def between(self, low: int, high: int) -> Iterator[Record]:
        """Those in the lines from `low` to before `high`."""
        return self.read(slice(*np.searchsorted(self.places, (low, high)).tolist()))

    @classmethod
    def of(cls, records: tuple[Record, ...]) -> "DoubtfulRecords":
        """Records that are read already."""
        places = np.array([record.first for record in records], np.int64)
        return cls(places, lambda part: iter(records[part]))


@dataclass(frozen=True)
class RegularRows:
    """`certain` are right rows as a table; `explained` are bad for sure."""

    certain: Any
    explained: tuple[ExplainedRows, ...] = ()
    doubtful: tuple[DoubtfulRecords, ...] = ()


class RegularReader:
    """Of one file, whose `name` errors say; `schema` is that of certain rows.

    `with_raw` gives these their text too, in a column of its own; it may end in the line's end.
    """

    def __init__(self, name: str, rows: RowChecks, arrow: ArrowChecks, *, with_raw: bool) -> None:
        self._name, self._rows, self._arrow = name, rows, arrow
        self._with_raw = with_raw
        self._usual_width = rows.width
        self.schema = arrow.schema.append(_RAW_FIELD) if with_raw else arrow.schema

    def read(self, lines: Lines, places: Any, first_line: int) -> RegularRows:
        """All lines but blank ones; `places` are where they start in a block.

        The block starts in that line of the file.
        """
        if not lines.text.strip(BLANK_BYTES):
            return RegularRows(self.schema.empty_table())
        texts = self._texts(lines, self._usual_width)
        if texts is not None and texts.rows == len(places):
            return self._read_of_one_width(lines, places, first_line, texts)
        found: list[RegularRows] = []
        counts = field_counts(lines, self._rows.delimiter)
        is_odd = counts != 0
        for width in self._usual_widths(counts):
            has_width = counts == width
            is_odd &= ~has_width
            some = lines.take(has_width)
            texts = self._texts(some, width)
            found.append(self._read_of_one_width(some, places[has_width], first_line, texts))
        narrow = explained_narrow_rows(self._rows, counts * is_odd, lines.texts(), places)
        is_odd[narrow.rows] = False
        none = self.schema.empty_table()
        certain = pa.concat_tables([none, *(each.certain for each in found)]).sort_by(SOURCE_LINE)
        explained = (narrow, *(rows for each in found for rows in each.explained))
        doubtful = self._reread(lines, np.flatnonzero(is_odd), places)
        return RegularRows(
            certain, explained, (doubtful, *(rows for each in found for rows in each.doubtful))
        )

    def are_rows(self, lines: Lines) -> Any:
        """True for each line, of as many fields as a row has, that is a row for sure."""
        texts = self._texts(lines, self._rows.width)
        if texts is None or texts.rows != len(lines):
            return np.zeros(len(lines), bool)
        _, doubts = self._arrow.read(texts, np.zeros(len(lines), np.int64))
        if doubts is None:
            return np.ones(len(lines), bool)
        return doubts.certain.to_numpy(zero_copy_only=False)

    def _texts(self, lines: Lines, width: int) -> Texts | None:
        return texts_of(lines, self._arrow, self._rows.delimiter, width)

    def _usual_widths(self, counts: Any) -> list[int]:
        """The header's width, and the one beyond it that most lines have; the latter is kept."""
        width = self._rows.width
        wider = np.bincount(counts[counts > width])
        found = [width] if (counts == width).any() else []
        if len(wider):
            self._usual_width = int(wider.argmax())
            found.append(self._usual_width)
        return found

    def _read_of_one_width(
        self, lines: Lines, places: Any, first_line: int, texts: Texts | None
    ) -> RegularRows:
        if texts is None or texts.rows != len(places):
            raise PipelineError(
                f"{self._name}: {len(places)} records after line {first_line} were "
                "not read back as that many rows; please report this file"
            )
        table, doubts = self._arrow.read(texts, places + first_line)
        raw = lines.texts()
        if self._with_raw:
            table = table.append_column(_RAW_FIELD, raw.filter(doubts.certain) if doubts else raw)
        if doubts is None:
            return RegularRows(table)
        explained = explained_rows(self._rows, texts, doubts, raw, places)
        others = np.setdiff1d(doubts.rows, explained.rows, assume_unique=True)
        return RegularRows(table, (explained,), (self._reread(lines, others, places),))

    def _reread(self, lines: Lines, indexes: Any, places: Any) -> DoubtfulRecords:
        """Single records by the slow reader, placed by their line in the block."""

        def read(part: slice) -> Iterator[Record]:
            for index in indexes[part].tolist():
                record = read_record(lines.physical(index), 0, self._rows, is_last_block=True)
                if record is not None:
                    yield record.at(int(places[index]))

        return DoubtfulRecords(places[indexes], read)


def texts_of(lines: Lines, arrow: ArrowChecks, delimiter: str, width: int) -> Texts | None:
    """The fields of regular lines that have so many each, as Arrow reads them; None: not all do."""
    text, is_marked = for_arrow(lines.text, delimiter, returns_end_lines=lines.returns_end_lines)
    return arrow.read_texts(
        text, width, hold_line_ends=lines.hold_line_ends, are_returns_marked=is_marked
    )


def field_counts(lines: Lines, delimiter: str) -> Any:
    """Fields of each line of regular text, 0 for a blank line."""
    buffer = np.frombuffer(lines.text, np.uint8)
    commas = np.flatnonzero(buffer == ord(delimiter))
    if b'"' in lines.text:
        commas = commas[np.searchsorted(lines.quotes, commas) % 2 == 0]
    counts = lines.counts(commas) + 1
    if (counts == 1).any():
        is_solid = np.logical_or.reduceat(IS_SOLID[buffer], lines.starts)
        counts[(counts == 1) & ~is_solid] = 0
    return counts
