"""Documents in S3 that are too large for a message: written once, read by pinned reference."""

import hashlib
import json
from typing import Any, Protocol

from botocore.exceptions import ClientError

from contracts import schemas
from contracts.errors import ContractViolation, PipelineError
from contracts.messages import ObjectRef

NOT_THERE = frozenset({"AccessDenied", "NoSuchKey", "NoSuchVersion"})
"""What S3 says to who may not list a bucket of what is not there: that it is forbidden."""


class ObjectStore(Protocol):
    """Where documents live."""

    def put_json(self, bucket: str, key: str, document: Any) -> ObjectRef:
        """Write a document as canonical JSON and return its pinned reference."""

    def get_json(self, ref: ObjectRef) -> Any:
        """Read exactly that version; raises PipelineError when it is gone or was altered."""

    def newest_json(self, bucket: str, key: str) -> Any:
        """Read what stands under a key now; None when nothing does, or nobody may know."""


def check_document(name: str, document: Any, version: int = 1, *, closed: bool = True) -> None:
    """Raise ContractViolation unless the document conforms to contracts/schemas/documents."""
    schemas.check("documents", name, version, document, closed=closed)


def canonical_json(document: Any) -> bytes:
    """The same document always gives the same bytes: sorted keys, no spaces, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256_hex(content: bytes) -> str:
    """SHA-256 of the bytes as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


class S3ObjectStore:
    """Documents in versioned S3 buckets, on a boto3 `s3` client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put_json(self, bucket: str, key: str, document: Any) -> ObjectRef:
        """Write canonical JSON; the bucket must be versioned."""
        content = canonical_json(document)
        answer = self._client.put_object(
            Bucket=bucket, Key=key, Body=content, ContentType="application/json"
        )
        version_id = answer.get("VersionId")
        if not version_id:
            raise PipelineError(f"s3://{bucket}/{key}: the bucket must have versioning switched on")
        return ObjectRef(bucket=bucket, key=key, version_id=version_id, sha256=sha256_hex(content))

    def get_json(self, ref: ObjectRef) -> Any:
        """Read the pinned version and check its SHA-256."""
        try:
            answer = self._client.get_object(
                Bucket=ref.bucket, Key=ref.key, VersionId=ref.version_id
            )
        except ClientError as error:
            raise PipelineError(
                f"s3://{ref.bucket}/{ref.key} version {ref.version_id} cannot be read: {error}"
            ) from error
        return _checked(ref, answer["Body"].read())

    def newest_json(self, bucket: str, key: str) -> Any:
        """Who may not list a bucket is told that a key is forbidden when it is not there."""
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_THERE:
                return None
            raise PipelineError(f"s3://{bucket}/{key} cannot be read: {error}") from error
        return json.loads(answer["Body"].read())


class InMemoryObjectStore:
    """The same behaviour in a dict; `version_id` counts the writes."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], bytes] = {}

    def put_json(self, bucket: str, key: str, document: Any) -> ObjectRef:
        """Keep canonical JSON under the next version."""
        content = canonical_json(document)
        version_id = f"v{len(self.objects) + 1}"
        self.objects[(bucket, key, version_id)] = content
        return ObjectRef(bucket=bucket, key=key, version_id=version_id, sha256=sha256_hex(content))

    def get_json(self, ref: ObjectRef) -> Any:
        """Read the pinned version and check its SHA-256."""
        content = self.objects.get((ref.bucket, ref.key, ref.version_id))
        if content is None:
            raise PipelineError(
                f"s3://{ref.bucket}/{ref.key} version {ref.version_id} is not there"
            ) from ClientError({"Error": {"Code": "NoSuchVersion"}}, "GetObject")
        return _checked(ref, content)

    def newest_json(self, bucket: str, key: str) -> Any:
        """The last that was put."""
        found = [content for at, content in self.objects.items() if at[:2] == (bucket, key)]
        return json.loads(found[-1]) if found else None


def _checked(ref: ObjectRef, content: bytes) -> Any:
    if sha256_hex(content) != ref.sha256:
        raise ContractViolation(
            f"s3://{ref.bucket}/{ref.key} version {ref.version_id} is not what was written: "
            f"SHA-256 {sha256_hex(content)}, expected {ref.sha256}"
        )
    return json.loads(content)
