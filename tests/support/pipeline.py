"""The running pipeline as a user with boto3 sees it: upload, wait, look; knows no code of ours."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import boto3
from boto3.dynamodb.conditions import Key

T = TypeVar("T")
DATA_BUCKET = "ecommerce-data-bucket"
ARCHIVE_BUCKET = "ecommerce-archive-bucket"
NOTIFICATIONS = "ecommerce-pipeline-notifications"
OPEN = ("SEALED", "RUNNING")
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 300.0
"""More than a loaded machine ever takes: a wait that fails is a fault, however slow the machine."""


def eventually(probe: Callable[[], T | None], within_seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy value that the probe gives; fails when none comes in time."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"nothing came of {probe} within {within_seconds} s")


@dataclass
class Pipeline:
    """One running cloud, by its environment (endpoint and credentials)."""

    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        # Making a client takes some 30 ms, which would count as the pipeline's in the figures.
        self.client = cache(lambda name: boto3.client(name, **self._arguments()))
        self._dynamodb = cache(lambda: boto3.resource("dynamodb", **self._arguments()))
        self._keys: dict[str, list[str]] = {}

    def table(self, name: str) -> Any:
        return self._dynamodb().Table(name)

    def _arguments(self) -> dict[str, str]:
        return {
            "endpoint_url": self.environment["AWS_ENDPOINT_URL"],
            "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
            "region_name": self.environment["AWS_DEFAULT_REGION"],
        }

    def mailbox(self, name: str) -> str:
        """A queue that gets what people are told; its URL. The topic may send to it, as on AWS."""
        sqs, sns = self.client("sqs"), self.client("sns")
        topics = [found["TopicArn"] for found in sns.list_topics()["Topics"]]
        [topic] = [arn for arn in topics if arn.endswith(f":{NOTIFICATIONS}")]
        url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = answer["Attributes"]["QueueArn"]
        may_send = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = {"Version": "2012-10-17", "Statement": [may_send]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def upload(self, key: str, text: str, **options: Any) -> str:
        """Put one object; returns its version."""
        answer = self.client("s3").put_object(
            Bucket=DATA_BUCKET, Key=key, Body=text.encode(), **options
        )
        return str(answer["VersionId"])

    def upload_set(self, name: str, files: Mapping[str, str]) -> None:
        """Put files and a manifest that names exactly these versions."""
        manifest = f"manifests/{name}.json"
        metadata = {"ecp-manifest": manifest}
        entries = [
            {"key": key, "version_id": self.upload(key, text, Metadata=metadata)}
            for key, text in files.items()
        ]
        self.upload(manifest, json.dumps({"files": entries}))

    def batches(self) -> list[dict[str, Any]]:
        """Every batch of the aggregator's read model, oldest first."""
        answer = self.table("AggregatorState").query(KeyConditionExpression=Key("pk").eq("batches"))
        return list(answer["Items"])

    def batch_of(
        self, key: str, *, after: int = 0, within_seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """The closed batch that holds `key`, the (after+1)th of its kind."""

        def probe() -> dict[str, Any] | None:
            found = [batch for batch in self.batches() if key in self.keys_of(batch["batch_id"])]
            closed = [batch for batch in found if batch["status"] not in OPEN]
            return closed[after] if len(closed) > after else None

        return eventually(probe, within_seconds)

    def keys_of(self, batch_id: str) -> list[str]:
        """The keys of a batch's files, which its seal has settled: they are asked for once."""
        if batch_id not in self._keys:
            files = self.manifest(batch_id)["files"]
            self._keys[batch_id] = [file["key"] for file in files]
        return self._keys[batch_id]

    def manifest(self, batch_id: str) -> dict[str, Any]:
        return self.document(f"processing/{batch_id}/manifest.json")

    def result(self, batch_id: str) -> dict[str, Any]:
        return self.document(f"processing/{batch_id}/result.json")

    def report(self, batch_id: str, index: int) -> dict[str, Any]:
        return self.document(f"processing/{batch_id}/reports/{index:04d}.json")

    def document(self, key: str) -> dict[str, Any]:
        body = self.client("s3").get_object(Bucket=DATA_BUCKET, Key=key)["Body"]
        return dict(json.loads(body.read()))

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2")
        return [
            entry["Key"]
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for entry in page.get("Contents", [])
        ]

    def order_kpis(self) -> dict[str, dict[str, Any]]:
        """OrderKPIs by order_date."""
        return {item["order_date"]: item for item in self._scan("OrderKPIs")}

    def category_kpis(self) -> dict[tuple[str, str], dict[str, Any]]:
        """CategoryKPIs by (category, order_date)."""
        return {(item["category"], item["order_date"]): item for item in self._scan("CategoryKPIs")}

    def _scan(self, table: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        request: dict[str, Any] = {}
        while True:
            answer = self.table(table).scan(**request)
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return items
            request = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def lock(self) -> dict[str, Any]:
        answer = self.table("ProcessingLockTable").get_item(
            Key={"LockId": "ecommerce-pipeline-lock"}, ConsistentRead=True
        )
        return dict(answer.get("Item", {"currentlockcount": 0}))

    def events(self, batch_id: str) -> list[dict[str, Any]]:
        answer = self.table("EventStore").query(
            IndexName="by-correlation", KeyConditionExpression=Key("correlation_id").eq(batch_id)
        )
        return list(answer["Items"])

    def dead_letters(self) -> dict[str, int]:
        """Messages per dead-letter queue, those that have any."""
        sqs = self.client("sqs")
        counts = {}
        for url in sqs.list_queues().get("QueueUrls", []):
            if url.endswith("-dlq"):
                attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
                count = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
                if count:
                    counts[url.rsplit("/", 1)[-1]] = count
        return counts
