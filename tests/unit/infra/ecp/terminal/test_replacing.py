"""A file takes the place of another once it is whole, and is else not there."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.landing import replacing
from infra.environments import PROJECT

KILLED = """
import os, sys
from pathlib import Path
from infra.ecp.terminal.landing import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_was_there_stands_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "kpis.csv"
    path.write_text("old")
    path.chmod(0o640)
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["kpis.csv"]


@pytest.mark.parametrize("there", [True, False])
def test_a_fault_leaves_what_was_there_and_nothing_else(there: bool, tmp_path: Path) -> None:
    path = tmp_path / "kpis.csv"
    if there:
        path.write_text("old")

    def stop_amid() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_amid()
    assert os.listdir(tmp_path) == (["kpis.csv"] if there else [])
    assert not there or path.read_text() == "old"


def test_a_killed_write_leaves_no_half_file_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "kpis.parquet"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not path.exists()
    [part] = tmp_path.iterdir()
    assert part.name.startswith(".ecp-")
    assert part.suffix == ".part"


def test_a_new_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a.csv") as file:
            file.write(b"a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o640


def test_a_link_stays_one_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        with replacing(pipe) as file:
            file.write(b"rows")
        assert reader.stdout
        assert reader.stdout.read() == b"rows"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_and_one_that_is_not_there_are_said(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "a.csv", "there is no folder"),
    ):
        with pytest.raises(WrongUsage, match=said), replacing(path):
            pytest.fail("it was opened")
