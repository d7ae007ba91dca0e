"""Blocks of a file's rows through both paths, in order: accepted rows as Arrow, bad rows named.

The fast path takes what is certainly right; every other record is judged by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import PipelineError
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import Problem, Record, read_record
from services.runtime.csv_files.row_checks import OTHER_HEADER_RULE, RowChecks, Value
from services.runtime.csv_files.rule_names import rule_named
from services.validator.reading.arrow_checks import SOURCE_LINE, ArrowChecks, Texts
from services.validator.reading.file_text import count_byte
from services.validator.reading.line_blocks import Block, line_end_after
from services.validator.reading.lines import Lines
from services.validator.reading.quarantined_rows import QuarantinedRow, QuarantinedRows, bounded
from services.validator.reading.record_shapes import for_arrow
from services.validator.reading.segments import Segments, field_counts, segment
from services.validator.reading.explained_rows import Told, told_narrow_rows, told_rows

RAW = "raw"
"""The column of a row's own text, where it is asked for."""

PORTION_ROWS = 1 << 14
MAX_LINES = 1 << 20
PORTION_BYTES = 1 << 20
"""What bounds memory where rows are very short or nearly all bad."""


@dataclass(frozen=True)
class CheckedBlock:
    """What came of one block, or of a part of it: `rows_in` counts its records.

    `goes_on`: whether more of the block follows.
    """

    accepted: Any
    quarantined: QuarantinedRows
    goes_on: bool = False

    @property
    def rows_in(self) -> int:
        """Each record is one of the two."""
        return int(self.accepted.num_rows) + len(self.quarantined)


@dataclass(frozen=True)
class _Doubtful:
    """Records to be judged one by one; `read` gives a part of them, in order.

    `places` are the lines that they start in, in order.
    """

    places: Any
    read: Callable[[slice], Iterator[Record]]

    def between(self, low: int, high: int) -> Iterator[Record]:
        """Those in the lines from `low` to before `high`."""
        return self.read(slice(*np.searchsorted(self.places, (low, high)).tolist()))

    @classmethod
    def of(cls, records: tuple[Record, ...]) -> "_Doubtful":
        """Records that are read already."""
        places = np.array([record.first for record in records], np.int64)
        return cls(places, lambda part: iter(records[part]))


@dataclass(frozen=True)
class _Regular:
    """What came of lines of one record each: certain rows, those told to be bad, and the others."""

    certain: Any
    told: tuple[Told, ...] = ()
    doubtful: tuple[_Doubtful, ...] = ()


class BlockChecker:
    """Feed it the blocks that follow the header, in order.

    `with_raw` gives accepted rows their text too, in a column of its own; it may end in the line's
    end.
    """

    def __init__(
        self,
        name: str,
        label: str,
        rows: RowChecks,
        arrow: ArrowChecks,
        first_line: int,
        *,
        with_raw: bool = False,
    ) -> None:
        self._name, self._label = name, label
        self._rows, self._arrow = rows, arrow
        self._first_line = first_line
        self._usual_width = rows.width
        self._with_raw = with_raw
        self._schema = arrow.schema.append(_RAW_FIELD) if with_raw else arrow.schema
        self._rest = b""

    def check(self, block: Block) -> Iterator[CheckedBlock]:
        """Judge the records of a block; one that may go on in the next block waits for it.

        Bad rows are given in portions, all of a portion's rows before those of the next.
        """
        for text, is_last in _portions(block):
            waiting = self._rest + text
            while True:
                found = segment(
                    waiting,
                    self._rows,
                    self._are_rows,
                    is_last_block=is_last,
                    returns_end_lines=block.returns_end_lines,
                )
                yield from self._checked(found)
                self._first_line += found.line_count
                waiting = found.rest
                if not found.is_paused:
                    break
            self._rest = waiting

    def _checked(self, found: Segments) -> Iterator[CheckedBlock]:
        regular = self._read_regular(found.regular, found.regular_lines)
        told = (*regular.told, *([found.broken] if found.broken else []))
        doubtful = (*regular.doubtful, _Doubtful.of(found.exceptional))
        certain, none = regular.certain, self._schema.empty_table()
        tables = [certain]
        places = np.sort(
            np.concatenate([*(each.places for each in told), *(each.places for each in doubtful)])
        )
        low = 0
        for high in (*places[PORTION_ROWS::PORTION_ROWS].tolist(), None):
            end = found.line_count if high is None else high
            records = [each.between(low, end) for each in doubtful]
            accepted, judged = self._judged(merge(*records, key=attrgetter("first")))
            if accepted:
                tables.append(self._table(accepted))
            bad = [self._rows_of(each.between(low, end)) for each in told]
            rows = QuarantinedRows.joined([*bad, QuarantinedRows.of(judged)])
            if high is not None:
                yield CheckedBlock(none, rows, goes_on=True)
            low = end
        if len(tables) > 1:
            certain = pa.concat_tables(tables).sort_by(SOURCE_LINE)
        yield CheckedBlock(certain, rows, goes_on=found.is_paused)

    def _judged(self, records: Iterator[Record]) -> tuple[list[list[Value]], list[QuarantinedRow]]:
        """The values of those that are right, and those that are bad."""
        accepted: list[list[Value]] = []
        quarantined: list[QuarantinedRow] = []
        for record in records:
            values, problems = self._judge(record)
            if problems:
                quarantined.append(self._quarantined(record, problems))
            elif values:
                line = self._first_line + record.first
                accepted.append([*values, line, *([record.raw] if self._with_raw else [])])
        return accepted, quarantined

    def _judge(self, record: Record) -> tuple[list[Value], list[Problem]]:
        """Values or problems; neither for a blank line."""
        if record.problem:
            return [], [record.problem]
        if not record.fields:
            return [], []
        values, problems = self._rows.read(record.fields)
        if problems and problems[0].rule == OTHER_HEADER_RULE:
            line = self._first_line + record.first
            raise BadFile(OTHER_HEADER_RULE, f"line {line} {problems[0].text}")
        return values, problems

    def _read_regular(self, lines: Lines, line_indexes: Any) -> _Regular:
        """All lines but blank ones."""
        if not lines.text:
            return _Regular(self._schema.empty_table())
        texts = self._texts(lines, self._usual_width)
        if texts is not None and texts.rows == len(line_indexes):
            return self._read_of_one_width(lines, line_indexes, texts)
        found: list[_Regular] = []
        counts = field_counts(lines, self._rows.delimiter)
        is_odd = counts != 0
        for width in self._usual_widths(counts):
            has_width = counts == width
            is_odd &= ~has_width
            some = lines.take(has_width)
            texts = self._texts(some, width)
            found.append(self._read_of_one_width(some, line_indexes[has_width], texts))
        narrow = told_narrow_rows(self._rows, counts * is_odd, lines.texts(), line_indexes)
        is_odd[narrow.rows] = False
        none = self._schema.empty_table()
        certain = pa.concat_tables([none, *(each.certain for each in found)]).sort_by(SOURCE_LINE)
        told = (narrow, *(rows for each in found for rows in each.told))
        doubtful = self._reread(lines, np.flatnonzero(is_odd), line_indexes)
        return _Regular(
            certain, told, (doubtful, *(rows for each in found for rows in each.doubtful))
        )

    def _are_rows(self, lines: Lines) -> Any:
        """True for each line, of as many fields as a row has, that is a row for sure."""
        texts = self._texts(lines, self._rows.width)
        if texts is None or texts.rows != len(lines):
            return np.zeros(len(lines), bool)
        _, doubts = self._arrow.read(texts, np.zeros(len(lines), np.int64))
        if doubts is None:
            return np.ones(len(lines), bool)
        return doubts.certain.to_numpy(zero_copy_only=False)

    def _texts(self, lines: Lines, width: int) -> Texts | None:
        text, is_marked = for_arrow(
            lines.text, self._rows.delimiter, returns_end_lines=lines.returns_end_lines
        )
        return self._arrow.read_texts(
            text, width, hold_line_ends=lines.hold_line_ends, are_returns_marked=is_marked
        )

    def _usual_widths(self, counts: Any) -> list[int]:
        """The header's width, and the one beyond it that most lines have; the latter is kept."""
        width = self._rows.width
        wider = np.bincount(counts[counts > width])
        found = [width] if (counts == width).any() else []
        if len(wider):
            self._usual_width = int(wider.argmax())
            found.append(self._usual_width)
        return found

    def _read_of_one_width(self, lines: Lines, line_indexes: Any, texts: Texts | None) -> _Regular:
        if texts is None or texts.rows != len(line_indexes):
            raise PipelineError(
                f"{self._name}: {len(line_indexes)} records after line {self._first_line} were "
                "not read back as that many rows; please report this file"
            )
        table, doubts = self._arrow.read(texts, line_indexes + self._first_line)
        raw = lines.texts()
        if self._with_raw:
            table = table.append_column(_RAW_FIELD, raw.filter(doubts.certain) if doubts else raw)
        if doubts is None:
            return _Regular(table)
        told = told_rows(self._rows, texts, doubts, raw, line_indexes)
        others = np.setdiff1d(doubts.rows, told.rows, assume_unique=True)
        return _Regular(table, (told,), (self._reread(lines, others, line_indexes),))

    def _reread(self, lines: Lines, indexes: Any, line_indexes: Any) -> _Doubtful:
        """Single records by the slow reader, placed by their line in the block."""

        def read(part: slice) -> Iterator[Record]:
            for index in indexes[part].tolist():
                record = read_record(lines.physical(index), 0, self._rows, is_last_block=True)
                if record is not None:
                    yield record.at(int(line_indexes[index]))

        return _Doubtful(line_indexes[indexes], read)

    def _table(self, accepted: list[list[Value]]) -> Any:
        """Rows that the slow path accepted."""
        columns = [list(column) for column in zip(*accepted, strict=True)]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _quarantined(self, record: Record, problems: list[Problem]) -> QuarantinedRow:
        line = self._first_line + record.first
        return QuarantinedRow(
            line=line,
            column=problems[0].column,
            rule=problems[0].rule,
            message=f"{self._name} line {line}: {self._said(problems)}",
            raw=bounded(record.raw),
        )

    def _said(self, problems: Sequence[Problem]) -> str:
        texts = [f"{problem.text}{rule_named(problem.rule, self._label)}" for problem in problems]
        return "; ".join(texts)

    def _rows_of(self, told: Told) -> QuarantinedRows:
        """The same rows as `_quarantined` makes one by one."""
        distinct, codes = np.unique(told.codes, return_inverse=True)
        problems = [told.problems[code] for code in distinct.tolist()]
        taken = pa.array(codes)

        def each(values: Iterable[str | None]) -> Any:
            return pa.array(values, pa.string()).take(taken)

        lines = pa.array(told.places + self._first_line, pa.int64())
        said = each(map(self._said, problems))
        return QuarantinedRows.by_columns(
            lines,
            each(of[0].column for of in problems),
            each(of[0].rule for of in problems),
            pc.binary_join_element_wise(
                f"{self._name} line ", pc.cast(lines, pa.string()), ": ", said, ""
            ),
            told.raw.take(pa.array(told.rows)),
        )


_RAW_FIELD = pa.field(RAW, pa.string())


def _portions(block: Block) -> Iterator[tuple[bytes, bool]]:
    """The block, in pieces when its lines are so short that what is held of each one adds up."""
    text = block.text
    if len(text) <= MAX_LINES or count_byte(text, b"\n") + text.count(b"\r") <= MAX_LINES:
        yield text, block.is_last
        return
    start = 0
    while len(text) - start > PORTION_BYTES:
        end = line_end_after(text, start + PORTION_BYTES, returns_end_lines=block.returns_end_lines)
        yield text[start:end], block.is_last and end == len(text)
        start = end
    if start < len(text):
        yield text[start:], block.is_last
