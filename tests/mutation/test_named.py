"""Faults that once went unnoticed are noticed, each by the test that was written for it."""

from pathlib import Path

import pytest

from tests.mutation.named import FAULTS, Fault, copy_project, put_in, run_tests, take_out
from tests.support.examples import some


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


def test_the_tests_are_green_without_a_fault(project: Path) -> None:
    ran = run_tests(project, [fault.test for fault in FAULTS])
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("fault", some(FAULTS), ids=lambda fault: fault.name.replace(" ", "_"))
def test_its_test_goes_red(fault: Fault, project: Path) -> None:
    put_in(fault, project)
    try:
        ran = run_tests(project, [fault.test])
    finally:
        take_out(fault, project)
    assert ran.returncode == 1, ran.stdout
    assert f"FAILED {fault.test}" in ran.stdout
