"""Rows that may state the same thing: where they wait to be compared, and what comparing tells."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contracts.file_contracts import file_contract
from services.validator.reading import duplicate_candidates, duplicates
from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.duplicate_candidates import KeyHashes, hashes_of
from services.validator.reading.duplicates import Found, Pile, as_candidates, look
from services.validator.reading.regular_rows import RAW

ROWS = 64
PARTS = np.arange(ROWS, dtype=np.uint64) << np.uint64(58)
"""A hash for each part."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def some_rows(first: int = 0) -> Any:
    numbers = np.arange(first, first + ROWS)
    rows = pa.table({"order_id": [f"{number:08}" for number in numbers]})
    return as_candidates(rows, ("order_id",), PARTS, numbers)


def read_from(pile: Pile) -> list[str]:
    parts = [pa.concat_tables(read()) for read in pile.parts()]
    return sorted(pa.concat_tables(parts)["order_id"].to_pylist())


IDS = [f"{number:08}" for number in range(3 * ROWS)]


def test_rows_that_fit_are_never_written_to_a_file(folder: Path) -> None:
    with Pile(held_bytes=2 * some_rows().nbytes) as pile:
        pile.add(some_rows())
        pile.add(some_rows(ROWS))
        assert read_from(pile) == IDS[: 2 * ROWS]
        assert list(folder.iterdir()) == []


def test_rows_go_to_files_once_all_of_them_together_do_not_fit(folder: Path) -> None:
    with Pile(held_bytes=3 * some_rows().nbytes - 1) as pile:
        pile.add(some_rows())
        pile.add(some_rows(ROWS))
        assert list(folder.iterdir()) == []
        pile.add(some_rows(2 * ROWS))
        assert len(list(folder.rglob("*.arrow"))) == 64
        assert read_from(pile) == IDS


def test_who_leaves_before_the_comparing_leaves_no_file_and_none_open(folder: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    with Pile(held_bytes=1) as pile:
        pile.add(some_rows())
        assert len(os.listdir("/dev/fd")) >= before + 64
    assert list(folder.iterdir()) == []
    assert len(os.listdir("/dev/fd")) <= before


@pytest.mark.parametrize("length", range(26))
def test_a_key_has_the_same_hash_wherever_it_stands_and_no_other_has_it(length: int) -> None:
    key = "abcdefghijklmnopqrstuvwxyz"[:length]
    column = pa.array([f"{key}!", key, "before", key, "behind and long", key, f"?{key[1:]}"])
    first, *hashes = hashes_of([column], seed=7).tolist()
    assert hashes[0] == hashes[2] == hashes[4]
    assert len({first, *hashes}) == 5


def test_hashes_go_to_files_once_all_of_them_together_do_not_fit(folder: Path) -> None:
    with KeyHashes(held_hashes=2) as keys:
        keys.add(PARTS[:2])
        assert list(folder.iterdir()) == []
        keys.add(PARTS[1:3])
        assert len([path for path in folder.rglob("*") if path.is_file()]) == 3
        keys.add(PARTS[:1])
        assert keys.candidates().holds(PARTS[:3]).tolist() == [True, True, False]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("repeated", "holds_others"), [(2, False), (3, True)])
def test_more_candidates_than_are_held_are_all_there_are(
    repeated: int, holds_others: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicate_candidates, "MAX_CANDIDATES", 2)
    with KeyHashes() as keys:
        for _ in range(2):
            keys.add(PARTS[:repeated])
        assert keys.candidates().holds(PARTS[3:4]).tolist() == [holds_others]


def all_found_in(kind: str, key: tuple[str, ...], **columns: Any) -> list[Found]:
    """What does not stand of some rows, in portions."""
    table = pa.table(columns)
    numbers = np.arange(table.num_rows)
    lines = pa.array(numbers + 2)
    table = table.append_column(SOURCE_LINE, lines).append_column(
        RAW, pa.array(["raw"]).take([0] * len(lines))
    )
    rows = as_candidates(table, key, np.zeros(table.num_rows, np.uint64), numbers)
    return list(look(lambda: iter([rows]), f"{kind}/a.csv", file_contract(kind)))


def found_in(kind: str, key: tuple[str, ...], **columns: Any) -> Found:
    """The same of few rows."""
    [found] = all_found_in(kind, key, **columns)
    return found


def test_each_portion_of_rows_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "PORTION_ROWS", 2)
    ids, notes = ["1", "2", "1", "2", "1"], ["a", "b", "c", "b", "a"]
    found = all_found_in("orders", ("order_id",), order_id=ids, note=notes)
    assert [each.ordinals.tolist() for each in found] == [[0, 1], [2], []]
    assert [[row.line for row in each.contradictions] for each in found] == [[], [4], []]


def test_what_one_of_two_rows_does_not_say_is_told_as_nothing() -> None:
    found = found_in(
        "orders",
        ("order_id",),
        order_id=["1", "1", "2", "2"],
        note=pa.array([None, "gift", "gift", None]),
        fee_cents=pa.array([105, None, None, 105]),
    )
    said = [
        one.message.partition("stands: ")[2].partition(" (rule")[0] for one in found.contradictions
    ]
    assert said == [
        "note nothing here, gift there, fee 1.05 here, nothing there",
        "note gift here, nothing there, fee nothing here, 1.05 there",
    ]


def test_nothing_said_twice_is_said_alike_and_counts_the_guests_that_fall() -> None:
    nobody = pa.array([None, None, None], pa.string())
    found = found_in("orders", ("order_id",), order_id=["1", "1", "2"], user_id=nobody)
    assert (list(found.contradictions), found.ordinals.tolist(), found.guests) == ([], [0], 1)


def test_lines_that_fall_are_nobodys_guests() -> None:
    found = found_in(
        "order_items", ("order_id", "line_id"), order_id=["1", "1"], line_id=["a", "a"]
    )
    assert (found.ordinals.tolist(), found.guests) == ([0], 0)


@pytest.mark.parametrize("users", [("u1", None), (None, "u1")])
def test_a_guest_and_a_user_contradict_each_other(users: tuple[str | None, str | None]) -> None:
    found = found_in("orders", ("order_id",), order_id=["1", "1"], user_id=pa.array(users))
    [told] = found.contradictions
    assert "stands: another user_id (rule" in told.message
