"""Blocks of a file's rows through both paths, in order: accepted rows as Arrow, bad rows named.

The fast path takes what is certainly right; every other record is judged by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from contracts.csv_files.bad_file import BadFile
from contracts.csv_files.csv_records import Problem, Record, read_record
from contracts.csv_files.row_checks import OTHER_HEADER_RULE, RowChecks, Value
from contracts.csv_files.rule_names import rule_named
from contracts.errors import PipelineError
from services.validator.arrow_checks import SOURCE_LINE, ArrowChecks, Texts
from services.validator.file_text import count_byte
from services.validator.line_blocks import Block, line_end_after
from services.validator.record_shapes import for_arrow
from services.validator.segments import Lines, Segments, field_counts, segment

MAX_RAW_BYTES = 64 << 10
"""Raw text kept of a quarantined record; what is longer is cut and says so."""

MAX_BYTES_OF_A_CHARACTER = 4

RAW = "raw"
"""The column of a row's own text, where it is asked for."""

PORTION_ROWS = 1 << 14
MAX_LINES = 1 << 20
PORTION_BYTES = 1 << 20
"""What bounds memory where rows are very short or nearly all bad."""


class QuarantinedRow(NamedTuple):
    """One record that was not accepted: where it is, what it says, which rule it breaks."""

    line: int
    column: str | None
    rule: str
    message: str
    raw: str


@dataclass(frozen=True)
class CheckedBlock:
    """What came of one block, or of a part of it: `rows_in` counts its records.

    `goes_on`: whether more of the block follows.
    """

    accepted: Any
    quarantined: tuple[QuarantinedRow, ...]
    goes_on: bool = False

    @property
    def rows_in(self) -> int:
        """Each record is one of the two."""
        return int(self.accepted.num_rows) + len(self.quarantined)


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
        certain, doubtful = self._read_regular(found.regular, found.regular_lines)
        none = self._schema.empty_table()
        tables: list[Any] = []
        accepted: list[list[Value]] = []
        quarantined: list[QuarantinedRow] = []
        for record in merge(*doubtful, found.exceptional, key=attrgetter("first")):
            if len(quarantined) == PORTION_ROWS:
                yield CheckedBlock(none, tuple(quarantined), goes_on=True)
                quarantined.clear()
            values, problems = self._judge(record)
            if problems:
                quarantined.append(self._quarantined(record, problems))
            elif values:
                line = self._first_line + record.first
                accepted.append([*values, line, *([record.raw] if self._with_raw else [])])
            if len(accepted) == PORTION_ROWS:
                tables.append(self._table(accepted))
                accepted.clear()
        if accepted:
            tables.append(self._table(accepted))
        if tables:
            certain = pa.concat_tables([certain, *tables]).sort_by(SOURCE_LINE)
        yield CheckedBlock(certain, tuple(quarantined), goes_on=found.is_paused)

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

    def _read_regular(
        self, lines: Lines, line_indexes: Any
    ) -> tuple[Any, tuple[Iterator[Record], ...]]:
        """The certain rows, and records for the other lines that are not blank, in order."""
        if not lines.text:
            return self._schema.empty_table(), ()
        texts = self._texts(lines, self._usual_width)
        if texts is not None and texts.rows == len(line_indexes):
            return self._read_of_one_width(lines, line_indexes, texts)
        tables = [self._schema.empty_table()]
        doubtful: list[Iterator[Record]] = []
        counts = field_counts(lines, self._rows.delimiter)
        is_odd = counts != 0
        for width in self._usual_widths(counts):
            has_width = counts == width
            is_odd &= ~has_width
            some = lines.take(has_width)
            texts = self._texts(some, width)
            table, records = self._read_of_one_width(some, line_indexes[has_width], texts)
            tables.append(table)
            doubtful += records
        doubtful.append(self._reread(lines, np.flatnonzero(is_odd), line_indexes))
        return pa.concat_tables(tables).sort_by(SOURCE_LINE), tuple(doubtful)

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

    def _read_of_one_width(
        self, lines: Lines, line_indexes: Any, texts: Texts | None
    ) -> tuple[Any, tuple[Iterator[Record], ...]]:
        if texts is None or texts.rows != len(line_indexes):
            raise PipelineError(
                f"{self._name}: {len(line_indexes)} records after line {self._first_line} were "
                "not read back as that many rows; please report this file"
            )
        table, certain = self._arrow.read(texts, line_indexes + self._first_line)
        if self._with_raw:
            raw = _texts_of(lines)
            raw = raw if certain is None else raw.filter(certain)
            table = table.append_column(_RAW_FIELD, raw)
        if certain is None:
            return table, ()
        uncertain = np.flatnonzero(~certain.to_numpy(zero_copy_only=False))
        return table, (self._reread(lines, uncertain, line_indexes),)

    def _reread(self, lines: Lines, indexes: Any, line_indexes: Any) -> Iterator[Record]:
        """Single records by the slow reader, placed by their line in the block."""
        for index in indexes.tolist():
            record = read_record(lines.physical(index), 0, self._rows, is_last_block=True)
            if record is not None:
                yield record.at(int(line_indexes[index]))

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
        texts = [f"{problem.text}{rule_named(problem.rule, self._label)}" for problem in problems]
        return QuarantinedRow(
            line=line,
            column=problems[0].column,
            rule=problems[0].rule,
            message=f"{self._name} line {line}: {'; '.join(texts)}",
            raw=bounded(record.raw),
        )


_RAW_FIELD = pa.field(RAW, pa.string())


def _texts_of(lines: Lines) -> Any:
    edges = np.concatenate(([0], lines.ends)).astype(np.int32)
    buffers = (pa.py_buffer(edges), pa.py_buffer(lines.text))
    return pa.StringArray.from_buffers(len(lines), *buffers)


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


def bounded(raw: str) -> str:
    """The text, cut to 64 KiB of UTF-8 and marked when it is longer."""
    if len(raw) * MAX_BYTES_OF_A_CHARACTER <= MAX_RAW_BYTES:
        return raw
    encoded = raw.encode()
    if len(encoded) <= MAX_RAW_BYTES:
        return raw
    kept = encoded[:MAX_RAW_BYTES].decode(errors="ignore")
    return f"{kept}… [cut: the record is longer than {MAX_RAW_BYTES:,} bytes]"
