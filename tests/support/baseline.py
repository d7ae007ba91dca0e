"""What a local cloud holds when it is new, and how it is made to hold no more and no less again."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.pipeline import OPEN, Pipeline, eventually

CLEAN_PASSES = 2
"""So often in a row nothing was found to put right: what was on its way has come by then."""
TABLE_INPUT = ("Name", "TableType", "Parameters", "StorageDescriptor")
IN_HAND = "ApproximateNumberOfMessagesNotVisible"
WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
HANDLED_WITHIN_SECONDS = 20.0
"""A message that is in hand for longer failed, and waits to be delivered again."""
Item = Mapping[str, Any]


class Baseline:
    """The state of a cloud whose workers are ready and through which nothing has gone.

    Code, templates and settings are none of it: who changes those takes a cloud of their own.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        client = pipeline.client
        self._keys = {
            name: _keys_of(client("dynamodb").describe_table(TableName=name)["Table"])
            for name in client("dynamodb").list_tables()["TableNames"]
        }
        self._items = {name: self._items_of(name) for name in self._keys}
        self._objects = set(self._versions())
        self._unversioned = {one: self._body_of(*one) for one in self._objects if one[2] == "null"}
        self._secrets = dict(self._secret_texts())
        self._facts = {table["Name"]: table for table in self._fact_tables()}
        self._queues = set(self._queue_urls())
        self._subscriptions = set(self._subscription_arns())
        self._in_hand_since: dict[str, float] = {}

    def restore(self) -> None:
        """Wait until nothing is under way, then make it new; AssertionError when it cannot be."""
        eventually(self._is_quiet)
        clean = 0

        def is_new() -> bool:
            nonlocal clean
            clean = 0 if self._put_right() else clean + 1
            return clean == CLEAN_PASSES

        eventually(is_new)

    def _is_quiet(self) -> bool:
        closed = all(batch["status"] not in OPEN for batch in self._pipeline.batches())
        return closed and not self._pipeline.lock()["currentlockcount"]

    def _put_right(self) -> int:
        """How much was different: queues, subscriptions, tables, objects, secrets and facts."""
        return sum(
            (
                self._end_subscriptions(),
                self._empty_queues(),
                self._put_back_objects(),
                self._restore_facts(),
                self._restore_secrets(),
                sum(self._restore_table(name) for name in self._keys),
                self._delete_objects(),
            )
        )

    def _end_subscriptions(self) -> int:
        new = set(self._subscription_arns()) - self._subscriptions
        for arn in new:
            self._pipeline.client("sns").unsubscribe(SubscriptionArn=arn)
        return len(new)

    def _empty_queues(self) -> int:
        sqs, found = self._pipeline.client("sqs"), 0
        for url in self._queue_urls():
            if url not in self._queues:
                sqs.delete_queue(QueueUrl=url)
                found += 1
                continue
            holds = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            in_hand = self._is_in_hand(url, int(holds[IN_HAND]))
            found += in_hand
            if not in_hand and any(int(holds[name]) for name in (IN_HAND, *WAITING)):
                sqs.purge_queue(QueueUrl=url)
                found += 1
        return found

    def _is_in_hand(self, url: str, messages: int) -> bool:
        """Whether somebody may be at work on one: what they write would come after the purge."""
        if not messages:
            self._in_hand_since.pop(url, None)
            return False
        since = self._in_hand_since.setdefault(url, time.monotonic())
        return time.monotonic() - since < HANDLED_WITHIN_SECONDS

    def _restore_table(self, name: str) -> int:
        dynamodb, found, was = self._pipeline.client("dynamodb"), 0, self._items[name]
        for key, item in self._items_of(name).items():
            if key not in was:
                dynamodb.delete_item(
                    TableName=name, Key={name: item[name] for name in self._keys[name]}
                )
                found += 1
            elif was[key] != item:
                dynamodb.put_item(TableName=name, Item=was[key])
                found += 1
        return found

    def _restore_facts(self) -> int:
        glue, found = self._pipeline.client("glue"), 0
        for table in self._fact_tables():
            was = self._facts.get(table["Name"])
            if was is None:
                glue.delete_table(DatabaseName=table["DatabaseName"], Name=table["Name"])
                found += 1
            elif was["Parameters"] != table["Parameters"]:
                wanted = {name: was[name] for name in TABLE_INPUT if name in was}
                glue.update_table(DatabaseName=table["DatabaseName"], TableInput=wanted)
                found += 1
        return found

    def _restore_secrets(self) -> int:
        changed = {
            arn: self._secrets[arn]
            for arn, text in self._secret_texts()
            if self._secrets[arn] != text
        }
        for arn, text in changed.items():
            self._pipeline.client("secretsmanager").put_secret_value(
                SecretId=arn, SecretString=text
            )
        return len(changed)

    def _put_back_objects(self) -> int:
        """An erasure deletes what facts were made of in former times, back to the empty table."""
        lost = self._objects - set(self._versions())
        for bucket, key, version_id in lost:
            body = self._unversioned[bucket, key, version_id]
            self._pipeline.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return len(lost)

    def _body_of(self, bucket: str, key: str, _version_id: str) -> bytes:
        body = self._pipeline.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        return bytes(body.read())

    def _delete_objects(self) -> int:
        found = set(self._versions())
        for bucket, key, version_id in found - self._objects:
            self._pipeline.client("s3").delete_object(Bucket=bucket, Key=key, VersionId=version_id)
        return len(found - self._objects)

    def _items_of(self, table: str) -> dict[tuple[str, ...], Item]:
        pages = self._pipeline.client("dynamodb").get_paginator("scan")
        return {
            tuple(str(item[name]) for name in self._keys[table]): item
            for page in pages.paginate(TableName=table, ConsistentRead=True)
            for item in page["Items"]
        }

    def _versions(self) -> Iterator[tuple[str, str, str]]:
        """Bucket, key and version of every object and delete marker."""
        s3 = self._pipeline.client("s3")
        for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    yield bucket, one["Key"], one["VersionId"]

    def _secret_texts(self) -> Iterator[tuple[str, str]]:
        secrets = self._pipeline.client("secretsmanager")
        for one in secrets.list_secrets()["SecretList"]:
            yield one["ARN"], secrets.get_secret_value(SecretId=one["ARN"])["SecretString"]

    def _fact_tables(self) -> Iterator[dict[str, Any]]:
        glue = self._pipeline.client("glue")
        for database in glue.get_databases()["DatabaseList"]:
            yield from glue.get_tables(DatabaseName=database["Name"])["TableList"]

    def _queue_urls(self) -> list[str]:
        return list(self._pipeline.client("sqs").list_queues()["QueueUrls"])

    def _subscription_arns(self) -> list[str]:
        listed = self._pipeline.client("sns").list_subscriptions()["Subscriptions"]
        return [one["SubscriptionArn"] for one in listed]


def _keys_of(table: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(key["AttributeName"] for key in table["KeySchema"])
