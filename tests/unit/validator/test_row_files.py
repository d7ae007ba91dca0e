"""Local row files: what is removed is gone from the file, and only that, wherever it stood."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.validator.reading.duplicates import Removed
from services.validator.row_files import RowFile, described, keep_standing

SCHEMA = pa.schema({"source_line": pa.int64(), "text": pa.string()})
BLOCKS = ([2, 3, 4], [5, 6], [7, 8, 9])


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        ([], [2, 3, 4, 5, 6, 7, 8, 9]),
        ([0, 4, 7], [3, 4, 5, 7, 8]),
        ([3, 4], [2, 3, 4, 7, 8, 9]),
        ([*range(8)], []),
    ],
)
def test_a_row_file_keeps_the_rows_that_stand(
    tmp_path: Path, removed: list[int], left: list[int]
) -> None:
    path = tmp_path / "staged.parquet"
    with RowFile(path, SCHEMA) as rows:
        for lines in BLOCKS:
            texts = [f"row {line}" for line in lines]
            rows.write(pa.table({"source_line": lines, "text": texts}, schema=SCHEMA))
        assert rows.finish() == 8
    fallen = Removed(8)
    for some in (removed[:1], removed[1:]):
        fallen.add(np.array(some, np.int64))
    assert fallen.count == len(removed)
    assert keep_standing(path, fallen) == len(left)
    kept = pq.read_table(path)
    assert kept.schema == SCHEMA
    assert kept["source_line"].to_pylist() == left
    assert kept["text"].to_pylist() == [f"row {line}" for line in left]
    assert [one.name for one in tmp_path.iterdir()] == ["staged.parquet"]
    assert pq.ParquetFile(path).metadata.num_row_groups <= len(BLOCKS)


@pytest.mark.parametrize(
    "what_follows",
    [
        lambda rows: rows.write(pa.table({"source_line": [2], "text": ["x"]}, schema=SCHEMA)),
        lambda rows: rows.describe(columns="[]"),
        lambda rows: rows.finish(),
    ],
    ids=["write", "describe", "finish"],
)
def test_a_fault_of_a_row_is_raised_by_what_follows(
    tmp_path: Path, what_follows: Callable[[RowFile], object]
) -> None:
    with RowFile(tmp_path / "staged.parquet", SCHEMA) as rows:
        rows.write(pa.table({"other": [1]}))
        with pytest.raises(ValueError, match="schema"):
            what_follows(rows)


def test_who_leaves_a_row_file_leaves_a_whole_file_and_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    path = tmp_path / "staged.parquet"
    with RowFile(path, SCHEMA) as rows:
        rows.write(pa.table({"source_line": [2], "text": ["x"]}, schema=SCHEMA))
        assert [one.name for one in set(threading.enumerate()) - before] == ["staged_0"]
    assert set(threading.enumerate()) <= before
    assert pq.read_metadata(path).num_rows == 1


def test_line_numbers_take_next_to_no_space(tmp_path: Path) -> None:
    path = tmp_path / "staged.parquet"
    with RowFile(path, SCHEMA) as rows:
        rows.write(pa.table({"source_line": [2], "text": ["x"]}, schema=SCHEMA))
    group = pq.read_metadata(path).row_group(0)
    assert "DELTA_BINARY_PACKED" in group.column(0).encodings
    assert "DELTA_BINARY_PACKED" not in group.column(1).encodings


def test_bad_rows_of_a_file_without_a_header_have_no_columns() -> None:
    assert described(None) == {"columns": "[]", "delimiter": ",", "spare": "0"}
