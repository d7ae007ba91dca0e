"""The blocks of a source's file as columns of text, row by row, whatever is wrong with a row.

Where lines end, which quote is stray and what a record is, is decided as for plain files
(reading/segments.py); a row of another width has the cells that there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import PipelineError
from services.runtime.csv_files.advice import about_width
from services.runtime.csv_files.csv_records import (
    Problem,
    Record,
    fields_before_fault,
    read_record,
)
from services.runtime.csv_files.header import Header
from services.runtime.csv_files.texts import plain_text
from services.runtime.sources.compiled import CompiledSource
from services.validator.reading.arrow_checks import ArrowChecks, Texts
from services.validator.reading.arrow_texts import without_formulas
from services.validator.reading.file_text import BLANK_BYTES
from services.validator.reading.line_blocks import Block
from services.validator.reading.lines import Lines
from services.validator.reading.quarantined_rows import without_line_ends
from services.validator.reading.regular_rows import field_counts, texts_of
from services.validator.reading.segments import Segmenter, Segments
from services.validator.sources.row_layout import RowLayout
from services.validator.sources.source_text import holds_marks, restored_cells, restored_rows

LINE, ROW_TEXT = "line", "row_text"


@dataclass(frozen=True)
class Cells:
    """Rows in the order of the file; `table` as `Shaper.shape` takes it.

    `problems[n]` is what is wrong with row n as a record; such a row has the cells that are known,
    the others are NULL. `raw` are texts, each with its line end or without.
    """

    table: Any
    problems: dict[int, Problem]
    raw: Any
    goes_on: bool

    @property
    def lines(self) -> Any:
        """Where each row starts."""
        return self.table[LINE].combine_chunks().to_numpy()


class CellReader:
    """Feed it the blocks that follow the header, in order."""

    def __init__(
        self, name: str, compiled: CompiledSource, header: Header, first_line: int
    ) -> None:
        self._name, self._header = name, header
        self._quoting = compiled.source.file.quoting
        self._with_text = compiled.needs_row_text
        self._layout = RowLayout.of(compiled, header)
        self._arrow = ArrowChecks(header, None, ())
        self._segmenter = Segmenter(self._layout, self._are_rows)
        self._first_line = first_line

    def read(self, block: Block) -> Iterator[Cells]:
        """The rows of a block; a record that may go on in the next block waits for it."""
        for found in self._segmenter.segments(block):
            yield self._cells(found)
            self._first_line += found.line_count

    def _are_rows(self, lines: Lines) -> Any:
        """True for each line that is a row by itself."""
        records = [
            read_record(lines.physical(n), 0, self._layout, is_last_block=True)
            for n in range(len(lines))
        ]
        return np.array(
            [
                record is not None
                and record.fields is not None
                and record.problem is None
                and self._layout.is_healthy_row(record.fields)
                for record in records
            ],
            bool,
        )

    def _cells(self, found: Segments) -> Cells:
        parts = [*self._regular(found.regular, found.regular_lines)]
        records = list(found.exceptional)
        if found.broken is not None:
            texts = found.broken.texts().to_pylist()
            for place, code, text in zip(
                found.broken.places.tolist(), found.broken.codes.tolist(), texts, strict=True
            ):
                [problem] = found.broken.problems[code]
                records.append(Record(place, 1, text, None, problem))
        parts.append(self._single(records))
        parts = [part for part in parts if len(part.places)]
        part = _joined(parts) if len(parts) > 1 else (parts or [self._single([])])[0]
        columns, raw = part.columns, part.raw
        if self._quoting != "doubled" and holds_marks(_characters(raw)):
            columns, raw = [*map(restored_cells, columns)], restored_rows(raw, self._quoting)
        return Cells(self._table(columns, part.places, raw), part.problems, raw, found.is_paused)

    def _table(self, columns: list[Any], places: Any, raw: Any) -> Any:
        nothing = pa.nulls(len(places), pa.string())
        of_place = dict(zip(self._positions, columns, strict=True))
        arrays = [of_place.get(place, nothing) for place in range(self._header.width)]
        names = [f"c{place}" for place in range(self._header.width)]
        arrays.append(pa.array(places + self._first_line, pa.int64()))
        names.append(LINE)
        if self._with_text:
            arrays.append(without_line_ends(raw))
            names.append(ROW_TEXT)
        return pa.Table.from_arrays(arrays, names=names)

    @property
    def _positions(self) -> list[int]:
        return [place for place in self._header.positions if place is not None]

    def _regular(self, lines: Lines, places: Any) -> Iterator["_Part"]:
        """Lines of one record each: those of the header's width, and of the usual one beyond it."""
        if not lines.text.strip(BLANK_BYTES):
            return
        width = self._layout.width
        texts = texts_of(lines, self._arrow, self._layout.delimiter, width)
        if texts is not None and texts.rows == len(places):
            yield _Part(places, _shown(texts), lines.texts(), {})
            return
        counts = field_counts(lines, self._layout.delimiter)
        is_odd = counts != 0
        wider = np.bincount(counts[counts > width])
        for each in [width] + ([int(wider.argmax())] if len(wider) else []):
            has_width = counts == each
            if not has_width.any():
                continue
            some = lines.take(has_width)
            texts = texts_of(some, self._arrow, self._layout.delimiter, each)
            if texts is None or texts.rows != int(has_width.sum()):
                raise PipelineError(
                    f"{self._name}: {len(some)} records after line {self._first_line} were not "
                    "read back as that many rows; please report this file"
                )
            part = _Part(places[has_width], _shown(texts), some.texts(), {})
            is_odd &= ~has_width
            if each > width + self._layout.spare:
                for number in np.flatnonzero(~_all_of(texts.are_fitting, len(part.places))):
                    part.problems[int(number)] = self._width_problem(each, [])
            yield part
        odd = np.flatnonzero(is_odd).tolist()
        records = [
            record.at(int(places[index]))
            for index in odd
            if (record := read_record(lines.physical(index), 0, self._layout, is_last_block=True))
        ]
        yield self._single(records)

    def _single(self, records: Sequence[Record]) -> "_Part":
        """Records that were read one by one; blank ones are no rows."""
        found = [each for each in records if each.fields or each.problem]
        rows, problems = [], {}
        for number, record in enumerate(found):
            fields = list(record.fields or ())
            if record.problem:
                problems[number] = record.problem
                delimiter = self._layout.delimiter
                fields = fields or fields_before_fault(record.raw.split("\n", 1)[0], delimiter)
            elif len(fields) != self._layout.width:
                problems[number] = self._width_problem(len(fields), fields)
            rows.append([plain_text(cell) for cell in fields[: self._layout.width]])
        columns = [
            pa.array([row[place] if place < len(row) else None for row in rows], pa.string())
            for place in self._positions
        ]
        raw = pa.array([record.raw for record in found], pa.string())
        return _Part(np.array([each.first for each in found], np.int64), columns, raw, problems)

    def _width_problem(self, count: int, fields: Sequence[str]) -> Problem:
        has = f"{count} {'field' if count == 1 else 'fields'}"
        why = about_width(fields or [""] * count, self._layout.width, self._layout.delimiter)
        text = f"the row has {has}, the header has {self._layout.width}: {why}"
        return Problem("record.fields", text)


@dataclass(frozen=True)
class _Part:
    """Some rows: where they are in the block, the cells that are used, and what they say."""

    places: Any
    columns: list[Any]
    raw: Any
    problems: dict[int, Problem]


def _joined(parts: Sequence[_Part]) -> _Part:
    """All rows of several, in the order of the file."""
    places = np.concatenate([part.places for part in parts])
    order = np.argsort(places, kind="stable")
    place_of = np.empty(len(order), np.int64)
    place_of[order] = np.arange(len(order))
    starts = np.cumsum([0, *(len(part.places) for part in parts)])
    taken = pa.array(order)
    return _Part(
        places[order],
        [
            pa.concat_arrays([part.columns[n] for part in parts]).take(taken)
            for n in range(len(parts[0].columns))
        ],
        pa.concat_arrays([part.raw for part in parts]).take(taken),
        {
            int(place_of[start + row]): problem
            for part, start in zip(parts, starts.tolist(), strict=False)
            for row, problem in part.problems.items()
        },
    )


def _shown(texts: Texts) -> list[Any]:
    """The cells as a spreadsheet shows them: `="00123"` is 00123."""
    if not texts.held.has_formulas:
        return texts.columns
    return [*map(without_formulas, texts.columns)]


def _all_of(masks: Sequence[Any], rows: int) -> Any:
    fitting = np.ones(rows, bool)
    for mask in masks:
        fitting &= pc.fill_null(mask, True).to_numpy(zero_copy_only=False)
    return fitting


def _characters(texts: Any) -> bytes:
    buffer = texts.buffers()[2]
    return buffer.to_pybytes() if buffer is not None else b""
