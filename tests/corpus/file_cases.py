"""Pollution of whole files: what is no CSV, no UTF-8, no gzip, or nothing at all."""

import gzip
import io
import random
import zipfile
import zlib
from collections.abc import Iterator

from tests.corpus.cases import Case, Sheet

_HEALTHY = Sheet().rows()
_TEXT = _HEALTHY.text
_LATIN = Sheet("products").row(("9", "Spielzeug", "Bär", "5.00")).text


def file_cases() -> Iterator[Case]:
    """Rejected files, each with what a person is told; and gzip that is fine."""
    for name, content, rule, because in (
        ("empty", b"", "file.empty", "the file is empty"),
        ("one line end", b"\n", "file.empty", "the file is empty"),
        ("blank lines only", b"\n \r\n\t\n", "file.empty", "the file is empty"),
        ("byte order mark only", b"\xef\xbb\xbf", "file.empty", "the file is empty"),
        ("header only", _first_line(), "file.no_rows", "upload it again with rows"),
        ("header without line end", _first_line()[:-1], "file.no_rows", "no rows"),
        ("header and blank lines", _first_line() + b"\n \n", "file.no_rows", "no rows"),
        ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50), "file.binary", "PNG picture"),
        ("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(50), "file.binary", "JPEG picture"),
        ("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "file.binary", "PDF document"),
        ("Excel workbook", _zip(), "file.binary", "export the sheet as CSV"),
        (
            "old Excel workbook",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90),
            "file.binary",
            "Excel",
        ),
        ("Parquet", b"PAR1\x15\0\x15\n" + bytes(30), "file.binary", "Parquet file"),
        ("SQLite", b"SQLite format 3\0" + bytes(84), "file.binary", "SQLite database"),
        ("bzip2", b"BZh91AY&SY" + bytes(30), "file.binary", "bzip2"),
        ("xz", b"\xfd7zXZ\0" + bytes(30), "file.binary", "xz data"),
        ("Zstandard", b"\x28\xb5\x2f\xfd" + bytes(30), "file.binary", "Zstandard"),
        ("ELF program", b"\x7fELF\x02\x01\x01" + bytes(57), "file.binary", "NUL byte"),
        ("zeros", bytes(10_000), "file.binary", "NUL byte"),
        ("NUL in the header", b"order_id\0" + _TEXT.encode(), "file.binary", "NUL byte"),
        ("NUL in a later header", b"\n\n\0" + _TEXT.encode(), "file.binary", "NUL byte"),
        ("gzip named csv", gzip.compress(_TEXT.encode()), "file.binary", "ends in .csv.gz"),
        ("UTF-16 with mark", _TEXT.encode("utf-16"), "file.encoding", "UTF-16"),
        ("UTF-16 little endian", _TEXT.encode("utf-16-le"), "file.encoding", "UTF-16"),
        ("UTF-16 big endian", _TEXT.encode("utf-16-be"), "file.encoding", "UTF-16"),
        ("Latin-1", _LATIN.encode("latin-1"), "file.encoding", "line 2 holds byte 0xE4"),
        (
            "Windows-1252 euro",
            b"product_id,category,name,price\n1,a,\x80,1\n",
            "file.encoding",
            "line 2 holds byte 0x80",
        ),
        (
            "UTF-8 cut in a character",
            _LATIN.encode()[:-8],
            "file.encoding",
            "line 2 holds byte 0xC3",
        ),
        (
            "surrogates",
            _TEXT.encode() + b"1,\xed\xa0\x80,2025-07-07,1,x\n",
            "file.encoding",
            "line 14",
        ),
        (
            "overlong NUL",
            _TEXT.encode() + b"1,\xc0\x80,2025-07-07,1,x\n",
            "file.encoding",
            "line 14",
        ),
        ("random bytes", random.Random(7).randbytes(5000), "file.encoding", "not UTF-8"),
        ("prose", b"Dear all,\nplease find attached the orders.\n", "file.header", "not a header"),
        ("JSON", b'{"orders": [{"order_id": 1}]}\n', "file.header", "the first line"),
        ("HTML", b"<!DOCTYPE html>\n<html></html>\n", "file.header", "this is an HTML page"),
        (
            "a Git LFS pointer",
            b"version https://git-lfs.github.com/spec/v1\n",
            "file.header",
            "not a",
        ),
    ):
        table = "products" if b"product_id" in content else "orders"
        yield Case(name, "file", table, content, rejected=rule, because=because)
    yield from _gzip_cases()


def _first_line() -> bytes:
    return _TEXT.encode().split(b"\n")[0] + b"\n"


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return content.getvalue()


def _gzip_cases() -> Iterator[Case]:
    packed = gzip.compress(_TEXT.encode(), mtime=0)
    half = len(_TEXT) // 2
    members = gzip.compress(_TEXT[:half].encode()) + gzip.compress(_TEXT[half:].encode())
    for name, content in (
        ("gzip of two members", members),
        ("gzip of members one byte long", b"".join(map(gzip.compress, _bytes_of(_TEXT)))),
        ("gzip followed by zeros", packed + bytes(512)),
        ("gzip with an empty member", gzip.compress(b"") + packed),
        ("gzip of level 0", gzip.compress(_TEXT.encode(), 0)),
    ):
        accepted = tuple(_HEALTHY.accepted)
        yield Case(name, "file", "orders", content, accepted, file_name="orders/a.csv.gz")
    damaged = bytearray(packed)
    damaged[-6] ^= 0xFF
    for name, content, rule, because in (
        ("gzip cut in the middle", packed[: len(packed) // 2], "file.gzip", "ends too early"),
        ("gzip cut before its checksum", packed[:-8], "file.gzip", "ends too early"),
        ("gzip cut in its header", packed[:5], "file.gzip", "ends too early"),
        ("gzip with a wrong checksum", bytes(damaged), "file.gzip", "not readable as gzip"),
        ("gzip followed by text", packed + b"more", "file.gzip", "not readable as gzip"),
        ("CSV named gz", _TEXT.encode(), "file.gzip", "not readable as gzip"),
        ("zlib named gz", zlib.compress(_TEXT.encode()), "file.gzip", "not readable as gzip"),
        ("empty gz", b"", "file.empty", "the file is empty"),
        ("gzip of nothing", gzip.compress(b""), "file.empty", "the file is empty"),
        ("gzip of gzip", gzip.compress(packed), "file.binary", "gzip data"),
        ("gzip of zeros", gzip.compress(bytes(1 << 20)), "file.binary", "NUL byte"),
    ):
        yield Case(
            name,
            "file",
            "orders",
            content,
            rejected=rule,
            because=because,
            file_name="orders/a.csv.gz",
        )


def _bytes_of(text: str) -> list[bytes]:
    return [bytes([byte]) for byte in text.encode()]
