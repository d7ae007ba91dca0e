"""cloud.json: written in one step, believed only as far as the processes bear it out."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.errors import LocalCloudError
from infra.local import cloud
from infra.local.folders import Folders
from infra.local.records import (
    SUPERVISOR,
    CloudRecord,
    ProcessRecord,
    read_record,
    record_of,
    write_record,
)


def a_record(supervisor: ProcessRecord, port: int = 1) -> CloudRecord:
    return CloudRecord(
        pid=supervisor.pid,
        port=port,
        endpoint=f"http://127.0.0.1:{port}",
        started_at="2026-01-01T00:00:00.000Z",
        status="ready",
        settings={"SETTLE_SECONDS": "2"},
        processes={SUPERVISOR: supervisor},
    )


def a_finished_process() -> int:
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    return finished.pid


def folders_with(directory: Path, record: CloudRecord) -> Folders:
    folders = Folders(directory)
    folders.root.mkdir()
    write_record(folders.record, record)
    return folders


def test_a_record_is_read_as_it_was_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    record = a_record(record_of(os.getpid())).with_process("validator", record_of(os.getppid()))
    write_record(tmp_path / "cloud.json", record)
    assert read_record(tmp_path / "cloud.json") == record
    assert record.workers == {"validator": os.getppid()}
    assert os.listdir(tmp_path) == ["cloud.json"]


def test_no_record_means_no_cloud(tmp_path: Path) -> None:
    assert cloud.find(tmp_path) is None
    assert cloud.down(tmp_path) is False


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"processes": {}}'])
def test_a_broken_record_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cloud.json"
    path.write_text(content)
    with pytest.raises(LocalCloudError, match=r"cloud\.json cannot be read"):
        read_record(path)


def test_a_record_of_processes_that_are_gone_means_no_cloud_and_down_removes_it(
    tmp_path: Path,
) -> None:
    folders = folders_with(tmp_path, a_record(ProcessRecord(a_finished_process(), 0.0)))
    (folders.run / "s3").mkdir(parents=True)
    assert cloud.find(tmp_path) is None
    assert cloud.down(tmp_path) is False
    assert not folders.record.exists()
    assert not folders.run.exists()


def test_a_process_that_took_over_a_pid_is_not_ours_and_is_not_ended(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        folders_with(tmp_path, a_record(ProcessRecord(stranger.pid, created_at=1.0)))
        assert cloud.find(tmp_path) is None
        cloud.down(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.communicate(b"\n")


def test_a_cloud_whose_endpoint_does_not_answer_is_not_found(tmp_path: Path) -> None:
    folders_with(tmp_path, a_record(record_of(os.getpid()), port=1))
    assert cloud.find(tmp_path) is None


def test_what_a_killed_supervisor_left_running_is_ended(tmp_path: Path) -> None:
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    record = a_record(ProcessRecord(a_finished_process(), 0.0))
    folders_with(tmp_path, record.with_process("validator", record_of(orphan.pid)))
    assert cloud.down(tmp_path) is True
    assert not psutil.pid_exists(orphan.pid)
