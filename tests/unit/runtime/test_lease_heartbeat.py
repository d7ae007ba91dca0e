"""A working worker keeps the lock of the batch in hand, and of no other."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.envelope import parse
from services.lock import domain
from services.runtime.messaging.lease_heartbeat import LOCK_ID, LeaseHeartbeat
from tests.contract.builders import BATCH, a_body, an_envelope, an_example

NOW = datetime(2025, 7, 7, 12, tzinfo=UTC)
MESSAGE_ID = "0199f0a2-7d6e-7c3a-8a7f-2f6f0d0c4a12"


class RecordingQueue:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)


def test_a_heartbeat_extends_the_lease_of_the_commands_owner_and_fence() -> None:
    queue = RecordingQueue()
    beat = LeaseHeartbeat(
        queue, "the-lock", "ecommerce-pipeline/x", lambda: NOW, lambda: MESSAGE_ID
    )
    data = an_example("ValidateFile", execution_id="arn:owner", fence=12)
    beat(parse(a_body("ValidateFile", task_token="secret", data=data)))
    [request] = queue.sent
    assert request["QueueUrl"] == "the-lock"
    extension = parse(request["MessageBody"])
    assert extension.event_type == "ExtendLease"
    assert (extension.data.lock_id, extension.data.execution_id, extension.data.fence) == (
        LOCK_ID,
        "arn:owner",
        12,
    )
    assert (extension.event_id, extension.correlation_id) == (MESSAGE_ID, BATCH)
    assert extension.causation_id == an_envelope()["event_id"]
    assert (extension.source, extension.stream_id) == ("ecommerce-pipeline/x", f"lock/{LOCK_ID}")
    assert (extension.schema_version, extension.stream_version) == (1, 0)
    assert extension.task_token is None


def test_a_grant_is_extended_once_a_minute_and_another_grant_at_once() -> None:
    queue, now = RecordingQueue(), [NOW]
    beat = LeaseHeartbeat(queue, "the-lock", "a", lambda: now[0], lambda: MESSAGE_ID)

    def work_under(fence: int, *, after_seconds: int) -> None:
        now[0] += timedelta(seconds=after_seconds)
        data = an_example("ValidateFile", execution_id="arn:owner", fence=fence)
        beat(parse(a_body("ValidateFile", task_token="secret", data=data)))

    for after_seconds in (0, 5, 54, 1):
        work_under(12, after_seconds=after_seconds)
    assert len(queue.sent) == 2
    work_under(13, after_seconds=1)
    assert parse(queue.sent[-1]["MessageBody"]).data.fence == 13
    work_under(12, after_seconds=1)
    assert len(queue.sent) == 4, "no grant but the last is remembered: a worker lives for months"


def test_it_is_the_lock_that_the_lock_service_keeps() -> None:
    assert LOCK_ID == domain.LOCK_ID


def test_a_command_that_works_without_the_lock_extends_nothing() -> None:
    queue = RecordingQueue()
    beat = LeaseHeartbeat(queue, "the-lock", "a", lambda: NOW, lambda: MESSAGE_ID)
    beat(parse(a_body("RebuildKpis", task_token="secret", data=an_example("RebuildKpis"))))
    assert queue.sent == []


def test_many_short_messages_keep_the_lease_without_a_heartbeat() -> None:
    """1,000 files of less than a second each, under one grant, are more than a lease lasts."""
    queue, now = RecordingQueue(), [NOW]
    lease = LeaseHeartbeat(queue, "the-lock", "a", lambda: now[0], lambda: MESSAGE_ID)
    for number in range(1000):
        data = an_example("ValidateFile", execution_id="arn:owner", fence=12, file_index=number)
        lease.took(parse(a_body("ValidateFile", task_token="secret", data=data)))
        now[0] += timedelta(seconds=0.9)
    assert len(queue.sent) == 900 // 60 - 1, "once a minute, and not at the first one"
    lease.took(parse(a_body("RebuildKpis", task_token="secret", data=an_example("RebuildKpis"))))
    assert len(queue.sent) == 14


def test_a_short_message_of_another_grant_begins_a_minute_of_its_own() -> None:
    queue, now = RecordingQueue(), [NOW]
    lease = LeaseHeartbeat(queue, "the-lock", "a", lambda: now[0], lambda: MESSAGE_ID)
    for fence, seconds in ((12, 0), (13, 59), (13, 59), (13, 1)):
        now[0] += timedelta(seconds=seconds)
        data = an_example("ValidateFile", execution_id="arn:owner", fence=fence)
        lease.took(parse(a_body("ValidateFile", task_token="secret", data=data)))
    assert [parse(one["MessageBody"]).data.fence for one in queue.sent] == [13]
