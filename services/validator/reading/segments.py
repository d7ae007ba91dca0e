"""Which lines of a block are one well-formed record each, found without reading them one by one.

Only the other lines (a quote that needs thought, a stray carriage return, a NUL byte, far too
long) are read by `csv_records.py`, in order; the result is what reading every line in order would
give.

In a file whose lines end in LF or CRLF, a line holding a CR alone is first read as it stands. If
that gives no row of the right width, or if all parts between CRs are healthy rows or blank, those
CRs end lines: each part is a physical line with a number of its own, and no record goes on from
the last part into the next line. Otherwise the CR is content: one line, one row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.errors import PipelineError
from services.runtime.csv_files.csv_records import (
    MAX_RECORD_BYTES,
    Record,
    is_split_by_returns,
    read_record,
)
from services.validator.reading.broken_lines import PROBLEMS, AreRows, broken_lines
from services.validator.reading.explained_rows import ExplainedRows
from services.validator.reading.file_text import count_line_ends
from services.validator.reading.line_blocks import Block, portions
from services.validator.reading.lines import Lines
from services.validator.reading.quick_records import QuickRecords
from services.validator.reading.record_shapes import RowLayout, shapes_of

_PROBE_BYTES = MAX_RECORD_BYTES // 2

MAX_EXCEPTIONAL = 1 << 16
"""Records read one by one before a text is left for the next round: they are large in memory."""


@dataclass(frozen=True)
class Segments:
    """`regular` holds one record a line, `regular_lines[n]` being where its n-th one starts.

    `broken` are lines that need no reading to be known as no record, `exceptional` the records that
    were read one by one; `rest` is what is not read yet: it may go on in the next block, or
    `is_paused` because there are very many exceptional ones.
    """

    regular: Lines
    regular_lines: Any
    exceptional: tuple[Record, ...]
    line_count: int
    broken: ExplainedRows | None = None
    rest: bytes = b""
    is_paused: bool = False


def segment(
    text: bytes,
    layout: RowLayout,
    are_rows: AreRows,
    *,
    is_last_block: bool,
    returns_end_lines: bool = False,
) -> Segments:
    """Split a text that starts at a record and ends with a line end."""
    lines = Lines(text, returns_end_lines=returns_end_lines)
    if _is_plain(text, returns_end_lines):
        count = count_line_ends(text, returns_end_lines=returns_end_lines)
        return Segments(lines, np.arange(count), (), count)
    for may_go_on in (True, False):
        shapes = shapes_of(lines, layout, returns_end_lines=returns_end_lines, may_go_on=may_go_on)
        verdicts = broken_lines(
            lines, layout, shapes.suspects, are_rows, returns_end_lines=returns_end_lines
        )
        reading = _Reading(
            lines, layout, shapes.goes_on, verdicts, is_last_block, may_split=not returns_end_lines
        )
        if reading.read(np.flatnonzero(shapes.suspects & (verdicts == 0)).tolist()):
            break
    return reading.result()


class Segmenter:
    """The blocks of one file, in order, as segments."""

    def __init__(self, layout: RowLayout, are_rows: AreRows) -> None:
        self._layout, self._are_rows = layout, are_rows
        self._rest = b""

    def segments(self, block: Block) -> Iterator[Segments]:
        """Of a block, with what was left of the one before; a record that may go on waits."""
        for text, is_last in portions(block):
            waiting = self._rest + text
            while True:
                found = segment(
                    waiting,
                    self._layout,
                    self._are_rows,
                    is_last_block=is_last,
                    returns_end_lines=block.returns_end_lines,
                )
                yield found
                waiting = found.rest
                if not found.is_paused:
                    break
            self._rest = waiting


class _Reading:
    """The suspects of a text, read in order, but those for which there are `verdicts` already.

    `read_to` is the first line not read yet; `added[n]` lines were found within line n - 1, so
    that a line's number is its index and what was added up to it.
    """

    def __init__(
        self,
        lines: Lines,
        layout: RowLayout,
        goes_on: Any,
        verdicts: Any,
        is_last_block: bool,
        *,
        may_split: bool,
    ) -> None:
        self._lines, self._layout, self._goes_on = lines, layout, goes_on
        self._is_last_block, self._may_split = is_last_block, may_split
        self._verdicts = verdicts
        self._exceptional: list[Record] = []
        self._kept = np.ones(len(lines), dtype=bool)
        self._added: dict[int, int] = {}
        self._added_lines = 0
        self._read_to = len(lines)
        self._is_paused = False
        is_usual = may_split and layout.width > 1 and not layout.spare
        self._quick = QuickRecords(lines.text, layout) if is_usual else None

    def read(self, suspects: list[int]) -> bool:
        """Read each suspect that no record before it has taken.

        False where one ends amid the lines of a record that was thought to be whole: it is not.
        """
        free = 0
        for suspect in suspects:
            if suspect < free:
                continue
            self._is_paused = len(self._exceptional) >= MAX_EXCEPTIONAL
            free = suspect if self._is_paused else self._read_one(suspect)
            if free == suspect:
                self._read_to = suspect
                return True
            if self._goes_on[free - 1]:
                return False
        return True

    def _read_one(self, index: int) -> int:
        """The line after the record; the same line when it may go on in the next block."""
        start = int(self._lines.starts[index])
        record = (self._quick and self._quick.at(start, index)) or read_record(
            self._lines, index, self._layout, is_last_block=self._is_last_block
        )
        if record is None:
            return index
        if self._may_split and is_split_by_returns(record, self._lines[index], self._layout):
            return self._read_parts(index)
        self._add(record)
        after = index + record.line_count
        self._kept[index:after] = False
        self._verdicts[index:after] = 0
        return after

    def _read_parts(self, index: int) -> int:
        """A line that is several: its parts hold all of its records."""
        parts = Lines(self._lines[index], returns_end_lines=True)
        at = 0
        while at < len(parts):
            record = read_record(parts, at, self._layout, is_last_block=True)
            if record is None:
                raise PipelineError("a record was left open in a closed line; please report this")
            self._add(record.at(index + at))
            at += record.line_count
        self._added[index + 1] = len(parts) - 1
        self._added_lines += len(parts) - 1
        self._kept[index] = False
        return index + 1

    def _add(self, record: Record) -> None:
        shift = self._added_lines
        self._exceptional.append(record.at(record.first + shift) if shift else record)

    def result(self) -> Segments:
        """What was found in the lines that were read."""
        is_broken = self._verdicts[: self._read_to] > 0
        kept = self._kept[: self._read_to] & ~is_broken
        goes_on = self._goes_on[: self._read_to]
        is_start = kept.copy()
        is_start[1:] &= ~goes_on[:-1]
        regular_lines, rows = np.flatnonzero(is_start), np.flatnonzero(is_broken)
        broken = None
        if len(rows):
            codes = self._verdicts[rows]
            broken = ExplainedRows(rows.copy(), codes, PROBLEMS, self._lines.texts(), rows)
        if self._added:
            added = np.zeros(self._read_to + 1, dtype=np.int64)
            added[list(self._added)] = list(self._added.values())
            shifts = np.cumsum(added)
            regular_lines += shifts[regular_lines]
            if broken:
                broken.places[:] += shifts[rows]
        is_whole = self._read_to == len(self._lines)
        return Segments(
            regular=self._lines.take(kept).joined(goes_on[kept]),
            regular_lines=regular_lines,
            exceptional=tuple(self._exceptional),
            line_count=self._read_to + self._added_lines,
            broken=broken,
            rest=b"" if is_whole else self._lines.text[self._lines.starts[self._read_to] :],
            is_paused=self._is_paused,
        )


def _is_plain(text: bytes, returns_end_lines: bool) -> bool:
    """No quote, no NUL, no CR that needs thought, no line that might be too long."""
    if b'"' in text or b"\0" in text:
        return False
    has_returns = b"\r" in text
    if has_returns and not returns_end_lines and text.count(b"\r") != text.count(b"\r\n"):
        return False
    line_end = b"\r" if has_returns and returns_end_lines else b"\n"
    probes = range(0, len(text) - _PROBE_BYTES, _PROBE_BYTES)
    return all(text.find(line_end, at, at + _PROBE_BYTES) >= 0 for at in probes)
