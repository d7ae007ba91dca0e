"""Hears every event on the pipeline's bus, and how long each took from its happening to there."""

import json
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.clock import from_rfc3339
from tests.support.pipeline import Pipeline

BUS = "ecommerce-pipeline"
NAME = "everything-on-the-bus"


class BusEar:
    """A queue behind a rule that matches all events."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._sqs = pipeline.client("sqs")
        events = pipeline.client("events")
        self._url = self._sqs.create_queue(QueueName=NAME)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["QueueArn"]
        )["Attributes"]
        everything = json.dumps({"source": [{"prefix": ""}]})
        events.put_rule(Name=NAME, EventBusName=BUS, EventPattern=everything)
        target = {"Id": NAME, "Arn": attributes["QueueArn"]}
        events.put_targets(Rule=NAME, EventBusName=BUS, Targets=[target])
        self.seconds: list[float] = []

    def listen(self) -> None:
        """Take in what has come since; SQS notes to the millisecond when."""
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, AttributeNames=["SentTimestamp"]
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                occurred_at = from_rfc3339(json.loads(message["Body"])["detail"]["occurred_at"])
                arrived_at = datetime.fromtimestamp(
                    int(message["Attributes"]["SentTimestamp"]) / 1000, UTC
                )
                self.seconds.append((arrived_at - occurred_at).total_seconds())
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def percentile(values: Sequence[float], hundredths: int) -> float:
    """The value that so many of a hundred do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[hundredths - 1]
