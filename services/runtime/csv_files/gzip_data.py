"""Unpacking gzip data piece by piece, never further than a file of that size may unpack."""

import zlib
from collections.abc import Iterator
from typing import Protocol

from services.runtime.csv_files.bad_file import BadFile

MAX_GZIP_BYTES = 100 << 20
MAX_GZIP_RATIO = 100
"""A gzip file may unpack to 100 MiB, or to 100 times its size if that is more: CSV files shrink
to a third or a tenth, and to a fortieth when they repeat themselves; bombs to a thousandth."""

_NO_HEADER = "incorrect header check"
"""What zlib says of data that never was gzip."""


def unpacked(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The content of a gzip file of one or more members, never more than `size` bytes at once.

    Raises BadFile (file.gzip) when it is damaged, cut off, or unpacks too far.
    """
    packed_bytes = unpacked_bytes = 0
    member: _Decompressor | None = None
    for piece in pieces:
        waiting, has_more = piece, False
        while waiting or has_more:
            if member is None:
                waiting = waiting.lstrip(b"\0") if packed_bytes else waiting
                member = zlib.decompressobj(wbits=31) if waiting else None
                continue
            content, rest = _decompress(member, waiting, size)
            packed_bytes += len(waiting) - len(rest)
            unpacked_bytes += len(content)
            if unpacked_bytes > max(MAX_GZIP_BYTES, MAX_GZIP_RATIO * packed_bytes):
                raise BadFile(
                    "file.gzip",
                    f"unpacks to more than {MAX_GZIP_RATIO} times its size; upload the .csv itself",
                )
            yield content
            waiting = rest
            member = None if member.eof else member
            has_more = member is not None and len(content) == size
    if member is not None:
        raise BadFile("file.gzip", "the gzip data ends too early; upload the whole file again")


def _decompress(member: "_Decompressor", waiting: bytes, size: int) -> tuple[bytes, bytes]:
    """Unpacked bytes, and the packed bytes not used yet."""
    try:
        content = member.decompress(waiting, size)
    except zlib.error as error:
        what = f"not readable as gzip ({error})"
        if waiting.startswith(b"PK\x03\x04"):
            what = "a ZIP archive, not gzip data"
        elif _NO_HEADER in str(error):
            what = f"not readable as gzip ({error}): a CSV file that is not packed is named .csv"
        raise BadFile("file.gzip", f"{what}; compress it again, or upload the .csv") from error
    return content, member.unused_data if member.eof else member.unconsumed_tail


class _Decompressor(Protocol):
    """What zlib.decompressobj gives; its class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, packed: bytes, size: int, /) -> bytes: ...
