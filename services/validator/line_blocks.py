"""A file's bytes as blocks of whole lines: gzip, encoding and binary content end here.

Memory is bounded whatever the file holds: one block, and at most 1 MiB of an unfinished line.
"""

import codecs
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from services.validator.bad_file import BadFile
from services.validator.csv_records import MAX_RECORD_BYTES

BLOCK_BYTES = 8 << 20
MAX_GZIP_BYTES = 1 << 30
MAX_GZIP_RATIO = 400
"""A gzip file may unpack to 1 GiB, or to 400 times its size if that is more."""

BLANK_BYTES = b" \t\r\n"
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive; export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; export the sheet as CSV",
    b"PAR1": "a Parquet file; export it as CSV",
    b"%PDF": "a PDF document; export the table as CSV",
    b"\x1f\x8b": "gzip data; give it a name that ends in .csv.gz",
}


class ByteStream(Protocol):
    """What is read: an open binary file, or the body of an S3 object."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


@dataclass(frozen=True)
class Block:
    """Whole lines, each ending in a line feed; `is_last` on the file's last block."""

    text: bytes
    is_last: bool


def line_blocks(stream: ByteStream, name: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The file's text in blocks of whole lines, without its byte order mark.

    A line of more than 1 MiB is cut, to a length that is still too long. Raises BadFile with
    file.empty, file.binary, file.encoding or file.gzip. Sizes in bytes.
    """
    is_gzip = name.lower().endswith(".gz")
    pieces = _unpacked(stream, block_bytes) if is_gzip else _read(stream, block_bytes)
    pending = b""
    has_text = False
    for chunk in _checked_text(_grouped(pieces, block_bytes)):
        has_text = has_text or bool(chunk.strip(BLANK_BYTES))
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield Block(pending + chunk[:cut], is_last=False)
            pending = b""
        pending = (pending + chunk[cut:])[: MAX_RECORD_BYTES + 1]
    if not has_text:
        raise BadFile("file.empty", "the file is empty; upload it again with a header and rows")
    yield Block(pending + b"\n" if pending else b"", is_last=True)


def _grouped(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pieces joined to chunks of at least `size` bytes (the last may be shorter)."""
    parts: list[bytes] = []
    held = 0
    for piece in pieces:
        parts.append(piece)
        held += len(piece)
        if held >= size:
            yield b"".join(parts)
            parts, held = [], 0
    if held:
        yield b"".join(parts)


def _read(stream: ByteStream, size: int) -> Iterator[bytes]:
    while piece := stream.read(size):
        yield piece


def _unpacked(stream: ByteStream, size: int) -> Iterator[bytes]:
    """The content of a gzip file of one or more members, never more than `size` bytes at once."""
    packed_bytes = unpacked_bytes = 0
    member: _Decompressor | None = None
    for piece in _read(stream, size):
        waiting, has_more = piece, False
        while waiting or has_more:
            if member is None:
                waiting = waiting.lstrip(b"\0") if packed_bytes else waiting
                member = zlib.decompressobj(wbits=31) if waiting else None
                continue
            unpacked, rest = _decompress(member, waiting, size)
            packed_bytes += len(waiting) - len(rest)
            unpacked_bytes += len(unpacked)
            if unpacked_bytes > max(MAX_GZIP_BYTES, MAX_GZIP_RATIO * packed_bytes):
                raise BadFile(
                    "file.gzip",
                    f"unpacks to more than {MAX_GZIP_RATIO} times its size; upload the .csv itself",
                )
            yield unpacked
            waiting = rest
            member = None if member.eof else member
            has_more = member is not None and len(unpacked) == size
    if member is not None:
        raise BadFile("file.gzip", "the gzip data ends too early; upload the whole file again")


def _decompress(member: "_Decompressor", waiting: bytes, size: int) -> tuple[bytes, bytes]:
    """Unpacked bytes, and the packed bytes not used yet."""
    try:
        unpacked = member.decompress(waiting, size)
    except zlib.error as error:
        raise BadFile(
            "file.gzip", f"not readable as gzip ({error}); compress it again, or upload the .csv"
        ) from error
    return unpacked, member.unused_data if member.eof else member.unconsumed_tail


class _Decompressor(Protocol):
    """What zlib.decompressobj gives; its class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, packed: bytes, size: int, /) -> bytes: ...


def _checked_text(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks, once they are known to be UTF-8 text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines_before = 0
    is_first = True
    for chunk in chunks:
        if is_first:
            _refuse_signature(chunk)
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
            is_first = False
        if b"\0" in chunk:
            line = lines_before + chunk.count(b"\n", 0, chunk.index(b"\0")) + 1
            raise BadFile(
                "file.binary",
                f"line {line} holds a NUL byte: this is not CSV text; export it again",
            )
        _decode(decoder, chunk, lines_before, final=False)
        lines_before += chunk.count(b"\n")
        yield chunk
    _decode(decoder, b"", lines_before, final=True)


def _refuse_signature(chunk: bytes) -> None:
    if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _looks_utf16(chunk[:4096]):
        raise BadFile("file.encoding", "the file is UTF-16, not UTF-8; save it as CSV UTF-8")
    for signature, what in _SIGNATURES.items():
        if chunk.startswith(signature):
            raise BadFile("file.binary", f"this is not CSV text but {what}")


def _looks_utf16(head: bytes) -> bool:
    """Latin text in UTF-16 has a NUL in every other byte."""
    return any(2 * head[n::2].count(0) > len(head[n::2]) > 1 for n in (0, 1))


def _decode(
    decoder: codecs.IncrementalDecoder, chunk: bytes, lines_before: int, *, final: bool
) -> None:
    if chunk.isascii() and decoder.getstate()[0] == b"" and not final:
        return
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        held = error.object
        line = lines_before + held.count(b"\n", 0, error.start) + 1
        byte = held[error.start]
        raise BadFile(
            "file.encoding",
            f"line {line} holds byte 0x{byte:02X}, which is not UTF-8; "
            f"the file looks like {_likely_encoding(held)}: save it as CSV UTF-8",
        ) from error


def _likely_encoding(content: bytes) -> str:
    """Windows-1252 leaves five codes undefined; 0x80-0x9F are its quotes, dashes and the euro."""
    if any(byte in content for byte in b"\x81\x8d\x8f\x90\x9d"):
        return "another 8-bit encoding"
    return "Windows-1252 (Latin-1)"
