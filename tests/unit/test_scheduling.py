"""How tests are dealt out to processes that run side by side."""

from pathlib import Path

import pytest

from tests.support.scheduling import FIRST, SPARK, TOGETHER, place_of, work_of

PROJECT = Path(__file__).parents[2]


def test_a_file_is_one_piece_of_work() -> None:
    assert work_of("tests/unit/lock/test_a.py::test_it[::x]") == "tests/unit/lock/test_a.py"


def test_all_that_starts_spark_shares_a_jvm() -> None:
    marked = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "tests/unit").rglob("test_*.py")
        if "pytest.mark.spark" in path.read_text() and path != Path(__file__)
    }
    assert marked == set(SPARK)
    assert {work_of(f"{path}::test") for path in marked} == {"spark"}


@pytest.mark.parametrize("path", [*FIRST, *(path for all_ in TOGETHER.values() for path in all_)])
def test_what_is_named_is_there(path: str) -> None:
    assert (PROJECT / path).exists()


def test_what_is_named_first_begins_before_all_others() -> None:
    begins = [place_of(f"{path}test_x.py::test") for path in FIRST]
    assert begins == sorted(set(begins))
    assert place_of("tests/unit/lock/test_a.py::test") > begins[-1]
