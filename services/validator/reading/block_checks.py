"""Blocks of a file's rows through both paths, in order: accepted rows as Arrow, bad rows named.

The fast path takes what is certainly right; every other record is judged by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import Problem, Record
from services.runtime.csv_files.row_checks import OTHER_HEADER_RULE, RowChecks, Value
from services.validator.reading.arrow_checks import SOURCE_LINE, ArrowChecks
from services.validator.reading.explained_rows import ExplainedRows
from services.validator.reading.line_blocks import Block
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.regular_rows import DoubtfulRecords, RegularReader
from services.validator.reading.row_messages import RowMessages
from services.validator.reading.segments import Segmenter, Segments

PORTION_ROWS = 1 << 14
"""Rows that are judged or explained at once: it bounds memory where nearly all are bad."""


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
        self._rows, self._messages = rows, RowMessages(name, label)
        self._regular = RegularReader(name, rows, arrow, with_raw=with_raw)
        self._with_raw, self._schema = with_raw, self._regular.schema
        self._segmenter = Segmenter(rows, self._regular.are_rows)
        self._first_line = first_line

    def check(self, block: Block) -> Iterator[CheckedBlock]:
        """Judge the records of a block; one that may go on in the next block waits for it.

        Bad rows are given in portions, all of a portion's rows before those of the next.
        """
        for found in self._segmenter.segments(block):
            yield from self._checked(found)
            self._first_line += found.line_count

    def _checked(self, found: Segments) -> Iterator[CheckedBlock]:
        regular = self._regular.read(found.regular, found.regular_lines, self._first_line)
        explained = (*regular.explained, *([found.broken] if found.broken else []))
        doubtful = (*regular.doubtful, DoubtfulRecords.of(found.exceptional))
        certain, none = regular.certain, self._schema.empty_table()
        tables = [certain]
        places = [each.places for each in explained] + [each.places for each in doubtful]
        edges = np.sort(np.concatenate(places))[PORTION_ROWS::PORTION_ROWS]
        low = 0
        for high in (*edges.tolist(), None):
            end = found.line_count if high is None else high
            records = [each.between(low, end) for each in doubtful]
            accepted, judged = self._judged(merge(*records, key=attrgetter("first")))
            if accepted:
                tables.append(self._table(accepted))
            bad = [self._quarantined(each.between(low, end)) for each in explained]
            rows = QuarantinedRows.joined([*bad, judged])
            if high is not None:
                yield CheckedBlock(none, rows, goes_on=True)
            low = end
        if len(tables) > 1:
            certain = pa.concat_tables(tables).sort_by(SOURCE_LINE)
        yield CheckedBlock(certain, rows, goes_on=found.is_paused)

    def _quarantined(self, rows: ExplainedRows) -> QuarantinedRows:
        lines = rows.places + self._first_line
        return self._messages.of(lines, rows.problems, rows.codes, rows.texts())

    def _judged(self, records: Iterator[Record]) -> tuple[list[list[Value]], QuarantinedRows]:
        """The values of those that are right, and those that are bad."""
        accepted: list[list[Value]] = []
        lines: list[int] = []
        problems: list[Sequence[Problem]] = []
        texts: list[str] = []
        for record in records:
            line = self._first_line + record.first
            values, found = self._judge(record, line)
            if found:
                lines.append(line)
                problems.append(found)
                texts.append(record.raw)
            elif values:
                accepted.append([*values, line, *([record.raw] if self._with_raw else [])])
        raw = pa.array(texts, pa.string())
        return accepted, self._messages.of(lines, problems, np.arange(len(lines)), raw)

    def _judge(self, record: Record, line: int) -> tuple[list[Value], list[Problem]]:
        """Values or problems; neither for a blank line."""
        if record.problem:
            return [], [record.problem]
        if not record.fields:
            return [], []
        values, problems = self._rows.read(record.fields)
        if problems and problems[0].rule == OTHER_HEADER_RULE:
            raise BadFile(OTHER_HEADER_RULE, f"line {line} {problems[0].text}")
        return values, problems

    def _table(self, accepted: list[list[Value]]) -> Any:
        """Rows that the slow path accepted."""
        columns = [list(column) for column in zip(*accepted, strict=True)]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)
