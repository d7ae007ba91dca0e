"""When a set is complete, what it becomes, and what people are told when it does not."""

import pytest

from contracts.identities import FileIdentity, batch_id_of
from services.aggregator.open_set import completeness
from tests.unit.aggregator.desk import BUCKET, EVENTS, FILES, Desk

A_SET = ("orders/1.csv", "order_items/1.csv", "products/1.csv")


def test_a_set_is_sealed_when_nothing_came_for_the_settle_time(desk: Desk) -> None:
    desk.upload(*A_SET)
    desk.wait(29.9)
    desk.deliver(FILES, '{"check": "uploads"}')
    assert desk.sealed() == []
    desk.wait(0.1)
    desk.deliver(FILES, '{"check": "uploads"}')
    assert desk.the_batch()["trigger"] == "SETTLED"
    assert desk.keys_of(desk.the_batch()["batch_id"]) == list(A_SET)


def test_every_new_file_lets_the_settle_time_begin_again(desk: Desk) -> None:
    desk.upload(*A_SET)
    desk.wait(20)
    desk.upload("orders/2.csv")
    desk.wait(20)
    desk.deliver(FILES, '{"check": "uploads"}')
    assert desk.sealed() == []


def test_the_check_is_planned_for_the_moment_when_the_set_settles(desk: Desk) -> None:
    desk.upload("orders/1.csv", "order_items/1.csv")
    assert desk.checks.planned == []
    desk.upload("products/1.csv")
    assert desk.checks.planned == [(BUCKET, 30)]


def test_a_check_breeds_no_checks(desk: Desk) -> None:
    desk.upload(*A_SET)
    planned = list(desk.checks.planned)
    desk.deliver(FILES, '{"check": "uploads"}')
    assert desk.checks.planned == planned


@pytest.mark.parametrize("absent", A_SET)
def test_without_one_of_the_kinds_a_first_set_waits(desk: Desk, absent: str) -> None:
    desk.upload(*(key for key in A_SET if key != absent))
    desk.settle()
    assert desk.sealed() == []
    assert desk.waits_for() == [absent.partition("/")[0]]


def test_products_are_known_once_a_batch_that_brought_them_is_completed(desk: Desk) -> None:
    desk.upload(*A_SET)
    desk.settle()
    desk.relay()
    desk.upload("orders/2.csv", "order_items/2.csv")
    desk.settle()
    assert len(desk.sealed()) == 1
    desk.close(desk.the_batch()["batch_id"], "COMPLETED")
    desk.settle()
    assert desk.keys_of(desk.sealed()[1]["batch_id"]) == ["orders/2.csv", "order_items/2.csv"]


def test_products_of_a_failed_batch_are_not_known(desk: Desk) -> None:
    desk.upload(*A_SET)
    desk.settle()
    desk.relay()
    desk.close(desk.the_batch()["batch_id"], "FAILED")
    desk.upload("orders/2.csv", "order_items/2.csv")
    desk.settle()
    assert len(desk.sealed()) == 1


def test_a_manifest_is_complete_when_its_last_file_comes_whatever_the_order(desk: Desk) -> None:
    desk.notify(desk.put_manifest("july", list(A_SET)))
    desk.upload(*reversed(A_SET[1:]))
    assert desk.sealed() == []
    desk.upload(A_SET[0])
    batch = desk.the_batch()
    assert batch["trigger"] == "MANIFEST"
    assert sorted(desk.keys_of(batch["batch_id"])) == sorted(A_SET)
    assert desk.manifest(batch["batch_id"])["manifest_key"] == "manifests/july.json"


def test_a_manifest_may_name_a_single_file(desk: Desk) -> None:
    desk.upload("orders/1.csv")
    desk.notify(desk.put_manifest("replay", ["orders/1.csv"]))
    assert desk.keys_of(desk.the_batch()["batch_id"]) == ["orders/1.csv"]


def test_files_sent_with_a_manifest_do_not_settle_without_it(desk: Desk) -> None:
    desk.upload(*A_SET, manifest_key="manifests/july.json")
    desk.settle()
    assert desk.sealed() == []
    assert desk.waits_for() == ["manifests/july.json has not come"]


def test_a_manifest_that_names_versions_takes_exactly_those(desk: Desk) -> None:
    [older, newer] = desk.upload("orders/1.csv", "orders/1.csv", manifest_key="manifests/j.json")
    entry = {"key": older.key, "version_id": older.version_id}
    desk.notify(desk.put_manifest("j", [entry]))
    [file] = desk.manifest(desk.the_batch()["batch_id"])["files"]
    assert file["version_id"] == older.version_id != newer.version_id


def test_a_version_whose_notification_was_overtaken_is_found_by_its_manifest(desk: Desk) -> None:
    overtaken = desk.put("orders/1.csv", manifest_key="manifests/a.json")
    desk.upload("orders/1.csv", manifest_key="manifests/b.json")
    entry = {"key": overtaken.key, "version_id": overtaken.version_id}
    desk.notify(desk.put_manifest("a", [entry]))
    assert desk.keys_of(desk.the_batch()["batch_id"]) == ["orders/1.csv"]
    assert desk.pending() == ["orders/1.csv"]


def test_the_sweep_finds_a_file_whose_notification_was_lost(desk: Desk) -> None:
    desk.notify(desk.put_manifest("july", ["orders/1.csv"]))
    desk.put("orders/1.csv")
    desk.deliver(EVENTS, '{"sweep": "uploads"}')
    assert desk.keys_of(desk.the_batch()["batch_id"]) == ["orders/1.csv"]


def test_a_file_that_has_not_come_yet_is_waited_for_in_silence(desk: Desk) -> None:
    desk.notify(desk.put_manifest("july", ["orders/1.csv"]))
    desk.deliver(EVENTS, '{"sweep": "uploads"}')
    assert desk.said("FileIgnored") == []
    assert desk.waits_for() == ["manifests/july.json: orders/1.csv"]


def test_two_manifests_make_two_batches_and_loose_files_stay(desk: Desk) -> None:
    desk.upload("orders/1.csv", "orders/2.csv", "orders/3.csv")
    desk.notify(desk.put_manifest("a", ["orders/1.csv"]), desk.put_manifest("b", ["orders/2.csv"]))
    batches = [desk.keys_of(row["batch_id"]) for row in desk.sealed()]
    assert batches == [["orders/1.csv"], ["orders/2.csv"]]
    assert desk.pending() == ["orders/3.csv"]


def test_equal_content_is_marked_as_a_duplicate_of_the_first(desk: Desk) -> None:
    desk.upload("orders/1.csv", "orders/2.csv", content="same")
    desk.upload("order_items/1.csv", "products/1.csv", content="same")
    desk.settle()
    files = desk.manifest(desk.the_batch()["batch_id"])["files"]
    assert [(file["key"], file["duplicate_of"]) for file in files] == [
        ("orders/1.csv", None),
        ("orders/2.csv", 0),
        ("order_items/1.csv", None),
        ("products/1.csv", None),
    ]


def test_unequal_sha256_outweighs_an_equal_etag(desk: Desk) -> None:
    desk.upload("orders/1.csv", content="same", sha256="ab" * 32)
    desk.upload("orders/2.csv", content="same", sha256="cd" * 32)
    desk.notify(desk.put_manifest("july", ["orders/1.csv", "orders/2.csv"]))
    files = desk.manifest(desk.the_batch()["batch_id"])["files"]
    assert [file["duplicate_of"] for file in files] == [None, None]


def test_a_newer_version_takes_the_place_of_one_that_still_waits(desk: Desk) -> None:
    desk.upload(*A_SET, "orders/1.csv")
    desk.settle()
    batch_id = desk.the_batch()["batch_id"]
    sealed = {file["key"]: file["version_id"] for file in desk.manifest(batch_id)["files"]}
    assert sealed["orders/1.csv"] == "v4"
    [event] = desk.said("FileSuperseded")
    assert (event.key, event.version_id, event.by_version_id) == ("orders/1.csv", "v1", "v4")
    assert desk.pending() == []


def test_the_seal_names_the_versions_that_its_files_have_superseded(desk: Desk) -> None:
    desk.upload(*A_SET, "orders/1.csv")
    desk.settle()
    [seal] = desk.said("FileSetSealed")
    named = [(one.key, one.version_id, one.by_version_id) for one in seal.superseded]
    assert named == [("orders/1.csv", "v1", "v4")]


def test_a_version_that_came_after_the_seal_is_a_file_of_the_next_set(desk: Desk) -> None:
    desk.upload(*A_SET)
    desk.settle()
    desk.upload("orders/1.csv")
    assert (desk.pending(), desk.said("FileSuperseded")) == (["orders/1.csv"], [])


def test_the_files_of_a_batch_are_in_the_order_of_their_upload(desk: Desk) -> None:
    desk.upload("orders/2.csv", "order_items/1.csv", "orders/1.csv")
    desk.notify(desk.put_manifest("m", ["orders/1.csv", "order_items/1.csv", "orders/2.csv"]))
    keys = desk.keys_of(desk.the_batch()["batch_id"])
    assert keys == ["orders/2.csv", "order_items/1.csv", "orders/1.csv"]


def test_the_batch_id_follows_from_the_files_alone(desk: Desk) -> None:
    notifications = desk.upload(*A_SET)
    desk.settle()
    identities = [FileIdentity(BUCKET, one.key, str(one.version_id)) for one in notifications]
    assert desk.the_batch()["batch_id"] == batch_id_of(reversed(identities))


def test_sealing_twice_is_sealing_once(desk: Desk) -> None:
    desk.upload(*A_SET)
    desk.settle()
    desk.restart()
    desk.settle()
    assert len(desk.sealed()) == 1
    assert len(desk.said("BatchSealed")) == 1


def test_a_seal_that_lost_a_race_is_decided_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process seals between this one's look and its append."""
    desk.upload(*A_SET)
    desk.wait(30)
    racing = Desk()
    racing.store, racing.documents, racing.now = desk.store, desk.documents, desk.now
    racing.bucket = desk.bucket
    racing.restart()
    pinned = desk.documents.put_json

    def put_after_the_other(*arguments: object) -> object:
        monkeypatch.setattr(desk.documents, "put_json", pinned)
        assert racing.deliver(FILES, '{"check": "uploads"}') == []
        return pinned(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.documents, "put_json", put_after_the_other)
    assert desk.deliver(FILES, '{"check": "uploads"}') == []
    assert len(desk.said("BatchSealed")) == 1


def test_a_batch_takes_no_more_files_than_it_may_and_the_others_follow(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "MAX_BATCH_FILES", 4)
    desk.upload(*(f"order_items/{n}.csv" for n in range(5)))
    desk.upload(*(f"orders/{n}.csv" for n in range(5)), "products/1.csv")
    desk.settle()
    assert [row["file_count"] for row in desk.sealed()] == [4, 4, 3]
    assert desk.pending() == []


def test_a_thousand_files_are_one_batch_and_the_next_one_is_another(desk: Desk) -> None:
    keys = [f"orders/{n:04d}.csv" for n in range(999)]
    desk.notify(*(desk.put(key) for key in [*keys, "order_items/1.csv", "products/1.csv"]))
    desk.settle()
    assert [row["file_count"] for row in desk.sealed()] == [1000, 1]


def test_a_set_that_waits_too_long_is_reported_once_with_what_is_missing(desk: Desk) -> None:
    desk.upload("orders/1.csv")
    desk.wait(4 * 3600)
    desk.deliver(EVENTS, '{"sweep": "uploads"}')
    assert desk.said("BatchOverdue") == []
    desk.wait(1)
    for _ in range(3):
        desk.deliver(EVENTS, '{"sweep": "uploads"}')
    [event] = desk.said("BatchOverdue")
    assert (event.missing, event.file_count) == (["order_items", "products"], 1)
    assert event.waiting_since == "2025-07-07T12:00:01.000Z"


def test_people_are_told_what_an_overdue_set_waits_for(desk: Desk) -> None:
    desk.notify(desk.put_manifest("july", ["orders/1.csv"]))
    desk.wait(4 * 3600 + 1)
    desk.deliver(EVENTS, '{"sweep": "uploads"}')
    desk.relay()
    [notice] = desk.people.notices
    assert "manifests/july.json: orders/1.csv" in notice.message
    assert "uploads" in notice.subject


def test_an_overdue_set_that_is_completed_later_is_processed(desk: Desk) -> None:
    desk.upload("orders/1.csv")
    desk.wait(5 * 3600)
    desk.deliver(EVENTS, '{"sweep": "uploads"}')
    desk.upload("order_items/1.csv", "products/1.csv")
    desk.settle()
    assert desk.keys_of(desk.the_batch()["batch_id"]) == list(A_SET)


def test_an_older_manifest_that_is_announced_late_does_not_replace_the_newer(desk: Desk) -> None:
    older = desk.put_manifest("july", ["orders/1.csv"])
    newer = desk.put_manifest("july", ["orders/2.csv"])
    desk.notify(newer)
    desk.notify(older)
    assert desk.waits_for() == ["manifests/july.json: orders/2.csv"]


def test_content_that_a_completed_batch_had_is_seen_before(desk: Desk) -> None:
    desk.upload("orders/1.csv", content="same")
    desk.upload("order_items/1.csv", "products/1.csv")
    desk.settle()
    desk.relay()
    first = desk.the_batch()["batch_id"]

    def seen_of(name: str) -> list[str | None]:
        desk.upload(f"orders/{name}.csv", content="same")
        desk.upload(f"products/{name}.csv", content="same")
        desk.notify(desk.put_manifest(name, [f"orders/{name}.csv", f"products/{name}.csv"]))
        files = desk.manifest(desk.sealed()[-1]["batch_id"])["files"]
        return [file["seen_before"] for file in files]

    assert seen_of("while-it-runs") == [None, None]
    desk.close(first, "COMPLETED")
    assert seen_of("after-it") == [first, None]
    desk.wait(401 * 24 * 3600)
    assert seen_of("after-years") == [None, None]


def test_content_of_a_rejected_batch_is_not_seen_before(desk: Desk) -> None:
    desk.upload(*A_SET, content="same")
    desk.settle()
    desk.relay()
    desk.close(desk.the_batch()["batch_id"], "REJECTED", rejected=[0])
    desk.upload("order_items/2.csv", content="same")
    desk.notify(desk.put_manifest("m", ["order_items/2.csv"]))
    [file] = desk.manifest(desk.sealed()[-1]["batch_id"])["files"]
    assert file["seen_before"] is None
