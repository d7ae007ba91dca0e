"""What a worker does while no message waits: one piece of work, which ends as soon as one comes.

The worker goes on polling meanwhile, so nobody has to ask a queue whether somebody waits in it.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.runtime.observability.logs import logger


class SpareTime:
    """A thread at a time. The work looks at `is_over` often, and ends when it is."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def is_over(self) -> bool:
        """Whether somebody waits."""
        return self._over.is_set()

    @property
    def is_used(self) -> bool:
        """Whether something is at work."""
        return self._thread is not None and self._thread.is_alive()

    def use(self, work: Callable[[], object]) -> None:
        """Begin; what is at work already is let finish, and nothing else begins."""
        if self.is_used:
            return
        self._over.clear()
        self._thread = threading.Thread(
            target=self._do, args=(work,), name="spare-time", daemon=True
        )
        self._thread.start()

    def is_needed(self) -> None:
        """Tell whatever is at work that somebody waits."""
        self._over.set()

    def end(self, within_seconds: float | None = None) -> bool:
        """The same, and wait until it has ended; False when it has not in that time."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(within_seconds)
        return not self.is_used

    @staticmethod
    def _do(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:
            logger.exception("work between messages failed; it begins anew after the next message")


@dataclass(frozen=True)
class Between:
    """What gives way to every message: the work after each one, and messages of these types.

    They see in `spare_time` that somebody waits.
    """

    spare_time: SpareTime
    work: Callable[[], object]
    message_types: Collection[str] = ()
