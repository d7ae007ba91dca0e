"""A person's start: what is pending, or the set with one file, once per execution."""

from tests.unit.aggregator.harness import MACHINE, BatchHarness


def test_without_a_key_all_that_waits_is_sealed_and_started_by_that_execution(
    harness: BatchHarness,
) -> None:
    harness.upload("orders/1.csv", "orders/2.csv")
    answer = harness.seal_by_hand()
    batch = harness.the_batch()
    assert answer == {
        "outcome": "SEALED",
        "batch_id": batch["batch_id"],
        "bucket": "uploads",
        "manifest": batch["manifest"],
        "file_count": 2,
    }
    assert (batch["status"], batch["trigger"]) == ("RUNNING", "MANUAL")
    assert batch["execution_id"] == f"{MACHINE}:manual"


def test_a_batch_that_a_person_started_is_not_started_again(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv")
    harness.seal_by_hand()
    harness.relay()
    assert harness.executions.started == []


def test_the_same_execution_asking_again_gets_the_same_batch(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv")
    first = harness.seal_by_hand()
    harness.upload("orders/2.csv")
    assert harness.seal_by_hand(attempt=1) == first
    assert harness.pending() == ["orders/2.csv"]


def test_with_a_key_the_loose_files_with_it_are_sealed(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", "order_items/1.csv")
    harness.upload("orders/2.csv", manifest_key="manifests/july.json")
    harness.seal_by_hand("orders/1.csv")
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv", "order_items/1.csv"]
    assert harness.pending() == ["orders/2.csv"]


def test_with_a_key_of_a_manifest_its_files_are_sealed_though_some_are_missing(
    harness: BatchHarness,
) -> None:
    harness.upload("orders/1.csv", "orders/2.csv")
    harness.notify(harness.put_manifest("july", ["orders/1.csv", "order_items/1.csv"]))
    harness.seal_by_hand("orders/1.csv")
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv"]
    assert harness.pending() == ["orders/2.csv"]
    assert harness.open_set().manifests == {}


def test_without_a_key_files_of_an_unfinished_manifest_are_taken_when_nothing_else_waits(
    harness: BatchHarness,
) -> None:
    harness.upload("orders/1.csv", manifest_key="manifests/july.json")
    assert harness.seal_by_hand()["file_count"] == 1


def test_nothing_pending_is_said_and_is_no_fault(harness: BatchHarness) -> None:
    answer = harness.seal_by_hand()
    assert answer["outcome"] == "NOTHING_PENDING"
    assert "no files wait in uploads" in answer["message"]
    assert harness.answers.failed == {}


def test_a_key_that_does_not_wait_is_named(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv")
    answer = harness.seal_by_hand("orders/9.csv")
    assert answer["outcome"] == "NOTHING_PENDING"
    assert "orders/9.csv is not among the files" in answer["message"]
    assert harness.pending() == ["orders/1.csv"]


def test_a_manifest_that_lost_a_pinned_file_to_a_manual_start_waits_no_more(
    harness: BatchHarness,
) -> None:
    [file] = harness.upload("orders/1.csv")
    entries: list[str | dict[str, str | None]] = [
        {"key": file.key, "version_id": file.version_id},
        "orders/2.csv",
    ]
    harness.notify(harness.put_manifest("july", entries))
    harness.seal_by_hand()
    assert harness.keys_of(harness.the_batch()["batch_id"]) == ["orders/1.csv"]
    assert harness.open_set().manifests == {}
