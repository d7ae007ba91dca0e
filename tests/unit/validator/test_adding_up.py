"""The last look before any upload: rows written are the rows of the file, or nothing is told."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import PipelineError
from services.validator.domain import reconcile
from services.validator.reading.duplicates import Removed
from services.validator.reading.verdict import FileCheck

REMOVED = Removed(8)
REMOVED.add(np.array([1, 2, 5], np.int64))
GOOD = FileCheck(
    rows_in=10, accepted=5, quarantined=4, duplicates=1, read=8, bad=4, removed=REMOVED
)
"""Of 10 rows 2 are bad and 8 are read; of these 2 contradict, which are bad as well, 1 repeats."""


def test_rows_that_stand_and_bad_ones_and_repeats_are_all_rows() -> None:
    reconcile("orders/a.csv", GOOD, 5, 4)
    reconcile("orders/a.csv", FileCheck(rows_in=3, accepted=2, quarantined=1, read=2, bad=1), 2, 1)


@pytest.mark.parametrize(
    ("check", "staged", "quarantined"),
    [
        (GOOD, 4, 4),
        (GOOD, 5, 3),
        (replace(GOOD, read=9), 5, 4),
        (replace(GOOD, bad=5), 5, 4),
        (replace(GOOD, removed=None), 5, 4),
        (replace(GOOD, accepted=6, duplicates=0), 5, 4),
        (replace(GOOD, quarantined=5, duplicates=0), 5, 4),
        (replace(GOOD, duplicates=0), 5, 4),
        (replace(GOOD, rows_in=8), 5, 4),
    ],
)
def test_any_other_sum_is_refused(check: FileCheck, staged: int, quarantined: int) -> None:
    with pytest.raises(PipelineError, match=r"orders/a\.csv does not add up"):
        reconcile("orders/a.csv", check, staged, quarantined)


def test_a_file_with_too_many_bad_rows_has_to_add_up_in_what_was_read() -> None:
    rejected = FileCheck("file.too_many_bad_rows", "", rows_in=10, quarantined=10, read=7, bad=3)
    reconcile("orders/a.csv", rejected, 7, 3)
    with pytest.raises(PipelineError, match="does not add up"):
        reconcile("orders/a.csv", rejected, 7, 2)


def test_a_file_that_could_not_be_read_to_its_end_has_no_count_to_hold_against() -> None:
    reconcile("orders/a.csv", FileCheck("file.encoding", ""), 7, 3)
