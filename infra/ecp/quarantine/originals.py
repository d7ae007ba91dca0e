"""The first line of an input, wherever it lies by now: a bad row can only be split with it."""

import zlib
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from contracts.file_contracts import file_contract
from contracts.layout import KINDS, archive_prefix, quarantined_file_key
from services.runtime.csv_files.csv_records import FirstLine, read_record
from services.runtime.csv_files.header import OTHER_DELIMITERS, is_separator_line, names_of
from services.runtime.csv_files.texts import without_marks

FIRST_BYTES = 64 << 10
GONE = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "MethodNotAllowed"})


class Headers:
    """Column names of inputs, each file read once."""

    def __init__(self, s3: Any, data_bucket: str, archive_bucket: str) -> None:
        self._s3, self._data, self._archive = s3, data_bucket, archive_bucket
        self.of = cache(self._find)

    def _find(self, batch_id: str, key: str, version_id: str) -> tuple[str, ...] | None:
        """The names as they stand there; None when the file has expired."""
        places = (
            {"Bucket": self._archive, "Key": archive_prefix(batch_id) + key},
            {"Bucket": self._data, "Key": key, "VersionId": version_id},
            {"Bucket": self._data, "Key": quarantined_file_key(batch_id, key)},
        )
        for place in places:
            start = self._start_of(place)
            if start is not None:
                return header_of(start)
        return None

    def _start_of(self, place: dict[str, str]) -> bytes | None:
        try:
            answer = self._s3.get_object(**place, Range=f"bytes=0-{FIRST_BYTES - 1}")
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise
        content: bytes = answer["Body"].read()
        return content


def header_of(start: bytes) -> tuple[str, ...] | None:
    """The column names of a file that begins with these bytes (gzip too); None for no line."""
    if start[:2] == b"\x1f\x8b":
        start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, FIRST_BYTES)
    for line in without_marks(start).splitlines():
        found = [_names(line, delimiter) for delimiter in "," + OTHER_DELIMITERS]
        names = max(found, key=lambda each: len(_KNOWN & set(each)))
        if any(names):
            return names
    return None


_KNOWN = {name for kind in KINDS for name in file_contract(kind).columns}


def _names(line: bytes, delimiter: str) -> tuple[str, ...]:
    record = read_record([line], 0, FirstLine(delimiter), is_last_block=True)
    return () if record is None or is_separator_line(record) else names_of(record)
