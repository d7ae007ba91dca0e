"""Listening to what people are told, and leaving no trace of having listened."""

from typing import Any

import pytest

from infra.ecp.demo import notifications as module
from infra.ecp.demo.notifications import Notification, notifications


@pytest.fixture
def topic(aws: Any) -> str:
    return str(aws("sns").create_topic(Name="ecommerce-pipeline-notifications")["TopicArn"])


def traces(aws: Any) -> tuple[int, int]:
    """Subscriptions and queues that are there."""
    subscriptions = aws("sns").list_subscriptions()["Subscriptions"]
    return len(subscriptions), len(aws("sqs").list_queues().get("QueueUrls", []))


def test_what_is_published_meanwhile_is_heard(aws: Any, topic: str) -> None:
    with notifications(aws("sns"), aws("sqs"), topic) as next_notification:
        aws("sns").publish(TopicArn=topic, Subject="Batch completed", Message="12 rows")
        assert next_notification() == Notification("Batch completed", "12 rows")
    assert traces(aws) == (0, 0)


def test_silence_is_none(aws: Any, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0)
    with notifications(aws("sns"), aws("sqs"), topic) as next_notification:
        assert next_notification() is None


def test_nothing_stays_when_the_listener_fails(aws: Any, topic: str) -> None:
    with pytest.raises(KeyboardInterrupt), notifications(aws("sns"), aws("sqs"), topic):
        raise KeyboardInterrupt
    assert traces(aws) == (0, 0)
