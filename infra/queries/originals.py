"""The first line of an input, wherever it lies by now: a bad row can only be split with it."""

import csv
import io
import zlib
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from contracts.layout import archive_prefix, quarantined_file_key

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
    text = start.decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""))
    return next((tuple(row) for row in rows if any(cell.strip() for cell in row)), None)
