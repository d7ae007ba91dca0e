"""What a command answers when its output is closed, full, or read no further (`| head`)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shop import an_order, orders_csv

ECP = f"{sys.executable} -m infra.ecp.main"


@pytest.fixture
def rejected(tmp_path: Path) -> Path:
    """A file of 2,000 bad rows: its verdict is longer than any pipe, and 1."""
    path = tmp_path / "orders" / "a.csv"
    path.parent.mkdir()
    bad = [an_order(str(number), total_amount="$5") for number in range(2000)]
    path.write_text(orders_csv(*bad))
    return path


@pytest.fixture
def accepted(tmp_path: Path) -> Path:
    path = tmp_path / "orders" / "good.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(orders_csv(an_order("1")))
    return path


def exit_code_of(command: str) -> tuple[int, str]:
    """Of the first command of a pipe, as bash has it; what it said on standard error."""
    ran = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        timeout=120,
    )
    return ran.returncode, ran.stderr


@pytest.mark.medium
@pytest.mark.parametrize("options", ["--json", ""])
def test_a_reader_that_leaves_never_makes_a_rejection_look_like_success(
    rejected: Path, options: str
) -> None:
    exit_code, said = exit_code_of(f"{ECP} validate {rejected} {options} | head -3")
    assert exit_code in (1, 141)
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.medium
def test_a_reader_that_leaves_before_all_is_said_is_141(rejected: Path) -> None:
    """The reader is gone when the first line comes, and the output is longer than a pipe holds."""
    exit_code, said = exit_code_of(f"{ECP} validate {rejected} --json | (exec <&-; sleep 0.1)")
    assert (exit_code, said) == (141, "")


@pytest.mark.medium
@pytest.mark.parametrize("arguments", ["--help", "validate --help"])
def test_help_for_a_reader_that_leaves_is_141_or_done_and_never_a_fault(arguments: str) -> None:
    exit_code, said = exit_code_of(f"{ECP} {arguments} | true")
    assert exit_code in (0, 141)
    assert said == ""


@pytest.mark.slow
def test_a_command_that_had_said_all_keeps_its_own_code(rejected: Path, accepted: Path) -> None:
    assert exit_code_of(f"{ECP} validate {rejected} --json | cat > /dev/null")[0] == 1
    assert exit_code_of(f"{ECP} validate {accepted} --json | cat > /dev/null")[0] == 0


@pytest.mark.slow
def test_closed_streams_leave_the_verdict_as_it_is(rejected: Path, accepted: Path) -> None:
    assert exit_code_of(f"{ECP} validate {rejected} --json >&-")[0] == 1
    assert exit_code_of(f"{ECP} validate {accepted} >&- 2>&-")[0] == 0


@pytest.mark.medium
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_a_fault_and_says_so(accepted: Path) -> None:
    exit_code, said = exit_code_of(f"{ECP} validate {accepted} --json > /dev/full")
    assert exit_code == 3
    assert "the output could not be written: no space left on device" in said
