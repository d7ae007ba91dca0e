"""A child process with a log of its own: started, watched, stopped with everything it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

RESTART_FIRST_SECONDS = 0.5
RESTART_LONGEST_SECONDS = 30.0
STABLE_SECONDS = 60.0
LOOK_SECONDS = 0.1


class ChildProcess:
    """One run of a command, in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        directory: Path,
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """How it ended, None while it runs; negative: by that signal."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM; a worker finishes the message in hand."""
        self._process.terminate()

    def stop(self, grace_seconds: float) -> None:
        """Stop it, by force after `grace_seconds`, and then whatever it left behind."""
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_seconds)
        self.end_leftovers()
        self._process.wait()

    def end_leftovers(self) -> None:
        """End by force what is left of its process group."""
        end_group(self.pid)


def end_group(pid: int) -> None:
    """End by force every process of the group that `pid` leads; none left is what we want."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def has_ended(process: psutil.Process, within_seconds: float) -> bool:
    """Whether it ends within this time.

    A zombie has ended: its parent, which may be any process, has only not asked for it yet.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            process.wait(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
            return True
        except psutil.TimeoutExpired:
            if _is_zombie(process):
                return True
            if time.monotonic() >= deadline:
                return False


def _is_zombie(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


def restart_delay_seconds(failures_in_a_row: int) -> float:
    """How long to wait before the next start: 0.5 s, 1 s, 2 s, ... and at most 30 s."""
    delay: float = RESTART_FIRST_SECONDS * 2 ** (failures_in_a_row - 1)
    return min(RESTART_LONGEST_SECONDS, delay)
