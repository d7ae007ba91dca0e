"""What a file gives away: its bytes, and what they are unpacked; knows no code of ours."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq


def traces(content: bytes, *needles: str) -> list[str]:
    """Which of these texts are in the content, as it lies there or unpacked."""
    texts = list(views(content))
    return [
        needle for needle in needles if any(spelled in t for t in texts for spelled in _as(needle))
    ]


def views(content: bytes) -> Iterator[bytes]:
    """The bytes; those of gzip data and Avro unpacked; the values and bounds of Parquet."""
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    if content.startswith(b"PAR1"):
        yield from _parquet(content)
    if content.startswith(b"Obj\x01"):
        yield from _avro(io.BytesIO(content[4:]))


def _as(needle: str) -> tuple[bytes, ...]:
    return needle.encode(), needle.encode("utf-16-le"), needle.encode("utf-16-be")


def _parquet(content: bytes) -> Iterator[bytes]:
    file = pq.ParquetFile(io.BytesIO(content))
    yield str(file.metadata.metadata).encode()
    for group in range(file.num_row_groups):
        columns = file.metadata.row_group(group)
        for column in range(columns.num_columns):
            yield str(columns.column(column).statistics).encode()
    for row in file.read().to_pylist():
        yield "\0".join(map(str, row.values())).encode()


def _avro(file: io.BytesIO) -> Iterator[bytes]:
    codec = b"null"
    while count := _long(file):
        if count < 0:
            _long(file)
        for _ in range(abs(count)):
            key, value = file.read(_long(file)), file.read(_long(file))
            yield key + value
            codec = value if key == b"avro.codec" else codec
    file.read(16)
    while True:
        start = file.read(1)
        if not start:
            return
        file.seek(-1, io.SEEK_CUR)
        _long(file)
        block = file.read(_long(file))
        file.read(16)
        if codec == b"deflate":
            block = zlib.decompress(block, wbits=-15)
        elif codec != b"null":
            raise ValueError(f"an Avro file in {codec!r}: teach this reader")
        yield block


def _long(file: Any) -> int:
    """Avro's variable-length zig-zag integer."""
    value = shift = 0
    while True:
        byte = file.read(1)[0]
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
