"""How far a batch has come and how long each stage took, from its events; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from services.api.console.shown import seconds_between
from services.api.views.models import BatchView

State = Literal["done", "now", "stopped", "next", "skipped", "unreached"]
OPEN = ("UNSEALED", "SEALED", "RUNNING")
STAGES = (
    ("BatchSealed", "Sealed"),
    ("BatchStarted", "Waiting for the lock"),
    ("LockGranted", "Checking rows"),
    ("TransformStarted", "Transforming"),
    ("FactsPublished", "Publishing KPIs"),
    ("KpisPublished", "Archiving"),
)
"""The event that a stage begins with; the last one ends with BatchArchived."""
SETTLING_SECONDS = 15
"""After the last event some may still be on their way to the views."""


@dataclass(frozen=True)
class Stage:
    """A stage from `began` to `ended`, in seconds since the first; None where it has not been."""

    label: str
    state: State
    began: float | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took, or takes already."""
        return None if self.began is None or self.ended is None else self.ended - self.began


def is_open(batch: BatchView) -> bool:
    """Whether its end is still to come."""
    return batch.status in OPEN


def is_moving(batch: BatchView, now: datetime) -> bool:
    """Whether its page may be another one in a moment."""
    return is_open(batch) or seconds_between(batch.last_event_at, now) < SETTLING_SECONDS


def stages(batch: BatchView, ordered: Sequence[Message], now: datetime) -> list[Stage]:
    """The stages of the newest attempt; `ordered` are its events by time, those before too."""
    began, ended = _marks(ordered)
    if not began:
        return []
    start = min(began.values())
    end = ended or (
        None if is_open(batch) else max(from_rfc3339(batch.last_event_at), *began.values())
    )
    found = []
    for position, (event, label) in enumerate(STAGES):
        if event not in began:
            later = any(name in began for name, _ in STAGES[position:])
            missing: State = "skipped" if later else "unreached" if end else "next"
            found.append(Stage(label, missing))
            continue
        at = began[event]
        after = [began[name] for name, _ in STAGES[position + 1 :] if name in began]
        until = min(after) if after else end
        is_last = not after
        state: State = "done"
        if is_last and ended is None:
            state = "now" if is_open(batch) else "done"
            if batch.status == "FAILED" or batch.status == "REJECTED":
                state = "stopped"
        found.append(
            Stage(
                label, state, (at - start).total_seconds(), ((until or now) - start).total_seconds()
            )
        )
    return found


def _marks(ordered: Sequence[Message]) -> tuple[dict[str, datetime], datetime | None]:
    """When each stage began for the first time since the newest redrive, and when all ended."""
    began: dict[str, datetime] = {}
    ended = None
    names = {event for event, _ in STAGES}
    for message in ordered:
        at = from_rfc3339(message.occurred_at)
        if message.event_type == "BatchRedriven":
            began, ended = {"BatchSealed": at}, None
        elif message.event_type == "BatchArchived":
            ended = at
        elif message.event_type in names:
            began.setdefault(message.event_type, at)
    return began, ended
