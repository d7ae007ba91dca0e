"""The workers beside the local cloud: kept alive, and replaced by new versions in turn."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from infra.deployer.rollout import FAILING, LEAVING, READY, STARTING
from infra.errors import LocalCloudError
from infra.local.folders import Folders
from infra.local.processes import STABLE_SECONDS, ChildProcess, restart_delay_seconds
from infra.local.workers import WorkerDefinition

WORKER_STOP_SECONDS = 10.0
FINISH_SECONDS = 120.0
"""How long a replaced worker may finish the message in hand: StopTimeout of the templates."""
FAILED_STARTS = 2
"""So many deaths in a row before it was ready, and a new version is said to fail."""
logger = logging.getLogger(__name__)

Spawn = Callable[[WorkerDefinition, Path, Path], ChildProcess]
"""Starts a worker; takes its definition, its ready file and its log."""


class Worker:
    """One version of a worker, kept alive. `label`: of its files."""

    def __init__(
        self, definition: WorkerDefinition, label: str, folders: Folders, spawn: Spawn
    ) -> None:
        self.definition = definition
        self._log, self._ready_file = folders.log(label), folders.run / f"{label}.ready"
        self._spawn = spawn
        self.failures_in_a_row = 0
        self._restart_at: float | None = None
        self._started_at = 0.0
        self.process = self._start(time.monotonic())

    @property
    def is_ready(self) -> bool:
        return self._ready_file.exists()

    def log_end(self, lines: int = 20) -> str:
        """The last lines that it wrote."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def keep_alive(self, now: float) -> bool:
        """Start it again when it died, each time later; True when it was started again.

        A minute of life makes the wait short again. `now`: seconds on the monotonic clock.
        """
        if self._restart_at is None:
            self._plan_restart(now)
            return False
        if now < self._restart_at:
            return False
        self._restart_at = None
        self.process = self._start(now)
        return True

    def _start(self, now: float) -> ChildProcess:
        self._ready_file.unlink(missing_ok=True)
        self._started_at = now
        return self._spawn(self.definition, self._ready_file, self._log)

    def _plan_restart(self, now: float) -> None:
        code = self.process.exit_code()
        if code is None:
            return
        self.process.end_leftovers()
        was_stable = now - self._started_at >= STABLE_SECONDS
        self.failures_in_a_row = 1 if was_stable else self.failures_in_a_row + 1
        delay_seconds = restart_delay_seconds(self.failures_in_a_row)
        self._restart_at = now + delay_seconds
        logger.warning(
            "worker %s ended (exit code %s); it starts again in %.1f s",
            self.definition.name,
            code,
            delay_seconds,
        )


class WorkerSlot:
    """One place in the pool: who works, who is to take over, who finishes a last message."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.successor: Worker | None = None
        self.leaving: list[tuple[ChildProcess, float]] = []
        self.generation = 1

    @property
    def newest(self) -> Worker:
        """The version that was asked for last."""
        return self.successor or self.worker

    def processes(self) -> list[ChildProcess]:
        """All that run for this place."""
        successor = [self.successor.process] if self.successor else []
        return [self.worker.process, *successor, *(process for process, _ in self.leaving)]

    def let_go(self, process: ChildProcess, now: float) -> None:
        """Ask it to stop, and give it time for the message in hand."""
        process.ask_to_stop()
        self.leaving.append((process, now + FINISH_SECONDS))

    def see_off(self, now: float) -> list[ChildProcess]:
        """End those who left, by force those who took too long; returns them."""
        gone = [
            process
            for process, until in self.leaving
            if process.exit_code() is not None or now >= until
        ]
        self.leaving = [one for one in self.leaving if one[0] not in gone]
        for process in gone:
            process.stop(grace_seconds=0)
        return gone


class WorkerPool:
    """The workers of one local cloud.

    `on_started`, `on_gone` hear of processes: the worker's name or, for one that is not (or no
    longer) the worker, a name of its own, and the process id.
    """

    def __init__(
        self,
        folders: Folders,
        spawn: Spawn,
        on_started: Callable[[str, int], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self._folders, self._spawn = folders, spawn
        self._on_started, self._on_gone = on_started, on_gone
        self._slots: dict[str, WorkerSlot] = {}

    def want(self, definition: WorkerDefinition, now: float) -> None:
        """See to it that this is what works: start it, or let it take over from another version.

        The version that works goes on until the new one is ready.
        """
        name = definition.name
        slot = self._slots.get(name)
        if slot is None:
            self._slots[name] = WorkerSlot(Worker(definition, name, self._folders, self._spawn))
            self._on_started(name, self._slots[name].worker.process.pid)
            return
        if slot.newest.definition == definition:
            slot.newest.definition = definition
            return
        if slot.successor:
            self._leave(slot, slot.successor.process, now)
            slot.successor = None
        if slot.worker.definition == definition:
            slot.worker.definition = definition
            return
        slot.generation += 1
        label = f"{name}-{slot.generation}"
        slot.successor = Worker(definition, label, self._folders, self._spawn)
        self._on_started(_aside(name, slot.successor.process), slot.successor.process.pid)

    def not_ready(self) -> list[str]:
        """The workers that do not poll yet; raises LocalCloudError when one died before it did."""
        waiting = [slot.worker for slot in self._slots.values() if not slot.worker.is_ready]
        for worker in waiting:
            if (code := worker.process.exit_code()) is not None:
                raise LocalCloudError(
                    f"worker {worker.definition.name} ended while starting (exit code {code})\n"
                    f"{worker.log_end()}"
                )
        return [worker.definition.name for worker in waiting]

    def tend(self, now: float) -> None:
        """Start the dead again, let successors that are ready take over, see off the replaced.

        `now`: seconds on the monotonic clock.
        """
        for name, slot in self._slots.items():
            if slot.worker.keep_alive(now):
                self._on_started(name, slot.worker.process.pid)
            if slot.successor:
                before = slot.successor.process
                if slot.successor.keep_alive(now):
                    self._on_gone(_aside(name, before))
                    self._on_started(
                        _aside(name, slot.successor.process), slot.successor.process.pid
                    )
                if slot.successor.is_ready and slot.successor.process.exit_code() is None:
                    self._take_over(name, slot, slot.successor, now)
            for process in slot.see_off(now):
                self._on_gone(_aside(name, process))

    def states(self) -> dict[str, tuple[str, str, str]]:
        """By worker: the task definition that is wanted, how far it is, and what speaks against."""
        return {name: _state_of(slot) for name, slot in self._slots.items()}

    def stop(self) -> None:
        """Let every worker finish the message in hand, 10 s at most, then end it."""
        processes = [process for slot in self._slots.values() for process in slot.processes()]
        for process in processes:
            process.ask_to_stop()
        deadline = time.monotonic() + WORKER_STOP_SECONDS
        for process in processes:
            process.stop(grace_seconds=max(0.0, deadline - time.monotonic()))

    def _take_over(self, name: str, slot: WorkerSlot, successor: Worker, now: float) -> None:
        logger.info("worker %s: version %s takes over", name, successor.definition.image)
        self._on_gone(_aside(name, successor.process))
        self._leave(slot, slot.worker.process, now)
        slot.worker, slot.successor = successor, None
        self._on_started(name, successor.process.pid)

    def _leave(self, slot: WorkerSlot, process: ChildProcess, now: float) -> None:
        aside = _aside(slot.worker.definition.name, process)
        if process.exit_code() is not None:
            process.end_leftovers()
            self._on_gone(aside)
            return
        self._on_started(aside, process.pid)
        slot.let_go(process, now)


def _aside(name: str, process: ChildProcess) -> str:
    """What a process is called that is not the one that works."""
    return f"{name} ({process.pid})"


def _state_of(slot: WorkerSlot) -> tuple[str, str, str]:
    asked = slot.newest
    if asked.failures_in_a_row >= FAILED_STARTS and not asked.is_ready:
        state, reason = FAILING, asked.log_end()
    elif slot.successor or not asked.is_ready:
        state, reason = STARTING, ""
    else:
        state, reason = (LEAVING if slot.leaving else READY), ""
    return asked.definition.task_definition, state, reason
