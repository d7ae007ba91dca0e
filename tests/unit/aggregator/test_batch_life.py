"""A batch from its seal to its end, and again when it failed."""

import json
from collections.abc import Mapping

import pytest

from contracts.messages import CloseBatch
from tests.unit.aggregator.harness import (
    EVENTS,
    MACHINE,
    BatchHarness,
    a_report,
    on_the_bus,
    status_change,
)

A_SET = ("orders/1.csv", "order_items/1.csv", "products/1.csv")
SWEEP = json.dumps({"sweep": "uploads"})


@pytest.fixture
def batch_id(harness: BatchHarness) -> str:
    """A batch that runs."""
    harness.upload(*A_SET)
    harness.settle()
    harness.relay()
    return str(harness.the_batch()["batch_id"])


def test_a_sealed_batch_is_started_under_its_own_id(harness: BatchHarness, batch_id: str) -> None:
    [(name, document)] = harness.executions.started
    assert name == batch_id
    assert document == {
        "fileKey": "",
        "bucket": "uploads",
        "batch_id": batch_id,
        "manifest": harness.row(batch_id)["manifest"],
        "file_count": 3,
        "attempt": 0,
    }
    assert harness.row(batch_id)["status"] == "RUNNING"


def test_the_same_seal_twice_starts_once(harness: BatchHarness, batch_id: str) -> None:
    harness.relayed = 0
    harness.relay()
    assert len(harness.executions.started) == 1
    assert len(harness.said("BatchStarted")) == 1


def test_completed_is_recorded_and_told(harness: BatchHarness, batch_id: str) -> None:
    answer = harness.close(batch_id, "COMPLETED")
    assert (answer["outcome"], answer["status"]) == ("CLOSED", "COMPLETED")
    assert "10 rows = 8 accepted + 1 quarantined + 1 duplicate." in answer["message"]
    assert harness.row(batch_id)["status"] == "COMPLETED"
    assert harness.store.query("AggregatorState", {"pk": "unfinished"}) == []


def test_closing_twice_gives_the_same_answer_and_one_event(
    harness: BatchHarness, batch_id: str
) -> None:
    assert harness.close(batch_id, "COMPLETED") == harness.close(batch_id, "COMPLETED")
    assert len(harness.said("BatchCompleted")) == 1


def test_a_closed_batch_keeps_its_end(harness: BatchHarness, batch_id: str) -> None:
    harness.close(batch_id, "COMPLETED")
    assert harness.close(batch_id, "FAILED")["status"] == "COMPLETED"


def test_another_execution_may_not_close_the_batch(harness: BatchHarness, batch_id: str) -> None:
    stranger = CloseBatch(
        batch_id=batch_id,
        execution_id=f"{MACHINE}:stranger",
        outcome="FAILED",
        rejected_files=[],
        reason="",
        attempt=0,
    )
    harness.command(stranger, token="t")
    assert harness.answers.failed["t"][0] == "StaleWriter"
    assert harness.row(batch_id)["status"] == "RUNNING"


def test_rejected_names_the_fault_and_returns_the_healthy_files(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.reports.reports[0] = a_report(0, reason="column order_date is missing", rule="header")
    answer = harness.close(batch_id, "REJECTED", rejected=[0])
    assert "orders/1.csv: column order_date is missing (rule header" in answer["message"]
    assert harness.row(batch_id)["rejected_files"][0]["key"] == "orders/1.csv"
    assert harness.pending() == ["order_items/1.csv", "products/1.csv"]
    assert harness.waits_for() == [f"rejected batch {batch_id}: a corrected orders/1.csv"]


def test_a_file_that_passed_its_checks_and_is_rejected_all_the_same_says_why(
    harness: BatchHarness, batch_id: str
) -> None:
    """By the transformer: in another currency than the facts, say."""
    harness.reports.reports[0] = a_report(0, status="accepted", rule=None, reason=None)
    answer = harness.close(
        batch_id, "REJECTED", rejected=[0], reason="JPY, and the facts are in EUR"
    )
    assert "orders/1.csv: JPY, and the facts are in EUR" in answer["message"]
    assert "ecp quarantine" not in answer["message"]
    assert "correct the file, which still lies under its key" in answer["message"]
    assert f"`ecp release {batch_id} --reason WHY`" in answer["message"]


def test_a_batch_that_no_file_of_is_named_was_rejected_by_the_transformer(
    harness: BatchHarness, batch_id: str
) -> None:
    answer = harness.close(batch_id, "REJECTED", reason="JPY, and the facts are in EUR")
    assert "ecp quarantine" not in answer["message"]


def test_where_only_one_of_two_files_is_in_quarantine_both_ways_are_told(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.reports.reports[0] = a_report(0, status="accepted", rule=None, reason=None)
    answer = harness.close(batch_id, "REJECTED", rejected=[0, 1], reason="not in one currency")
    assert f"`ecp quarantine show {batch_id}`" in answer["message"]
    assert "where it does not show the file, every row is right by itself" in answer["message"]


def test_what_is_published_though_refused_now_is_completed_and_told(
    harness: BatchHarness, batch_id: str
) -> None:
    reason = "1 of 3 files rejected when it was validated again, but it was published before"
    answer = harness.close(batch_id, "COMPLETED", rejected=[0], reason=reason)
    assert f"Note: {reason}. `ecp batch {batch_id}` shows what is refused now." in answer["message"]
    assert harness.row(batch_id) | {"status": "COMPLETED", "reason": reason} == harness.row(
        batch_id
    )
    [completed] = harness.said("BatchCompleted")
    assert completed.remark == reason
    assert harness.pending() == []


def test_returned_files_wait_for_the_corrected_one_and_complete_with_it(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.close(batch_id, "REJECTED", rejected=[0])
    harness.settle()
    assert len(harness.sealed()) == 1
    harness.upload("orders/1.csv", content="corrected")
    harness.settle()
    second = harness.sealed()[1]["batch_id"]
    assert sorted(harness.keys_of(second)) == sorted(A_SET)
    assert second != batch_id


def test_a_corrected_file_may_come_by_a_manifest_and_takes_the_healthy_ones_along(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.close(batch_id, "REJECTED", rejected=[0])
    fixed = harness.put("orders/1.csv", content="corrected", manifest_key="manifests/fix.json")
    entry = {"key": fixed.key, "version_id": fixed.version_id}
    harness.notify(fixed, harness.put_manifest("fix", [entry]))
    second = harness.sealed()[1]
    assert harness.keys_of(second["batch_id"]) == ["order_items/1.csv", "products/1.csv", fixed.key]
    assert (second["trigger"], harness.pending()) == ("MANIFEST", [])


def test_a_file_whose_equal_is_at_fault_is_at_fault(harness: BatchHarness) -> None:
    harness.upload("orders/1.csv", "orders/2.csv", content="same")
    harness.upload("order_items/1.csv", "products/1.csv")
    harness.settle()
    harness.relay()
    harness.close(harness.the_batch()["batch_id"], "REJECTED", rejected=[0])
    assert harness.pending() == ["order_items/1.csv", "products/1.csv"]


def test_a_file_that_was_overtaken_meanwhile_does_not_come_back(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.upload("order_items/1.csv", content="newer")
    harness.seal_by_hand()
    harness.close(batch_id, "REJECTED", rejected=[0])
    assert harness.pending() == ["products/1.csv"]
    assert [event.key for event in harness.said("FileSuperseded")] == ["order_items/1.csv"]


def test_a_rejection_without_indexes_blames_every_file(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.close(batch_id, "REJECTED", reason="the sums do not add up")
    assert harness.pending() == []
    assert len(harness.row(batch_id)["rejected_files"]) == 3


def test_an_index_that_the_manifest_does_not_have_is_refused(
    harness: BatchHarness, batch_id: str
) -> None:
    assert harness.close(batch_id, "REJECTED", rejected=[7]) is None
    [(error, cause)] = harness.answers.failed.values()
    assert error == "ContractViolation"
    assert "[7]" in cause
    assert harness.row(batch_id)["status"] == "RUNNING"


def test_failed_keeps_its_files_and_says_how_to_run_it_again(
    harness: BatchHarness, batch_id: str
) -> None:
    answer = harness.close(batch_id, "FAILED", reason="TransformBatch timed out")
    assert "TransformBatch timed out" in answer["message"]
    assert f"ecp redrive {batch_id}" in answer["message"]
    assert harness.pending() == []


def test_a_failed_batch_runs_again_under_the_next_name(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.close(batch_id, "FAILED")
    harness.redrive(batch_id)
    harness.relay()
    name, document = harness.executions.started[-1]
    assert (name, document["attempt"]) == (f"{batch_id}-r1", 1)
    assert harness.row(batch_id)["status"] == "RUNNING"
    assert harness.close(batch_id, "COMPLETED")["status"] == "COMPLETED"


@pytest.mark.parametrize("outcome", ["COMPLETED", "REJECTED", None])
def test_no_other_batch_is_redriven(
    harness: BatchHarness, batch_id: str, outcome: str | None
) -> None:
    if outcome:
        harness.close(batch_id, outcome)
    harness.redrive(batch_id)
    harness.relay()
    assert harness.said("BatchRedriven") == []
    assert len(harness.executions.started) == 1


def test_asking_twice_redrives_once(harness: BatchHarness, batch_id: str) -> None:
    harness.close(batch_id, "FAILED")
    harness.redrive(batch_id)
    harness.redrive(batch_id)
    assert len(harness.said("BatchRedriven")) == 1


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"])
def test_an_execution_that_ends_and_leaves_its_batch_open_fails_it(
    harness: BatchHarness, batch_id: str, status: str
) -> None:
    body = status_change(f"{MACHINE}:{batch_id}", status, cause="stopped by ops")
    assert harness.deliver(EVENTS, body, body) == []
    [event] = harness.said("BatchFailed")
    assert status in event.reason
    assert "stopped by ops" in event.reason


def test_an_execution_that_ends_after_closing_its_batch_changes_nothing(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.close(batch_id, "COMPLETED")
    harness.deliver(EVENTS, status_change(f"{MACHINE}:{batch_id}", "SUCCEEDED"))
    assert harness.row(batch_id)["status"] == "COMPLETED"


def test_the_end_of_an_earlier_attempt_does_not_fail_the_next(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.close(batch_id, "FAILED")
    harness.redrive(batch_id)
    harness.deliver(EVENTS, status_change(f"{MACHINE}:{batch_id}", "FAILED"))
    harness.relay()
    assert harness.row(batch_id)["status"] == "RUNNING"


@pytest.mark.parametrize("execution", [f"{MACHINE}:manual-execution-7", f"{MACHINE}:{'0' * 16}"])
def test_the_end_of_an_execution_without_a_batch_is_nothing(
    harness: BatchHarness, execution: str
) -> None:
    assert harness.deliver(EVENTS, status_change(execution, "FAILED")) == []
    assert harness.dead_letters.letters == []


def test_the_sweep_fails_a_batch_whose_execution_died_unheard(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.executions.over[f"{MACHINE}:{batch_id}"] = "ABORTED"
    harness.wait(899)
    harness.deliver(EVENTS, SWEEP)
    assert harness.row(batch_id)["status"] == "RUNNING"
    harness.wait(1)
    harness.deliver(EVENTS, SWEEP)
    assert harness.row(batch_id)["status"] == "FAILED"


def test_after_a_restart_the_sweep_fails_what_died_at_once(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.upload("orders/2.csv", "order_items/2.csv", "products/2.csv")
    harness.settle()
    harness.relay()
    [alive] = [name for name, _ in harness.executions.started if name != batch_id]
    harness.executions.over[f"{MACHINE}:{batch_id}"] = "FAILED"
    harness.deliver(EVENTS, json.dumps({"sweep": "uploads", "after_restart": True}))
    assert harness.row(batch_id)["status"] == "FAILED"
    assert harness.row(alive)["status"] == "RUNNING"


def test_the_sweep_leaves_a_batch_alone_while_its_execution_runs(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.wait(7200)
    harness.deliver(EVENTS, SWEEP)
    assert harness.row(batch_id)["status"] == "RUNNING"


def test_the_sweep_starts_a_batch_whose_event_was_lost_a_minute_ago(harness: BatchHarness) -> None:
    harness.upload(*A_SET)
    harness.settle()
    harness.wait(59)
    harness.deliver(EVENTS, SWEEP)
    assert harness.executions.started == []
    harness.wait(1)
    harness.deliver(EVENTS, SWEEP)
    assert [name for name, _ in harness.executions.started] == [harness.the_batch()["batch_id"]]
    assert harness.the_batch()["status"] == "RUNNING"


def test_an_execution_that_goes_on_leaves_its_batch_running(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.deliver(EVENTS, status_change(f"{MACHINE}:{batch_id}", "RUNNING"))
    assert harness.row(batch_id)["status"] == "RUNNING"


def test_closing_plans_a_check_for_a_set_that_only_waited_for_products(
    harness: BatchHarness, batch_id: str
) -> None:
    harness.upload("orders/2.csv", "order_items/2.csv")
    harness.checks.planned.clear()
    harness.close(batch_id, "COMPLETED")
    assert harness.checks.planned == [("uploads", 30)]


def test_a_start_that_is_recorded_late_does_not_reopen_a_closed_batch(
    harness: BatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole saga may be over before its start is recorded."""
    harness.upload(*A_SET)
    harness.settle()
    start = harness.executions.start

    def start_and_end(name: str, document: Mapping[str, object]) -> str:
        execution_id = start(name, document)
        harness.deliver(EVENTS, status_change(execution_id, "FAILED"))
        return execution_id

    monkeypatch.setattr(harness.executions, "start", start_and_end)
    harness.relay()
    assert harness.the_batch()["status"] == "FAILED"


def test_batches_start_in_the_order_of_their_seals_whatever_the_order_of_events(
    harness: BatchHarness,
) -> None:
    for number in range(3):
        harness.upload("orders/1.csv")
        harness.notify(harness.put_manifest(f"m{number}", ["orders/1.csv"]))
    sealed = [event for event in harness.events() if event.event_type == "BatchSealed"]
    for event in reversed(sealed):
        assert harness.deliver(EVENTS, on_the_bus(event)) == []
    started = [name for name, _ in harness.executions.started]
    assert started == [event.data.batch_id for event in sealed]
