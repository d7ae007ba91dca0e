"""When a set is complete, what it becomes, and what people are told when it does not."""

import pytest

from contracts.identities import FileIdentity, batch_id_of
from services.aggregator.open_set import completeness
from tests.unit.aggregator.harness import BUCKET, EVENTS, FILES, BatchHarness

A_SET = ("orders/1.csv", "order_items/1.csv", "products/1.csv")


def test_a_set_is_sealed_when_nothing_came_for_the_settle_time(harness: BatchHarness) -> None:
    harness.upload(*A_SET)
    harness.wait(29.9)
    harness.deliver(FILES, '{"check": "uploads"}')
    assert harness.sealed() == []
    harness.wait(0.1)
    harness.deliver(FILES, '{"check": "uploads"}')
    assert harness.the_batch()["trigger"] == "SETTLED"
    assert harness.keys_of(harness.the_batch()["batch_id"]) == list(A_SET)


def test_every_new_file_lets_the_settle_time_begin_again(harness: BatchHarness) -> None:
    harness.upload(*A_SET)
    harness.wait(20)
    harness.upload("orders/2.csv")
    harness.wait(20)
    harness.deliver(FILES, '{"check": "uploads"}')
    assert harness.sealed() == []


def test_the_check_is_planned_for_the_moment_when_the_set_settles(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", "order_items/1.csv")
    assert harness.checks.planned == []
    harness.upload("products/1.csv")
    assert harness.checks.planned == [(BUCKET, 30)]


def test_a_check_breeds_no_checks(harness: BatchHarness) -> None:
    harness.upload(*A_SET)
    planned = list(harness.checks.planned)
    harness.deliver(FILES, '{"check": "uploads"}')
    assert harness.checks.planned == planned


@pytest.mark.parametrize("absent", A_SET)
def test_without_one_of_the_kinds_a_first_set_waits(harness: BatchHarness, absent: str) -> None:
    harness.upload(*(key for key in A_SET if key != absent))
    harness.settle()
    assert harness.sealed() == []
    assert harness.waits_for() == [absent.partition("/")[0]]


def test_products_are_known_once_a_batch_that_brought_them_is_completed(
    harness: BatchHarness,
) -> None:
    harness.upload(*A_SET)
    harness.settle()
    harness.relay()
    harness.upload("orders/2.csv", "order_items/2.csv")
    harness.settle()
    assert len(harness.sealed()) == 1
    harness.close(harness.the_batch()["batch_id"], "COMPLETED")
    harness.settle()
    assert harness.keys_of(harness.sealed()[1]["batch_id"]) == ["orders/2.csv", "order_items/2.csv"]


def test_products_of_a_failed_batch_are_not_known(harness: BatchHarness) -> None:
    harness.upload(*A_SET)
    harness.settle()
    harness.relay()
    harness.close(harness.the_batch()["batch_id"], "FAILED")
    harness.upload("orders/2.csv", "order_items/2.csv")
    harness.settle()
    assert len(harness.sealed()) == 1


def test_a_manifest_is_complete_when_its_last_file_comes_whatever_the_order(
    harness: BatchHarness,
) -> None:
    harness.notify(harness.put_manifest("july", list(A_SET)))
    harness.upload(*reversed(A_SET[1:]))
    assert harness.sealed() == []
    harness.upload(A_SET[0])
    batch = harness.the_batch()
    assert batch["trigger"] == "MANIFEST"
    assert sorted(harness.keys_of(batch["batch_id"])) == sorted(A_SET)
    assert harness.manifest(batch["batch_id"])["manifest_key"] == "manifests/july.json"


def test_a_manifest_may_name_a_single_file(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv")
    harness.notify(harness.put_manifest("replay", ["orders/1.csv"]))
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv"]


def test_files_sent_with_a_manifest_do_not_settle_without_it(harness: BatchHarness) -> None:
    harness.upload(*A_SET, manifest_key="manifests/july.json")
    harness.settle()
    assert harness.sealed() == []
    assert harness.waits_for() == ["manifests/july.json has not come"]


def test_a_manifest_that_names_versions_takes_exactly_those(harness: BatchHarness) -> None:
    [older, newer] = harness.upload("orders/1.csv", "orders/1.csv", manifest_key="manifests/j.json")
    entry = {"key": older.key, "version_id": older.version_id}
    harness.notify(harness.put_manifest("j", [entry]))
    [file] = harness.manifest(harness.the_batch()["batch_id"])["files"]
    assert file["version_id"] == older.version_id != newer.version_id


def test_a_version_whose_notification_was_overtaken_is_found_by_its_manifest(
    harness: BatchHarness,
) -> None:
    overtaken = harness.put("orders/1.csv", manifest_key="manifests/a.json")
    harness.upload("orders/1.csv", manifest_key="manifests/b.json")
    entry = {"key": overtaken.key, "version_id": overtaken.version_id}
    harness.notify(harness.put_manifest("a", [entry]))
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv"]
    assert harness.pending() == ["orders/1.csv"]


def test_the_sweep_finds_a_file_whose_notification_was_lost(harness: BatchHarness) -> None:
    harness.notify(harness.put_manifest("july", ["orders/1.csv"]))
    harness.put("orders/1.csv")
    harness.deliver(EVENTS, '{"sweep": "uploads"}')
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv"]


def test_a_file_that_has_not_come_yet_is_waited_for_in_silence(harness: BatchHarness) -> None:
    harness.notify(harness.put_manifest("july", ["orders/1.csv"]))
    harness.deliver(EVENTS, '{"sweep": "uploads"}')
    assert harness.said("FileIgnored") == []
    assert harness.waits_for() == ["manifests/july.json: orders/1.csv"]


def test_two_manifests_make_two_batches_and_loose_files_stay(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", "orders/2.csv", "orders/3.csv")
    harness.notify(
        harness.put_manifest("a", ["orders/1.csv"]), harness.put_manifest("b", ["orders/2.csv"])
    )
    batches = [harness.keys_of(row["batch_id"]) for row in harness.sealed()]
    assert batches == [["orders/1.csv"], ["orders/2.csv"]]
    assert harness.pending() == ["orders/3.csv"]


def test_equal_content_is_marked_as_a_duplicate_of_the_first(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", "orders/2.csv", content="same")
    harness.upload("order_items/1.csv", "products/1.csv", content="same")
    harness.settle()
    files = harness.manifest(harness.the_batch()["batch_id"])["files"]
    assert [(file["key"], file["duplicate_of"]) for file in files] == [
        ("orders/1.csv", None),
        ("orders/2.csv", 0),
        ("order_items/1.csv", None),
        ("products/1.csv", None),
    ]


def test_unequal_sha256_outweighs_an_equal_etag(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", content="same", sha256="ab" * 32)
    harness.upload("orders/2.csv", content="same", sha256="cd" * 32)
    harness.notify(harness.put_manifest("july", ["orders/1.csv", "orders/2.csv"]))
    files = harness.manifest(harness.the_batch()["batch_id"])["files"]
    assert [file["duplicate_of"] for file in files] == [None, None]


def test_a_newer_version_takes_the_place_of_one_that_still_waits(harness: BatchHarness) -> None:
    harness.upload(*A_SET, "orders/1.csv")
    harness.settle()
    batch_id = harness.the_batch()["batch_id"]
    sealed = {file["key"]: file["version_id"] for file in harness.manifest(batch_id)["files"]}
    assert sealed["orders/1.csv"] == "v4"
    [event] = harness.said("FileSuperseded")
    assert (event.key, event.version_id, event.by_version_id) == ("orders/1.csv", "v1", "v4")
    assert harness.pending() == []


def test_the_seal_names_the_versions_that_its_files_have_superseded(harness: BatchHarness) -> None:
    harness.upload(*A_SET, "orders/1.csv")
    harness.settle()
    [seal] = harness.said("FileSetSealed")
    named = [(one.key, one.version_id, one.by_version_id) for one in seal.superseded]
    assert named == [("orders/1.csv", "v1", "v4")]


def test_a_version_that_came_after_the_seal_is_a_file_of_the_next_set(
    harness: BatchHarness,
) -> None:
    harness.upload(*A_SET)
    harness.settle()
    harness.upload("orders/1.csv")
    assert (harness.pending(), harness.said("FileSuperseded")) == (["orders/1.csv"], [])


def test_the_files_of_a_batch_are_in_the_order_of_their_upload(harness: BatchHarness) -> None:
    harness.upload("orders/2.csv", "order_items/1.csv", "orders/1.csv")
    harness.notify(harness.put_manifest("m", ["orders/1.csv", "order_items/1.csv", "orders/2.csv"]))
    keys = harness.keys_of(harness.the_batch()["batch_id"])
    assert keys == ["orders/2.csv", "order_items/1.csv", "orders/1.csv"]


def test_the_batch_id_follows_from_the_files_alone(harness: BatchHarness) -> None:
    notifications = harness.upload(*A_SET)
    harness.settle()
    identities = [FileIdentity(BUCKET, one.key, str(one.version_id)) for one in notifications]
    assert harness.the_batch()["batch_id"] == batch_id_of(reversed(identities))


def test_sealing_twice_is_sealing_once(harness: BatchHarness) -> None:
    harness.upload(*A_SET)
    harness.settle()
    harness.restart()
    harness.settle()
    assert len(harness.sealed()) == 1
    assert len(harness.said("BatchSealed")) == 1


def test_a_seal_that_lost_a_race_is_decided_again(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process seals between this one's look and its append."""
    harness.upload(*A_SET)
    harness.wait(30)
    racing = BatchHarness()
    racing.store, racing.documents, racing.now = harness.store, harness.documents, harness.now
    racing.bucket = harness.bucket
    racing.restart()
    pinned = harness.documents.put_json

    def put_after_the_other(*arguments: object) -> object:
        monkeypatch.setattr(harness.documents, "put_json", pinned)
        assert racing.deliver(FILES, '{"check": "uploads"}') == []
        return pinned(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(harness.documents, "put_json", put_after_the_other)
    assert harness.deliver(FILES, '{"check": "uploads"}') == []
    assert len(harness.said("BatchSealed")) == 1


def test_a_batch_takes_no_more_files_than_it_may_and_the_others_follow(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "MAX_BATCH_FILES", 4)
    harness.upload(*(f"order_items/{n}.csv" for n in range(5)))
    harness.upload(*(f"orders/{n}.csv" for n in range(5)), "products/1.csv")
    harness.settle()
    assert [row["file_count"] for row in harness.sealed()] == [4, 4, 3]
    assert harness.pending() == []


@pytest.mark.medium
def test_a_thousand_files_are_one_batch_and_the_next_one_is_another(harness: BatchHarness) -> None:
    keys = [f"orders/{n:04d}.csv" for n in range(999)]
    harness.notify(*(harness.put(key) for key in [*keys, "order_items/1.csv", "products/1.csv"]))
    harness.settle()
    assert [row["file_count"] for row in harness.sealed()] == [1000, 1]


def test_a_set_that_waits_too_long_is_reported_once_with_what_is_missing(
    harness: BatchHarness,
) -> None:
    harness.upload("orders/1.csv")
    harness.wait(4 * 3600)
    harness.deliver(EVENTS, '{"sweep": "uploads"}')
    assert harness.said("BatchOverdue") == []
    harness.wait(1)
    for _ in range(3):
        harness.deliver(EVENTS, '{"sweep": "uploads"}')
    [event] = harness.said("BatchOverdue")
    assert (event.missing, event.file_count) == (["order_items", "products"], 1)
    assert event.waiting_since == "2025-07-07T12:00:01.000Z"


def test_people_are_told_what_an_overdue_set_waits_for(harness: BatchHarness) -> None:
    harness.notify(harness.put_manifest("july", ["orders/1.csv"]))
    harness.wait(4 * 3600 + 1)
    harness.deliver(EVENTS, '{"sweep": "uploads"}')
    harness.relay()
    [notice] = harness.people.notices
    assert "manifests/july.json: orders/1.csv" in notice.message
    assert "uploads" in notice.subject


def test_an_overdue_set_that_is_completed_later_is_processed(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv")
    harness.wait(5 * 3600)
    harness.deliver(EVENTS, '{"sweep": "uploads"}')
    harness.upload("order_items/1.csv", "products/1.csv")
    harness.settle()
    assert harness.keys_of(harness.the_batch()["batch_id"]) == list(A_SET)


def test_an_older_manifest_that_is_announced_late_does_not_replace_the_newer(
    harness: BatchHarness,
) -> None:
    older = harness.put_manifest("july", ["orders/1.csv"])
    newer = harness.put_manifest("july", ["orders/2.csv"])
    harness.notify(newer)
    harness.notify(older)
    assert harness.waits_for() == ["manifests/july.json: orders/2.csv"]


def test_content_that_a_completed_batch_had_is_seen_before(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", content="same")
    harness.upload("order_items/1.csv", "products/1.csv")
    harness.settle()
    harness.relay()
    first = harness.the_batch()["batch_id"]

    def seen_of(name: str) -> list[str | None]:
        harness.upload(f"orders/{name}.csv", content="same")
        harness.upload(f"products/{name}.csv", content="same")
        harness.notify(harness.put_manifest(name, [f"orders/{name}.csv", f"products/{name}.csv"]))
        files = harness.manifest(harness.sealed()[-1]["batch_id"])["files"]
        return [file["seen_before"] for file in files]

    assert seen_of("while-it-runs") == [None, None]
    harness.close(first, "COMPLETED")
    assert seen_of("after-it") == [first, None]
    harness.wait(401 * 24 * 3600)
    assert seen_of("after-years") == [None, None]


def test_content_of_a_rejected_batch_is_not_seen_before(harness: BatchHarness) -> None:
    harness.upload(*A_SET, content="same")
    harness.settle()
    harness.relay()
    harness.close(harness.the_batch()["batch_id"], "REJECTED", rejected=[0])
    harness.upload("order_items/2.csv", content="same")
    harness.notify(harness.put_manifest("m", ["order_items/2.csv"]))
    [file] = harness.manifest(harness.sealed()[-1]["batch_id"])["files"]
    assert file["seen_before"] is None
