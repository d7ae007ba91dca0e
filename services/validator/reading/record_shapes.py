"""Which lines of a block are surely one record, or part of one, by where quotes and CRs stand.

Also what Arrow is given to read in their place where it would read them otherwise: it knows no
`="0001"`, no blank beside a quote, and takes each CR outside of quotes for a line's end.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from services.runtime.csv_files.csv_records import MAX_RECORD_BYTES, Layout
from services.runtime.csv_files.texts import BLANKS
from services.validator.reading.file_text import IS_SOLID, among
from services.validator.reading.lines import Lines

RETURN_MARK = b"\x01"
"""Stands for a CR that is content, in what Arrow reads."""

_LF, _CR, _QUOTE, _NUL, _EQUALS, _SPACE, _DELETE = b'\n\r"\0= \x7f'
_QUICK_BYTES = 1 << 16


class RowLayout(Layout, Protocol):
    """What is asked of a file's rows besides."""

    def any_text_up_to(self, position: int) -> int:
        """The column at that position takes every text of 1 to so many characters; 0: not so."""


@dataclass(frozen=True)
class Shapes:
    """Line n is in doubt where `suspects[n]`; its record goes on in the next where `goes_on[n]`.

    A record that goes on is what `read_record` gives; none of its lines is a suspect.
    """

    suspects: Any
    goes_on: Any


def shapes_of(
    lines: Lines, layout: RowLayout, *, returns_end_lines: bool, may_go_on: bool = True
) -> Shapes:
    """Judge all lines; `may_go_on` False takes each line for itself."""
    marks = _Marks(lines, layout, returns_end_lines)
    goes_on = np.zeros(len(lines), bool)
    if may_go_on and marks.are_usual:
        goes_on = marks.whole_records(marks.pairs_of_odd_lines())
    return Shapes(marks.suspects | marks.with_odd_quotes(goes_on), goes_on)


class _Marks:
    """Where quotes, delimiters and CRs stand in a text. `suspects` are so whatever its quotes."""

    def __init__(self, lines: Lines, layout: RowLayout, returns_end_lines: bool) -> None:
        self.lines, self.layout = lines, layout
        self.buffer = np.frombuffer(lines.text, np.uint8)
        self.delimiter = ord(layout.delimiter)
        self.are_usual = not returns_end_lines and layout.width > 1 and not layout.spare
        self.quotes, self.line_of = lines.quotes, lines.quote_lines
        self.quote_counts = lines.quote_counts
        self.suspects = lines.ends - lines.starts > MAX_RECORD_BYTES
        if b"\0" in lines.text:
            self.suspects[lines.lines_of(np.flatnonzero(self.buffer == _NUL))] = True
        if not returns_end_lines and b"\r" in lines.text:
            self._judge_returns()

    def _judge_returns(self) -> None:
        """CRs alone are content of a row of the right width whose parts are more than one.

        With two parts that are not blank, not all of them can be rows (`is_split_by_returns`).
        """
        returns = np.flatnonzero(self.buffer == _CR)
        stray = returns[self.buffer[returns + 1] != _LF]
        if not len(stray):
            return
        line_of = self.lines.lines_of(stray)
        is_content = np.zeros(len(self.lines), bool)
        if self.are_usual and RETURN_MARK not in self.lines.text:
            is_first = np.diff(line_of, prepend=-1) > 0
            is_last = np.diff(line_of, append=len(self.lines)) > 0
            is_content[line_of] = True
            is_content[line_of[is_first & ~IS_SOLID[self.buffer[stray - 1]]]] = False
            is_content[line_of[is_last & ~IS_SOLID[self.buffer[stray + 1]]]] = False
            is_content &= self.quote_counts == 0
            is_content &= self._delimiters_in_line() == self.layout.width - 1
        self.suspects[line_of[~is_content[line_of]]] = True

    def _delimiters_in_line(self) -> Any:
        places = np.flatnonzero(self.buffer == self.delimiter)
        return self.lines.counts(places)

    def pairs_of_odd_lines(self) -> Any:
        """True for lines from one with an odd count of quotes to before the next such line."""
        odd = np.flatnonzero(self.quote_counts % 2)
        odd = odd[: len(odd) // 2 * 2]
        edges = np.zeros(len(self.lines), np.int8)
        edges[odd[::2]], edges[odd[1::2]] = 1, -1
        return np.cumsum(edges, dtype=np.int8) > 0

    def whole_records(self, goes_on: Any) -> Any:
        """The same for the records of it that `read_record` would give, False for the others."""
        if not goes_on.any():
            return goes_on
        first = _first_lines(goes_on)
        continues = first != np.arange(len(first))
        width, ends, starts = self.layout.width, self.lines.ends, self.lines.starts
        wrong = self.suspects | self.with_odd_quotes(goes_on)
        wrong |= continues & (self._delimiters_in_line() >= width - 1)
        wrong |= ends - starts[first] > _QUICK_BYTES
        outside = self._delimiters_outside(first)
        records = self.lines.lines_of(outside)
        wrong |= np.bincount(first[records], minlength=len(first))[first] != width - 1
        wrong |= self._too_long_for_a_column(goes_on, first, outside)
        is_wrong = np.zeros(len(first), bool)
        is_wrong[first[wrong]] = True
        return goes_on & ~is_wrong[first]

    def _delimiters_outside(self, first: Any) -> Any:
        """The places of delimiters outside of quotes, which are counted from the record's start."""
        places = np.flatnonzero(self.buffer == self.delimiter)
        before = np.searchsorted(self.quotes, places)
        before -= self.lines.first_quotes[first[self.lines.lines_of(places)]]
        return places[before % 2 == 0]

    def _too_long_for_a_column(self, goes_on: Any, first: Any, outside: Any) -> Any:
        """True for lines that end in a column that does not take every text of that size."""
        found = np.zeros(len(first), bool)
        open_lines = np.flatnonzero(goes_on)
        starts = self.lines.starts[first[open_lines]]
        columns = np.searchsorted(outside, self.lines.ends[open_lines])
        columns -= np.searchsorted(outside, starts)
        last = np.searchsorted(np.flatnonzero(~goes_on), open_lines)
        sizes = self.lines.ends[np.flatnonzero(~goes_on)[last]] - starts
        for column in np.unique(columns).tolist():
            is_too_long = sizes > self.layout.any_text_up_to(column)
            found[open_lines[(columns == column) & is_too_long]] = True
        return found

    def with_odd_quotes(self, goes_on: Any) -> Any:
        """True for lines with a quote that does not open or close a field, or with half a pair."""
        found = (self.quote_counts % 2 == 1) & ~goes_on
        found[1:] &= ~goes_on[:-1]
        quotes, buffer = self.quotes, self.buffer
        if not len(quotes):
            return found
        first = _first_lines(goes_on)[self.line_of]
        rank = np.arange(len(quotes)) - self.lines.first_quotes[first]
        before = np.where(quotes > 0, buffer[quotes - 1], _LF)
        after = buffer[quotes + 1]
        outside = np.where(rank % 2 == 0, before, after)
        is_well = among([self.delimiter, _LF, _CR, _QUOTE])[outside]
        odd = np.flatnonzero(~is_well)
        if len(odd):
            line_of = self.line_of[odd]
            is_over_lines = (first[odd] != line_of) | goes_on[line_of]
            is_well[odd] = self._are_well_with_more(
                quotes[odd], rank[odd] % 2 == 0, before[odd], after[odd], is_over_lines
            )
        found[self.line_of[~is_well]] = True
        return found

    def _are_well_with_more(
        self, quotes: Any, opens: Any, before: Any, after: Any, is_over_lines: Any
    ) -> Any:
        """Quotes with one blank outside, or of a text formula, if Arrow can read them without."""
        is_edge = among([self.delimiter, _LF, _CR])
        is_blank = among(ord(blank) for blank in BLANKS if ord(blank) != self.delimiter)
        starts_before = is_edge[np.where(quotes > 1, self.buffer[quotes - 2], _LF)]
        ends_after = is_edge[self.buffer.take(quotes + 2, mode="clip")]
        is_formula = (before == _EQUALS) & (after > _SPACE) & (after < _DELETE)
        is_formula &= (after != _EQUALS) & ~is_over_lines
        well_opened = starts_before & (is_blank[before] | is_formula)
        return np.where(opens, well_opened, ends_after & is_blank[after])


def _first_lines(goes_on: Any) -> Any:
    """For each line, the one that its record starts in."""
    numbers = np.arange(len(goes_on))
    numbers[1:][goes_on[:-1]] = 0
    return np.maximum.accumulate(numbers)


def for_arrow(text: bytes, delimiter: str, *, returns_end_lines: bool) -> tuple[bytes, bool]:
    """The same records, as Arrow reads them rightly, and whether CRs of content are marked."""
    has_returns, is_marked = not returns_end_lines and b"\r" in text, False
    if not has_returns and b'"' not in text:
        return text, False
    buffer = np.frombuffer(text, np.uint8)
    if has_returns:
        returns = np.flatnonzero(buffer == _CR)
        stray = returns[buffer[returns + 1] != _LF]
        if len(stray):
            buffer = buffer.copy()
            buffer[stray] = RETURN_MARK[0]
            text, is_marked = buffer.tobytes(), True
    quotes = np.flatnonzero(buffer == _QUOTE)
    blanks = [ord(blank) for blank in BLANKS if blank != delimiter]
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening > 0, buffer[opening - 1], _LF)
    dropped = [
        opening[among([_EQUALS, *blanks])[before]] - 1,
        closing[among(blanks)[buffer[closing + 1]]] + 1,
    ]
    if not any(map(len, dropped)):
        return text, is_marked
    kept = np.ones(len(buffer), bool)
    kept[np.concatenate(dropped)] = False
    return buffer[kept].tobytes(), is_marked
