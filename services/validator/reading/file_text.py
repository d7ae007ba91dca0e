"""From a stream to checked UTF-8 text: unpacking, what is no text at all, and the line ends.

What stands before a fault is handed on first, so that which fault is reported does not depend on
the size of the chunks.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

import numpy as np

from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.gzip_data import unpacked

BLANK_BYTES = b" \t\r\n"


def among(some: Iterable[int]) -> Any:
    """For each byte: whether it is one of these. A look-up takes a fifth of `np.isin`."""
    return np.isin(np.arange(256), list(some))


IS_SOLID = ~among(BLANK_BYTES)
"""For each byte: whether it is no blank."""

HEAD_BYTES = 4096
"""How much of a file is looked at to tell text from something else."""
PIECE_BYTES = 1 << 17

_FIRST_LINE = re.compile(rb"[^\r\n]*+")
_LINE_END = re.compile(rb"[\r\n]")
_UTF_16 = "utf-16"
_NARROW = ("cp1252", "latin-1")
_NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
}
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive; export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; export the sheet as CSV",
    b"PAR1": "a Parquet file; export it as CSV",
    b"%PDF": "a PDF document; export the table as CSV",
    b"\x1f\x8b": "gzip data; give it a name that ends in .csv.gz, or unpack it once if it has one",
    b"BZh": "bzip2 data; unpack it, or compress it with gzip",
    b"\xfd7zXZ": "xz data; unpack it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard data; unpack it, or compress it with gzip",
    b"\x89PNG": "a PNG picture; upload the table as CSV",
    b"\xff\xd8\xff": "a JPEG picture; upload the table as CSV",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
}


class ByteStream(Protocol):
    """What is read: an open binary file, or the body of an S3 object."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


class LineEnds:
    """What ends the lines of a file, by its first line end, and how many lines have ended."""

    def __init__(self) -> None:
        self.count = 0
        self.are_known = False
        self.are_returns = False
        self._has_return_waiting = False

    @property
    def is_first_line(self) -> bool:
        """Whether no line has ended yet."""
        return not self.are_known and not self._has_return_waiting

    def add(self, text: bytes) -> None:
        """The file goes on with this text; a CR at its end waits for what follows."""
        if self._has_return_waiting:
            text = b"\r" + text
        self._has_return_waiting = text.endswith(b"\r")
        if self._has_return_waiting:
            text = text[:-1]
        if not self.are_known and (first := _LINE_END.search(text)):
            self.are_known = True
            self.are_returns = not text.startswith((b"\n", b"\r\n"), first.start())
        self.count += count_line_ends(text, returns_end_lines=self.are_returns)


def count_line_ends(text: bytes, *, returns_end_lines: bool) -> int:
    """LF and CRLF, and CR alone where it ends lines."""
    count = count_byte(text, b"\n")
    if returns_end_lines and b"\r" in text:
        count += text.count(b"\r") - text.count(b"\r\n")
    return count


def count_lines(texts: Iterable[bytes]) -> int:
    """At least how many lines there are, wherever they end."""
    return 1 + sum(count_line_ends(text, returns_end_lines=True) for text in texts)


def count_byte(text: bytes, byte: bytes) -> int:
    """What bytes.count gives, three times as fast where the byte is frequent."""
    return count_where(text, lambda characters: characters == ord(byte))


def count_where(text: bytes, are_meant: Callable[[Any], Any]) -> int:
    """How many bytes are meant, looked at in pieces that stay in the processor's cache."""
    characters = np.frombuffer(text, np.uint8)
    return sum(
        int(np.count_nonzero(are_meant(characters[at : at + PIECE_BYTES])))
        for at in range(0, len(characters), PIECE_BYTES)
    )


def checked_text(
    stream: ByteStream, name: str, size: int, ends: LineEnds, encoding: str = "utf-8"
) -> Iterator[bytes]:
    """The file in chunks of about `size` bytes or more, as UTF-8, without byte order marks.

    Each chunk is added to `ends` before it is given. `encoding` is what the file is in: utf-8,
    utf-16 (with a mark, or known by its NULs), cp1252 or latin-1; BadFile says where it is not.
    """
    pieces = _read(stream, size)
    if name.lower().endswith(".gz"):
        pieces = unpacked(pieces, size)
    head, pieces = _begun(pieces)
    codec, mark = _begins_as(head, encoding)
    decoder = codecs.getincrementaldecoder(codec)()
    for chunk in _grouped(_after(mark, pieces), size):
        if codec == "utf-8" and ends.is_first_line:
            _refuse_nul(chunk)
        try:
            text = _decode(decoder, chunk, codec)
        except UnicodeDecodeError as error:
            healthy = _healthy(error, chunk, codec)
            ends.add(healthy)
            yield healthy
            ends.add(b"?")
            raise _not_decoded(error, ends.count + 1, encoding) from error
        if codec != "utf-8" and ends.is_first_line:
            _refuse_nul(text)
        ends.add(text)
        yield text
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_decoded(error, ends.count + 1, encoding) from error


def _read(stream: ByteStream, size: int) -> Iterator[bytes]:
    while piece := stream.read(size):
        yield piece


def _grouped(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pieces joined to chunks of at least `size` bytes (the last may be shorter)."""
    parts: list[bytes] = []
    held = 0
    fault: BadFile | None = None
    try:
        for piece in pieces:
            parts.append(piece)
            held += len(piece)
            if held >= size:
                yield b"".join(parts)
                parts, held = [], 0
    except BadFile as bad:
        fault = bad
    if held:
        yield b"".join(parts)
    if fault:
        raise fault


def _begun(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """How the file begins, and all of its pieces."""
    first: list[bytes] = []
    held = 0
    fault: BadFile | None = None
    try:
        for piece in pieces:
            first.append(piece)
            held += len(piece)
            if held >= HEAD_BYTES:
                break
    except BadFile as bad:
        fault = bad

    def whole() -> Iterator[bytes]:
        yield from chain(first, pieces)
        if fault:
            raise fault

    return b"".join(first)[:HEAD_BYTES], whole()


def _begins_as(head: bytes, encoding: str) -> tuple[str, int]:
    """The codec of a file that begins so, and how many bytes of marks it begins with.

    Some tools put a mark before the one that is there. Raises BadFile when it begins like another
    kind of file, or in another encoding.
    """
    marks = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
    is_utf16, said = head.startswith(marks) or _looks_utf16(head), _NAMES[encoding]
    if is_utf16 and encoding != _UTF_16:
        raise BadFile("file.encoding", f"the file is UTF-16, not {said}; save it as CSV {said}")
    _refuse_other_kinds(head)
    if head and not is_utf16 and encoding == _UTF_16:
        raise BadFile("file.encoding", "the file is not UTF-16; save it in that encoding")
    if encoding == _UTF_16:
        is_big = head.startswith(codecs.BOM_UTF16_BE) or head[:1] == b"\0"
        return "utf-16-be" if is_big else "utf-16-le", 2 if head.startswith(marks) else 0
    mark = 0
    while head.startswith(codecs.BOM_UTF8, mark):
        mark += len(codecs.BOM_UTF8)
    if mark and encoding in _NARROW:
        raise BadFile("file.encoding", f"the file is UTF-8, not {said}; save it as CSV {said}")
    if encoding not in _NARROW:
        _refuse_nul(head)
    return encoding if encoding in _NARROW else "utf-8", mark


def _after(mark: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[mark:]
        mark = max(0, mark - len(piece))


def why_no_text(head: bytes) -> str | None:
    """What a file is that begins so, and what to do; None where it may be text."""
    found = (what for signature, what in _SIGNATURES.items() if head.startswith(signature))
    return next((f"this is not CSV text but {what}" for what in found), None)


def _refuse_other_kinds(head: bytes) -> None:
    if (why := why_no_text(head)) is not None:
        raise BadFile("file.binary", why)


def _looks_utf16(head: bytes) -> bool:
    """Latin text in UTF-16 has a NUL in every other byte, and text in between."""
    shares = [head[n::2].count(0) / max(1, len(head[n::2])) for n in (0, 1)]
    return len(head) > 3 and max(shares) > 0.5 and min(shares) < 0.1


def _refuse_nul(text: bytes) -> None:
    """A NUL before the first line end: no header can come of it."""
    first = _FIRST_LINE.match(text)
    if first and b"\0" in first[0]:
        raise BadFile(
            "file.binary", "line 1 holds a NUL byte: this is not CSV text; export it again"
        )


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, codec: str) -> bytes:
    """The chunk in UTF-8; what is UTF-8 already is only looked at."""
    if codec in _NARROW:
        return chunk if chunk.isascii() else decoder.decode(chunk).encode()
    if codec != "utf-8":
        return decoder.decode(chunk).encode()
    if not chunk.isascii() or decoder.getstate()[0]:
        decoder.decode(chunk)
    return chunk


def _healthy(error: UnicodeDecodeError, chunk: bytes, codec: str) -> bytes:
    """What stands in the chunk before the fault, in UTF-8."""
    if codec == "utf-8":
        return chunk[: max(0, len(chunk) - len(error.object) + error.start)]
    return error.object[: error.start].decode(codec).encode()


def _not_decoded(error: UnicodeDecodeError, line: int, encoding: str) -> BadFile:
    if encoding == _UTF_16:
        why = (
            f"line {line} is not UTF-16: {error.reason}; it is cut off or damaged, export it again"
        )
        return BadFile("file.encoding", why)
    byte = error.object[error.start]
    if encoding in _NARROW:
        why = f"line {line} holds byte 0x{byte:02X}, which {_NAMES[encoding]} does not have"
        return BadFile("file.encoding", f"{why}; say another encoding, or save it as CSV UTF-8")
    return BadFile(
        "file.encoding",
        f"line {line} holds byte 0x{byte:02X}, which is not UTF-8; "
        f"the file looks like {_likely_encoding(error.object)}: save it as CSV UTF-8",
    )


def _likely_encoding(content: bytes) -> str:
    """Windows-1252 leaves five codes undefined; 0x80-0x9F are its quotes, dashes and the euro."""
    if any(byte in content for byte in b"\x81\x8d\x8f\x90\x9d"):
        return "another 8-bit encoding"
    return "an 8-bit encoding such as Windows-1252 (Latin-1)"
