"""The sweep: each version under the input prefixes is noticed, superseded, gone or ignored."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.open_set import sweep as sweeping
from tests.unit.aggregator.desk import BUCKET, EVENTS, Desk

SWEEP = json.dumps({"sweep": BUCKET})
A_SET = ("orders/1.csv", "order_items/1.csv", "products/1.csv")


def sweep(desk: Desk) -> None:
    assert desk.deliver(EVENTS, SWEEP) == []


def test_a_file_whose_notification_was_lost_is_found(desk: Desk) -> None:
    for key in A_SET:
        desk.put(key)
    sweep(desk)
    assert desk.pending() == sorted(A_SET)
    desk.settle()
    assert sorted(desk.keys_of(desk.the_batch()["batch_id"])) == sorted(A_SET)


def test_a_lost_manifest_is_found(desk: Desk) -> None:
    desk.put("orders/1.csv")
    desk.put_manifest("m", ["orders/1.csv"])
    sweep(desk)
    assert desk.keys_of(desk.the_batch()["batch_id"]) == ["orders/1.csv"]


def test_sweeping_again_changes_nothing_and_looks_at_nothing(desk: Desk) -> None:
    desk.put("orders/1.csv")
    sweep(desk)
    looks, events = desk.bucket.looks, len(desk.events())
    sweep(desk)
    desk.restart()
    sweep(desk)
    assert (desk.bucket.looks, len(desk.events())) == (looks, events)


def test_an_overtaken_version_is_recorded_as_superseded_by_the_newest(desk: Desk) -> None:
    older = [desk.put("orders/1.csv") for _ in range(3)]
    newest = desk.put("orders/1.csv")
    sweep(desk)
    assert [event.version_id for event in desk.said("FileDetected")] == [newest.version_id]
    named = {event.version_id: event.by_version_id for event in desk.said("FileSuperseded")}
    assert named == {one.version_id: newest.version_id for one in older}


def test_a_version_that_is_found_after_its_newer_one_was_archived_is_superseded(
    desk: Desk,
) -> None:
    """It is the newest that is listed now, and its rows must not come after the newer ones."""
    older = desk.put("orders/1.csv")
    [newer] = desk.upload("orders/1.csv")
    desk.bucket.delete(newer)
    sweep(desk)
    [event] = desk.said("FileSuperseded")
    assert (event.version_id, event.by_version_id) == (older.version_id, newer.version_id)


def test_an_older_version_that_its_own_manifest_names_counts(desk: Desk) -> None:
    files = [desk.put("orders/1.csv", manifest_key=f"manifests/{n}.json") for n in range(2)]
    for number, file in enumerate(files):
        desk.put_manifest(str(number), [{"key": file.key, "version_id": file.version_id}])
    sweep(desk)
    assert len(desk.sealed()) == 2
    assert desk.said("FileSuperseded") == []


def test_a_superseded_version_counts_after_all_when_a_manifest_names_it(desk: Desk) -> None:
    older = desk.put("orders/1.csv")
    desk.put("orders/1.csv")
    sweep(desk)
    entry: dict[str, str | None] = {"key": older.key, "version_id": older.version_id}
    desk.notify(desk.put_manifest("m", [entry]))
    [file] = desk.manifest(desk.the_batch()["batch_id"])["files"]
    assert file["version_id"] == older.version_id


def test_what_is_no_input_is_ignored_with_the_nearest_right_name(desk: Desk) -> None:
    desk.put("orders/x.txt")
    desk.put("orders/._a.csv")
    sweep(desk)
    said = {event.key: event for event in desk.said("FileIgnored")}
    assert said["orders/x.txt"].did_you_mean == "orders/x.csv"
    assert "macOS" in said["orders/._a.csv"].reason
    assert desk.pending() == []


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
    desk: Desk, key: str, meant: str | None
) -> None:
    desk.notify(desk.put(key))
    [event] = desk.said("FileIgnored")
    assert event.did_you_mean == meant


def test_people_are_told_once_a_day_for_each_folder(desk: Desk) -> None:
    desk.upload("order_item/1.csv", "order_item/2.csv", "Orders/1.csv", "orders/.DS_Store")
    assert [notice.subject for notice in desk.people.notices] == [
        "Files under order_item/ are ignored",
        "Files under Orders/ are ignored",
    ]
    assert "did you mean order_items/1.csv?" in desk.people.notices[0].message
    desk.wait(24 * 3600)
    desk.upload("order_item/3.csv")
    assert len(desk.people.notices) == 3


def test_thousands_of_folders_are_no_thousands_of_notices(desk: Desk) -> None:
    desk.notify(*(desk.put(f"folder-{number}/a.csv") for number in range(60)))
    desk.upload("one-more/a.csv")
    assert len(desk.people.notices) == 20


def test_what_is_left_out_is_listed_with_its_reason_until_it_expires(desk: Desk) -> None:
    desk.upload("order_item/1.csv", "orders/1.csv", "orders/1.csv", "order_items/1.csv")
    desk.upload("products/1.csv")
    desk.settle()
    rows = desk.store.query("AggregatorState", {"pk": "left-out"})
    assert [(row["what"], row["key"]) for row in rows] == [
        ("ignored", "order_item/1.csv"),
        ("superseded", "orders/1.csv"),
    ]
    assert rows[0]["did_you_mean"] == "order_items/1.csv"
    assert rows[1]["by_version_id"] == "v3"
    days = (rows[0]["expires_at"] - desk.now.timestamp()) / 86_400
    assert 89 < days <= 90


def test_a_waiting_file_that_is_deleted_is_told_as_gone_at_the_next_sweep(desk: Desk) -> None:
    [lost, _] = desk.upload("orders/1.csv", "orders/2.csv", manifest_key="manifests/never.json")
    desk.bucket.delete(lost)
    sweep(desk)
    assert [event.version_id for event in desk.said("FileGone")] == [lost.version_id]
    assert desk.pending() == ["orders/2.csv"]


def test_a_pass_goes_on_page_by_page_where_the_last_sweep_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGES_PER_SWEEP", 2)
    desk.bucket.page_size = 3
    keys = [f"orders/{number}.csv" for number in range(10)]
    for key in keys:
        desk.put(key)
    found = []
    for _ in range(3):
        desk.restart()
        sweep(desk)
        found.append(len(desk.pending()))
    assert found == [6, 10, 10]
    assert desk.bucket.pages == 6


def test_versions_of_a_key_across_a_page_are_superseded_by_its_newest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGES_PER_SWEEP", 1)
    desk.bucket.page_size = 2
    versions = [desk.put("orders/1.csv") for _ in range(6)]
    for _ in range(4):
        sweep(desk)
    named = {event.by_version_id for event in desk.said("FileSuperseded")}
    assert named == {versions[-1].version_id}
    assert len(desk.said("FileSuperseded")) == 5


def test_one_sweep_takes_in_no_more_than_it_may_and_the_next_ones_the_rest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "NEW_PER_SWEEP", 2)
    desk.bucket.page_size = 2
    for number in range(5):
        desk.put(f"orders/{number}.csv")
    for _ in range(5):
        sweep(desk)
    assert len(desk.pending()) == 5


def test_a_version_from_before_the_longest_upload_is_not_looked_up_again(desk: Desk) -> None:
    desk.put("orders/1.csv")
    sweep(desk)
    desk.wait(20 * 24 * 3600)
    sweep(desk)
    desk.restart()
    desk.put("orders/2.csv")
    sweep(desk)
    assert {identity.key for identity in desk.ports.judged} == set()
    assert desk.pending() == ["orders/1.csv", "orders/2.csv"]


def test_an_upload_in_parts_that_is_dated_by_its_beginning_is_found(desk: Desk) -> None:
    """S3 dates it days before it became visible: later than the sweep's watermark it must be."""
    sweep(desk)
    desk.put("orders/1.csv")
    [(seen, body)] = desk.bucket.versions_by_key["orders/1.csv"]
    old = replace(seen, last_modified="2025-07-01T12:00:00.000Z")
    desk.bucket.versions_by_key["orders/1.csv"] = [(old, body)]
    sweep(desk)
    assert desk.pending() == ["orders/1.csv"]


KEYS = ("orders/1.csv", "order_items/1.csv", "products/1.csv", "orders/x.txt", "orders/2.csv")


@settings(max_examples=80, deadline=None)
@given(
    puts=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["told", "nameless", "lost"]))),
    deleted=st.sets(st.integers(0, 20), max_size=3),
    sweeps=st.sets(st.integers(0, 20), max_size=3),
)
def test_every_version_is_counted_or_named(
    puts: list[tuple[str, str]], deleted: set[int], sweeps: set[int]
) -> None:
    """Whatever is told, lost, overtaken or deleted: one place for each version."""
    desk = Desk()
    versions = []
    for number, (key, how) in enumerate(puts):
        one = desk.put(key)
        versions.append(one)
        if how == "told":
            desk.notify(one)
        elif how == "nameless":
            desk.notify(one._replace(version_id=None))
        if number in sweeps:
            sweep(desk)
    for number in deleted:
        if number < len(versions):
            desk.bucket.delete(versions[number])
    desk.settle()
    sweep(desk)
    desk.settle()
    places = [
        (event.key, event.version_id)
        for name in ("FileIgnored", "FileSuperseded", "FileGone")
        for event in desk.said(name)
    ]
    places += [(identity.key, identity.version_id) for identity in desk.open_set().files]
    for row in desk.sealed():
        files = desk.manifest(row["batch_id"])["files"]
        places += [(file["key"], file["version_id"]) for file in files]
    standing = [one.version_id for number, one in enumerate(versions) if number not in deleted]
    found = [version_id for _, version_id in places]
    assert len(found) == len(set(found))
    assert set(standing) <= set(found)
