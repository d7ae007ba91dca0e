"""How many containers of a worker are wanted: what Application Auto Scaling does, by its numbers.

Pure: it is told what is in the queue and what runs. The numbers are those of a service's template,
which publishes them (`ScalingParameter`); decision 0036 says why they are so.
"""

import json
from dataclasses import dataclass

MORE_AT_ONCE = 3
"""Of many commands (StepAdjustments of the policy MoreWorkers)."""
COOLDOWN_SECONDS = 180.0
"""After some were added (Cooldown of the same policy)."""


@dataclass(frozen=True)
class Numbers:
    """What the parameters of a template say."""

    min_workers: int
    max_workers: int
    wait_minutes: int
    idle_minutes: int
    many_commands: int

    @classmethod
    def of(cls, published: str) -> "Numbers":
        """As a stack publishes them."""
        return cls(**json.loads(published))


@dataclass(frozen=True)
class Seen:
    """Of one moment: commands that wait and that are in hand, containers wanted and running."""

    waiting: int
    in_hand: int
    wanted: int
    running: int


class Scaling:
    """Of one service; it remembers since when commands wait, or nobody has any."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self._waits_since: float | None = None
        self._idle_since: float | None = None
        self._added_at = float("-inf")

    def wanted(self, seen: Seen, now: float) -> int:
        """How many containers are wanted from now on; `now` in seconds."""
        numbers = self.numbers
        is_idle = seen.running > 0 and seen.waiting == seen.in_hand == 0
        self._waits_since = _since(self._waits_since, seen.waiting > 0, now)
        self._idle_since = _since(self._idle_since, is_idle, now)
        wanted = max(seen.wanted, numbers.min_workers)
        if self._has_lasted(self._waits_since, numbers.wait_minutes, now):
            more = MORE_AT_ONCE if seen.waiting >= numbers.many_commands else 1
            if now - self._added_at >= COOLDOWN_SECONDS and wanted < numbers.max_workers:
                self._added_at = now
                return min(wanted + more, numbers.max_workers)
        if self._has_lasted(self._idle_since, numbers.idle_minutes, now):
            return numbers.min_workers
        return wanted

    @staticmethod
    def _has_lasted(since: float | None, minutes: int, now: float) -> bool:
        return since is not None and now - since >= 60 * minutes


def _since(before: float | None, is_so: bool, now: float) -> float | None:
    """When it began to be so; None when it is not."""
    if not is_so:
        return None
    return now if before is None else before
