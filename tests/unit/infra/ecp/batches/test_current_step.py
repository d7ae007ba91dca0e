"""The step of a running batch and what failed in it, out of Step Functions' history."""

from datetime import UTC, datetime, timedelta
from typing import Any

from infra.ecp.batches.current_step import current_step

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def entered(name: str, seconds_ago: float) -> dict[str, Any]:
    return {
        "type": "TaskStateEntered",
        "timestamp": NOW - timedelta(seconds=seconds_ago),
        "stateEnteredEventDetails": {"name": name},
    }


def exited(name: str) -> dict[str, Any]:
    return {
        "type": "TaskStateExited",
        "timestamp": NOW,
        "stateExitedEventDetails": {"name": name},
    }


def test_a_branch_that_is_over_is_not_the_step() -> None:
    history = [
        exited("StartValidator"),
        entered("StartValidator", 3.0),
        entered("ValidateFile", 4.0),
        exited("ValidateFile"),
        entered("ValidateFile", 5.0),
    ]
    step = current_step(history, NOW)
    assert step is not None
    assert (step.name, step.seconds) == ("ValidateFile", 4.0)


def failed(error: str, cause: str) -> dict[str, Any]:
    return {
        "type": "TaskFailed",
        "timestamp": NOW,
        "taskFailedEventDetails": {"error": error, "cause": cause},
    }


def test_it_is_the_state_entered_last_and_its_age() -> None:
    step = current_step([entered("TransformBatch", 42.0), entered("AcquireLock", 50.0)], NOW)
    assert step is not None
    assert (step.name, step.seconds, step.failures, step.last_error) == (
        "TransformBatch",
        42.0,
        0,
        None,
    )


def test_failures_since_then_are_counted_and_the_newest_is_told() -> None:
    history = [
        failed("OSError", "No space left\n on device"),
        failed("Transient", "the table is away"),
        entered("TransformBatch", 9.0),
        failed("Transient", "of a step that is over"),
    ]
    step = current_step(history, NOW)
    assert step is not None
    assert (step.failures, step.last_error) == (2, "OSError: No space left on device")


def test_a_task_that_timed_out_counts_as_a_failure() -> None:
    timed_out = {
        "type": "TaskTimedOut",
        "timestamp": NOW,
        "taskTimedOutEventDetails": {"error": "States.Timeout"},
    }
    step = current_step([timed_out, entered("ValidateFile", 1.0)], NOW)
    assert step is not None
    assert step.last_error == "States.Timeout"


def test_an_execution_that_has_not_entered_a_state_has_no_step() -> None:
    assert current_step([{"type": "ExecutionStarted", "timestamp": NOW}], NOW) is None
