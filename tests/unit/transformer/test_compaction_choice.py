"""Which small files become one: little is written again, files stay few, and it comes to an end."""

import itertools
import math
from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.transformer.facts.compaction import (
    BATCH_RATIO,
    RATIO,
    TIERS,
    TURN_FILES,
    TURN_SHARE,
    FileSize,
    Merge,
    next_turn,
    outgrown,
    share_of,
    tier_of,
)
from services.transformer.facts.tables import FILE_BYTES, FILE_ROWS, INDEX, INDEX_FILE_ROWS

MONDAY = date(2025, 7, 7)
TABLE = "orders"
LEAST_ROWS = int(TIERS[0] * FILE_ROWS)
"""What a file costs that is smaller still: its opening."""
_numbers = itertools.count()


def a_file(rows: int, day: date | None = MONDAY, size_bytes: int = 0) -> FileSize:
    return FileSize(f"file-{next(_numbers):09}", day, rows, size_bytes)


def merged(merge: Merge) -> list[FileSize]:
    """As they are written: none fuller than full."""
    pieces = max(-(-merge.rows // FILE_ROWS), 1)
    sizes = [merge.rows // pieces + (n < merge.rows % pieces) for n in range(pieces)]
    return [a_file(rows, merge.partition) for rows in sizes]


def after(files: list[FileSize], turn: list[Merge]) -> list[FileSize]:
    gone = {path for merge in turn for path in merge.paths}
    kept = [file for file in files if file.path not in gone]
    return kept + [file for merge in turn for file in merged(merge)]


def a_turn(files: list[FileSize]) -> list[Merge]:
    return next_turn(outgrown(TABLE, files, RATIO))


def test_files_that_have_not_outgrown_their_tier_are_left() -> None:
    for rows in (1, LEAST_ROWS, 3_000, 20_000):
        assert a_turn([a_file(rows) for _ in range(RATIO - 1)]) == []
        assert len(a_turn([a_file(rows) for _ in range(RATIO)])) == 1


def test_what_is_not_small_is_never_written_again() -> None:
    large = [a_file(FILE_ROWS // 4) for _ in range(50)]
    assert a_turn(large) == []
    small = [a_file(10) for _ in range(RATIO)]
    [merge] = a_turn(large + small)
    assert merge.paths == {file.path for file in small}


def test_a_large_small_file_is_not_written_again_for_a_few_tiny_ones() -> None:
    [merge] = a_turn([a_file(24_000), *(a_file(10) for _ in range(RATIO))])
    assert merge.rows == 10 * RATIO


def test_days_are_merged_apart() -> None:
    files = [a_file(10, MONDAY + timedelta(days=n % 2)) for n in range(2 * RATIO)]
    assert [(merge.partition, len(merge.files)) for merge in a_turn(files)] == [
        (MONDAY, RATIO),
        (MONDAY + timedelta(days=1), RATIO),
    ]


def test_what_overflows_into_the_next_tier_goes_on_with_it_in_one_write() -> None:
    tiny = [a_file(LEAST_ROWS - 1) for _ in range(RATIO)]
    of_next = [a_file(2_000) for _ in range(RATIO - 1)]
    [merge] = a_turn([*tiny, *of_next])
    assert len(merge.files) == 2 * RATIO - 1


def test_the_most_crowded_day_is_first() -> None:
    few = [a_file(1, MONDAY) for _ in range(RATIO)]
    many = [a_file(1, None) for _ in range(TURN_FILES - 2)]
    assert [merge.partition for merge in a_turn([*few, *many])] == [None]


def test_a_turn_reads_so_many_files_at_most() -> None:
    [merge] = a_turn([a_file(1) for _ in range(500)])
    assert len(merge.files) == TURN_FILES
    half = [a_file(1, day) for day in (MONDAY, None) for _ in range(TURN_FILES // 2 + 1)]
    assert len(a_turn(half)) == 1


def test_a_turn_writes_one_full_file_at_most() -> None:
    [merge] = a_turn([a_file(24_000) for _ in range(RATIO)])
    assert len(merge.files) == 4
    days = [a_file(7_000, day) for day in (MONDAY, None) for _ in range(RATIO)]
    assert len(a_turn(days)) == 1


def test_lines_that_wait_and_the_index_are_files_like_others() -> None:
    assert len(outgrown("order_items", [a_file(3, None) for _ in range(RATIO)], RATIO)) == 1
    below_small = INDEX_FILE_ROWS // 4 - 1
    assert len(outgrown(INDEX, [a_file(below_small, None) for _ in range(RATIO)], RATIO)) == 1
    assert not outgrown(INDEX, [a_file(below_small + 1, None) for _ in range(RATIO)], RATIO)


def test_a_file_that_is_full_by_its_bytes_is_not_small() -> None:
    assert tier_of(share_of(TABLE, a_file(10, size_bytes=FILE_BYTES))) is None
    assert not a_turn([a_file(10, size_bytes=FILE_BYTES) for _ in range(2 * RATIO)])


def test_a_batch_leaves_to_a_turn_what_a_turn_can_do() -> None:
    assert not outgrown(TABLE, [a_file(1) for _ in range(BATCH_RATIO - 1)], BATCH_RATIO)
    assert outgrown(TABLE, [a_file(1) for _ in range(BATCH_RATIO)], BATCH_RATIO)


def some_files(least: int, most: int) -> st.SearchStrategy[list[FileSize]]:
    a_size = st.one_of(st.integers(1, 500), st.integers(1, FILE_ROWS))
    days = st.sampled_from([None, MONDAY, MONDAY + timedelta(days=1)])
    return st.lists(st.builds(a_file, a_size, days), min_size=least, max_size=most)


@given(files=some_files(0, 300))
def test_a_turn_is_bounded_and_takes_nothing_that_is_not_small(files: list[FileSize]) -> None:
    turn = a_turn(files)
    taken = [file for merge in turn for file in merge.files]
    assert len(taken) <= TURN_FILES
    assert sum(share_of(TABLE, file) for file in taken) <= TURN_SHARE + TIERS[-1]
    assert all(share_of(TABLE, file) < TIERS[-1] for file in taken)
    assert len({file.path for file in taken}) == len(taken)
    assert all(file.partition == merge.partition for merge in turn for file in merge.files)
    small = Counter(
        (file.partition, tier)
        for file in files
        if (tier := tier_of(share_of(TABLE, file))) is not None
    )
    assert bool(turn) == any(count >= RATIO for count in small.values())


@given(files=some_files(0, 400))
def test_turns_come_to_an_end_with_few_small_files_and_every_row(files: list[FileSize]) -> None:
    rows = Counter({None: 0})
    for file in files:
        rows[file.partition] += file.rows
    turns = 0
    while turn := a_turn(files):
        fewer = after(files, turn)
        assert len(fewer) < len(files)
        files, turns = fewer, turns + 1
        assert turns <= 400
    left = Counter({None: 0})
    small: Counter[date | None] = Counter()
    for file in files:
        left[file.partition] += file.rows
        small[file.partition] += tier_of(share_of(TABLE, file)) is not None
    assert left == rows
    assert max(small.values(), default=0) <= len(TIERS) * (RATIO - 1)


@given(
    sizes=st.lists(
        st.one_of(st.integers(1, 20), st.integers(1, 2_000), st.integers(1, 30_000)),
        min_size=1,
        max_size=600,
    )
)
def test_however_batches_are_cut_each_row_is_written_again_a_few_times(sizes: list[int]) -> None:
    """Where opening a file costs as much as some rows, no row costs more than once a tier."""
    files: list[FileSize] = []
    written = 0
    for rows in sizes:
        files.append(a_file(rows))
        while turn := a_turn(files):
            files = after(files, turn)
            written += sum(max(file.rows, LEAST_ROWS) for m in turn for file in m.files)
    appended = sum(max(rows, LEAST_ROWS) for rows in sizes)
    tiers = 1 + math.log(FILE_ROWS / LEAST_ROWS, RATIO)
    assert written <= (tiers + 1) * appended


def test_two_thousand_small_batches_of_one_day() -> None:
    """The figures of docs/upkeep.md."""
    files: list[FileSize] = []
    most = turns = written = 0
    for _ in range(2_000):
        files.append(a_file(20))
        most = max(most, len(files))
        while turn := a_turn(files):
            files = after(files, turn)
            turns += 1
            written += sum(merge.rows for merge in turn)
    assert (most, turns) == (22, 272)
    assert round(written / (2_000 * 20), 1) == 3.5
