"""What a worker says of itself in a file: that it lives, what it has in hand, its last fault.

The file's age is the worker's silence: the container's health check and `ecp status` read it.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.clock import to_rfc3339
from services.runtime.observability.logs import keys_of, logger

_LONGEST_FAULT = 500


class WorkerState:
    """The file at `path`. That it cannot be written, for the disk is full, stops no work."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._busy: dict[str, Any] | None = None
        self._last_fault: dict[str, Any] | None = None

    def alive(self) -> None:
        """A sign of life."""
        try:
            os.utime(self._path)
        except FileNotFoundError:
            self._write()

    def took(self, body: str) -> None:
        """A message is in hand."""
        keys = keys_of(body)
        self._busy = {
            "message": keys.get("event_type"),
            "batch_id": keys.get("batch_id"),
            "since": _now(),
        }
        self._write()

    def finished(self, fault: BaseException | None = None) -> None:
        """It is out of hand; with a fault it will be delivered again."""
        if fault is not None:
            said = " ".join(f"{type(fault).__name__}: {fault}".split())[:_LONGEST_FAULT]
            self._last_fault = {**(self._busy or {}), "error": said, "at": _now()}
        self._busy = None
        self._write()

    def _write(self) -> None:
        said = {"pid": os.getpid(), "busy": self._busy, "last_fault": self._last_fault}
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            fresh.write_text(json.dumps(said), encoding="utf-8")
            os.replace(fresh, self._path)
        except OSError:
            logger.exception("what this worker does cannot be told", path=str(self._path))


def _now() -> str:
    return to_rfc3339(datetime.now(UTC))
