"""The saga's definition as text: patience, messages, ways; its queues are in test_services.py."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract import saga_checks as checks
from tests.contract.declared import SAGA, states_in

DEFINITION: dict[str, Any] = json.loads(SAGA.read_text())
STATES: dict[str, Any] = DEFINITION["States"]


def test_no_task_hangs_or_is_tried_again_in_step_with_others() -> None:
    assert list(checks.patience_faults(DEFINITION)) == []


def test_every_command_is_one_that_its_consumer_takes() -> None:
    assert list(checks.message_faults(DEFINITION)) == []


def test_every_state_is_reached_and_every_fault_is_caught() -> None:
    assert list(checks.flow_faults(DEFINITION)) == []


def test_every_variable_is_set_from_the_beginning() -> None:
    assert list(checks.variable_faults(DEFINITION)) == []


def catch_of(name: str) -> dict[str, Any]:
    [catch] = STATES[name]["Catch"]
    return dict(catch)


def test_release_closing_and_notification_happen_whether_or_not_the_one_before_worked() -> None:
    for name, following in [
        ("ReleaseLock", "CloseBatch"),
        ("CloseBatch", "Notify"),
        ("Notify", "IsFailed"),
    ]:
        assert STATES[name]["Next"] == catch_of(name)["Next"] == following


def test_whoever_had_the_lock_releases_it_unless_undoing_failed() -> None:
    """Then the facts are not as before the batch, and only the lease may free the lock."""
    undone_in_vain = ("AbandonBatch", catch_of("AbandonBatch")["Next"])
    assert undone_in_vain == ("AbandonBatch", "CloseBatch")
    granted = STATES["AcquireLock"]["Next"]
    ways_past = {(name, "ReleaseLock") for name in STATES} | {undone_in_vain}
    reached = checks.ways(DEFINITION, granted, ways_past)
    assert not {name for name in reached if STATES[name]["Type"] in checks.ENDS}


def test_a_failed_transformation_is_abandoned_before_the_lock_goes() -> None:
    assert catch_of("TransformBatch")["Next"] == "AbandonBatch"


def test_once_published_a_batch_is_archived_even_if_the_answer_was_lost() -> None:
    assert STATES["RecordPublication"]["Next"] == "ArchiveBatch"
    [published] = STATES["IsPublished"]["Choices"]
    assert published["Next"] == "ArchiveBatch"
    assert "PUBLISHED" in STATES["RecordAbandonment"]["Assign"]["outcome"]


@pytest.mark.parametrize("name", ["AcquireLock", "ValidateBatch", "TransformBatch", "ArchiveBatch"])
def test_a_fault_makes_the_batch_failed_and_says_why(name: str) -> None:
    assigned = catch_of(name)["Assign"]
    assert assigned["outcome"] == "FAILED"
    assert "$states.errorOutput.Cause" in assigned["reason"]
    assert {"CloseBatch", "Notify", "BatchFailed"} <= checks.ways(
        DEFINITION, catch_of(name)["Next"], set()
    )


def test_a_failed_batch_ends_red_and_a_rejected_one_does_not() -> None:
    assert STATES["BatchFailed"]["Type"] == "Fail"
    [failed] = STATES["IsFailed"]["Choices"]
    assert failed == {"Condition": "{% $outcome = 'FAILED' %}", "Next": "BatchFailed"}
    assert STATES["IsFailed"]["Default"] == "Done"
    assert STATES["Done"]["Type"] == "Succeed"
    [rejected] = STATES["IsAccepted"]["Choices"]
    assert rejected["Assign"]["outcome"] == "REJECTED"


def test_what_the_transformer_rejects_ends_as_rejected_and_nothing_is_archived() -> None:
    assert STATES["TransformBatch"]["Next"] == "IsTransformed"
    [rejected] = STATES["IsTransformed"]["Choices"]
    assert rejected["Assign"]["outcome"] == "REJECTED"
    assert {"reason", "rejected_files"} <= set(rejected["Assign"])
    reached = checks.ways(DEFINITION, rejected["Next"], set())
    assert reached == {"ReleaseLock", "CloseBatch", "Notify", "IsFailed", "BatchFailed", "Done"}


def test_a_redriven_batch_is_rejected_only_once_the_transformer_says_it_is_not_published() -> None:
    [rejected] = STATES["IsAccepted"]["Choices"]
    assert rejected["Next"] == "MayBePublished"
    [redriven] = STATES["MayBePublished"]["Choices"]
    assert redriven == {"Condition": "{% $redrives > 0 %}", "Next": "AbandonBatch"}
    assert STATES["MayBePublished"]["Default"] == "ReleaseLock"
    assert catch_of("AbandonBatch")["Assign"]["outcome"] == "FAILED"


UPDATE = "arn:aws:states:::aws-sdk:ecs:updateService"


def branch_of(name: str) -> dict[str, Any]:
    [branch] = STATES[name]["Branches"]
    return dict(branch)


def test_a_worker_is_started_in_every_try_and_its_refusal_stops_nobody() -> None:
    for name, task in (("TransformBatch", "Transform"), ("AbandonBatch", "Abandon")):
        branch = branch_of(name)
        start = branch["States"][branch["StartAt"]]
        assert (start["Resource"], start["Arguments"]["DesiredCount"]) == (UPDATE, 1)
        assert start["Next"] == start["Catch"][0]["Next"] == task
        assert STATES[name]["Retry"]


def test_validators_are_looked_for_in_each_slice_and_one_is_started_where_none_is_wanted() -> None:
    branch = branch_of("ValidateBatch")
    states = branch["States"]
    assert branch["StartAt"] == "LookForValidators"
    look, choice, start = (
        states[name] for name in ("LookForValidators", "IsValidatorWanted", "StartValidator")
    )
    assert look["Next"] == look["Catch"][0]["Next"] == "IsValidatorWanted"
    assert look["Catch"][0]["Output"] == {"validators": 1, "wanted": 1}, "it takes none away"
    [wanted] = choice["Choices"]
    assert wanted == {"Condition": "{% $states.input.wanted > 0 %}", "Next": "ValidateFiles"}
    assert choice["Default"] == "StartValidator"
    assert (start["Resource"], start["Arguments"]["DesiredCount"]) == (UPDATE, 1)
    assert start["Next"] == start["Catch"][0]["Next"] == "ValidateFiles"
    assert start["Output"] == start["Catch"][0]["Output"] == "{% $states.input %}"


def test_a_slice_that_failed_is_repeated_unless_that_is_in_vain() -> None:
    caught = catch_of("ValidateBatch")
    assert caught["Next"] == "MayBeRepeated"
    [again] = STATES["MayBeRepeated"]["Choices"]
    for error in ("StaleWriter", "ContractViolation", "DataRejected"):
        assert f"'{error}'" in again["Condition"]
    assert STATES["BeforeRepeating"]["Next"] == "ValidateBatch"
    assert STATES["MayBeRepeated"]["Default"] == "ReleaseLock"


def found_in(definition: dict[str, Any]) -> Iterator[str]:
    yield from checks.patience_faults(definition)
    yield from checks.message_faults(definition)
    yield from checks.flow_faults(definition)
    yield from checks.variable_faults(definition)


def _task(definition: dict[str, Any], name: str) -> Any:
    return dict(states_in(definition))[name]


def _data(definition: dict[str, Any], name: str) -> Any:
    return _task(definition, name)["Arguments"]["MessageBody"]["data"]


Mistake = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("mistake", "fault"),
    [
        (lambda d: _task(d, "Notify").pop("TimeoutSeconds"), "Notify has no TimeoutSeconds"),
        (lambda d: _task(d, "Transform").pop("HeartbeatSeconds"), "Transform has no Heartbeat"),
        (lambda d: _task(d, "Abandon").update(HeartbeatSeconds=9999), "Abandon: HeartbeatSeconds"),
        (lambda d: _task(d, "ReleaseLock").pop("Retry"), "ReleaseLock is not tried again"),
        (lambda d: _task(d, "StartValidator").pop("Retry"), "StartValidator is not tried again"),
        (lambda d: _task(d, "Notify")["Retry"][1].pop("JitterStrategy"), "without full jitter"),
        (lambda d: _task(d, "Notify")["Retry"][0]["ErrorEquals"].append("Stale"), "called ['Stal"),
        (lambda d: _data(d, "ValidateFile").pop("file_index"), "ValidateFile: data differs in ['f"),
        (lambda d: _data(d, "CloseBatch").update(why=""), "CloseBatch: data differs in ['why']"),
        (lambda d: _data(d, "Transform").update(attempt=0), "Transform: attempt is not"),
        (lambda d: _task(d, "ArchiveBatch").pop("Catch"), "ArchiveBatch catches nothing"),
        (lambda d: _task(d, "IsPublished").update(Default="CloseBach"), "goes to ['CloseBach']"),
        (lambda d: _task(d, "IsFailed").update(Choices=[]), "never reaches ['BatchFailed']"),
        (lambda d: _task(d, "RecordValidation").pop("Next"), "RecordValidation has no end"),
        (lambda d: _task(d, "Done").update(Output="{% $outcom %}"), "['outcom'] in"),
        (lambda d: _task(d, "Done").update(Output="{% $outcome"), "not an expression"),
    ],
)  # fmt: skip
def test_a_mistake_is_found(mistake: Mistake, fault: str) -> None:
    definition = json.loads(SAGA.read_text())
    mistake(definition)
    faults = list(found_in(definition))
    assert [found for found in faults if fault in found], faults
