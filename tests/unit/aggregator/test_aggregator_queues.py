"""Messages in: a batch of notifications is one change, faults come again, poison is put aside."""

import json
from typing import Any

import pytest

from services.aggregator.handler import aggregator_service
from tests.contract.builders import an_envelope
from tests.support.hostile_bodies import HOSTILE
from tests.unit.aggregator.harness import (
    BUCKET,
    COMMANDS,
    EVENTS,
    FILES,
    BatchHarness,
    object_created,
    status_change,
)


def test_ten_notifications_of_one_call_are_one_transaction(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifications = [harness.put(f"orders/{n}.csv") for n in range(10)]
    appended = []
    append = harness.store.append

    def counted(*appends: object, **options: object) -> object:
        appended.append(appends)
        return append(*appends, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(harness.store, "append", counted)
    bodies = [object_created(one.key, one.version_id) for one in notifications]
    assert harness.deliver(FILES, *bodies) == []
    assert len(appended) == 1
    assert len(harness.pending()) == 10


def test_a_notification_without_a_version_is_taken(harness: BatchHarness) -> None:
    harness.put("orders/1.csv")
    assert harness.deliver(FILES, object_created("orders/1.csv")) == []
    assert harness.pending() == ["orders/1.csv"]


def test_keys_are_taken_as_they_are(harness: BatchHarness) -> None:
    notification = harness.put("orders/50%25+ü.csv")
    harness.deliver(FILES, object_created(notification.key, notification.version_id))
    assert harness.pending() == ["orders/50%25+ü.csv"]


def test_only_the_file_that_cannot_be_looked_at_comes_again(harness: BatchHarness) -> None:
    harness.put("orders/1.csv")
    harness.put("orders/2.csv")
    harness.bucket.unreachable = {"orders/1.csv"}
    failing, fine = object_created("orders/1.csv"), object_created("orders/2.csv")
    assert harness.deliver(FILES, failing, fine) == [failing]
    assert harness.pending() == ["orders/2.csv"]
    harness.bucket.unreachable = set()
    assert harness.deliver(FILES, failing) == []
    assert harness.pending() == ["orders/1.csv", "orders/2.csv"]


def test_when_the_set_cannot_be_written_its_messages_come_again_and_no_others(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifications = [harness.put(f"orders/{n}.csv") for n in range(2)]
    for one in notifications:
        harness.notify(one)
    harness.put("orders/9.csv")
    known = object_created("orders/0.csv", notifications[0].version_id)
    new = object_created("orders/9.csv")

    def away(*_: object, **__: object) -> None:
        raise ConnectionError("DynamoDB is away")

    with monkeypatch.context() as broken:
        broken.setattr(harness.store, "append", away)
        assert harness.deliver(FILES, known, new) == [new]
    assert harness.deliver(FILES, new) == []
    assert "orders/9.csv" in harness.pending()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"check": ""}', "neither a check nor"),
        ('{"detail-type": "Object Deleted"}', "neither a check nor"),
        ('{"detail-type": "Object Created", "detail": {}}', "names no object"),
        ('{"detail-type": "Object Created", "detail": null}', "names no object"),
        (object_created("orders/1.csv").replace('"orders/1.csv"', "7"), "names its object oddly"),
    ],
)
def test_an_unreadable_notification_is_a_dead_letter_with_the_reason_and_does_not_hold_up_others(
    harness: BatchHarness, body: str, reason: str
) -> None:
    harness.put("orders/1.csv")
    assert harness.deliver(FILES, body, object_created("orders/1.csv")) == []
    [(queue_name, kept, why)] = harness.dead_letters.letters
    assert (queue_name, kept) == (FILES, body)
    assert reason in why
    assert harness.pending() == ["orders/1.csv"]


def test_poison_that_cannot_be_put_aside_comes_again(harness: BatchHarness) -> None:
    class Full:
        def put(self, *_: str) -> None:
            raise ConnectionError("SQS is away")

    harness.service = aggregator_service(harness.ports, harness.answers, Full())
    assert harness.deliver(FILES, "{") == ["{"]
    assert harness.deliver(EVENTS, "{") == ["{"]


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '{"sweep": 7}',
        status_change("x", "FAILED").replace('"executionArn"', '"arn"'),
        '{"detail-type": "Step Functions Execution Status Change", "detail": []}',
        json.dumps(an_envelope("LockGranted")),
    ],
)
def test_an_unreadable_event_is_a_dead_letter(harness: BatchHarness, body: str) -> None:
    assert harness.deliver(EVENTS, body) == []
    [(queue_name, kept, _)] = harness.dead_letters.letters
    assert (queue_name, kept) == (EVENTS, body)


def test_an_execution_that_begins_is_no_news(harness: BatchHarness) -> None:
    harness.deliver(EVENTS, status_change("x", "RUNNING"))
    assert harness.dead_letters.letters == []


def test_a_seal_of_a_batch_that_nobody_knows_comes_again(harness: BatchHarness) -> None:
    body = json.dumps(an_envelope("BatchSealed"))
    assert harness.deliver(EVENTS, body) == [body]
    assert harness.executions.started == []


def test_a_notice_on_the_command_queue_is_refused(harness: BatchHarness) -> None:
    harness.deliver(COMMANDS, json.dumps({"sweep": BUCKET}))
    assert [letter[0] for letter in harness.dead_letters.letters] == [COMMANDS]


def test_an_upload_that_cannot_be_stored_does_not_bring_its_neighbours_again(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be dead letters after five times, for nothing of their own."""
    notifications = [harness.put(f"orders/{n}.csv") for n in range(4)]
    append = harness.store.append

    def picky(*appends: Any, **options: Any) -> Any:
        keys = [getattr(event, "key", "") for one in appends for event in one.events]
        if "orders/2.csv" in keys:
            raise ValueError("an item that no table takes")
        return append(*appends, **options)

    monkeypatch.setattr(harness.store, "append", picky)
    bodies = [object_created(one.key, one.version_id) for one in notifications]
    assert harness.deliver(FILES, *bodies) == [bodies[2]]
    assert harness.pending() == ["orders/0.csv", "orders/1.csv", "orders/3.csv"]


@pytest.mark.parametrize("queue", [FILES, EVENTS, COMMANDS])
def test_no_hostile_record_brings_the_others_of_its_call_again(
    harness: BatchHarness, queue: str
) -> None:
    harness.put("orders/1.csv")
    good = {
        FILES: object_created("orders/1.csv"),
        EVENTS: json.dumps({"sweep": BUCKET}),
        COMMANDS: json.dumps(an_envelope("RedriveBatch")),
    }[queue]
    assert [one for one in harness.deliver(queue, *HOSTILE.values(), good) if one != good] == []
    kept = {body for _, body, _ in harness.dead_letters.letters}
    assert set(HOSTILE.values()) <= kept
