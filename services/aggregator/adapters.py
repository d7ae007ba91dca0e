"""The aggregator's ports on AWS: S3 uploads and reports, executions, delayed checks, people."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts import layout
from contracts.clock import to_rfc3339
from contracts.errors import Transient
from contracts.identities import FileIdentity
from contracts.messages import FileReport
from services.aggregator.notifications import SnsNotification
from services.aggregator.open_set.detection import (
    ListedVersion,
    Notification,
    Sighting,
    VersionPage,
)
from services.runtime.messaging.executions import how_it_ended
from services.runtime.storage.documents import check_document

MANIFEST_METADATA = "ecp-manifest"
"""User metadata of an upload: the key of the manifest that is to come and names it."""
HEADS_AT_ONCE = 8
NOT_THERE = {"404", "405", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"}
"""405: the version is a delete marker. 403 is not here: a right that is missing is our fault."""


class S3Uploads:
    """On a boto3 `s3` client; the role may list the bucket, else S3 answers 403 for 404."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def look(self, notification: Notification) -> Sighting | None:
        """HEAD of the version that the notification names, or of the newest one."""
        bucket, key = notification.bucket, notification.key
        version = {} if notification.version_id is None else {"VersionId": notification.version_id}
        with _translated(f"s3://{bucket}/{key}"):
            try:
                answer = self._client.head_object(
                    Bucket=bucket, Key=key, ChecksumMode="ENABLED", **version
                )
            except ClientError as error:
                if _code(error) in NOT_THERE:
                    return None
                raise
        return Sighting(
            bucket=bucket,
            key=key,
            version_id=answer.get("VersionId"),
            size_bytes=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            last_modified=to_rfc3339(answer["LastModified"]),
            sha256=_sha256_of_whole(answer),
            manifest_key=answer.get("Metadata", {}).get(MANIFEST_METADATA) or None,
        )

    def read(self, seen: Sighting) -> bytes | None:
        """GET of exactly that version."""
        with _translated(f"s3://{seen.bucket}/{seen.key}"):
            try:
                answer = self._client.get_object(
                    Bucket=seen.bucket, Key=seen.key, VersionId=seen.version_id
                )
                content: bytes = answer["Body"].read()
            except ClientError as error:
                if _code(error) in NOT_THERE:
                    return None
                raise
        return content

    def versions(self, bucket: str, prefix: str, after: tuple[str, str] | None) -> VersionPage:
        """ListObjectVersions; S3 lists keys in order, the newest version of each first."""
        markers = {"KeyMarker": after[0], "VersionIdMarker": after[1]} if after else {}
        with _translated(f"s3://{bucket}/{prefix}"):
            answer = self._client.list_object_versions(Bucket=bucket, Prefix=prefix, **markers)
        versions = [
            ListedVersion(
                one["Key"], one["VersionId"], to_rfc3339(one["LastModified"]), one["IsLatest"]
            )
            for one in answer.get("Versions", ())
        ]
        following = None
        if answer.get("IsTruncated"):
            following = answer["NextKeyMarker"], answer["NextVersionIdMarker"]
        return VersionPage(versions, following)

    def gone(self, identities: Sequence[FileIdentity]) -> set[FileIdentity]:
        """HEAD of each version, some side by side: a batch has 1,000 at most."""
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            looked = pool.map(lambda one: self.look(Notification(*one)), identities)
            return {one for one, seen in zip(identities, looked, strict=True) if seen is None}


class S3Reports:
    """The newest report of each file, by its published key."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, bucket: str, batch_id: str, indexes: Collection[int]) -> dict[int, FileReport]:
        """Raises ContractViolation when a report is not one."""
        found = {index: self._report(bucket, batch_id, index) for index in indexes}
        return {index: report for index, report in found.items() if report is not None}

    def _report(self, bucket: str, batch_id: str, index: int) -> FileReport | None:
        key = layout.file_report_key(batch_id, index)
        with _translated(f"s3://{bucket}/{key}"):
            try:
                body = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if _code(error) in NOT_THERE:
                    return None
                raise
        document = json.loads(body)
        check_document("FileReport", document, closed=False)
        return FileReport.model_validate(document)


class StepFunctionsExecutions:
    """Executions of one state machine, on a boto3 `stepfunctions` client."""

    def __init__(self, client: Any, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, name: str, document: Mapping[str, object]) -> str:
        """StartExecution; a name that was used before is the same execution."""
        with _translated(f"execution {name}"):
            try:
                answer = self._client.start_execution(
                    stateMachineArn=self._state_machine_arn, name=name, input=json.dumps(document)
                )
            except ClientError as error:
                if _code(error) == "ExecutionAlreadyExists":
                    return self._arn_of(name)
                raise
        execution_id: str = answer["executionArn"]
        return execution_id

    def ended(self, execution_id: str) -> str | None:
        """DescribeExecution; raises Transient when it cannot be told now."""
        return how_it_ended(self._client, execution_id)

    def _arn_of(self, name: str) -> str:
        machine = self._state_machine_arn.replace(":stateMachine:", ":execution:", 1)
        return f"{machine}:{name}"


class SqsChecks:
    """`{"check": bucket}` to our own file queue, delayed."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, bucket: str, delay_seconds: int) -> None:
        """SendMessage with DelaySeconds."""
        with _translated(self._queue_url):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps({"check": bucket}),
                DelaySeconds=delay_seconds,
            )


class SnsPeople:
    """The notification topic, on a boto3 `sns` client."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, notice: SnsNotification) -> None:
        """Publish; SNS takes printable ASCII only in a subject, so other characters become `?`."""
        with _translated(self._topic_arn):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=notice.subject.encode("ascii", "replace").decode(),
                Message=notice.message,
            )


def _sha256_of_whole(answer: Mapping[str, Any]) -> str | None:
    """Hex, if S3 has the checksum of the whole content; one made of parts' checksums is none."""
    checksum = answer.get("ChecksumSHA256")
    is_of_whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    if not checksum or "-" in checksum or not is_of_whole:
        return None
    return base64.b64decode(checksum).hex()


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Whatever else AWS says may be otherwise in a minute; SQS or the saga tries again."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Transient(f"{what} cannot be reached now: {error}") from error
