"""What the saga's own expressions make of an answer, by the JSONata that the simulation runs."""

from typing import Any

import pytest

from tests.simulation.saga import definition, evaluate

STATES = definition()["States"]


def value(expression: str, answer: dict[str, Any], **variables: Any) -> Any:
    """Of an expression in the state after a Parallel of one branch with this answer."""
    return evaluate(expression[2:-2].strip(), {"states": {"input": [answer]}, **variables})


@pytest.mark.parametrize("before", ["REJECTED", "FAILED"])
def test_what_turns_out_to_be_published_is_completed_and_else_ends_as_it_stood(before: str) -> None:
    """A batch whose redrive is refused by the validator as one whose transformation failed."""
    outcome = STATES["RecordAbandonment"]["Assign"]["outcome"]
    published = {"outcome": "PUBLISHED", "result": {"key": "k"}}
    assert value(outcome, published, outcome=before) == "COMPLETED"
    assert value(outcome, {"outcome": "ABANDONED"}, outcome=before) == before


def test_what_is_published_though_refused_now_says_so() -> None:
    [published] = STATES["IsPublished"]["Choices"]
    why = "1 of 3 files rejected"
    said = value(published["Assign"]["reason"], {}, rejected_files=[0], reason=why)
    assert said.startswith("1 of 3 files rejected when it was validated again, but it was publ")
    assert value(published["Assign"]["reason"], {}, rejected_files=[], reason=why) == ""


@pytest.mark.parametrize(("attempt", "redrives"), [({}, 0), ({"attempt": 2}, 2)])
def test_the_saga_knows_how_often_its_batch_was_redriven(
    attempt: dict[str, int], redrives: int
) -> None:
    begun = STATES["Begin"]["Assign"]["redrives"]
    assert evaluate(begun[2:-2].strip(), {"states": {"input": attempt}}) == redrives


@pytest.mark.parametrize("at_fault", [[], [3], [0, 2]])
def test_what_the_transformer_rejects_is_closed_with_its_reason_and_its_files(
    at_fault: list[int],
) -> None:
    """One file at fault stays a list of one: CloseBatch takes no single number."""
    [rejected] = STATES["IsTransformed"]["Choices"]
    reason = "JPY, and what is published is in EUR"
    answer = {"outcome": "REJECTED", "reason": reason, "rejected_files": at_fault}
    assert value(rejected["Condition"], answer) is True
    assert value(rejected["Assign"]["reason"], answer) == reason
    assert value(rejected["Assign"]["rejected_files"], answer) == at_fault


def test_what_is_published_goes_on_to_the_archive() -> None:
    answer = {"outcome": "PUBLISHED", "result": {"key": "k"}}
    [rejected] = STATES["IsTransformed"]["Choices"]
    assert value(rejected["Condition"], answer) is False
    assert STATES["IsTransformed"]["Default"] == "RecordPublication"
    assert value(STATES["RecordPublication"]["Assign"]["result"], answer) == {"key": "k"}
