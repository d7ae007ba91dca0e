"""A file's bytes as blocks of whole lines: gzip, encoding and binary content end here.

A line ends at LF or CRLF. If the first line end of a file is a CR alone, CR ends lines in that
file too, wherever it stands, and every line number counts them. In any other file a CR alone is
part of its line; `segments.py` says when it splits one.

Memory is bounded whatever the file holds: one block, and at most 1 MiB of an unfinished line.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import MAX_RECORD_BYTES
from services.validator.reading.file_text import (
    BLANK_BYTES,
    ByteStream,
    LineEnds,
    checked_text,
    count_byte,
)

BLOCK_BYTES = 8 << 20
MAX_LINES = 1 << 20
PORTION_BYTES = 1 << 20
"""What bounds memory where lines are very short."""

ReadText = Callable[[ByteStream, str, int, LineEnds], Iterator[bytes]]
"""Gives a stream's text as `checked_text` does."""

_LINE_END = {False: re.compile(rb"\n"), True: re.compile(rb"\n|\r\n?")}


@dataclass(frozen=True)
class Block:
    """Whole lines, each with its line end; `is_last` on the file's last block.

    `returns_end_lines`: whether a CR alone ends a line, the same for all blocks of a file.
    """

    text: bytes
    is_last: bool
    returns_end_lines: bool = False


def line_blocks(
    stream: ByteStream,
    name: str,
    block_bytes: int = BLOCK_BYTES,
    read_text: ReadText = checked_text,
) -> Iterator[Block]:
    """The file's text in blocks of whole lines, without its byte order mark.

    A line of more than 1 MiB is cut, to a length that is still too long. Raises BadFile with
    file.empty, file.binary, file.encoding or file.gzip, after the lines before the fault. Sizes
    in bytes.
    """
    ends = LineEnds()
    pending = b""
    has_text = False
    for chunk in read_text(stream, name, block_bytes, ends):
        has_text = has_text or bool(chunk.strip(BLANK_BYTES))
        if ends.are_returns:
            pending, chunk = b"", pending + chunk
        cut = _after_last_line(chunk, ends.are_returns)
        if cut:
            yield Block(pending + chunk[:cut], False, ends.are_returns)
            pending = b""
        pending = _cut(pending + chunk[cut:])
    if not has_text:
        raise BadFile("file.empty", "the file is empty; upload it again with a header and rows")
    yield Block(pending + b"\n" if pending else b"", True, ends.are_returns)


def portions(block: Block) -> Iterator[tuple[bytes, bool]]:
    """Its text, in pieces when its lines are so short that what is held of each one adds up.

    With each piece, whether it is the last one of the file.
    """
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


def line_end_after(text: bytes, start: int, *, returns_end_lines: bool) -> int:
    """Where the line that starts at `start` is over; the text ends with a line end."""
    found = _LINE_END[returns_end_lines].search(text, start)
    return found.end() if found else len(text)


def _after_last_line(text: bytes, returns_end_lines: bool) -> int:
    """A CR at the very end decides nothing yet: a line feed may follow."""
    cut = text.rfind(b"\n") + 1
    return max(cut, text.rfind(b"\r", cut, len(text) - 1) + 1) if returns_end_lines else cut


def _cut(line: bytes) -> bytes:
    """Too long stays too long; the last byte stays, since it may be a carriage return."""
    return line if len(line) <= MAX_RECORD_BYTES else line[:MAX_RECORD_BYTES] + line[-1:]
