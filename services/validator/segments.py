"""Which lines of a block are one well-formed record each, found without reading them one by one.

Only the other lines (a quote that needs thought, a stray carriage return, far too long) are read
by `csv_records.py`, in order; the result is what reading every line in order would give.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from services.validator.csv_records import MAX_RECORD_BYTES, Layout, Record, read_record
from services.validator.line_blocks import BLANK_BYTES

_LF, _CR, _QUOTE, _COMMA = b'\n\r",'
_PROBE_BYTES = MAX_RECORD_BYTES // 2


class Lines(Sequence[bytes]):
    """The physical lines of a text whose last byte is a line feed, without copying it."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.ends: Any = np.flatnonzero(np.frombuffer(text, np.uint8) == _LF) + 1
        self.starts: Any = np.concatenate(([0], self.ends[:-1]))[: len(self.ends)]

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


@dataclass(frozen=True)
class Segments:
    """`regular` holds one record a line, `regular_lines[n]` being its n-th line's index.

    `exceptional` are the records that were read one by one; `rest` may go on in the next block.
    """

    regular: bytes
    regular_lines: Any
    exceptional: tuple[Record, ...]
    line_count: int
    rest: bytes


def segment(text: bytes, layout: Layout, *, is_last_block: bool) -> Segments:
    """Split a text that starts at a record and ends with a line feed."""
    if _is_plain(text):
        count = text.count(b"\n")
        return Segments(text, np.arange(count), (), count, b"")
    lines = Lines(text)
    suspects = np.flatnonzero(_suspects(lines))
    if not len(suspects):
        return Segments(text, np.arange(len(lines)), (), len(lines), b"")
    exceptional: list[Record] = []
    line_count = len(lines)
    free = 0
    for suspect in suspects.tolist():
        if suspect < free:
            continue
        record = read_record(lines, suspect, layout, is_last_block=is_last_block)
        if record is None:
            line_count = suspect
            break
        exceptional.append(record)
        free = suspect + record.line_count
    kept = np.ones(line_count, dtype=bool)
    for record in exceptional:
        kept[record.first : record.first + record.line_count] = False
    return Segments(
        regular=take_lines(lines, kept),
        regular_lines=np.flatnonzero(kept),
        exceptional=tuple(exceptional),
        line_count=line_count,
        rest=text[lines.starts[line_count] :] if line_count < len(lines) else b"",
    )


def take_lines(lines: Lines, kept: Any) -> bytes:
    """The text of the lines that are true in `kept` (which may be shorter than `lines`)."""
    return b"".join(_runs(lines, kept))


def field_counts(lines: Lines) -> Any:
    """Fields of each line of regular text, 0 for a blank line."""
    buffer = np.frombuffer(lines.text, np.uint8)
    commas = np.flatnonzero(buffer == _COMMA)
    quotes = np.flatnonzero(buffer == _QUOTE)
    outside = commas[np.searchsorted(quotes, commas) % 2 == 0]
    counts = np.diff(np.searchsorted(outside, lines.ends), prepend=0) + 1
    for index in np.flatnonzero(counts == 1).tolist():
        if not lines[index].strip(BLANK_BYTES):
            counts[index] = 0
    return counts


def _is_plain(text: bytes) -> bool:
    """No quote, no carriage return but before a line feed, no line that might be too long."""
    if b'"' in text or (b"\r" in text and text.count(b"\r") != text.count(b"\r\n")):
        return False
    probes = range(0, len(text) - _PROBE_BYTES, _PROBE_BYTES)
    return all(text.find(b"\n", at, at + _PROBE_BYTES) >= 0 for at in probes)


def _suspects(lines: Lines) -> Any:
    """True for each line that is not surely one record; quotes are paired within their line."""
    buffer = np.frombuffer(lines.text, np.uint8)
    suspects = lines.ends - lines.starts > MAX_RECORD_BYTES
    returns = np.flatnonzero(buffer == _CR)
    stray = returns[buffer[returns + 1] != _LF]
    suspects[np.searchsorted(lines.ends, stray, side="right")] = True
    quotes = np.flatnonzero(buffer == _QUOTE)
    line_of = np.searchsorted(lines.ends, quotes, side="right")
    first_of_line = np.searchsorted(quotes, lines.starts)
    rank = np.arange(len(quotes)) - first_of_line[line_of]
    suspects |= np.bincount(line_of, minlength=len(lines)) % 2 == 1
    before = np.where(quotes > 0, buffer[quotes - 1], _LF)
    after = buffer[quotes + 1]
    opens_well = (before == _COMMA) | (before == _LF) | (before == _QUOTE)
    closes_well = (after == _COMMA) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    is_opening = rank % 2 == 0
    suspects[line_of[is_opening & ~opens_well]] = True
    suspects[line_of[~is_opening & ~closes_well]] = True
    return suspects


def _runs(lines: Lines, kept: Any) -> Iterator[bytes]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False]))))
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield lines.text[lines.starts[first] : lines.ends[after - 1]]
