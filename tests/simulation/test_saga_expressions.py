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


@pytest.mark.parametrize(
    ("count", "slices"),
    [(1, [[0]]), (25, [[*range(25)]]), (26, [[*range(25)], [25]]), (100, None), (1000, None)],
)
def test_slices_hold_every_file_once_and_in_order(
    count: int, slices: list[list[int]] | None
) -> None:
    """One file, and one that is left over, stay a list of one: a Map takes no single number."""
    [branch] = STATES["ValidateBatch"]["Branches"]
    items = branch["States"]["ValidateFiles"]["Items"]
    [more] = STATES["IsValidated"]["Choices"]
    known: dict[str, Any] = {"validated": 0, "slice": STATES["Begin"]["Assign"]["slice"]}
    known["file_count"] = count
    found: list[list[int]] = []
    while not found or value(more["Condition"], {}, **known):
        found.append(value(items, {}, **known))
        known["validated"] = value(STATES["RecordValidation"]["Assign"]["validated"], {}, **known)
    assert [index for one in found for index in one] == list(range(count))
    assert max(map(len, found)) <= known["slice"]
    assert slices in (None, found)


@pytest.mark.parametrize(
    ("before", "new", "together"),
    [([], [], []), ([], [3], [3]), ([3], [], [3]), ([0, 3], [51], [0, 3, 51])],
)
def test_what_is_rejected_is_gathered_over_the_slices(
    before: list[int], new: list[int], together: list[int]
) -> None:
    gathered = STATES["RecordValidation"]["Assign"]["rejected_files"]
    assert value(gathered, {"rejected_files": new}, rejected_files=before) == together


@pytest.mark.parametrize(
    ("error", "repeats", "again"),
    [
        ("Transient", 1, True),
        ("States.HeartbeatTimeout", 2, True),
        ("Transient", 3, False),
        ("StaleWriter", 1, False),
        ("ContractViolation", 1, False),
        ("DataRejected", 1, False),
    ],
)
def test_a_slice_is_repeated_twice_in_a_batch_and_not_where_that_is_in_vain(
    error: str, repeats: int, again: bool
) -> None:
    [choice] = STATES["MayBeRepeated"]["Choices"]
    assert value(choice["Condition"], {}, error=error, repeats=repeats) is again
