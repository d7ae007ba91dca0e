"""Exact versions of objects in one S3 bucket: read to their end, followed by a new one, deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from contracts.errors import Transient, VersionGone
from contracts.messages import ObjectVersion
from services.runtime.storage.aws import translated

MIB = 1 << 20
GONE = frozenset({"404", "405", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion"})
"""405: the version is a delete marker. Never 403: whoever may list the bucket is told 404, and a
right that is missing is our fault, not a file's."""


class S3Versions:
    """On a boto3 `s3` client; what is larger than 256 MiB is sent in parts."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket
        self._in_parts = TransferConfig(multipart_threshold=256 * MIB, multipart_chunksize=64 * MIB)

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator["WholeBody"]:
        """GetObject of exactly that version; raises VersionGone."""
        answer = self._get(version)
        try:
            yield WholeBody(answer["Body"], answer["ContentLength"], self._named(version))
        finally:
            answer["Body"].close()

    def put(self, path: Path, like: ObjectVersion) -> None:
        """Whole or not at all; type and user metadata are those of the version before."""
        named = {"Bucket": self._bucket, "Key": like.key}
        with translated(self._named(like)), path.open("rb") as content:
            before = self._client.head_object(**named, VersionId=like.version_id)
            described = {"ContentType": before["ContentType"], "Metadata": before["Metadata"]}
            self._client.upload_fileobj(
                content, **named, ExtraArgs=described, Config=self._in_parts
            )

    def delete(self, version: ObjectVersion) -> None:
        """DeleteObject with VersionId: leaves no delete marker, touches no other version."""
        with translated(self._named(version)):
            self._client.delete_object(
                Bucket=self._bucket, Key=version.key, VersionId=version.version_id
            )

    def _get(self, version: ObjectVersion) -> Any:
        with translated(self._named(version)):
            try:
                return self._client.get_object(
                    Bucket=self._bucket, Key=version.key, VersionId=version.version_id
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in GONE:
                    raise VersionGone(f"{self._named(version)} is gone") from error
                raise

    def _named(self, version: ObjectVersion) -> str:
        return f"s3://{self._bucket}/{version.key} version {version.version_id}"


class WholeBody:
    """A body that ends after the declared size, or raises Transient: a drop is no end of file."""

    def __init__(self, body: Any, size_bytes: int, what: str) -> None:
        self._body, self._what = body, what
        self._size_bytes, self._read_bytes = size_bytes, 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty only after the last one."""
        with translated(self._what):
            content: bytes = self._body.read(size)
        self._read_bytes += len(content)
        if not content and self._read_bytes != self._size_bytes:
            raise Transient(
                f"{self._what}: S3 stopped after {self._read_bytes} of {self._size_bytes} bytes"
            )
        return content
