"""Run by Python in every function and worker of the matrix, because PYTHONPATH leads here.

It sends the process's AWS calls through the proxy (FAULT_PROXY_URL), and moves its clock by the
seconds in `FAULT_CLOCKS/<pid>`, looked at with every question for the time.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

PROXY_URL = os.environ.get("FAULT_PROXY_URL")
CLOCKS = os.environ.get("FAULT_CLOCKS")
SYSTEM_TIME = time.time


def is_ours() -> bool:
    """Whether this process is a worker, or a function of the local cloud."""
    words = getattr(sys, "orig_argv", [])
    is_worker = any(word.startswith("services.") for word in words)
    return is_worker or bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))


def jump_seconds() -> float:
    """How far this process's clock is off now."""
    try:
        return float(Path(str(CLOCKS), str(os.getpid())).read_text())
    except (FileNotFoundError, ValueError):  # none, or one that is being written
        return 0.0


class JumpingDatetime(datetime):
    """`now` is off by as much as the clock has jumped."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=jump_seconds())

    @classmethod
    def fromisoformat(cls, text: str) -> datetime:  # type: ignore[override]
        return datetime.fromisoformat(text)


class _WhenTheClockComes(importlib.abc.MetaPathFinder):
    """The pipeline takes the time from one place, contracts.clock: its `datetime` is ours."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "contracts.clock":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            module.datetime = JumpingDatetime  # type: ignore[attr-defined]

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if PROXY_URL and is_ours():
    os.environ["AWS_ENDPOINT_URL"] = PROXY_URL
    time.time = lambda: SYSTEM_TIME() + jump_seconds()
    sys.meta_path.insert(0, _WhenTheClockComes())
