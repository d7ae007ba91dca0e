"""The lines of a text, known by where they start and end: they are not cut out one by one."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
import pyarrow as pa

_LF, _CR, _QUOTE = b'\n\r"'


class Lines(Sequence[bytes]):
    """The physical lines of a text that ends with a line end, without copying it.

    Where they `hold_line_ends` they are records, some of several physical lines.
    """

    def __init__(
        self, text: bytes, *, returns_end_lines: bool, hold_line_ends: bool = False
    ) -> None:
        self.text = text
        self.returns_end_lines, self.hold_line_ends = returns_end_lines, hold_line_ends

    @cached_property
    def ends(self) -> Any:
        """Where each line is over: the index after its line end."""
        buffer = np.frombuffer(self.text, np.uint8)
        is_end = buffer == _LF
        if self.returns_end_lines and b"\r" in self.text:
            is_return = buffer == _CR
            is_return[:-1] &= buffer[1:] != _LF
            is_end |= is_return
        return np.flatnonzero(is_end) + 1

    @cached_property
    def starts(self) -> Any:
        """Where each line starts."""
        return np.concatenate(([0], self.ends[:-1]))[: len(self.ends)]

    @cached_property
    def quotes(self) -> Any:
        """Where quotes stand in the text."""
        return np.flatnonzero(np.frombuffer(self.text, np.uint8) == _QUOTE)

    @cached_property
    def quote_counts(self) -> Any:
        """How many quotes each line has."""
        return self.counts(self.quotes)

    @cached_property
    def quote_lines(self) -> Any:
        """The line of each quote."""
        return np.repeat(np.arange(len(self)), self.quote_counts)

    @cached_property
    def first_quotes(self) -> Any:
        """For each line, how many quotes stand before it."""
        return np.cumsum(self.quote_counts) - self.quote_counts

    def counts(self, places: Any) -> Any:
        """How many of some places in the text, in order, each line has."""
        counts = np.searchsorted(places, self.ends)
        counts[1:] -= counts[:-1]
        return counts

    def lines_of(self, places: Any) -> Any:
        """The line of each place in the text."""
        return np.searchsorted(self.ends, places, side="right")

    def take(self, kept: Any) -> "Lines":
        """The lines that are true in `kept` (which may be shorter than the lines)."""
        if len(kept) == len(self) and kept.all():
            return self
        taken = Lines(
            b"".join(self._runs(kept)),
            returns_end_lines=self.returns_end_lines,
            hold_line_ends=self.hold_line_ends,
        )
        lengths = (self.ends - self.starts)[: len(kept)]
        taken.ends = np.cumsum(lengths[kept])
        return taken

    def joined(self, goes_on: Any) -> "Lines":
        """Records, each with the lines that are true in `goes_on` and the one after them."""
        if not goes_on.any():
            return self
        records = Lines(self.text, returns_end_lines=self.returns_end_lines, hold_line_ends=True)
        records.ends = self.ends[~goes_on]
        return records

    def physical(self, index: int) -> Sequence[bytes]:
        """The physical lines of one of them."""
        line = self[index]
        if not self.hold_line_ends:
            return [line]
        return Lines(line, returns_end_lines=self.returns_end_lines)

    def texts(self) -> Any:
        """All lines as an Arrow array of strings, with their line ends; nothing is copied."""
        edges = np.concatenate(([0], self.ends)).astype(np.int32)
        buffers = (pa.py_buffer(edges), pa.py_buffer(self.text))
        return pa.StringArray.from_buffers(len(self), *buffers)

    def _runs(self, kept: Any) -> Iterator[bytes]:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False]))))
        first, last = edges[::2], edges[1::2] - 1
        for start, end in zip(self.starts[first].tolist(), self.ends[last].tolist(), strict=True):
            yield self.text[start:end]

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return self.text[self.starts[index] : self.ends[index]]
