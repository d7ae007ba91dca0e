"""Six steps from the events of a batch: what is done, what is being worked on, what failed."""

import pytest

from contracts.envelope import Message
from infra.ecp.batches.progress import StepState, ending, steps, this_attempt
from tests.unit.infra.batch_events import an_event, completed_batch

NAMES = ["Seal", "Lock", "Validate", "Transform", "Archive", "Close"]


def states(*events: Message) -> dict[str, str]:
    return {step.name: step.state.value for step in steps(events)}


def detail_of(name: str, *events: Message) -> str:
    return next(step.detail for step in steps(events) if step.name == name)


def test_before_anything_happened_the_seal_is_what_is_waited_for() -> None:
    assert states() == {"Seal": "running"} | dict.fromkeys(NAMES[1:], "waiting")


@pytest.mark.parametrize("count", range(1, 11))
def test_steps_are_done_one_after_the_other_and_exactly_one_runs_until_the_end(count: int) -> None:
    found = steps(completed_batch()[:count])
    kinds = [step.state for step in found]
    assert kinds == sorted(kinds, key=[StepState.DONE, StepState.RUNNING, StepState.WAITING].index)
    assert kinds.count(StepState.RUNNING) == (0 if count == 10 else 1)


def test_a_completed_batch_has_all_six_steps_done() -> None:
    assert states(*completed_batch()) == dict.fromkeys(NAMES, "done")


def test_waiting_for_the_lock_is_shown_with_the_place_in_line() -> None:
    sealed, queued = an_event("BatchSealed"), an_event("LockQueued", 1, position=3)
    assert states(sealed, queued)["Lock"] == "running"
    assert "number 3 in line" in detail_of("Lock", sealed, queued)


def test_validation_counts_the_files_that_are_through_once_however_often_told() -> None:
    sealed = an_event("BatchSealed", file_count=3)
    first = an_event("FileValidated", 1, file_index=0)
    again = an_event("FileValidated", 2, file_index=0, attempt=1)
    assert states(sealed, first, again)["Validate"] == "running"
    assert detail_of("Validate", sealed, first, again) == "1 of 3 files"


def test_a_rejected_file_makes_validation_and_the_batch_fail() -> None:
    story = [
        an_event("BatchSealed", file_count=2),
        an_event("LockGranted", 1),
        an_event("FileValidated", 2, file_index=0),
        an_event("FileRejected", 3, file_index=1),
        an_event("BatchRejected", 4),
    ]
    assert states(*story) == {
        "Seal": "done",
        "Lock": "done",
        "Validate": "failed",
        "Close": "failed",
    }
    assert detail_of("Validate", *story) == "10 rows, 1 quarantined, 1 file rejected"


def test_a_transformation_that_was_rolled_back_has_failed() -> None:
    story = [
        an_event("BatchSealed", file_count=1),
        an_event("FileValidated", 1),
        an_event("TransformStarted", 2),
        an_event("BatchAbandoned", 3),
        an_event("BatchFailed", 4),
    ]
    assert states(*story)["Transform"] == "failed"
    assert "rolled back" in detail_of("Transform", *story)


def redriven() -> list[Message]:
    failed = [an_event("BatchSealed"), an_event("BatchFailed", 1)]
    return [*failed, an_event("BatchRedriven", 2), an_event("BatchStarted", 3)]


def test_a_redrive_begins_a_new_attempt_that_knows_nothing_of_the_old_end() -> None:
    attempt = this_attempt(redriven())
    assert [event.event_type for event in attempt] == ["BatchRedriven", "BatchStarted"]
    assert ending(attempt) is None
    assert states(*attempt)["Seal"] == "done"


def test_who_asked_for_a_redrive_sees_nothing_before_it() -> None:
    events = redriven()
    assert this_attempt(events[:2], redriven_after=1) == []
    assert len(this_attempt(events, redriven_after=1)) == 2
