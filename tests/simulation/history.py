"""What Step Functions writes down of an execution, and the two limits that it ends one by.

Both are terminal: neither Retry nor Catch with States.ALL sees them (Step Functions developer
guide, Handling errors in Step Functions workflows).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.contract.aws_limits import LIMITS
from tests.simulation.hub import Crash

MAX_EVENTS = LIMITS["saga: events of an execution"].most
MAX_PAYLOAD_BYTES = LIMITS["saga: bytes of a payload"].most
NOT_CAUGHT_BY_ALL = frozenset({"States.DataLimitExceeded", "States.Runtime"})


class HistoryFull(Crash):
    """The execution is over, whatever its states would have done next."""


class History:
    """Counts the events by the types of HistoryEvent (Step Functions API reference)."""

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()

    @property
    def events(self) -> int:
        """How many there are so far."""
        return self.types.total()

    def add(self, *types: str) -> None:
        """Raise HistoryFull when there is no room for the end of the execution any more."""
        self.types.update(types)
        if self.events >= MAX_EVENTS:
            raise HistoryFull(
                "States.Runtime: The execution reached the maximum number of history events "
                f"({MAX_EVENTS})"
            )

    def stopped(self, kind: str, count: int) -> None:
        """Branches or iterations that are stopped because another one failed, each in a task."""
        self.types["TaskStateAborted"] += count
        if kind == "Map":
            self.types["MapIterationAborted"] += count


def payload_bytes(value: Any) -> int:
    """Of a state's input, output, arguments or result, as UTF-8 encoded JSON."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return len(text.encode())
