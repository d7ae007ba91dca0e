"""What a running local cloud writes down about itself: .ecp/cloud.json."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from infra.errors import LocalCloudError

SUPERVISOR = "supervisor"
SETTINGS_VARIABLE = "ECP_CLOUD_SETTINGS"
"""Hands them to the background process as JSON: others on this machine see its arguments."""
CLOUD = "ministack"


@dataclass(frozen=True)
class ProcessRecord:
    """A process and the instant it was created (Unix seconds): a pid alone may be used again."""

    pid: int
    created_at: float

    def process(self) -> psutil.Process | None:
        """The process, None when it is gone or its pid belongs to another one by now."""
        try:
            process = psutil.Process(self.pid)
            is_ours = abs(process.create_time() - self.created_at) < 1.0
            return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def record_of(pid: int) -> ProcessRecord:
    """The record of a process that runs now."""
    return ProcessRecord(pid, psutil.Process(pid).create_time())


@dataclass(frozen=True)
class Restoration:
    """What a start brought back. `saved_at`: RFC 3339. `at_stop`: nothing came after the save.

    `lost`: keys of uploads that came later; they lie under `recovered`. `interrupted`: batches
    that ran when it was saved; they are FAILED, but for those that are `still_open`.
    """

    saved_at: str
    at_stop: bool
    lost: Sequence[str] = ()
    recovered: str = ""
    interrupted: Sequence[str] = ()
    still_open: Sequence[str] = ()


@dataclass(frozen=True)
class CloudRecord:
    """The content of cloud.json.

    `processes`: the supervisor, the cloud and the workers by name. `started_at`: RFC 3339.
    `settings`: what the cloud was started with. `crash`: how and when its server ended by itself.
    """

    pid: int
    port: int
    endpoint: str
    started_at: str
    status: Literal["starting", "ready", "crashed"]
    settings: Mapping[str, str]
    processes: Mapping[str, ProcessRecord]
    restored: Restoration | None = None
    crash: str = ""

    def with_process(self, name: str, process: ProcessRecord) -> "CloudRecord":
        """The same record with one process added or replaced."""
        return replace(self, processes={**self.processes, name: process})

    def without_process(self, name: str) -> "CloudRecord":
        """The same record without one that is gone for good."""
        left = {other: process for other, process in self.processes.items() if other != name}
        return replace(self, processes=left)

    @property
    def workers(self) -> dict[str, int]:
        """Process ids of the workers by name."""
        return {
            name: process.pid
            for name, process in self.processes.items()
            if name not in (SUPERVISOR, CLOUD)
        }


def read_record(path: Path) -> CloudRecord | None:
    """The record at `path`, None when there is none; raises LocalCloudError on a broken one."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        processes = {
            name: ProcessRecord(**process) for name, process in fields.pop("processes").items()
        }
        restored = fields.pop("restored", None)
        return CloudRecord(
            processes=processes, restored=restored and Restoration(**restored), **fields
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as broken:
        raise LocalCloudError(
            f"{path} cannot be read ({broken}); end the processes it was about and remove it"
        ) from broken


def write_record(path: Path, record: CloudRecord) -> None:
    """Replace the record at `path` in one step: a reader sees the old one or the new one."""
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    os.replace(fresh, path)
