"""The workers beside the local cloud: kept alive, and started again for a new version."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from infra.deployer.rollout import FAILING, READY, STARTING, STOPPING
from infra.errors import LocalCloudError
from infra.local.folders import Folders
from infra.local.processes import STABLE_SECONDS, ChildProcess, restart_delay_seconds
from infra.local.workers import WorkerDefinition

WORKER_STOP_SECONDS = 10.0
FINISH_SECONDS = 120.0
"""How long a worker may finish the message in hand before a new version starts: StopTimeout."""
FAILED_STARTS = 2
"""So many deaths in a row before it was ready, and a version is said to fail."""
logger = logging.getLogger(__name__)

Spawn = Callable[[WorkerDefinition, Path, Path], ChildProcess]
"""Starts a worker; takes its definition, its ready file and its log."""


class Worker:
    """One worker of the pool, kept alive at the version that is wanted."""

    def __init__(self, definition: WorkerDefinition, folders: Folders, spawn: Spawn) -> None:
        self.definition = definition
        self._log = folders.log(definition.name)
        self._ready_file = folders.run / f"{definition.name}.ready"
        self._spawn = spawn
        self._start_at: float | None = None
        self._stop_by: float | None = None
        self._begin_version()
        self._start(time.monotonic())

    @property
    def is_ready(self) -> bool:
        return self._ready_file.exists()

    @property
    def state(self) -> tuple[str, str, str]:
        """The task definition that is wanted, how far it is, and what speaks against it."""
        state, reason = READY if self.is_ready else STARTING, ""
        if self._stop_by is not None:
            state = STOPPING
        elif self._failures_in_a_row >= FAILED_STARTS and not self.is_ready:
            state, reason = FAILING, self.log_end()
        return self.definition.task_definition, state, reason

    def log_end(self, lines: int = 20) -> str:
        """The last lines that this version wrote."""
        text = self._log.read_bytes()[self._log_begins :].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def want(self, definition: WorkerDefinition, now: float) -> None:
        """Another version is asked to stop, and started anew as this one when it has ended."""
        is_another = definition != self.definition
        self.definition = definition
        if is_another:
            logger.info("worker %s: stops for version %s", definition.name, definition.image)
            self.process.ask_to_stop()
            self._stop_by = self._stop_by or now + FINISH_SECONDS

    def tend(self, now: float) -> bool:
        """Start it again when it ended, at once with a new version; True when it was started.

        A version that dies starts later each time; a minute of life makes the wait short again.
        `now`: seconds on the monotonic clock.
        """
        if self._stop_by is not None:
            if self.process.exit_code() is None and now < self._stop_by:
                return False
            self.process.stop(grace_seconds=0)
            self._begin_version()
        elif self._start_at is None:
            self._plan_restart(now)
            return False
        elif now < self._start_at:
            return False
        self._start(now)
        return True

    def _begin_version(self) -> None:
        self._failures_in_a_row = 0
        self._log_begins = self._log.stat().st_size if self._log.exists() else 0

    def _start(self, now: float) -> None:
        self._ready_file.unlink(missing_ok=True)
        self.process = self._spawn(self.definition, self._ready_file, self._log)
        self._start_at, self._stop_by, self._started_at = None, None, now

    def _plan_restart(self, now: float) -> None:
        code = self.process.exit_code()
        if code is None:
            return
        self.process.end_leftovers()
        was_stable = now - self._started_at >= STABLE_SECONDS
        self._failures_in_a_row = 1 if was_stable else self._failures_in_a_row + 1
        delay_seconds = restart_delay_seconds(self._failures_in_a_row)
        self._start_at = now + delay_seconds
        logger.warning(
            "worker %s ended (exit code %s); it starts again in %.1f s",
            self.definition.name,
            code,
            delay_seconds,
        )


class WorkerPool:
    """The workers of one local cloud. `on_started` hears name and process id of each start.

    `on_gone` hears the name of each that was ended for good.
    """

    def __init__(
        self,
        folders: Folders,
        spawn: Spawn,
        on_started: Callable[[str, int], None],
        on_gone: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folders, self._spawn = folders, spawn
        self._on_started, self._on_gone = on_started, on_gone
        self._workers: dict[str, Worker] = {}

    def want(self, definition: WorkerDefinition, now: float) -> None:
        """See to it that this is what works: start it, or let it follow another version."""
        if worker := self._workers.get(definition.name):
            worker.want(definition, now)
            return
        worker = Worker(definition, self._folders, self._spawn)
        self._workers[definition.name] = worker
        self._on_started(definition.name, worker.process.pid)

    def let_go(self, names: Iterable[str]) -> None:
        """End those workers for good; each finishes the message in hand, 10 s at most."""
        for name in names:
            self._workers.pop(name).process.stop(WORKER_STOP_SECONDS)
            self._on_gone(name)

    def not_ready(self) -> list[str]:
        """The workers that do not poll yet; raises LocalCloudError when one died before it did."""
        waiting = [worker for worker in self._workers.values() if not worker.is_ready]
        for worker in waiting:
            if (code := worker.process.exit_code()) is not None:
                raise LocalCloudError(
                    f"worker {worker.definition.name} ended while starting (exit code {code})\n"
                    f"{worker.log_end()}"
                )
        return [worker.definition.name for worker in waiting]

    def tend(self, now: float) -> None:
        """Start those again that ended. `now`: seconds on the monotonic clock."""
        for name, worker in self._workers.items():
            if worker.tend(now):
                self._on_started(name, worker.process.pid)

    def count_ready(self, name: str) -> int:
        """How many of a worker poll, whatever their numbers: `validator`, `validator-2` ..."""
        return sum(
            worker.is_ready and re.fullmatch(rf"{re.escape(name)}(-\d+)?", known) is not None
            for known, worker in self._workers.items()
        )

    def states(self) -> dict[str, tuple[str, str, str]]:
        """By worker: the task definition that is wanted, how far it is, and what speaks against."""
        return {name: worker.state for name, worker in self._workers.items()}

    def stop(self) -> None:
        """Let every worker finish the message in hand, 10 s at most, then end it."""
        processes = [worker.process for worker in self._workers.values()]
        for process in processes:
            process.ask_to_stop()
        deadline = time.monotonic() + WORKER_STOP_SECONDS
        for process in processes:
            process.stop(grace_seconds=max(0.0, deadline - time.monotonic()))
