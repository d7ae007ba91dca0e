"""What becomes of a notification: recorded once, ignored with a reason, or nothing new."""

import json
import re
from dataclasses import replace

import pytest

from services.aggregator.open_set.detection import MAX_MANIFEST_BYTES, Notification
from tests.unit.aggregator.harness import BUCKET, BatchHarness


def test_a_file_is_recorded_as_it_was_found(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", content="order_id\n1\n", sha256="ab" * 32)
    [event] = harness.said("FileDetected")
    assert (event.kind, event.key, event.version_id) == ("orders", "orders/1.csv", "v1")
    assert (event.size_bytes, event.sha256) == (11, "ab" * 32)
    assert event.last_modified == "2025-07-07T12:00:01.000Z"


def test_the_same_notification_again_changes_nothing(harness: BatchHarness) -> None:
    [notification] = harness.upload("orders/1.csv")
    harness.notify(notification, notification)
    harness.restart()
    harness.notify(notification)
    assert len(harness.said("FileDetected")) == 1


def test_a_version_that_was_taken_in_is_not_looked_at_again(harness: BatchHarness) -> None:
    [notification] = harness.upload("orders/1.csv")
    looks = harness.bucket.looks
    harness.notify(notification)
    assert harness.bucket.looks == looks


def test_one_version_twice_in_one_call_is_one_file(harness: BatchHarness) -> None:
    notification = harness.put("orders/1.csv")
    harness.notify(notification, notification)
    assert len(harness.said("FileDetected")) == 1


def test_a_notification_without_a_version_stands_for_the_newest_one(harness: BatchHarness) -> None:
    [known] = harness.upload("orders/1.csv")
    harness.notify(Notification(BUCKET, known.key))
    assert [event.version_id for event in harness.said("FileDetected")] == ["v1"]


def test_a_notification_without_a_version_tells_of_every_version_of_its_key(
    harness: BatchHarness,
) -> None:
    """As MiniStack sends them: two uploads at once, and only the newest stands."""
    for _ in range(2):
        harness.put("orders/1.csv")
    harness.put("orders/1.csv.gz")
    harness.notify(Notification(BUCKET, "orders/1.csv"), Notification(BUCKET, "orders/1.csv"))
    assert [event.version_id for event in harness.said("FileDetected")] == ["v2"]
    [event] = harness.said("FileSuperseded")
    assert (event.version_id, event.by_version_id) == ("v1", "v2")


def test_two_versions_of_a_key_are_two_files(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", "orders/1.csv")
    assert [event.version_id for event in harness.said("FileDetected")] == ["v1", "v2"]


def test_a_late_notification_of_a_sealed_file_changes_nothing(harness: BatchHarness) -> None:
    notifications = harness.upload("orders/1.csv", "order_items/1.csv", "products/1.csv")
    harness.settle()
    harness.notify(*notifications)
    assert harness.pending() == []
    assert len(harness.sealed()) == 1


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("notes.txt", "in none of orders/, order_items/ or products/"),
        ("products.csv", "in none of"),
        ("invoices/1.csv", "in none of"),
        ("orders/", "folder marker"),
        ("orders/1.xlsx", "is a spreadsheet"),
        ("manifests/july.txt", "must be called manifests/<name>.json"),
    ],
)
def test_what_is_no_input_is_ignored_with_a_reason_and_not_looked_at(
    harness: BatchHarness, key: str, reason: str
) -> None:
    [notification] = harness.upload(key)
    [event] = harness.said("FileIgnored")
    assert (event.key, event.version_id) == (key, notification.version_id)
    assert re.search(reason, event.reason)
    assert (harness.bucket.looks, harness.pending()) == (0, [])


@pytest.mark.parametrize("key", ["orders/a b.csv", "orders/2025/07/ä.CSV", "products/1.csv.gz"])
def test_spaces_folders_capitals_and_gz_are_fine(harness: BatchHarness, key: str) -> None:
    harness.upload(key)
    assert harness.pending() == [key]


def test_an_object_that_is_gone_again_is_told_so(harness: BatchHarness) -> None:
    harness.notify(Notification(BUCKET, "orders/1.csv", "v9"))
    [event] = harness.said("FileGone")
    assert "not there any more" in event.reason


def test_a_nameless_notification_that_comes_again_after_the_archive_says_nothing(
    harness: BatchHarness,
) -> None:
    [archived] = harness.upload("orders/1.csv")
    harness.bucket.delete(archived)
    harness.notify(Notification(BUCKET, "orders/1.csv"))
    assert (harness.said("FileGone"), harness.said("FileIgnored")) == ([], [])


def test_a_file_in_a_bucket_without_versions_cannot_be_pinned(harness: BatchHarness) -> None:
    harness.put("orders/1.csv")
    seen, body = harness.bucket.versions_by_key["orders/1.csv"].pop()
    harness.bucket.versions_by_key["orders/1.csv"].append((replace(seen, version_id="null"), body))
    harness.notify(Notification(BUCKET, "orders/1.csv"))
    [event] = harness.said("FileIgnored")
    assert "switch versioning on" in event.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"files": ["orders/1.csv"], "files": []}', "says 'files' twice"),
        ('{"files": ["orders/1.csv"], "id": 123456789012345678901}', "write it as text"),
        ("[" * 100_000, "nested deeper"),
        ('{"files": ["\\ud800"]}', "half a character"),
        ('{"files": []}', "at least one key"),
        ('{"files": [7]}', "neither a key nor"),
        ('{"files": ["notes.txt"]}', r"no \.csv"),
        ('{"files": ["orders/1.csv", "orders/1.csv"]}', "named twice"),
        (json.dumps({"files": [f"orders/{n}.csv" for n in range(1001)]}), "1001"),
        (" " * (MAX_MANIFEST_BYTES + 1), "bytes, more than"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_ignored_with_the_reason(
    harness: BatchHarness, content: str, reason: str
) -> None:
    harness.upload("manifests/july.json", content=content)
    [event] = harness.said("FileIgnored")
    assert re.search(reason, event.reason)
    assert harness.open_set().manifests == {}
