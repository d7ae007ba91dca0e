"""Pauses between two looks at something that changes; Ctrl-C ends them all."""

import threading
import time
from collections.abc import Callable

from infra.errors import DeploymentFailed, DeploymentInterrupted


class Waiting:
    """How one deployment waits. `poll_seconds`: pause between two looks."""

    def __init__(self, poll_seconds: float) -> None:
        self.poll_seconds = poll_seconds
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """End every pause, now and from now on."""
        self._interrupted.set()

    def pause(self, seconds: float) -> None:
        """Wait; raises DeploymentInterrupted as soon as somebody interrupts."""
        if self._interrupted.wait(seconds):
            raise DeploymentInterrupted("interrupted")

    def until(self, is_done: Callable[[], bool], within_seconds: float, else_say: str) -> None:
        """Look until it is done; raises DeploymentFailed with `else_say` when that takes longer."""
        deadline = time.monotonic() + within_seconds
        while not is_done():
            if time.monotonic() > deadline:
                raise DeploymentFailed(f"{else_say} in {within_seconds:.0f} s")
            self.pause(self.poll_seconds)
