"""The workers beside the local cloud: started once, restarted when they die, stopped together."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.errors import LocalCloudError
from infra.local import ministack
from infra.local.folders import Folders
from infra.local.processes import STABLE_SECONDS, ChildProcess, restart_delay_seconds
from infra.local.workers import READY_FILE, WorkerDefinition

WORKER_STOP_SECONDS = 10.0
logger = logging.getLogger(__name__)


@dataclass
class _Worker:
    definition: WorkerDefinition
    ready_file: Path
    process: ChildProcess
    started_at: float
    failures_in_a_row: int = 0
    restart_at: float | None = field(default=None)


class Crew:
    """The workers of one local cloud. `on_started` hears name and pid of every (re)start."""

    def __init__(
        self, folders: Folders, endpoint: str, on_started: Callable[[str, int], None]
    ) -> None:
        self._folders, self._endpoint, self._on_started = folders, endpoint, on_started
        self._workers: dict[str, _Worker] = {}

    def start(self, definition: WorkerDefinition) -> None:
        """Start a worker unless it has been started before."""
        if definition.name not in self._workers:
            ready_file = self._folders.run / f"{definition.name}.ready"
            process = self._spawn(definition, ready_file)
            self._workers[definition.name] = _Worker(
                definition, ready_file, process, time.monotonic()
            )

    def not_ready(self) -> list[str]:
        """The workers that do not poll yet; raises LocalCloudError when one died before it did."""
        waiting = [one for one in self._workers.values() if not one.ready_file.exists()]
        for worker in waiting:
            if (code := worker.process.exit_code()) is not None:
                name = worker.definition.name
                raise LocalCloudError(
                    f"worker {name} ended while starting (exit code {code})\n"
                    f"{self._folders.tail(name)}"
                )
        return [worker.definition.name for worker in waiting]

    def restart_the_dead(self, now: float) -> None:
        """Start dead workers again, each time later; a minute of life makes the wait short again.

        `now`: seconds on the monotonic clock.
        """
        for worker in self._workers.values():
            if worker.restart_at is None:
                self._plan_restart(worker, now)
            elif now >= worker.restart_at:
                worker.process = self._spawn(worker.definition, worker.ready_file)
                worker.started_at, worker.restart_at = now, None

    def stop(self) -> None:
        """Let every worker finish the message in hand, 10 s at most, then end it."""
        for worker in self._workers.values():
            worker.process.ask_to_stop()
        deadline = time.monotonic() + WORKER_STOP_SECONDS
        for worker in self._workers.values():
            worker.process.stop(grace_seconds=max(0.0, deadline - time.monotonic()))

    def _plan_restart(self, worker: _Worker, now: float) -> None:
        code = worker.process.exit_code()
        if code is None:
            return
        worker.process.end_leftovers()
        was_stable = now - worker.started_at >= STABLE_SECONDS
        worker.failures_in_a_row = 1 if was_stable else worker.failures_in_a_row + 1
        delay_seconds = restart_delay_seconds(worker.failures_in_a_row)
        worker.restart_at = now + delay_seconds
        logger.warning(
            "worker %s ended (exit code %s); it starts again in %.1f s",
            worker.definition.name,
            code,
            delay_seconds,
        )

    def _spawn(self, definition: WorkerDefinition, ready_file: Path) -> ChildProcess:
        ready_file.unlink(missing_ok=True)
        process = ChildProcess(
            definition.command,
            {
                **ministack.inherited_environment(),
                "TMPDIR": str(self._folders.run),
                "PYTHONUNBUFFERED": "1",
                **definition.environment,
                **ministack.client_environment(self._endpoint),
                READY_FILE: str(ready_file),
            },
            self._folders.log(definition.name),
            self._folders.run,
        )
        self._on_started(definition.name, process.pid)
        return process
