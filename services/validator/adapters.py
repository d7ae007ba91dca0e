"""S3 as the validator needs it: pinned versions read to their end, objects that appear at once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from contracts.errors import PipelineError, VersionGone
from contracts.messages import ManifestFile, ObjectRef
from services.runtime.privacy.pseudonyms import keys_of
from services.runtime.storage.aws import translated
from services.runtime.storage.object_versions import GONE, WholeBody
from services.validator.reading.file_text import ByteStream

MIB = 1 << 20
MULTIPART_MARK = "-"
NOT_TO_BE_SEEN = {"403", "404"}
"""HEAD has no body to explain itself, and without the right to list, S3 answers 403 for 404."""


class S3Inputs:
    """Pinned versions as streams, on a boto3 `s3` client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @contextmanager
    def open(self, bucket: str, file: ManifestFile) -> Iterator[ByteStream]:
        """GetObject of exactly that version."""
        what = f"s3://{bucket}/{file.key} version {file.version_id}"
        with translated(what), _raising_version_gone(what):
            answer = self._client.get_object(Bucket=bucket, Key=file.key, VersionId=file.version_id)
        try:
            yield WholeBody(answer["Body"], file.size_bytes, what)
        finally:
            answer["Body"].close()

    @contextmanager
    def open_object(self, ref: ObjectRef) -> Iterator[ByteStream]:
        """GetObject of exactly that version."""
        what = f"s3://{ref.bucket}/{ref.key} version {ref.version_id}"
        with translated(what), _raising_version_gone(what):
            answer = self._client.get_object(
                Bucket=ref.bucket, Key=ref.key, VersionId=ref.version_id
            )
        try:
            yield WholeBody(answer["Body"], answer["ContentLength"], what)
        finally:
            answer["Body"].close()


class S3Outputs:
    """Objects in a versioned bucket, on a boto3 `s3` client.

    From `multipart_bytes` on an object is sent, or copied, in parts; PutObject and CopyObject take
    5 GB at most (AWS API reference).
    """

    def __init__(
        self, client: Any, multipart_bytes: int = 256 * MIB, part_bytes: int = 64 * MIB
    ) -> None:
        self._client = client
        self._multipart_bytes, self._part_bytes = multipart_bytes, part_bytes

    def put(self, path: Path, bucket: str, key: str) -> ObjectRef:
        """PutObject, or a multipart upload: both are invisible until they are complete."""
        with path.open("rb") as content, translated(f"s3://{bucket}/{key}"):
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            size_bytes = content.tell()
            content.seek(0)
            if size_bytes < self._multipart_bytes:
                answer = self._client.put_object(Bucket=bucket, Key=key, Body=content)
            else:
                answer = self._put_in_parts(content, bucket, key)
        return _reference(answer, bucket, key, sha256)

    def copy(self, bucket: str, file: ManifestFile, key: str) -> ObjectRef:
        """Copied inside S3, then read back: size, ETag and, where ETags tell nothing, the bytes."""
        what = f"s3://{bucket}/{file.key} version {file.version_id}"
        with translated(what), _raising_version_gone(what):
            self._copy(bucket, file.key, file.version_id, key)
            copy = self._client.head_object(Bucket=bucket, Key=key)
            sha256 = self._sha256(bucket, key, copy["VersionId"])
            if not self._is_same(bucket, file, copy, sha256):
                raise PipelineError(
                    f"s3://{bucket}/{key} is not what was copied from {what}: try again"
                )
        return _reference(copy, bucket, key, sha256)

    def restore(self, ref: ObjectRef) -> None:
        """Copy the version to the top of its key, if another one or a delete marker is there."""
        what = f"s3://{ref.bucket}/{ref.key} version {ref.version_id}"
        with translated(what), _raising_version_gone(what):
            if self._standing_version(ref.bucket, ref.key) != ref.version_id:
                self._copy(ref.bucket, ref.key, ref.version_id, ref.key)

    def remove(self, bucket: str, key: str) -> None:
        """Hide what stands there behind a delete marker; its versions expire by lifecycle."""
        with translated(f"s3://{bucket}/{key}"):
            if self._standing_version(bucket, key) is not None:
                self._client.delete_object(Bucket=bucket, Key=key)

    def _standing_version(self, bucket: str, key: str) -> str | None:
        try:
            version: str = self._client.head_object(Bucket=bucket, Key=key)["VersionId"]
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_TO_BE_SEEN:
                return None
            raise
        return version

    def _copy(self, bucket: str, key: str, version_id: str, to: str) -> None:
        source = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        config = TransferConfig(
            multipart_threshold=self._multipart_bytes, multipart_chunksize=self._part_bytes
        )
        self._client.copy(CopySource=source, Bucket=bucket, Key=to, Config=config)

    def _put_in_parts(self, content: BinaryIO, bucket: str, key: str) -> Any:
        where = {"Bucket": bucket, "Key": key}
        where["UploadId"] = self._client.create_multipart_upload(**where)["UploadId"]
        try:
            parts: list[dict[str, Any]] = []
            while part := content.read(self._part_bytes):
                number = len(parts) + 1
                sent = self._client.upload_part(**where, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            return self._client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        except Exception:
            self._client.abort_multipart_upload(**where)
            raise

    def _is_same(self, bucket: str, file: ManifestFile, copy: Any, sha256: str) -> bool:
        etag = copy["ETag"].strip('"')
        if copy["ContentLength"] != file.size_bytes:
            return False
        if etag == file.etag and MULTIPART_MARK not in etag:
            return True
        expected = file.sha256 or self._sha256(bucket, file.key, file.version_id)
        return sha256 == expected

    def _sha256(self, bucket: str, key: str, version_id: str) -> str:
        digest = hashlib.sha256()
        answer = self._client.get_object(Bucket=bucket, Key=key, VersionId=version_id)
        for block in answer["Body"].iter_chunks(MIB):
            digest.update(block)
        return digest.hexdigest()


@contextmanager
def _raising_version_gone(what: str) -> Iterator[None]:
    """Raise VersionGone when S3 says 404, as it does to a role that may list the bucket."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            raise VersionGone(f"{what} is gone: somebody has deleted it") from error
        raise


def pseudonym_keys(client: Any, secret_id: str) -> tuple[bytes, ...]:
    """The keys of the pseudonyms, the oldest first, from AWS Secrets Manager; never logged."""
    with translated(f"secret {secret_id}"):
        secret: str = client.get_secret_value(SecretId=secret_id)["SecretString"]
    return keys_of(secret)


def _reference(answer: Any, bucket: str, key: str, sha256: str) -> ObjectRef:
    version_id = answer.get("VersionId")
    if not version_id:
        raise PipelineError(f"s3://{bucket}/{key}: the bucket must have versioning switched on")
    return ObjectRef(bucket=bucket, key=key, version_id=version_id, sha256=sha256)
