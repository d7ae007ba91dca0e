"""The ports on AWS, against moto."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from contracts.errors import ContractViolation, Transient
from services.aggregator.adapters import (
    S3Reports,
    S3Uploads,
    SnsPeople,
    SqsChecks,
    StepFunctionsExecutions,
)
from services.aggregator.notifications import SnsNotification
from services.aggregator.open_set.detection import Notification
from tests.support.doubles import refused
from tests.support.moto_account import moto_account
from tests.unit.aggregator.harness import a_report

BATCH = "3f2a9c0d1e4b5a67"


@pytest.fixture
def aws() -> Iterator[None]:
    with moto_account():
        yield


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(Bucket="uploads")
    client.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    return client


def put(s3: Any, content: bytes, key: str = "orders/ä 1.csv", **options: Any) -> str:
    answer = s3.put_object(Bucket="uploads", Key=key, Body=content, **options)
    return str(answer["VersionId"])


def test_a_look_tells_what_head_says(s3: Any) -> None:
    version_id = put(s3, b"content", Metadata={"ecp-manifest": "manifests/july.json"})
    seen = S3Uploads(s3).look(Notification("uploads", "orders/ä 1.csv", version_id))
    assert seen is not None
    assert (seen.version_id, seen.size_bytes) == (version_id, 7)
    assert seen.etag == hashlib.md5(b"content").hexdigest()  # noqa: S324
    assert seen.manifest_key == "manifests/july.json"
    assert seen.last_modified.endswith(".000Z")
    assert seen.sha256 is None


def test_a_look_sees_the_version_it_asks_for_or_the_newest(s3: Any) -> None:
    older = put(s3, b"older one")
    newer = put(s3, b"newer")
    uploads = S3Uploads(s3)
    by_version = uploads.look(Notification("uploads", "orders/ä 1.csv", older))
    newest = uploads.look(Notification("uploads", "orders/ä 1.csv"))
    assert by_version is not None
    assert newest is not None
    assert (by_version.size_bytes, newest.size_bytes) == (9, 5)
    assert newest.version_id == newer
    assert uploads.read(by_version) == b"older one"


def test_what_is_gone_is_not_seen_and_not_read(s3: Any) -> None:
    put(s3, b"content")
    uploads = S3Uploads(s3)
    seen = uploads.look(Notification("uploads", "orders/ä 1.csv"))
    assert seen is not None
    s3.delete_object(Bucket="uploads", Key=seen.key, VersionId=seen.version_id)
    assert uploads.look(Notification("uploads", "orders/ä 1.csv")) is None
    assert uploads.look(Notification("uploads", "orders/ä 1.csv", seen.version_id)) is None
    assert uploads.read(seen) is None


def test_a_newest_version_that_is_a_delete_marker_is_gone(s3: Any) -> None:
    put(s3, b"content")
    s3.delete_object(Bucket="uploads", Key="orders/ä 1.csv")
    assert S3Uploads(s3).look(Notification("uploads", "orders/ä 1.csv")) is None


class Answering:
    """An S3 client with one answer to HEAD, or one error to everything."""

    def __init__(self, **answer: Any) -> None:
        self.error = answer.pop("error", None)
        self.answer = {
            "ContentLength": 7,
            "ETag": '"e"',
            "LastModified": datetime(2025, 7, 7, tzinfo=UTC),
            "VersionId": "v1",
        } | answer

    def __getattr__(self, _operation: str) -> Any:
        def call(**_: Any) -> Any:
            if self.error is not None:
                raise self.error
            return self.answer

        return call


def of_content(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"ChecksumSHA256": of_content(b"a")}, hashlib.sha256(b"a").hexdigest()),
        (
            {"ChecksumSHA256": of_content(b"a"), "ChecksumType": "FULL_OBJECT"},
            hashlib.sha256(b"a").hexdigest(),
        ),
        ({"ChecksumSHA256": of_content(b"a"), "ChecksumType": "COMPOSITE"}, None),
        ({"ChecksumSHA256": of_content(b"a") + "-2"}, None),
        ({}, None),
    ],
)
def test_only_a_checksum_of_the_whole_content_is_taken(
    answer: dict[str, str], expected: str | None
) -> None:
    seen = S3Uploads(Answering(**answer)).look(Notification("uploads", "orders/1.csv"))
    assert seen is not None
    assert seen.sha256 == expected


@pytest.mark.parametrize(
    "error", [refused("403"), refused("SlowDown"), EndpointConnectionError(endpoint_url="x")]
)
def test_a_fault_is_never_taken_for_a_file_that_is_gone(error: Exception) -> None:
    with pytest.raises(Transient, match=r"s3://uploads/orders/1\.csv"):
        S3Uploads(Answering(error=error)).look(Notification("uploads", "orders/1.csv"))
    with pytest.raises(Transient):
        S3Reports(Answering(error=error)).read("uploads", BATCH, [0])
    with pytest.raises(Transient):
        StepFunctionsExecutions(Answering(error=error), "arn").start("name", {})


def test_reports_are_read_by_index_and_a_missing_one_is_left_out(s3: Any) -> None:
    report = a_report(2, reason="wrong header")
    body = report.model_dump_json().encode()
    put(s3, body, key=f"processing/{BATCH}/reports/0002.json")
    assert S3Reports(s3).read("uploads", BATCH, [0, 2]) == {2: report}


def test_a_report_that_is_none_is_refused(s3: Any) -> None:
    put(s3, b"{}", key=f"processing/{BATCH}/reports/0000.json")
    with pytest.raises(ContractViolation):
        S3Reports(s3).read("uploads", BATCH, [0])


@pytest.fixture
def executions(aws: None) -> StepFunctionsExecutions:
    client = boto3.client("stepfunctions")
    machine = client.create_state_machine(
        name="ecsJob",
        definition='{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/ecsJob",
    )["stateMachineArn"]
    return StepFunctionsExecutions(client, machine)


def test_an_execution_is_started_once_per_name(executions: StepFunctionsExecutions) -> None:
    first = executions.start(BATCH, {"bucket": "uploads", "attempt": 0})
    assert first.endswith(f":execution:ecsJob:{BATCH}")
    assert executions.start(BATCH, {"bucket": "uploads", "attempt": 7}) == first


def test_an_execution_gets_the_document(executions: StepFunctionsExecutions) -> None:
    execution_id = executions.start(BATCH, {"bucket": "uploads", "file_count": 3})
    described = boto3.client("stepfunctions").describe_execution(executionArn=execution_id)
    assert json.loads(described["input"]) == {"bucket": "uploads", "file_count": 3}


def test_a_running_execution_has_not_ended_and_an_unknown_one_has(
    executions: StepFunctionsExecutions,
) -> None:
    execution_id = executions.start(BATCH, {})
    assert executions.ended(execution_id) is None
    boto3.client("stepfunctions").stop_execution(executionArn=execution_id)
    assert executions.ended(execution_id) == "ABORTED"
    assert executions.ended(execution_id + "0") == "UNKNOWN"


def test_a_check_is_a_delayed_message_to_ourselves(aws: None) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="aggregator-files")["QueueUrl"]
    SqsChecks(sqs, url).send("uploads", 900)
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"
    SqsChecks(sqs, url).send("uploads", 0)
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"check": "uploads"}


def test_people_are_told_by_the_topic_and_odd_letters_do_not_stop_it(aws: None) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="notifications")["TopicArn"]
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    SnsPeople(sns, topic).tell(SnsNotification("Files wait in ä", "orders/ä.csv is missing"))
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(message["Body"])
    assert (told["Subject"], told["Message"]) == ("Files wait in ?", "orders/ä.csv is missing")
