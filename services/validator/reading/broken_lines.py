"""Lines that are surely no record, found without reading them: an ill quote, or a NUL byte.

The first quote of a line that neither opens nor closes a field decides, as in `csv_records.py`. A
line that leaves a field open is decided by the next one, if that is a row, or goes on wrongly.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from services.runtime.csv_files.csv_records import (
    NO_END_BEFORE_A_ROW,
    NUL_PROBLEM,
    STRAY_QUOTE,
    TEXT_AFTER_QUOTE,
    Layout,
    broken,
)
from services.runtime.csv_files.texts import BLANKS
from services.validator.reading.file_text import among
from services.validator.reading.lines import Lines

AreRows = Callable[[Lines], Any]
"""True for each line, of as many fields as a row has, that is a row for sure."""

_LF, _CR, _QUOTE, _NUL, _EQUALS, _BACKSLASH = b'\n\r"\0=\\'
_MOST_BYTES = 1 << 16
_MOST_BLANKS = 8
_FAULTS = (STRAY_QUOTE, TEXT_AFTER_QUOTE, NO_END_BEFORE_A_ROW)
_STRAY, _AFTER, _NO_END = 1, 2, 3

PROBLEMS = (
    (),
    *((broken(text, has_backslashes=False),) for text in _FAULTS),
    *((broken(text, has_backslashes=True),) for text in _FAULTS),
    (NUL_PROBLEM,),
)
"""What the verdicts of `broken_lines` mean."""
_NUL_BYTE = len(PROBLEMS) - 1


def broken_lines(
    lines: Lines, layout: Layout, suspects: Any, are_rows: AreRows, *, returns_end_lines: bool
) -> Any:
    """For each line, the index in PROBLEMS of what is wrong with it; 0 where it has to be read.

    Only `suspects` are judged, and as if a record started there.
    """
    if not suspects.any():
        return np.zeros(len(lines), np.int8)
    marks = _Marks(lines, layout, returns_end_lines=returns_end_lines)
    marks.judge_quotes()
    marks.judge_open_lines(suspects, are_rows)
    verdicts = marks.verdicts
    verdicts[marks.has(_BACKSLASH, before=True) & (verdicts > 0)] += len(_FAULTS)
    verdicts[marks.holds_nul & ((verdicts > 0) | (marks.quote_counts == 0))] = _NUL_BYTE
    verdicts[~suspects | ~marks.is_simple] = 0
    return verdicts


class _Marks:
    """Where the quotes of a text stand, and between what. `is_simple`: short, and no CR inside."""

    def __init__(self, lines: Lines, layout: Layout, *, returns_end_lines: bool) -> None:
        self.lines, self.layout = lines, layout
        self.buffer = np.frombuffer(lines.text, np.uint8)
        self.quotes, self.line_of = lines.quotes, lines.quote_lines
        self.quote_counts, self.first_quotes = lines.quote_counts, lines.first_quotes
        self.is_simple = lines.ends - lines.starts < _MOST_BYTES
        if not returns_end_lines and b"\r" in lines.text:
            returns = np.flatnonzero(self.buffer == _CR)
            stray = returns[self.buffer[returns + 1] != _LF]
            self.is_simple[lines.lines_of(stray)] = False
        self.holds_nul = np.zeros(len(lines), bool)
        if b"\0" in lines.text:
            self.holds_nul[lines.lines_of(np.flatnonzero(self.buffer == _NUL))] = True
        self.before, self.blanks_before = self._beside(-1)
        self.after, self.blanks_after = self._beside(1)
        self.verdicts = np.zeros(len(lines), np.int8)

    def has(self, byte: int, *, before: bool) -> Any:
        """True for lines with a quote that has this byte just before, or just after it."""
        beside, blanks = (
            (self.before, self.blanks_before) if before else (self.after, self.blanks_after)
        )
        found = np.zeros(len(self.lines), bool)
        found[self.line_of[(beside == byte) & (blanks == 0)]] = True
        return found

    def _beside(self, step: int) -> tuple[Any, Any]:
        """What stands beside each quote, and how many blanks there are in between."""
        blanks = among(ord(blank) for blank in BLANKS if blank != self.layout.delimiter)
        distance = np.zeros(len(self.quotes), np.int64)
        beside = self._at(self.quotes + step)
        for _ in range(_MOST_BLANKS):
            is_blank = np.flatnonzero(blanks[beside])
            if not len(is_blank):
                break
            distance[is_blank] += 1
            beside[is_blank] = self._at(self.quotes[is_blank] + step * (distance[is_blank] + 1))
        self.is_simple[self.line_of[blanks[beside]]] = False
        return beside, distance

    def _at(self, places: Any) -> Any:
        return np.where(places >= 0, self.buffer.take(places, mode="clip"), _LF)

    def judge_quotes(self) -> None:
        """By the first quote of each line that has no place there; quotes open and close in turn.

        One inside a field, which is doubled, closes it and opens it again.
        """
        rank = np.arange(len(self.quotes)) - self.first_quotes[self.line_of]
        is_end = among([ord(self.layout.delimiter), _LF, _CR])
        is_opening = rank % 2 == 0
        is_doubled = np.where(
            is_opening,
            (rank > 0) & (self.before == _QUOTE) & (self.blanks_before == 0),
            (self.after == _QUOTE) & (self.blanks_after == 0),
        )
        is_well = is_doubled | np.where(is_opening, is_end[self.before], is_end[self.after])
        ill = np.flatnonzero(~is_well)
        lines, first = np.unique(self.line_of[ill], return_index=True)
        deciding = ill[first]
        self.verdicts[lines] = np.where(is_opening[deciding], _STRAY, _AFTER)
        may_be_formula = is_opening[deciding] & (self.before[deciding] == _EQUALS)
        self.is_simple[lines[may_be_formula]] = False

    def judge_open_lines(self, suspects: Any, are_rows: AreRows) -> None:
        """Lines that leave a field open, by the line after each."""
        is_open = suspects & self.is_simple & (self.verdicts == 0) & ~self.holds_nul
        is_open &= self.quote_counts % 2 == 1
        is_open[:-1] &= self.is_simple[1:] & ~self.holds_nul[1:]
        is_open[-1] = False
        open_lines = np.flatnonzero(is_open)
        if not len(open_lines):
            return
        delimiters = np.flatnonzero(self.buffer == ord(self.layout.delimiter))
        last = self.quotes[self.first_quotes[open_lines] + self.quote_counts[open_lines] - 1]
        fields = np.searchsorted(delimiters, last)
        fields -= np.searchsorted(delimiters, self.lines.starts[open_lines])
        open_lines = open_lines[fields < self.layout.width + self.layout.spare]
        counts = self.quote_counts[open_lines + 1]
        closing = self.first_quotes[open_lines[counts % 2 == 1] + 1]
        is_end = among([ord(self.layout.delimiter), _LF, _CR, _QUOTE])
        self.verdicts[self.line_of[closing[~is_end[self.after[closing]]]] - 1] = _AFTER
        bare = np.zeros(len(self.lines), bool)
        bare[open_lines[counts == 0] + 1] = True
        edges = np.searchsorted(delimiters, self.lines.ends[bare])
        edges -= np.searchsorted(delimiters, self.lines.starts[bare])
        following = np.flatnonzero(bare)[edges == self.layout.width - 1]
        if len(following):
            is_following = np.zeros(len(self.lines), bool)
            is_following[following] = True
            rows = following[are_rows(self.lines.take(is_following))]
            self.verdicts[rows - 1] = _NO_END
