"""A rejected batch waits for its own keys: nothing else releases it, joins it or goes with it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.messages import ReleaseBatch
from services.aggregator.open_set import completeness
from tests.support.examples import examples
from tests.unit.aggregator.harness import EVENTS, BatchHarness, a_report, an_example_document

HEALTHY = ["order_items/1.csv", "orders/rome.csv", "products/1.csv"]
BAD = "orders/berlin.csv"


@pytest.fixture
def rejected(harness: BatchHarness) -> str:
    """A batch that waits for a corrected orders/berlin.csv, after one that was completed."""
    return a_rejected_batch(harness)


def a_rejected_batch(harness: BatchHarness, bad: str = BAD) -> str:
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    batch_id = str(harness.sealed()[-1]["batch_id"])
    harness.close(batch_id, "REJECTED", rejected=[harness.keys_of(batch_id).index(bad)])
    return batch_id


def submit(harness: BatchHarness, name: str, *keys: str) -> None:
    """As `ecp submit` does: labelled files, then the manifest that pins them."""
    files = [harness.put(key, manifest_key=f"manifests/{name}.json") for key in keys]
    entries: list[str | dict[str, str | None]] = [
        {"key": one.key, "version_id": one.version_id} for one in files
    ]
    harness.notify(*files, harness.put_manifest(name, entries))


def batches_after(harness: BatchHarness, *known: str) -> list[list[str]]:
    return [
        sorted(harness.keys_of(row["batch_id"]))
        for row in harness.sealed()
        if row["batch_id"] not in known
    ]


def release(harness: BatchHarness, batch_id: str) -> None:
    harness.command(ReleaseBatch(batch_id=batch_id, requested_by="ops", reason="Berlin has closed"))


def test_an_unrelated_submission_neither_releases_nor_joins_it(
    harness: BatchHarness, rejected: str
) -> None:
    submit(harness, "other", "orders/a.csv")
    harness.settle()
    assert batches_after(harness, rejected) == [["orders/a.csv"]]
    assert harness.pending() == HEALTHY


def test_unrelated_loose_files_of_the_rejected_kind_form_a_set_of_their_own(
    harness: BatchHarness, rejected: str
) -> None:
    others = ["order_items/2.csv", "orders/2.csv", "products/2.csv"]
    harness.upload(*others)
    harness.settle()
    assert batches_after(harness, rejected) == [others]
    assert harness.pending() == HEALTHY


def test_unrelated_loose_files_are_not_completed_by_what_waits(
    harness: BatchHarness, rejected: str
) -> None:
    harness.upload("orders/2.csv")
    harness.settle()
    assert batches_after(harness, rejected) == []


@pytest.mark.parametrize("by_manifest", [True, False])
def test_the_corrected_key_completes_the_batch_in_one_piece(
    harness: BatchHarness, rejected: str, by_manifest: bool
) -> None:
    if by_manifest:
        submit(harness, "fix", BAD)
    else:
        harness.upload(BAD)
        harness.settle()
    assert batches_after(harness, rejected) == [sorted([*HEALTHY, BAD])]
    assert harness.pending() == []


def test_a_loose_correction_lets_others_come_for_the_settle_time(
    harness: BatchHarness, rejected: str
) -> None:
    harness.upload(BAD)
    assert harness.checks.planned[-1] == ("uploads", 30)
    assert batches_after(harness, rejected) == []


def test_it_waits_until_every_rejected_key_is_corrected(harness: BatchHarness) -> None:
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    batch_id = str(harness.the_batch()["batch_id"])
    harness.close(batch_id, "REJECTED", rejected=[0, 2])
    submit(harness, "first", BAD)
    assert batches_after(harness, batch_id) == []
    assert harness.waits_for() == [f"rejected batch {batch_id}: a corrected orders/rome.csv"]
    submit(harness, "second", "orders/rome.csv")
    assert batches_after(harness, batch_id) == [sorted([BAD, *HEALTHY])]


def test_a_correction_that_is_submitted_twice_goes_once_and_leaves_nothing_behind(
    harness: BatchHarness,
) -> None:
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    batch_id = str(harness.the_batch()["batch_id"])
    harness.close(batch_id, "REJECTED", rejected=[0, 2])
    submit(harness, "first", BAD)
    submit(harness, "again", BAD)
    submit(harness, "second", "orders/rome.csv")
    assert batches_after(harness, batch_id) == [sorted([BAD, *HEALTHY])]
    assert (harness.pending(), harness.waits_for()) == ([], [])


def test_an_older_version_that_is_told_late_is_no_correction(harness: BatchHarness) -> None:
    late = harness.put(BAD)
    batch_id = a_rejected_batch(harness)
    harness.notify(late)
    harness.settle()
    assert batches_after(harness, batch_id) == []


def test_a_correction_that_came_while_the_batch_ran_counts(harness: BatchHarness) -> None:
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    batch_id = str(harness.the_batch()["batch_id"])
    harness.upload(BAD)
    harness.close(batch_id, "REJECTED", rejected=[0])
    harness.settle()
    assert batches_after(harness, batch_id) == [sorted([BAD, *HEALTHY])]


def test_several_rejected_batches_wait_side_by_side(harness: BatchHarness, rejected: str) -> None:
    others = ["order_items/2.csv", "orders/2.csv", "products/2.csv"]
    submit(harness, "other", *others)
    harness.relay()
    second = str(harness.sealed()[-1]["batch_id"])
    harness.close(second, "REJECTED", rejected=[harness.keys_of(second).index("orders/2.csv")])
    assert sorted(harness.pending()) == sorted([*HEALTHY, "order_items/2.csv", "products/2.csv"])
    submit(harness, "fix", BAD)
    assert batches_after(harness, rejected, second) == [sorted([*HEALTHY, BAD])]
    assert sorted(harness.pending()) == ["order_items/2.csv", "products/2.csv"]
    submit(harness, "fix-2", "orders/2.csv")
    assert batches_after(harness, rejected, second)[1:] == [others]


def test_one_correction_answers_every_batch_that_waits_for_its_key(
    harness: BatchHarness, rejected: str
) -> None:
    submit(harness, "again", BAD, "orders/oslo.csv")
    [row] = [row for row in harness.sealed() if row["batch_id"] != rejected]
    assert sorted(harness.keys_of(row["batch_id"])) == sorted([*HEALTHY, BAD, "orders/oslo.csv"])
    harness.relay()
    second = str(row["batch_id"])
    harness.close(second, "REJECTED", rejected=[harness.keys_of(second).index(BAD)])
    submit(harness, "better", BAD)
    assert batches_after(harness, rejected, second) == [sorted([*HEALTHY, BAD, "orders/oslo.csv"])]


def test_a_newer_version_of_a_healthy_key_takes_its_place(
    harness: BatchHarness, rejected: str
) -> None:
    [newer] = harness.upload("orders/rome.csv")
    harness.settle()
    assert batches_after(harness, rejected) == []
    submit(harness, "fix", BAD)
    [row] = [row for row in harness.sealed() if row["batch_id"] != rejected]
    files = {one["key"]: one["version_id"] for one in harness.manifest(row["batch_id"])["files"]}
    assert sorted(files) == sorted([*HEALTHY, BAD])
    assert files["orders/rome.csv"] == newer.version_id
    assert [event.by_version_id for event in harness.said("FileSuperseded")] == [newer.version_id]


def test_deleting_the_rejected_key_answers_nothing(harness: BatchHarness, rejected: str) -> None:
    harness.bucket.versions_by_key[BAD] = []
    harness.deliver(EVENTS, json.dumps({"sweep": "uploads"}))
    assert harness.pending() == HEALTHY
    assert harness.waits_for() == [f"rejected batch {rejected}: a corrected {BAD}"]


def test_a_correction_whose_notification_was_lost_is_found(
    harness: BatchHarness, rejected: str
) -> None:
    harness.put(BAD)
    harness.deliver(EVENTS, json.dumps({"sweep": "uploads"}))
    harness.settle()
    assert batches_after(harness, rejected) == [sorted([*HEALTHY, BAD])]


def test_it_waits_through_the_seals_of_other_sets_and_a_restart(
    harness: BatchHarness, rejected: str
) -> None:
    for number in range(3):
        submit(harness, f"other-{number}", f"orders/{number}.csv")
    harness.restart()
    assert harness.waits_for() == [f"rejected batch {rejected}: a corrected {BAD}"]
    submit(harness, "fix", BAD)
    assert batches_after(harness, rejected)[-1] == sorted([*HEALTHY, BAD])


def test_a_manual_start_leaves_it_alone_and_says_why(harness: BatchHarness, rejected: str) -> None:
    for key in ("", "orders/rome.csv"):
        answer = harness.seal_by_hand(key, execution=f"manual-{key}")
        assert answer["outcome"] == "NOTHING_PENDING"
        assert f"ecp release {rejected}" in answer["message"]
    assert batches_after(harness, rejected) == []


def test_an_overdue_notice_names_the_batch_and_the_key(
    harness: BatchHarness, rejected: str
) -> None:
    harness.wait(4 * 3600 + 1)
    harness.deliver(EVENTS, json.dumps({"sweep": "uploads"}))
    [event] = harness.said("BatchOverdue")
    assert event.missing == [f"rejected batch {rejected}: a corrected {BAD}"]
    harness.relay()
    assert "ecp release" in harness.people.notices[-1].message


def test_a_person_releases_it_with_name_and_reason(harness: BatchHarness, rejected: str) -> None:
    release(harness, rejected)
    [row] = [row for row in harness.sealed() if row["batch_id"] != rejected]
    [event] = harness.said("BatchReleased")
    assert (event.requested_by, event.reason) == ("ops", "Berlin has closed")
    assert (event.released_as, event.file_count) == (row["batch_id"], 3)
    assert sorted(harness.keys_of(row["batch_id"])) == HEALTHY
    assert (row["trigger"], harness.pending()) == ("MANUAL", [])


def test_only_the_released_batch_goes(harness: BatchHarness, rejected: str) -> None:
    submit(harness, "other", "orders/2.csv", "products/2.csv")
    harness.relay()
    second = str(harness.sealed()[-1]["batch_id"])
    harness.close(second, "REJECTED", rejected=[0])
    release(harness, rejected)
    assert batches_after(harness, rejected, second) == [HEALTHY]
    assert harness.pending() == ["products/2.csv"]


def test_a_correction_that_has_come_is_released_too(harness: BatchHarness) -> None:
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    batch_id = str(harness.the_batch()["batch_id"])
    harness.close(batch_id, "REJECTED", rejected=[0, 2])
    harness.upload(BAD)
    release(harness, batch_id)
    assert batches_after(harness, batch_id) == [["order_items/1.csv", BAD, "products/1.csv"]]


def test_releasing_what_does_not_wait_changes_nothing(harness: BatchHarness, rejected: str) -> None:
    release(harness, "0" * 16)
    release(harness, rejected)
    release(harness, rejected)
    assert len(harness.said("BatchReleased")) == 1
    assert harness.dead_letters.letters == []


def test_the_corrected_version_answers_the_refused_file_when_it_is_published(
    harness: BatchHarness, rejected: str
) -> None:
    submit(harness, "fix", BAD)
    harness.relay()
    second = str(harness.sealed()[-1]["batch_id"])
    assert harness.said("RejectionAnswered") == []
    harness.close(second, "COMPLETED")
    harness.close(second, "COMPLETED")
    [event] = harness.said("RejectionAnswered")
    assert (event.batch_id, event.keys, event.answered_by) == (rejected, [BAD], second)
    assert harness.store.query("AggregatorState", {"pk": "refused"}) == []
    bad, healthy = harness.store.query("AggregatorState", {"pk": "answered"})
    assert bad["answered"] == {BAD: second}
    assert healthy["answered"] == dict.fromkeys(HEALTHY, second)


def test_a_correction_that_was_published_before_the_rejection_frees_the_healthy_files(
    harness: BatchHarness,
) -> None:
    """The batch failed, was redriven and rejected only after its successor."""
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    first = str(harness.the_batch()["batch_id"])
    submit(harness, "fix", BAD)
    harness.relay()
    harness.close(str(harness.sealed()[-1]["batch_id"]), "COMPLETED")
    harness.close(first, "REJECTED", rejected=[0])
    harness.settle()
    assert batches_after(harness, first) == [[BAD], HEALTHY]


def test_a_correction_that_is_published_while_they_wait_frees_the_healthy_files(
    harness: BatchHarness,
) -> None:
    """It was sealed by itself before the rejection, and is completed after it."""
    harness.upload(BAD, *HEALTHY)
    harness.settle()
    harness.relay()
    first = str(harness.the_batch()["batch_id"])
    submit(harness, "fix", BAD)
    harness.relay()
    second = str(harness.sealed()[-1]["batch_id"])
    harness.close(first, "REJECTED", rejected=[0])
    harness.settle()
    assert batches_after(harness, first, second) == []
    harness.close(second, "COMPLETED")
    harness.settle()
    assert batches_after(harness, first, second) == [HEALTHY]


def test_a_corrected_part_of_a_statement_is_part_of_it_again(harness: BatchHarness) -> None:
    files = [harness.put(key, manifest_key="manifests/parts.json") for key in (BAD, *HEALTHY)]
    document = {"files": [one.key for one in files], "one_statement": True}
    harness.notify(*files, harness.put("manifests/parts.json", json.dumps(document)))
    harness.relay()
    first = str(harness.the_batch()["batch_id"])
    statements = {one["statement"] for one in harness.manifest(first)["files"]}
    assert statements == {"manifests/parts.json"}
    harness.close(first, "REJECTED", rejected=[0])
    submit(harness, "fix", BAD)
    second = harness.manifest(harness.sealed()[-1]["batch_id"])["files"]
    assert [one["statement"] for one in second] == ["manifests/parts.json"] * 4


def test_more_files_than_a_batch_takes_follow_by_themselves(
    harness: BatchHarness, rejected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "MAX_BATCH_FILES", 3)
    submit(harness, "fix", BAD, "orders/2.csv")
    assert batches_after(harness, rejected) == [HEALTHY, ["orders/2.csv", BAD]]
    assert harness.pending() == []


def test_what_a_replay_answers_stays_with_its_files(harness: BatchHarness) -> None:
    [example, *_] = an_example_document("ReplayAnswers")
    ref = harness.documents.put_json("uploads", "quarantine/answers/r.json", example)
    files = [harness.put(key, manifest_key="manifests/r.json") for key in (BAD, "products/1.csv")]
    document = {"files": [one.key for one in files], "answers": ref.model_dump()}
    harness.notify(*files, harness.put("manifests/r.json", json.dumps(document)))
    harness.relay()
    harness.close(harness.the_batch()["batch_id"], "REJECTED", rejected=[0])
    submit(harness, "fix", BAD)
    assert harness.sealed()[-1]["answers"] == ref.model_dump()


def test_a_return_told_by_the_code_of_before_waits_for_a_release(harness: BatchHarness) -> None:
    """It named kinds, not keys: nobody can say which upload corrects it."""
    batch_id = a_rejected_batch(harness)
    open_set = harness.open_set()
    old = harness.store._streams[open_set.stream_id]
    for number, message in enumerate(old):
        if message.event_type == "FilesReturned":
            update = {"awaiting": None}
            old[number] = message.__class__(
                **{**message.__dict__, "data": message.data.model_copy(update=update)}
            )
    harness.restart()
    harness.upload(BAD)
    harness.settle()
    assert batches_after(harness, batch_id) == []
    release(harness, batch_id)
    assert batches_after(harness, batch_id) == [HEALTHY]


class TestGone:
    """A version that is deleted never fails the healthy ones."""

    def test_a_file_that_is_deleted_before_its_seal_is_told_as_gone(
        self, harness: BatchHarness
    ) -> None:
        [lost, *_] = harness.upload("orders/lost.csv", BAD, *HEALTHY)
        harness.bucket.delete(lost)
        harness.settle()
        assert sorted(harness.keys_of(harness.the_batch()["batch_id"])) == sorted([BAD, *HEALTHY])
        [event] = harness.said("FileGone")
        assert (event.key, event.version_id) == (lost.key, lost.version_id)

    def test_a_manifest_whose_pinned_file_is_deleted_goes_without_it(
        self, harness: BatchHarness
    ) -> None:
        files = [harness.put(key, manifest_key="manifests/m.json") for key in (BAD, "orders/2.csv")]
        entries: list[str | dict[str, str | None]] = [
            {"key": one.key, "version_id": one.version_id} for one in files
        ]
        harness.notify(*files)
        harness.bucket.delete(files[0])
        harness.notify(harness.put_manifest("m", entries))
        assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/2.csv"]
        assert harness.pending() == []

    def test_a_manifest_of_nothing_but_gone_files_is_ignored(self, harness: BatchHarness) -> None:
        file = harness.put(BAD, manifest_key="manifests/m.json")
        harness.notify(file)
        harness.bucket.delete(file)
        entry: dict[str, str | None] = {"key": file.key, "version_id": file.version_id}
        harness.notify(harness.put_manifest("m", [entry]))
        assert harness.sealed() == []
        assert dict(harness.open_set().manifests) == {}
        [event] = harness.said("FileIgnored")
        assert event.key == "manifests/m.json"

    def test_the_healthy_files_of_a_batch_with_a_gone_one_wait_for_nobody(
        self, harness: BatchHarness
    ) -> None:
        harness.upload(BAD, *HEALTHY)
        harness.settle()
        harness.relay()
        batch_id = str(harness.the_batch()["batch_id"])
        harness.reports.reports[0] = a_report(0, rule="file.gone", reason="it is deleted")
        answer = harness.close(batch_id, "REJECTED", rejected=[0])
        assert "deleted before" in answer["message"]
        rows = harness.store.query("AggregatorState", {"pk": "refused"})
        assert [(row["is_rejected"], sorted(row["keys"])) for row in rows] == [(False, HEALTHY)]
        harness.settle()
        assert batches_after(harness, batch_id) == [HEALTHY]
        [event] = harness.said("FileGone")
        assert (event.key, event.batch_id) == (BAD, batch_id)
        [named] = harness.row(batch_id)["rejected_files"]
        assert (named["key"], named["gone"]) == (BAD, True)

    def test_a_copy_of_a_gone_file_is_healthy(self, harness: BatchHarness) -> None:
        harness.upload("orders/1.csv", "orders/2.csv", content="same")
        harness.upload("order_items/1.csv", "products/1.csv")
        harness.settle()
        harness.relay()
        batch_id = str(harness.the_batch()["batch_id"])
        harness.reports.reports[0] = a_report(0, rule="file.gone", reason="it is deleted")
        harness.close(batch_id, "REJECTED", rejected=[0])
        harness.settle()
        again = ["order_items/1.csv", "orders/2.csv", "products/1.csv"]
        assert batches_after(harness, batch_id) == [again]

    def test_a_gone_file_beside_a_bad_one_is_not_waited_for(self, harness: BatchHarness) -> None:
        harness.upload(BAD, *HEALTHY)
        harness.settle()
        harness.relay()
        batch_id = str(harness.the_batch()["batch_id"])
        harness.reports.reports[2] = a_report(2, rule="file.gone", reason="it is deleted")
        harness.close(batch_id, "REJECTED", rejected=[0, 2])
        assert harness.waits_for() == [f"rejected batch {batch_id}: a corrected {BAD}"]

    def test_a_waiting_file_that_is_deleted_does_not_stop_the_others(
        self, harness: BatchHarness, rejected: str
    ) -> None:
        [(seen, _)] = harness.bucket.versions_by_key["orders/rome.csv"]
        harness.bucket.versions_by_key["orders/rome.csv"] = []
        submit(harness, "fix", BAD)
        assert batches_after(harness, rejected) == [["order_items/1.csv", BAD, "products/1.csv"]]
        assert [event.version_id for event in harness.said("FileGone")] == [seen.version_id]


KEYS = (BAD, *HEALTHY)


@pytest.mark.medium
@settings(max_examples=examples(80))
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
    harness = BatchHarness()
    harness.upload(*KEYS)
    harness.settle()
    harness.relay()
    first = str(harness.the_batch()["batch_id"])
    harness.close(first, "REJECTED", rejected=sorted(at_fault))
    steps = [("fix", index) for index in at_fault] + [(how, 9) for how in others]
    order.shuffle(steps)  # type: ignore[attr-defined]
    for number, (how, index) in enumerate(steps):
        if how == "submitted" or (how == "fix" and index in manifests):
            key = KEYS[index] if how == "fix" else f"orders/other-{number}.csv"
            submit(harness, f"s{number}", key)
        else:
            harness.upload(KEYS[index] if how == "fix" else f"orders/other-{number}.csv")
    harness.settle()
    mine = [keys for keys in batches_after(harness, first) if set(keys) & set(KEYS)]
    if len(at_fault) < len(KEYS):
        assert mine == [sorted(KEYS)]
    counted = [key for keys in mine for key in keys] + harness.pending()
    assert sorted(set(KEYS)) == sorted(key for key in counted if key in KEYS)
