"""The sweep: each version under the input prefixes is noticed, superseded, gone or ignored."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.open_set import sweep as sweeping
from tests.support.examples import examples
from tests.unit.aggregator.harness import BUCKET, EVENTS, BatchHarness

SWEEP = json.dumps({"sweep": BUCKET})
A_SET = ("orders/1.csv", "order_items/1.csv", "products/1.csv")


def sweep(harness: BatchHarness) -> None:
    assert harness.deliver(EVENTS, SWEEP) == []


def test_a_file_whose_notification_was_lost_is_found(harness: BatchHarness) -> None:
    for key in A_SET:
        harness.put(key)
    sweep(harness)
    assert harness.pending() == sorted(A_SET)
    harness.settle()
    assert sorted(harness.keys_of(harness.the_batch()["batch_id"])) == sorted(A_SET)


def test_a_lost_manifest_is_found(harness: BatchHarness) -> None:
    harness.put("orders/1.csv")
    harness.put_manifest("m", ["orders/1.csv"])
    sweep(harness)
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv"]


def test_sweeping_again_changes_nothing_and_looks_at_nothing(harness: BatchHarness) -> None:
    harness.put("orders/1.csv")
    sweep(harness)
    looks, events = harness.bucket.looks, len(harness.events())
    sweep(harness)
    harness.restart()
    sweep(harness)
    assert (harness.bucket.looks, len(harness.events())) == (looks, events)


def test_an_overtaken_version_is_recorded_as_superseded_by_the_newest(
    harness: BatchHarness,
) -> None:
    older = [harness.put("orders/1.csv") for _ in range(3)]
    newest = harness.put("orders/1.csv")
    sweep(harness)
    assert [event.version_id for event in harness.said("FileDetected")] == [newest.version_id]
    named = {event.version_id: event.by_version_id for event in harness.said("FileSuperseded")}
    assert named == {one.version_id: newest.version_id for one in older}


def test_a_version_that_is_found_after_its_newer_one_was_archived_is_superseded(
    harness: BatchHarness,
) -> None:
    """It is the newest that is listed now, and its rows must not come after the newer ones."""
    older = harness.put("orders/1.csv")
    [newer] = harness.upload("orders/1.csv")
    harness.bucket.delete(newer)
    sweep(harness)
    [event] = harness.said("FileSuperseded")
    assert (event.version_id, event.by_version_id) == (older.version_id, newer.version_id)


def test_an_older_version_that_its_own_manifest_names_counts(harness: BatchHarness) -> None:
    files = [harness.put("orders/1.csv", manifest_key=f"manifests/{n}.json") for n in range(2)]
    for number, file in enumerate(files):
        harness.put_manifest(str(number), [{"key": file.key, "version_id": file.version_id}])
    sweep(harness)
    assert len(harness.sealed()) == 2
    assert harness.said("FileSuperseded") == []


def test_a_superseded_version_counts_after_all_when_a_manifest_names_it(
    harness: BatchHarness,
) -> None:
    older = harness.put("orders/1.csv")
    harness.put("orders/1.csv")
    sweep(harness)
    entry: dict[str, str | None] = {"key": older.key, "version_id": older.version_id}
    harness.notify(harness.put_manifest("m", [entry]))
    [file] = harness.manifest(harness.the_batch()["batch_id"])["files"]
    assert file["version_id"] == older.version_id


def test_what_is_no_input_is_ignored_with_the_nearest_right_name(harness: BatchHarness) -> None:
    harness.put("orders/x.txt")
    harness.put("orders/._a.csv")
    sweep(harness)
    said = {event.key: event for event in harness.said("FileIgnored")}
    assert said["orders/x.txt"].did_you_mean == "orders/x.csv"
    assert "macOS" in said["orders/._a.csv"].reason
    assert harness.pending() == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("order_item/x.csv", "order_items/x.csv"),
        ("Orders/a.csv", "orders/a.csv"),
        ("order-items/a.csv", "order_items/a.csv"),
        ("manifests/july.txt", "manifests/july.json"),
        ("orders/.DS_Store", None),
        ("orders/Thumbs.db", None),
        ("manifests/._july.json", None),
    ],
)
def test_a_notification_of_no_input_names_what_was_meant(
    harness: BatchHarness, key: str, meant: str | None
) -> None:
    harness.notify(harness.put(key))
    [event] = harness.said("FileIgnored")
    assert event.did_you_mean == meant


def test_people_are_told_once_a_day_for_each_folder(harness: BatchHarness) -> None:
    harness.upload("order_item/1.csv", "order_item/2.csv", "Orders/1.csv", "orders/.DS_Store")
    assert [notice.subject for notice in harness.people.notices] == [
        "Files under order_item/ are ignored",
        "Files under Orders/ are ignored",
    ]
    assert "did you mean order_items/1.csv?" in harness.people.notices[0].message
    harness.wait(24 * 3600)
    harness.upload("order_item/3.csv")
    assert len(harness.people.notices) == 3


def test_thousands_of_folders_are_no_thousands_of_notices(harness: BatchHarness) -> None:
    harness.notify(*(harness.put(f"folder-{number}/a.csv") for number in range(60)))
    harness.upload("one-more/a.csv")
    assert len(harness.people.notices) == 20


def test_what_is_left_out_is_listed_with_its_reason_until_it_expires(harness: BatchHarness) -> None:
    harness.upload("order_item/1.csv", "orders/1.csv", "orders/1.csv", "order_items/1.csv")
    harness.upload("products/1.csv")
    harness.settle()
    rows = harness.store.query("AggregatorState", {"pk": "left-out"})
    assert [(row["what"], row["key"]) for row in rows] == [
        ("ignored", "order_item/1.csv"),
        ("superseded", "orders/1.csv"),
    ]
    assert rows[0]["did_you_mean"] == "order_items/1.csv"
    assert rows[1]["by_version_id"] == "v3"
    days = (rows[0]["expires_at"] - harness.now.timestamp()) / 86_400
    assert 89 < days <= 90


def test_a_waiting_file_that_is_deleted_is_told_as_gone_at_the_next_sweep(
    harness: BatchHarness,
) -> None:
    [lost, _] = harness.upload("orders/1.csv", "orders/2.csv", manifest_key="manifests/never.json")
    harness.bucket.delete(lost)
    sweep(harness)
    assert [event.version_id for event in harness.said("FileGone")] == [lost.version_id]
    assert harness.pending() == ["orders/2.csv"]


def test_a_pass_goes_on_page_by_page_where_the_last_sweep_stopped(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGES_PER_SWEEP", 2)
    harness.bucket.page_size = 3
    keys = [f"orders/{number}.csv" for number in range(10)]
    for key in keys:
        harness.put(key)
    found = []
    for _ in range(3):
        harness.restart()
        sweep(harness)
        found.append(len(harness.pending()))
    assert found == [6, 10, 10]
    assert harness.bucket.pages == 6


def test_versions_of_a_key_across_a_page_are_superseded_by_its_newest(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGES_PER_SWEEP", 1)
    harness.bucket.page_size = 2
    versions = [harness.put("orders/1.csv") for _ in range(6)]
    for _ in range(4):
        sweep(harness)
    named = {event.by_version_id for event in harness.said("FileSuperseded")}
    assert named == {versions[-1].version_id}
    assert len(harness.said("FileSuperseded")) == 5


def test_one_sweep_takes_in_no_more_than_it_may_and_the_next_ones_the_rest(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "NEW_PER_SWEEP", 2)
    harness.bucket.page_size = 2
    for number in range(5):
        harness.put(f"orders/{number}.csv")
    for _ in range(5):
        sweep(harness)
    assert len(harness.pending()) == 5


def test_a_version_from_before_the_longest_upload_is_not_looked_up_again(
    harness: BatchHarness,
) -> None:
    harness.put("orders/1.csv")
    sweep(harness)
    harness.wait(20 * 24 * 3600)
    sweep(harness)
    harness.restart()
    harness.put("orders/2.csv")
    sweep(harness)
    assert {identity.key for identity in harness.ports.judged} == set()
    assert harness.pending() == ["orders/1.csv", "orders/2.csv"]


def test_an_upload_in_parts_that_is_dated_by_its_beginning_is_found(harness: BatchHarness) -> None:
    """S3 dates it days before it became visible: later than the sweep's watermark it must be."""
    sweep(harness)
    harness.put("orders/1.csv")
    [(seen, body)] = harness.bucket.versions_by_key["orders/1.csv"]
    old = replace(seen, last_modified="2025-07-01T12:00:00.000Z")
    harness.bucket.versions_by_key["orders/1.csv"] = [(old, body)]
    sweep(harness)
    assert harness.pending() == ["orders/1.csv"]


KEYS = ("orders/1.csv", "order_items/1.csv", "products/1.csv", "orders/x.txt", "orders/2.csv")


@settings(max_examples=examples(80))
@given(
    puts=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["told", "nameless", "lost"]))),
    deleted=st.sets(st.integers(0, 20), max_size=3),
    sweeps=st.sets(st.integers(0, 20), max_size=3),
)
def test_every_version_is_counted_or_named(
    puts: list[tuple[str, str]], deleted: set[int], sweeps: set[int]
) -> None:
    """Whatever is told, lost, overtaken or deleted: one place for each version."""
    harness = BatchHarness()
    versions = []
    for number, (key, how) in enumerate(puts):
        one = harness.put(key)
        versions.append(one)
        if how == "told":
            harness.notify(one)
        elif how == "nameless":
            harness.notify(one._replace(version_id=None))
        if number in sweeps:
            sweep(harness)
    for number in deleted:
        if number < len(versions):
            harness.bucket.delete(versions[number])
    harness.settle()
    sweep(harness)
    harness.settle()
    places = [
        (event.key, event.version_id)
        for name in ("FileIgnored", "FileSuperseded", "FileGone")
        for event in harness.said(name)
    ]
    places += [(identity.key, identity.version_id) for identity in harness.open_set().files]
    for row in harness.sealed():
        files = harness.manifest(row["batch_id"])["files"]
        places += [(file["key"], file["version_id"]) for file in files]
    standing = [one.version_id for number, one in enumerate(versions) if number not in deleted]
    found = [version_id for _, version_id in places]
    assert len(found) == len(set(found))
    assert set(standing) <= set(found)
