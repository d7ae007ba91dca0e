"""What `ecp status` says of workers and the disk of a local cloud."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from infra.ecp.batches.view import reason
from infra.ecp.cloud.commands import told
from infra.ecp.cloud.status_view import said_of, said_of_space
from infra.local.folders import Folders
from infra.local.health import SILENT_AFTER_SECONDS, read_health, worker_state
from infra.local.records import (
    SUPERVISOR,
    CloudRecord,
    ProcessRecord,
    Restoration,
    record_of,
    write_record,
)

BUSY = {"busy": {"message": "TransformBatch", "batch_id": "b1", "since": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("is_running", "silent_seconds", "said", "state"),
    [
        (False, 1.0, BUSY, "dead"),
        (True, None, {}, "starting"),
        (True, SILENT_AFTER_SECONDS + 1, BUSY, "silent"),
        (True, SILENT_AFTER_SECONDS + 1, {}, "silent"),
        (True, 1.0, BUSY, "busy"),
        (True, 1.0, {"busy": None}, "idle"),
    ],
)
def test_a_worker_is_what_its_process_and_its_last_sign_of_life_say(
    is_running: bool, silent_seconds: float | None, said: dict[str, Any], state: str
) -> None:
    assert worker_state(is_running, silent_seconds, said) == state


def a_worker(state: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "validator",
        "pid": 7,
        "state": state,
        "silent_seconds": 42.0,
        **BUSY,
        **changes,
    }


def test_a_silent_worker_is_said_with_what_it_holds_and_what_to_do() -> None:
    said = said_of(a_worker("silent"))
    assert said.startswith("SILENT for 42 s, in the middle of TransformBatch of batch b1 since ")
    assert "`kill -CONT 7` wakes it" in said
    assert (
        said_of(a_worker("busy"))
        == "busy with TransformBatch of batch b1 since 2026-01-01T00:00:00Z"
    )
    assert said_of(a_worker("idle", busy=None)) == "idle"


def test_a_short_disk_is_warned_of_and_no_other() -> None:
    assert "SHORT" in said_of_space({"is_short": True})
    assert said_of_space({"is_short": False}) == ""


def test_health_is_read_from_the_files_of_the_workers(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.run.mkdir(parents=True)
    processes = {
        SUPERVISOR: record_of(os.getpid()),
        "transformer": record_of(os.getpid()),
        "validator": ProcessRecord(os.getpid(), 1.0),
    }
    record = CloudRecord(
        os.getpid(), 1, "http://127.0.0.1:1", "2026-01-01T00:00:00Z", "ready", {}, processes
    )
    write_record(folders.record, record)
    ready = folders.run / "transformer.ready"
    ready.write_text(json.dumps({"pid": os.getpid(), "last_fault": None, **BUSY}))
    os.utime(ready, (1, 1))
    (folders.run / "validator.ready").write_text("7")
    health = read_health(tmp_path)
    assert health is not None
    transformer, validator = health["workers"]
    assert (transformer["state"], transformer["busy"]) == ("silent", BUSY["busy"])
    assert transformer["silent_seconds"] > 1_000_000
    assert validator["state"] == "dead"
    assert health["disk"]["free_bytes"] > 0


@pytest.mark.parametrize(
    ("owner", "state"), [(os.getpid(), "idle"), (7, "starting")], ids=["its own", "another's"]
)
def test_a_worker_is_judged_by_a_file_that_it_wrote_itself(
    tmp_path: Path, owner: int, state: str
) -> None:
    """That of the process before it may lie there still."""
    folders = Folders(tmp_path)
    folders.run.mkdir(parents=True)
    processes = {SUPERVISOR: record_of(os.getpid()), "validator": record_of(os.getpid())}
    record = CloudRecord(
        os.getpid(), 1, "http://127.0.0.1:1", "2026-01-01T00:00:00Z", "ready", {}, processes
    )
    write_record(folders.record, record)
    said = folders.run / "validator.ready"
    said.write_text(json.dumps({"pid": owner, "busy": None, "last_fault": None}))
    health = read_health(tmp_path)
    assert health is not None
    assert [worker["state"] for worker in health["workers"]] == [state]


def test_a_failed_batch_that_is_published_says_so() -> None:
    batch = {"batch_id": "b1", "status": "FAILED", "reason": "the archive was away"}
    begun = reason(batch | {"published": False, "publication": "begun"})
    assert begun.startswith("its publication has begun and is not undone")
    assert reason(batch | {"published": False}) == "the archive was away"
    assert reason(batch | {"published": True}) == (
        "its KPIs are published; `ecp redrive b1` finishes the rest. the archive was away"
    )


def test_a_start_says_what_it_brought_back_and_what_is_lost() -> None:
    at = "2026-01-01T12:00:00.000Z"
    assert told(Restoration(at, at_stop=True)) == [f"as it was saved at {at}"]
    lines = told(
        Restoration(
            at, False, [f"orders/{n}.csv" for n in range(7)], "/x/recovered", ["b1", "b2"], ["b2"]
        )
    )
    assert "what came after that is lost" in lines[0]
    assert "orders/4.csv and 2 more; `ecp submit /x/recovered` sends them again" in lines[1]
    many = told(Restoration(at, False, [f"orders/{n}.csv" for n in range(1205)], "/x/recovered"))
    assert "orders/4.csv and 1,200 more; `ecp submit" in many[1]
    assert lines[2:] == [
        "batch b1 was interrupted: it is FAILED, and `ecp redrive b1` finishes it",
        "batch b2 was interrupted: once `ecp status` shows it as FAILED, `ecp redrive b2` finishes "
        "it",
    ]
