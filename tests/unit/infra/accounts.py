"""A moto account in which the pipeline is deployed as far as `ecp` looks, with batches in it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from contracts.clock import new_event_id
from contracts.envelope import Message, MessageContext
from services.runtime.event_store import DynamoDBEventStore, StreamAppend
from services.runtime.storage.documents import S3ObjectStore
from tests.unit.infra.batch_events import BEGAN
from tests.unit.infra.tables import KEYS, create_table

BUCKET = "ecommerce-data-bucket"


class Account:
    """What the stacks would have made: bucket, tables, queues, topic, SSM parameters."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.client = client
        self.seconds = 0.0
        s3, sqs = client("s3"), client("sqs")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for table in KEYS:
            create_table(client("dynamodb"), table)
        sqs.create_queue(QueueName="lock-commands-dlq")
        self.commands = sqs.create_queue(QueueName="aggregator-commands")["QueueUrl"]
        self.lock_commands = sqs.create_queue(QueueName="lock-commands")["QueueUrl"]
        topic = client("sns").create_topic(Name="ecommerce-pipeline-notifications")["TopicArn"]
        for name, value in {
            "platform/data-bucket": BUCKET,
            "platform/event-store-table": "EventStore",
            "platform/notification-topic-arn": topic,
            "aggregator/command-queue-url": self.commands,
            "lock/command-queue-url": self.lock_commands,
            "api/views-table": "PipelineViews",
        }.items():
            path = f"/ecommerce-pipeline/{name}"
            client("ssm").put_parameter(Name=path, Value=value, Type="String")
        self.objects = S3ObjectStore(s3)
        self._store = DynamoDBEventStore(client("dynamodb"), "EventStore", self._now, new_event_id)

    def record(self, events: Sequence[Message]) -> None:
        """Append these events, each to the stream that tells of its batch alone, a second apart."""
        for event in events:
            self.seconds += 1
            stream_id = f"{event.event_type}/{event.correlation_id}/{self.seconds:g}"
            append = StreamAppend(stream_id, 0, [event.data])
            self._store.append(append, context=MessageContext("test", event.correlation_id))

    def _now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)
