"""One simulated clock and the things that wait on it; everything runs in one thread, in one order.

A port call suspends its caller (a greenlet), so that any two callers interleave at every call,
always in the order that the seed gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet


class Crash(BaseException):
    """The process is gone: no handler of ours may catch it, as none catches a power cut."""


class Task:
    """Something that runs and waits; `process` is whose memory and clock it uses."""

    def __init__(self, hub: Hub, name: str, work: Callable[[], Any], process: Any = None) -> None:
        self.hub, self.name, self.process = hub, name, process
        self.done = Signal(hub)
        self.error: BaseException | None = None
        self.result: Any = None
        self._turn = 0
        self._work = work
        self._greenlet = greenlet(self._run, hub.greenlet)
        self._greenlet.task = self

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  (whoever waits for the task looks at it)
            self.error = error
        self.hub.tasks.discard(self)
        self.done.give()

    def wake(self, turn: int) -> None:
        """Go on, unless it was woken otherwise meanwhile."""
        if turn == self._turn and not self._greenlet.dead:
            self._turn += 1
            self._greenlet.switch()

    def suspend(self) -> None:
        """Let others run until somebody wakes this turn."""
        self.hub.greenlet.switch()

    @property
    def turn(self) -> int:
        return self._turn

    def kill(self, error: BaseException) -> None:
        """Raise the error where the task waits; in a task that kills itself, right here."""
        if self._greenlet is getcurrent():
            raise error
        if self._greenlet.dead:
            return
        self._turn += 1
        if not self._greenlet:
            self.error = error
            self.hub.tasks.discard(self)
            self._greenlet = _never_started()
            self.done.give()
            return
        self.hub.at(0, lambda: self._throw(error))

    def _throw(self, error: BaseException) -> None:
        if not self._greenlet.dead:
            self._greenlet.throw(error)


class Signal:
    """Wakes all who wait for it, once; giving it again before anybody waits is kept."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[tuple[Task, int]] = []
        self.given = False

    def give(self) -> None:
        self.given = True
        waiting, self._waiting = self._waiting, []
        for task, turn in waiting:
            self._hub.at(0, partial(task.wake, turn))

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it was given within so many seconds (None: however long it takes)."""
        if self.given:
            return True
        task = self._hub.current
        self._waiting.append((task, task.turn))
        if seconds is not None:
            turn = task.turn
            self._hub.at(seconds, lambda: task.wake(turn))
        task.suspend()
        return self.given

    def take_back(self) -> None:
        """Wait anew."""
        self.given = False


class Hub:
    """The clock, in seconds since the start, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.tasks: set[Task] = set()
        self.greenlet = getcurrent()
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._sequence = 0

    @property
    def current(self) -> Task:
        """The task that is running."""
        return getcurrent().task  # type: ignore[no-any-return]

    def at(self, delay: float, action: Callable[[], object]) -> None:
        """Do it after so many seconds."""
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + delay, self._sequence, action))

    def spawn(self, name: str, work: Callable[[], Any], process: Any = None) -> Task:
        """Begin a task at this moment."""
        task = Task(self, name, work, process)
        self.tasks.add(task)
        self.at(0, lambda: task.wake(0))
        return task

    def sleep(self, seconds: float) -> None:
        """Suspend the running task; when nothing happens meanwhile, only the time goes on."""
        if not self._heap or self._heap[0][0] > self.now + seconds:
            self.now += seconds
            return
        task = self.current
        turn = task.turn
        self.at(seconds, lambda: task.wake(turn))
        task.suspend()

    def step(self) -> bool:
        """Do the next thing; False when there is none."""
        if not self._heap:
            return False
        self.now, _, action = heapq.heappop(self._heap)
        self.steps += 1
        action()
        return True

    @property
    def next_at(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def close(self) -> None:
        """End every task that still waits, so that nothing is left behind."""
        for task in list(self.tasks):
            if task._greenlet and not task._greenlet.dead:
                task._greenlet.throw(Crash("the simulation is over"))
        self._heap.clear()


def _never_started() -> greenlet:
    finished = greenlet(lambda: None)
    finished.switch()
    return finished
