"""A rejected batch waits for its own keys: nothing else releases it, joins it or goes with it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.messages import ReleaseBatch
from services.aggregator.open_set import completeness
from tests.unit.aggregator.desk import EVENTS, Desk, a_report, an_example_document

HEALTHY = ["order_items/1.csv", "orders/rome.csv", "products/1.csv"]
BAD = "orders/berlin.csv"


@pytest.fixture
def rejected(desk: Desk) -> str:
    """A batch that waits for a corrected orders/berlin.csv, after one that was completed."""
    return a_rejected_batch(desk)


def a_rejected_batch(desk: Desk, bad: str = BAD) -> str:
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    batch_id = str(desk.sealed()[-1]["batch_id"])
    desk.close(batch_id, "REJECTED", rejected=[desk.keys_of(batch_id).index(bad)])
    return batch_id


def submit(desk: Desk, name: str, *keys: str) -> None:
    """As `ecp submit` does: labelled files, then the manifest that pins them."""
    files = [desk.put(key, manifest_key=f"manifests/{name}.json") for key in keys]
    entries: list[str | dict[str, str | None]] = [
        {"key": one.key, "version_id": one.version_id} for one in files
    ]
    desk.notify(*files, desk.put_manifest(name, entries))


def batches_after(desk: Desk, *known: str) -> list[list[str]]:
    return [
        sorted(desk.keys_of(row["batch_id"]))
        for row in desk.sealed()
        if row["batch_id"] not in known
    ]


def release(desk: Desk, batch_id: str) -> None:
    desk.command(ReleaseBatch(batch_id=batch_id, requested_by="ops", reason="Berlin has closed"))


def test_an_unrelated_submission_neither_releases_nor_joins_it(desk: Desk, rejected: str) -> None:
    submit(desk, "other", "orders/a.csv")
    desk.settle()
    assert batches_after(desk, rejected) == [["orders/a.csv"]]
    assert desk.pending() == HEALTHY


def test_unrelated_loose_files_of_the_rejected_kind_form_a_set_of_their_own(
    desk: Desk, rejected: str
) -> None:
    others = ["order_items/2.csv", "orders/2.csv", "products/2.csv"]
    desk.upload(*others)
    desk.settle()
    assert batches_after(desk, rejected) == [others]
    assert desk.pending() == HEALTHY


def test_unrelated_loose_files_are_not_completed_by_what_waits(desk: Desk, rejected: str) -> None:
    desk.upload("orders/2.csv")
    desk.settle()
    assert batches_after(desk, rejected) == []


@pytest.mark.parametrize("by_manifest", [True, False])
def test_the_corrected_key_completes_the_batch_in_one_piece(
    desk: Desk, rejected: str, by_manifest: bool
) -> None:
    if by_manifest:
        submit(desk, "fix", BAD)
    else:
        desk.upload(BAD)
        desk.settle()
    assert batches_after(desk, rejected) == [sorted([*HEALTHY, BAD])]
    assert desk.pending() == []


def test_a_loose_correction_lets_others_come_for_the_settle_time(desk: Desk, rejected: str) -> None:
    desk.upload(BAD)
    assert desk.checks.planned[-1] == ("uploads", 30)
    assert batches_after(desk, rejected) == []


def test_it_waits_until_every_rejected_key_is_corrected(desk: Desk) -> None:
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    batch_id = str(desk.the_batch()["batch_id"])
    desk.close(batch_id, "REJECTED", rejected=[0, 2])
    submit(desk, "first", BAD)
    assert batches_after(desk, batch_id) == []
    assert desk.waits_for() == [f"rejected batch {batch_id}: a corrected orders/rome.csv"]
    submit(desk, "second", "orders/rome.csv")
    assert batches_after(desk, batch_id) == [sorted([BAD, *HEALTHY])]


def test_a_correction_that_is_submitted_twice_goes_once_and_leaves_nothing_behind(
    desk: Desk,
) -> None:
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    batch_id = str(desk.the_batch()["batch_id"])
    desk.close(batch_id, "REJECTED", rejected=[0, 2])
    submit(desk, "first", BAD)
    submit(desk, "again", BAD)
    submit(desk, "second", "orders/rome.csv")
    assert batches_after(desk, batch_id) == [sorted([BAD, *HEALTHY])]
    assert (desk.pending(), desk.waits_for()) == ([], [])


def test_an_older_version_that_is_told_late_is_no_correction(desk: Desk) -> None:
    late = desk.put(BAD)
    batch_id = a_rejected_batch(desk)
    desk.notify(late)
    desk.settle()
    assert batches_after(desk, batch_id) == []


def test_a_correction_that_came_while_the_batch_ran_counts(desk: Desk) -> None:
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    batch_id = str(desk.the_batch()["batch_id"])
    desk.upload(BAD)
    desk.close(batch_id, "REJECTED", rejected=[0])
    desk.settle()
    assert batches_after(desk, batch_id) == [sorted([BAD, *HEALTHY])]


def test_several_rejected_batches_wait_side_by_side(desk: Desk, rejected: str) -> None:
    others = ["order_items/2.csv", "orders/2.csv", "products/2.csv"]
    submit(desk, "other", *others)
    desk.relay()
    second = str(desk.sealed()[-1]["batch_id"])
    desk.close(second, "REJECTED", rejected=[desk.keys_of(second).index("orders/2.csv")])
    assert sorted(desk.pending()) == sorted([*HEALTHY, "order_items/2.csv", "products/2.csv"])
    submit(desk, "fix", BAD)
    assert batches_after(desk, rejected, second) == [sorted([*HEALTHY, BAD])]
    assert sorted(desk.pending()) == ["order_items/2.csv", "products/2.csv"]
    submit(desk, "fix-2", "orders/2.csv")
    assert batches_after(desk, rejected, second)[1:] == [others]


def test_one_correction_answers_every_batch_that_waits_for_its_key(
    desk: Desk, rejected: str
) -> None:
    submit(desk, "again", BAD, "orders/oslo.csv")
    [row] = [row for row in desk.sealed() if row["batch_id"] != rejected]
    assert sorted(desk.keys_of(row["batch_id"])) == sorted([*HEALTHY, BAD, "orders/oslo.csv"])
    desk.relay()
    second = str(row["batch_id"])
    desk.close(second, "REJECTED", rejected=[desk.keys_of(second).index(BAD)])
    submit(desk, "better", BAD)
    assert batches_after(desk, rejected, second) == [sorted([*HEALTHY, BAD, "orders/oslo.csv"])]


def test_a_newer_version_of_a_healthy_key_takes_its_place(desk: Desk, rejected: str) -> None:
    [newer] = desk.upload("orders/rome.csv")
    desk.settle()
    assert batches_after(desk, rejected) == []
    submit(desk, "fix", BAD)
    [row] = [row for row in desk.sealed() if row["batch_id"] != rejected]
    files = {one["key"]: one["version_id"] for one in desk.manifest(row["batch_id"])["files"]}
    assert sorted(files) == sorted([*HEALTHY, BAD])
    assert files["orders/rome.csv"] == newer.version_id
    assert [event.by_version_id for event in desk.said("FileSuperseded")] == [newer.version_id]


def test_deleting_the_rejected_key_answers_nothing(desk: Desk, rejected: str) -> None:
    desk.bucket.versions_by_key[BAD] = []
    desk.deliver(EVENTS, json.dumps({"sweep": "uploads"}))
    assert desk.pending() == HEALTHY
    assert desk.waits_for() == [f"rejected batch {rejected}: a corrected {BAD}"]


def test_a_correction_whose_notification_was_lost_is_found(desk: Desk, rejected: str) -> None:
    desk.put(BAD)
    desk.deliver(EVENTS, json.dumps({"sweep": "uploads"}))
    desk.settle()
    assert batches_after(desk, rejected) == [sorted([*HEALTHY, BAD])]


def test_it_waits_through_the_seals_of_other_sets_and_a_restart(desk: Desk, rejected: str) -> None:
    for number in range(3):
        submit(desk, f"other-{number}", f"orders/{number}.csv")
    desk.restart()
    assert desk.waits_for() == [f"rejected batch {rejected}: a corrected {BAD}"]
    submit(desk, "fix", BAD)
    assert batches_after(desk, rejected)[-1] == sorted([*HEALTHY, BAD])


def test_a_manual_start_leaves_it_alone_and_says_why(desk: Desk, rejected: str) -> None:
    for key in ("", "orders/rome.csv"):
        answer = desk.seal_by_hand(key, execution=f"manual-{key}")
        assert answer["outcome"] == "NOTHING_PENDING"
        assert f"ecp release {rejected}" in answer["message"]
    assert batches_after(desk, rejected) == []


def test_an_overdue_notice_names_the_batch_and_the_key(desk: Desk, rejected: str) -> None:
    desk.wait(4 * 3600 + 1)
    desk.deliver(EVENTS, json.dumps({"sweep": "uploads"}))
    [event] = desk.said("BatchOverdue")
    assert event.missing == [f"rejected batch {rejected}: a corrected {BAD}"]
    desk.relay()
    assert "ecp release" in desk.people.notices[-1].message


def test_a_person_releases_it_with_name_and_reason(desk: Desk, rejected: str) -> None:
    release(desk, rejected)
    [row] = [row for row in desk.sealed() if row["batch_id"] != rejected]
    [event] = desk.said("BatchReleased")
    assert (event.requested_by, event.reason) == ("ops", "Berlin has closed")
    assert (event.released_as, event.file_count) == (row["batch_id"], 3)
    assert sorted(desk.keys_of(row["batch_id"])) == HEALTHY
    assert (row["trigger"], desk.pending()) == ("MANUAL", [])


def test_only_the_released_batch_goes(desk: Desk, rejected: str) -> None:
    submit(desk, "other", "orders/2.csv", "products/2.csv")
    desk.relay()
    second = str(desk.sealed()[-1]["batch_id"])
    desk.close(second, "REJECTED", rejected=[0])
    release(desk, rejected)
    assert batches_after(desk, rejected, second) == [HEALTHY]
    assert desk.pending() == ["products/2.csv"]


def test_a_correction_that_has_come_is_released_too(desk: Desk) -> None:
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    batch_id = str(desk.the_batch()["batch_id"])
    desk.close(batch_id, "REJECTED", rejected=[0, 2])
    desk.upload(BAD)
    release(desk, batch_id)
    assert batches_after(desk, batch_id) == [["order_items/1.csv", BAD, "products/1.csv"]]


def test_releasing_what_does_not_wait_changes_nothing(desk: Desk, rejected: str) -> None:
    release(desk, "0" * 16)
    release(desk, rejected)
    release(desk, rejected)
    assert len(desk.said("BatchReleased")) == 1
    assert desk.dead_letters.letters == []


def test_the_corrected_version_answers_the_refused_file_when_it_is_published(
    desk: Desk, rejected: str
) -> None:
    submit(desk, "fix", BAD)
    desk.relay()
    second = str(desk.sealed()[-1]["batch_id"])
    assert desk.said("RejectionAnswered") == []
    desk.close(second, "COMPLETED")
    desk.close(second, "COMPLETED")
    [event] = desk.said("RejectionAnswered")
    assert (event.batch_id, event.keys, event.answered_by) == (rejected, [BAD], second)
    assert desk.store.query("AggregatorState", {"pk": "refused"}) == []
    bad, healthy = desk.store.query("AggregatorState", {"pk": "answered"})
    assert bad["answered"] == {BAD: second}
    assert healthy["answered"] == dict.fromkeys(HEALTHY, second)


def test_a_correction_that_was_published_before_the_rejection_frees_the_healthy_files(
    desk: Desk,
) -> None:
    """The batch failed, was redriven and rejected only after its successor."""
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    first = str(desk.the_batch()["batch_id"])
    submit(desk, "fix", BAD)
    desk.relay()
    desk.close(str(desk.sealed()[-1]["batch_id"]), "COMPLETED")
    desk.close(first, "REJECTED", rejected=[0])
    desk.settle()
    assert batches_after(desk, first) == [[BAD], HEALTHY]


def test_a_correction_that_is_published_while_they_wait_frees_the_healthy_files(
    desk: Desk,
) -> None:
    """It was sealed by itself before the rejection, and is completed after it."""
    desk.upload(BAD, *HEALTHY)
    desk.settle()
    desk.relay()
    first = str(desk.the_batch()["batch_id"])
    submit(desk, "fix", BAD)
    desk.relay()
    second = str(desk.sealed()[-1]["batch_id"])
    desk.close(first, "REJECTED", rejected=[0])
    desk.settle()
    assert batches_after(desk, first, second) == []
    desk.close(second, "COMPLETED")
    desk.settle()
    assert batches_after(desk, first, second) == [HEALTHY]


def test_a_corrected_part_of_a_statement_is_part_of_it_again(desk: Desk) -> None:
    files = [desk.put(key, manifest_key="manifests/parts.json") for key in (BAD, *HEALTHY)]
    document = {"files": [one.key for one in files], "one_statement": True}
    desk.notify(*files, desk.put("manifests/parts.json", json.dumps(document)))
    desk.relay()
    first = str(desk.the_batch()["batch_id"])
    statements = {one["statement"] for one in desk.manifest(first)["files"]}
    assert statements == {"manifests/parts.json"}
    desk.close(first, "REJECTED", rejected=[0])
    submit(desk, "fix", BAD)
    second = desk.manifest(desk.sealed()[-1]["batch_id"])["files"]
    assert [one["statement"] for one in second] == ["manifests/parts.json"] * 4


def test_more_files_than_a_batch_takes_follow_by_themselves(
    desk: Desk, rejected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "MAX_BATCH_FILES", 3)
    submit(desk, "fix", BAD, "orders/2.csv")
    assert batches_after(desk, rejected) == [HEALTHY, ["orders/2.csv", BAD]]
    assert desk.pending() == []


def test_what_a_replay_answers_stays_with_its_files(desk: Desk) -> None:
    [example, *_] = an_example_document("ReplayAnswers")
    ref = desk.documents.put_json("uploads", "quarantine/answers/r.json", example)
    files = [desk.put(key, manifest_key="manifests/r.json") for key in (BAD, "products/1.csv")]
    document = {"files": [one.key for one in files], "answers": ref.model_dump()}
    desk.notify(*files, desk.put("manifests/r.json", json.dumps(document)))
    desk.relay()
    desk.close(desk.the_batch()["batch_id"], "REJECTED", rejected=[0])
    submit(desk, "fix", BAD)
    assert desk.sealed()[-1]["answers"] == ref.model_dump()


def test_a_return_told_by_the_code_of_before_waits_for_a_release(desk: Desk) -> None:
    """It named kinds, not keys: nobody can say which upload corrects it."""
    batch_id = a_rejected_batch(desk)
    open_set = desk.open_set()
    old = desk.store._streams[open_set.stream_id]
    for number, message in enumerate(old):
        if message.event_type == "FilesReturned":
            update = {"awaiting": None}
            old[number] = message.__class__(
                **{**message.__dict__, "data": message.data.model_copy(update=update)}
            )
    desk.restart()
    desk.upload(BAD)
    desk.settle()
    assert batches_after(desk, batch_id) == []
    release(desk, batch_id)
    assert batches_after(desk, batch_id) == [HEALTHY]


class TestGone:
    """A version that is deleted never fails the healthy ones."""

    def test_a_file_that_is_deleted_before_its_seal_is_told_as_gone(self, desk: Desk) -> None:
        [lost, *_] = desk.upload("orders/lost.csv", BAD, *HEALTHY)
        desk.bucket.delete(lost)
        desk.settle()
        assert sorted(desk.keys_of(desk.the_batch()["batch_id"])) == sorted([BAD, *HEALTHY])
        [event] = desk.said("FileGone")
        assert (event.key, event.version_id) == (lost.key, lost.version_id)

    def test_a_manifest_whose_pinned_file_is_deleted_goes_without_it(self, desk: Desk) -> None:
        files = [desk.put(key, manifest_key="manifests/m.json") for key in (BAD, "orders/2.csv")]
        entries: list[str | dict[str, str | None]] = [
            {"key": one.key, "version_id": one.version_id} for one in files
        ]
        desk.notify(*files)
        desk.bucket.delete(files[0])
        desk.notify(desk.put_manifest("m", entries))
        assert desk.keys_of(desk.the_batch()["batch_id"]) == ["orders/2.csv"]
        assert desk.pending() == []

    def test_a_manifest_of_nothing_but_gone_files_is_ignored(self, desk: Desk) -> None:
        file = desk.put(BAD, manifest_key="manifests/m.json")
        desk.notify(file)
        desk.bucket.delete(file)
        entry: dict[str, str | None] = {"key": file.key, "version_id": file.version_id}
        desk.notify(desk.put_manifest("m", [entry]))
        assert desk.sealed() == []
        assert dict(desk.open_set().manifests) == {}
        [event] = desk.said("FileIgnored")
        assert event.key == "manifests/m.json"

    def test_the_healthy_files_of_a_batch_with_a_gone_one_wait_for_nobody(self, desk: Desk) -> None:
        desk.upload(BAD, *HEALTHY)
        desk.settle()
        desk.relay()
        batch_id = str(desk.the_batch()["batch_id"])
        desk.reports.reports[0] = a_report(0, rule="file.gone", reason="it is deleted")
        answer = desk.close(batch_id, "REJECTED", rejected=[0])
        assert "deleted before" in answer["message"]
        rows = desk.store.query("AggregatorState", {"pk": "refused"})
        assert [(row["is_rejected"], sorted(row["keys"])) for row in rows] == [(False, HEALTHY)]
        desk.settle()
        assert batches_after(desk, batch_id) == [HEALTHY]
        [event] = desk.said("FileGone")
        assert (event.key, event.batch_id) == (BAD, batch_id)
        [named] = desk.row(batch_id)["rejected_files"]
        assert (named["key"], named["gone"]) == (BAD, True)

    def test_a_copy_of_a_gone_file_is_healthy(self, desk: Desk) -> None:
        desk.upload("orders/1.csv", "orders/2.csv", content="same")
        desk.upload("order_items/1.csv", "products/1.csv")
        desk.settle()
        desk.relay()
        batch_id = str(desk.the_batch()["batch_id"])
        desk.reports.reports[0] = a_report(0, rule="file.gone", reason="it is deleted")
        desk.close(batch_id, "REJECTED", rejected=[0])
        desk.settle()
        again = ["order_items/1.csv", "orders/2.csv", "products/1.csv"]
        assert batches_after(desk, batch_id) == [again]

    def test_a_gone_file_beside_a_bad_one_is_not_waited_for(self, desk: Desk) -> None:
        desk.upload(BAD, *HEALTHY)
        desk.settle()
        desk.relay()
        batch_id = str(desk.the_batch()["batch_id"])
        desk.reports.reports[2] = a_report(2, rule="file.gone", reason="it is deleted")
        desk.close(batch_id, "REJECTED", rejected=[0, 2])
        assert desk.waits_for() == [f"rejected batch {batch_id}: a corrected {BAD}"]

    def test_a_waiting_file_that_is_deleted_does_not_stop_the_others(
        self, desk: Desk, rejected: str
    ) -> None:
        [(seen, _)] = desk.bucket.versions_by_key["orders/rome.csv"]
        desk.bucket.versions_by_key["orders/rome.csv"] = []
        submit(desk, "fix", BAD)
        assert batches_after(desk, rejected) == [["order_items/1.csv", BAD, "products/1.csv"]]
        assert [event.version_id for event in desk.said("FileGone")] == [seen.version_id]


KEYS = (BAD, *HEALTHY)


@settings(max_examples=80, deadline=None)
@given(
    at_fault=st.sets(st.integers(0, 3), min_size=1),
    others=st.lists(st.sampled_from(["loose", "submitted"]), max_size=3),
    order=st.randoms(use_true_random=False),
    manifests=st.sets(st.integers(0, 3)),
)
def test_whatever_comes_the_batch_goes_once_and_whole(
    at_fault: set[int], others: list[str], order: object, manifests: set[int]
) -> None:
    """Corrections and other uploads in any order: no half batch, no stranger in it."""
    desk = Desk()
    desk.upload(*KEYS)
    desk.settle()
    desk.relay()
    first = str(desk.the_batch()["batch_id"])
    desk.close(first, "REJECTED", rejected=sorted(at_fault))
    steps = [("fix", index) for index in at_fault] + [(how, 9) for how in others]
    order.shuffle(steps)  # type: ignore[attr-defined]
    for number, (how, index) in enumerate(steps):
        if how == "submitted" or (how == "fix" and index in manifests):
            key = KEYS[index] if how == "fix" else f"orders/other-{number}.csv"
            submit(desk, f"s{number}", key)
        else:
            desk.upload(KEYS[index] if how == "fix" else f"orders/other-{number}.csv")
    desk.settle()
    mine = [keys for keys in batches_after(desk, first) if set(keys) & set(KEYS)]
    if len(at_fault) < len(KEYS):
        assert mine == [sorted(KEYS)]
    counted = [key for keys in mine for key in keys] + desk.pending()
    assert sorted(set(KEYS)) == sorted(key for key in counted if key in KEYS)
