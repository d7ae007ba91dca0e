"""S3 as the archiver needs it: exact versions, managed copies, hashes of streamed bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from services.archiver.domain import Stored
from services.runtime.storage.aws import translated
from services.runtime.storage.object_versions import GONE

MIB = 1024 * 1024
FORBIDDEN = "403"
"""What S3 answers for 404 in the archive bucket, which the role may not list."""


class S3Objects:
    """On a boto3 `s3` client, shared by the threads of one batch.

    From `multipart_bytes` on an object is copied in parts, several side by side; CopyObject takes
    5 GB at most (AWS API reference) and is one call.
    """

    def __init__(
        self, client: Any, multipart_bytes: int = 1024 * MIB, part_bytes: int = 256 * MIB
    ) -> None:
        self._client = client
        self._multipart_bytes = multipart_bytes
        self._in_parts = TransferConfig(
            multipart_threshold=multipart_bytes, multipart_chunksize=part_bytes, max_concurrency=4
        )

    def head(self, bucket: str, key: str, version_id: str | None = None) -> Stored | None:
        """HEAD; in an unversioned bucket the version is `null`.

        Of a pinned version, and in the data bucket, which the role may list, only 404 says that it
        is gone. Elsewhere 403 counts as absent: a copy that is missed is made.
        """
        pinned = {} if version_id is None else {"VersionId": version_id}
        with translated(f"s3://{bucket}/{key}"):
            try:
                answer = self._client.head_object(Bucket=bucket, Key=key, **pinned)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in GONE or (code == FORBIDDEN and version_id is None):
                    return None
                raise
        return Stored(
            version_id=answer.get("VersionId") or "null",
            size_bytes=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            content_type=answer["ContentType"],
            metadata=answer["Metadata"],
        )

    def copy(
        self,
        source: tuple[str, str, str],
        bucket: str,
        key: str,
        like: Stored,
        provenance: Mapping[str, str],
    ) -> None:
        """CopyObject, or boto3's managed copy in parts, which forgets metadata unless told."""
        source_bucket, source_key, version_id = source
        pinned = {"Bucket": source_bucket, "Key": source_key, "VersionId": version_id}
        described = {
            "MetadataDirective": "REPLACE",
            "Metadata": {**like.metadata, **provenance},
            "ContentType": like.content_type,
        }
        with translated(f"s3://{source_bucket}/{source_key} version {version_id}"):
            if like.size_bytes < self._multipart_bytes:
                self._client.copy_object(CopySource=pinned, Bucket=bucket, Key=key, **described)
            else:
                self._client.copy(
                    CopySource=pinned,
                    Bucket=bucket,
                    Key=key,
                    ExtraArgs=described,
                    Config=self._in_parts,
                )

    def sha256(self, bucket: str, key: str, version_id: str) -> str:
        """Streamed, a MiB at a time."""
        digest = hashlib.sha256()
        with translated(f"s3://{bucket}/{key} version {version_id}"):
            answer = self._client.get_object(Bucket=bucket, Key=key, VersionId=version_id)
            for block in answer["Body"].iter_chunks(MIB):
                digest.update(block)
        return digest.hexdigest()

    def delete(self, bucket: str, key: str, version_id: str) -> None:
        """DeleteObject with VersionId: leaves no delete marker, touches no other version."""
        with translated(f"s3://{bucket}/{key} version {version_id}"):
            self._client.delete_object(Bucket=bucket, Key=key, VersionId=version_id)
