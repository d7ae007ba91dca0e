"""Listens, for a while, to what the pipeline tells people; used by `ecp demo`."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WAIT_SECONDS = 5


@dataclass(frozen=True)
class Notification:
    """What people get by mail: subject and text."""

    subject: str
    message: str


@contextmanager
def notifications(
    sns: Any, sqs: Any, topic_arn: str
) -> Iterator[Callable[[], Notification | None]]:
    """Subscribe a queue of our own to the topic, and take both away afterwards.

    Gives a function that waits at most 5 seconds for the next notification.
    """
    url = sqs.create_queue(QueueName=f"ecp-demo-{secrets.token_hex(4)}")["QueueUrl"]
    try:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        subscription = sns.subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        try:
            yield lambda: _next(sqs, url)
        finally:
            sns.unsubscribe(SubscriptionArn=subscription)
    finally:
        sqs.delete_queue(QueueUrl=url)


def _next(sqs: Any, url: str) -> Notification | None:
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=WAIT_SECONDS, MaxNumberOfMessages=1)
    for message in answer.get("Messages", ()):
        body = json.loads(message["Body"])
        return Notification(body.get("Subject") or "", body["Message"])
    return None
