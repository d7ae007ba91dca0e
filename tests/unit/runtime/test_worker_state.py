"""What a worker says of itself in its ready file."""

import json
import os
from pathlib import Path

from services.runtime.messaging.worker_state import WorkerState

BATCH = "3f2a9c0d1e4b5a67"
COMMAND = json.dumps(
    {"event_type": "ValidateFile", "event_id": "e1", "correlation_id": BATCH, "data": {}}
)


def said(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text()))


def test_it_says_what_is_in_hand_and_then_that_nothing_is(tmp_path: Path) -> None:
    path = tmp_path / "validator.ready"
    state = WorkerState(path)
    state.alive()
    assert said(path) == {"pid": os.getpid(), "busy": None, "last_fault": None}
    state.took(COMMAND)
    busy = said(path)["busy"]
    assert isinstance(busy, dict)
    assert (busy["message"], busy["batch_id"]) == ("ValidateFile", BATCH)
    state.finished()
    assert said(path)["busy"] is None


def test_a_fault_is_kept_with_its_message(tmp_path: Path) -> None:
    path = tmp_path / "validator.ready"
    state = WorkerState(path)
    state.took(COMMAND)
    state.finished(OSError(28, "No space left on device"))
    fault = said(path)["last_fault"]
    assert isinstance(fault, dict)
    assert fault["error"] == "OSError: [Errno 28] No space left on device"
    assert fault["message"] == "ValidateFile"


def test_a_sign_of_life_makes_the_file_young_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "validator.ready"
    state = WorkerState(path)
    state.took(COMMAND)
    before = said(path)
    os.utime(path, (1, 1))
    state.alive()
    assert path.stat().st_mtime > 1
    assert said(path) == before


def test_a_file_that_cannot_be_written_stops_no_work(tmp_path: Path) -> None:
    state = WorkerState(tmp_path / "gone" / "validator.ready")
    state.alive()
    state.took("{}")
    state.finished()
