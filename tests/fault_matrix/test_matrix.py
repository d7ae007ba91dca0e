"""A few cells of the matrix, one boundary each; `make matrix` runs all 90."""

from collections.abc import Iterator

import pytest

from tests.fault_matrix.cells import Bench, CellName
from tests.fault_matrix.report import PAGE, kept, with_matrix
from tests.fault_matrix.stand import standing

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
CELLS: list[CellName] = [
    ("queue_in", "duplicate"),
    ("handler", "kill"),
    ("relay", "error_after"),
    ("bus", "duplicate"),
    ("task_answer", "kill"),
    ("lock", "error_after"),
    ("kpis", "error_after"),
    ("facts", "kill"),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One cloud for all cells, whose control went right.

    No cell here is about what comes late, so functions may take as long as a busy machine needs.
    """
    with standing(tmp_path_factory.mktemp("matrix"), function_seconds=20) as stand:
        yield Bench(stand, CELLS)


@pytest.mark.thorough
@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_fault_changes_no_number_no_file_and_no_count(bench: Bench, cell: CellName) -> None:
    outcome = bench.run(cell)
    assert outcome.is_right, "\n".join([*outcome.wrong, *outcome.story])


def test_the_page_shows_the_matrix_that_is_kept() -> None:
    """When this fails: `python -m tests.fault_matrix.report`."""
    page = PAGE.read_text()
    assert with_matrix(page, kept()) == page
