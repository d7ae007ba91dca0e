"""What became of a quarantined row: the newest word counts, and a completed replay is the last."""

from typing import Any

import pytest

from infra.ecp.quarantine.commands import resolutions_shown
from infra.ecp.quarantine.dismiss import Dismissed, chosen
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.quarantine.replays import Replay, RowId
from services.runtime.quarantine.resolutions import Dismissal, Resolutions, published_since
from services.validator.quarantine.rows import QuarantinedFile
from tests.contract.builders import BATCH, OTHER_BATCH

KEY = "orders/a.csv"
ROW = RowId(BATCH, KEY, "v1", 7)


def at(minute: int) -> str:
    return f"2025-07-07T12:{minute:02}:00.000Z"


def a_dismissal(minute: int = 10, *lines: int, batch_id: str = BATCH, key: str = KEY) -> Dismissal:
    return Dismissal(batch_id, key, frozenset(lines) or None, "dana@pc", "tests", at(minute))


def an_answer(minute: int, status: str) -> dict[RowId, Replay]:
    return {ROW: Replay(OTHER_BATCH, status, at(minute), ("1",))}


@pytest.mark.parametrize(
    ("answers", "dismissals", "resolution"),
    [
        ({}, [], "open"),
        ({}, [a_dismissal()], "dismissed"),
        ({}, [a_dismissal(10, 7, 9)], "dismissed"),
        ({}, [a_dismissal(10, 8)], "open"),
        ({}, [a_dismissal(batch_id=OTHER_BATCH)], "open"),
        ({}, [a_dismissal(key="orders/b.csv")], "open"),
        (an_answer(5, "COMPLETED"), [a_dismissal()], "answered"),
        (an_answer(15, "COMPLETED"), [a_dismissal()], "answered"),
        (an_answer(5, "FAILED"), [a_dismissal()], "dismissed"),
        (an_answer(15, "FAILED"), [a_dismissal()], "open"),
        (an_answer(15, "RUNNING"), [a_dismissal()], "open"),
        (an_answer(15, "REJECTED"), [a_dismissal(), a_dismissal(20, 7)], "dismissed"),
    ],
)
def test_the_newest_word_counts_and_a_completed_replay_is_the_last(
    answers: dict[RowId, Replay], dismissals: list[Dismissal], resolution: str
) -> None:
    assert Resolutions(answers, dismissals).of(ROW) == resolution


def test_a_file_is_dismissed_as_a_whole_only() -> None:
    assert Resolutions({}, [a_dismissal()]).of_file(BATCH, KEY) == "dismissed"
    assert Resolutions({}, [a_dismissal(10, 7)]).of_file(BATCH, KEY) == "open"


def test_lists_leave_out_what_was_dismissed_unless_asked() -> None:
    def shown(**asked: bool) -> set[str]:
        return set(
            resolutions_shown(
                **{"only_open": False, "only_dismissed": False, "every": False} | asked
            )
        )

    assert shown() == {"open", "answered"}
    assert shown(only_open=True) == {"open"}
    assert shown(only_dismissed=True) == {"dismissed"}
    assert shown(every=True) == {"open", "answered", "dismissed"}


def a_row(line: int, batch_id: str = BATCH, key: str = KEY) -> dict[str, Any]:
    return {"batch_id": batch_id, "key": key, "version_id": "v1", "line": line}


def a_file(batch_id: str = BATCH, key: str = "orders/bad.csv") -> QuarantinedFile:
    return QuarantinedFile(batch_id, key, f"quarantine/{batch_id}/files/{key}", 12, "now")


def test_all_that_is_open_of_a_batch_is_dismissed_input_by_input() -> None:
    rows = [a_row(2), a_row(7), a_row(3, key="products/a.csv")]
    resolutions = Resolutions({}, [a_dismissal(10, 2)])
    assert chosen(rows, [a_file()], resolutions, BATCH, None) == [
        Dismissed(BATCH, "orders/a.csv", None, 1, is_file=False),
        Dismissed(BATCH, "orders/bad.csv", None, 0, is_file=True),
        Dismissed(BATCH, "products/a.csv", None, 1, is_file=False),
    ]


def test_single_lines_are_dismissed_and_nothing_else_of_the_input() -> None:
    rows = [a_row(2), a_row(7), a_row(9)]
    found = chosen(rows, [a_file(key=KEY)], Resolutions({}), KEY, [7, 9])
    assert found == [Dismissed(BATCH, KEY, (7, 9), 2, is_file=False)]


def test_a_line_that_is_not_open_is_named() -> None:
    resolutions = Resolutions({}, [a_dismissal(10, 2)])
    with pytest.raises(WrongUsage, match=r"line 2 of orders/a\.csv"):
        chosen([a_row(2), a_row(7)], [], resolutions, KEY, [2, 7])


def test_nothing_open_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match=r"nothing of orders/a\.csv is open"):
        chosen([a_row(7)], [], Resolutions(an_answer(5, "COMPLETED")), KEY, None)


def test_a_line_that_two_batches_refused_needs_the_batch() -> None:
    rows = [a_row(7), a_row(7, OTHER_BATCH)]
    with pytest.raises(WrongUsage, match="name one by --batch"):
        chosen(rows, [], Resolutions({}), KEY, [7])
    assert len(chosen(rows, [], Resolutions({}), KEY, None)) == 2


def test_a_file_and_its_rows_are_answered_once_a_correction_is_published() -> None:
    refused = [{"batch_id": BATCH, "answered": {KEY: OTHER_BATCH}}]
    resolutions = Resolutions({}, [a_dismissal()], published_since(refused))
    assert (resolutions.of_file(BATCH, KEY), resolutions.of(ROW)) == ("answered", "answered")
    assert Resolutions({}).of_file(BATCH, KEY) == "open"
    assert resolutions.of_file(OTHER_BATCH, KEY) == "open"


def test_a_file_of_a_published_batch_that_a_redrive_refused_waits_for_nobody() -> None:
    resolutions = Resolutions({}, completed=frozenset({BATCH}))
    assert (resolutions.of_file(BATCH, KEY), resolutions.of(ROW)) == ("answered", "open")
    assert resolutions.of_file(OTHER_BATCH, KEY) == "open"
