"""How the parts of a local cloud are: its workers, its disk, what is tried again, its last save.

Local only. On AWS ECS watches the workers, CloudWatch the queues, and there is no disk to fill;
what a batch is doing and trying again comes from Step Functions on both (queries/current_step).
"""

import json
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.clock import to_rfc3339
from infra.local import ministack
from infra.local.folders import Folders
from infra.local.ministack import STATE_PATH
from infra.local.records import CloudRecord, read_record
from services.runtime.observability.logs import keys_of

SILENT_AFTER_SECONDS = 15.0
"""A worker gives a sign of life every 5 s at least (HEARTBEAT_SECONDS); idle, every 2 s."""
LITTLE_SPACE_BYTES = 500_000_000

Health = dict[str, Any]


def read_health(directory: Path) -> Health | None:
    """What `ecp status` says of the local cloud of a directory, None when there is none."""
    folders = Folders(directory)
    record = read_record(folders.record)
    if record is None:
        return None
    server = ministack.ask(record.port, STATE_PATH) or {}
    return {
        "workers": [_worker(name, record, folders, time.time()) for name in sorted(record.workers)],
        "disk": disk(folders.root),
        "saved_at": server.get("saved_at"),
        "save_failed": server.get("save_failed"),
        "retried": [_retried(message) for message in server.get("retried", ())],
    }


def disk(path: Path) -> dict[str, Any]:
    """The room on the disk that objects, saved state and the workers' scratch files share."""
    smallest = min(
        (shutil.disk_usage(one) for one in (path, path / "state", path / "run") if one.exists()),
        key=lambda usage: usage.free,
    )
    is_short = smallest.free < LITTLE_SPACE_BYTES
    return {"path": str(path), "free_bytes": smallest.free, "is_short": is_short}


def worker_state(is_running: bool, silent_seconds: float | None, said: Mapping[str, Any]) -> str:
    """dead, starting, silent, busy or idle. `silent_seconds`: since its last sign of life."""
    if not is_running:
        return "dead"
    if silent_seconds is None:
        return "starting"
    if silent_seconds > SILENT_AFTER_SECONDS:
        return "silent"
    return "busy" if said.get("busy") else "idle"


def _worker(name: str, record: CloudRecord, folders: Folders, now: float) -> dict[str, Any]:
    process = record.processes[name]
    seen_at, said = _signs_of_life(name, process.pid, folders)
    silent = None if seen_at is None else max(0.0, round(now - seen_at, 1))
    return {
        "name": name,
        "pid": process.pid,
        "state": worker_state(process.process() is not None, silent, said),
        "silent_seconds": silent,
        "last_seen_at": seen_at and to_rfc3339(datetime.fromtimestamp(seen_at, UTC)),
        "busy": said.get("busy"),
        "last_fault": said.get("last_fault"),
    }


def _signs_of_life(name: str, pid: int, folders: Folders) -> tuple[float | None, dict[str, Any]]:
    """When the worker was last seen (Unix seconds), None: never, and what it says of itself."""
    path = folders.run / f"{name}.ready"
    try:
        seen_at, said = path.stat().st_mtime, json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # it starts, or writes at this moment
        return None, {}
    if said == pid:  # the pid alone, of an older version
        return seen_at, {}
    if isinstance(said, dict) and said.get("pid") == pid:
        return seen_at, said
    return None, {}


def _retried(message: Mapping[str, Any]) -> dict[str, Any]:
    keys = keys_of(message["body"])
    return {
        "queue": message["queue"],
        "message": keys.get("event_type"),
        "batch_id": keys.get("batch_id"),
        "deliveries": message["deliveries"],
    }
