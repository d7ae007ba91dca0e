"""Blocks of a file's rows through both paths, in order: accepted rows as Arrow, bad rows named.

The fast path takes what is certainly right; every other record is judged by itself.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.errors import PipelineError
from services.validator.arrow_checks import SOURCE_LINE, ArrowChecks
from services.validator.csv_records import Problem, Record, read_record
from services.validator.line_blocks import Block
from services.validator.row_checks import RowChecks, Value
from services.validator.segments import Lines, field_counts, segment, take_lines

MAX_RAW_BYTES = 64 << 10
"""Raw text kept of a quarantined record; what is longer is cut and says so."""


@dataclass(frozen=True)
class QuarantinedRow:
    """One record that was not accepted: where it is, what it says, which rule it breaks."""

    line: int
    column: str | None
    rule: str
    message: str
    raw: str


@dataclass(frozen=True)
class CheckedBlock:
    """What came of one block: `rows_in` counts its records."""

    accepted: Any
    quarantined: tuple[QuarantinedRow, ...]
    rows_in: int


class BlockChecker:
    """Feed it the blocks that follow the header, in order."""

    def __init__(
        self, name: str, label: str, rows: RowChecks, arrow: ArrowChecks, first_line: int
    ) -> None:
        self._name, self._label = name, label
        self._rows, self._arrow = rows, arrow
        self._first_line = first_line
        self._rest = b""

    def check(self, block: Block) -> CheckedBlock:
        """Judge the records of a block; one that may go on in the next block waits for it."""
        found = segment(self._rest + block.text, self._rows, is_last_block=block.is_last)
        certain, doubtful = self._read_regular(found.regular, found.regular_lines)
        records = sorted([*doubtful, *found.exceptional], key=lambda record: record.first)
        accepted: list[list[Value]] = []
        quarantined: list[QuarantinedRow] = []
        for record in records:
            values, problems = self._judge(record)
            if problems:
                quarantined.append(self._quarantined(record, problems))
            elif values:
                accepted.append([*values, self._first_line + record.first])
        self._first_line += found.line_count
        self._rest = found.rest
        rows_in = certain.num_rows + len(accepted) + len(quarantined)
        return CheckedBlock(self._merged(certain, accepted), tuple(quarantined), rows_in)

    def _judge(self, record: Record) -> tuple[list[Value], list[Problem]]:
        """Values or problems; neither for a blank line."""
        if record.problem:
            return [], [record.problem]
        return self._rows.read(record.fields) if record.fields else ([], [])

    def _read_regular(self, text: bytes, line_indexes: Any) -> tuple[Any, list[Record]]:
        """The certain rows, and a record for each other line that is not blank."""
        doubtful: list[Record] = []
        texts = self._arrow.read_texts(text) if text else None
        if text and (texts is None or len(texts[0]) != len(line_indexes)):
            lines = Lines(text)
            counts = field_counts(lines)
            odd = np.flatnonzero((counts != self._rows.width) & (counts != 0))
            doubtful = self._reread(lines, odd, line_indexes)
            text = take_lines(lines, counts == self._rows.width)
            line_indexes = line_indexes[counts == self._rows.width]
            texts = self._arrow.read_texts(text) if text else None
        if not text:
            return self._arrow.schema.empty_table(), doubtful
        if texts is None or len(texts[0]) != len(line_indexes):
            raise PipelineError(
                f"{self._name}: {len(line_indexes)} records after line {self._first_line} were "
                "not read back as that many rows; please report this file"
            )
        table, certain = self._arrow.read(texts, line_indexes + self._first_line)
        if table.num_rows < len(line_indexes):
            uncertain = np.flatnonzero(~certain.to_numpy(zero_copy_only=False))
            doubtful += self._reread(Lines(text), uncertain, line_indexes)
        return table, doubtful

    def _reread(self, lines: Lines, indexes: Any, line_indexes: Any) -> list[Record]:
        """Single records by the slow reader, placed by their line in the block."""
        found = []
        for index in indexes.tolist():
            record = read_record([lines[index]], 0, self._rows, is_last_block=True)
            if record is not None:
                found.append(replace(record, first=int(line_indexes[index])))
        return found

    def _merged(self, certain: Any, accepted: list[list[Value]]) -> Any:
        """All accepted rows of the block, in the order of their lines."""
        if not accepted:
            return certain
        columns = [list(column) for column in zip(*accepted, strict=True)]
        judged = pa.Table.from_arrays(
            [
                pa.array(column, field.type)
                for column, field in zip(columns, self._arrow.schema, strict=True)
            ],
            schema=self._arrow.schema,
        )
        return pa.concat_tables([certain, judged]).sort_by(SOURCE_LINE)

    def _quarantined(self, record: Record, problems: list[Problem]) -> QuarantinedRow:
        line = self._first_line + record.first
        texts = [f"{problem.text} (rule {problem.rule}, {self._label})" for problem in problems]
        return QuarantinedRow(
            line=line,
            column=problems[0].column,
            rule=problems[0].rule,
            message=f"{self._name} line {line}: {'; '.join(texts)}",
            raw=bounded(record.raw),
        )


def bounded(raw: str) -> str:
    """The text, cut to 64 KiB of UTF-8 and marked when it is longer."""
    encoded = raw.encode()
    if len(encoded) <= MAX_RAW_BYTES:
        return raw
    kept = encoded[:MAX_RAW_BYTES].decode(errors="ignore")
    return f"{kept}… [cut: the record is longer than {MAX_RAW_BYTES:,} bytes]"
