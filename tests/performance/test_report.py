"""The page of figures: current, and plain about what misses its target. Nothing is measured."""

import pytest

from tests.performance.figures import FOLDER, Figure, figure
from tests.performance.report import PAGE, row, with_tables


def test_the_page_shows_the_figures_that_are_kept() -> None:
    """When this fails: `python -m tests.performance.report`."""
    page = PAGE.read_text()
    assert with_tables(page, FOLDER) == page


@pytest.mark.parametrize(
    ("ratio", "at_most", "verdict"),
    [
        (1.5, 1.5, "held"),
        (1.8, 1.5, "MISSED by 20%"),
        (9.0, None, "no target"),
    ],
)
def test_a_figure_says_whether_it_holds(ratio: float, at_most: float, verdict: str) -> None:
    found = Figure("ours", ratio, "theirs", 1.0, ratio, at_most)
    assert found.verdict == verdict
    assert (f"**{verdict}**" in row(found)) is verdict.startswith("MISSED")


def test_a_ratio_is_the_median_of_what_ran_side_by_side() -> None:
    """One slow moment hits both sides alike and leaves the ratio as it is."""
    assert figure("ours", [2.0, 20.0, 2.2], "theirs", [1.0, 10.0, 1.0]).ratio == 2.0
