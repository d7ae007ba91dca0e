"""What runs now and what waits for the lock, from the views of batches; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.api.console.stages import is_open
from services.api.views.models import BatchView

_STEPS = {
    "BatchSealed": "sealed, about to start",
    "BatchStarted": "starting",
    "BatchRedriven": "about to start again",
    "LockGranted": "checking rows",
    "TransformStarted": "transforming",
    "FactsPublished": "publishing KPIs",
    "KpisPublished": "archiving",
    "BatchArchived": "closing",
    "LockReleased": "closing",
    "BatchAbandoned": "undoing",
}


@dataclass(frozen=True)
class Running:
    """Open batches: who has the lock, who waits for it in order, and the others."""

    at_work: list[BatchView]
    waiting: list[BatchView]


def running(batches: Iterable[BatchView]) -> Running:
    """Of the newest batches, those whose end is still to come."""
    open_ones = [one for one in batches if is_open(one)]
    return Running(
        [one for one in open_ones if one.waits_for_lock is None],
        sorted(
            (one for one in open_ones if one.waits_for_lock is not None),
            key=lambda one: one.waits_for_lock or 0,
        ),
    )


def step_of(batch: BatchView) -> str:
    """What an open batch is at, in words."""
    if batch.waits_for_lock is not None:
        return f"waiting for the lock, number {batch.waits_for_lock} in line"
    if batch.last_event in ("FileValidated", "FileRejected"):
        done = batch.files_validated + batch.files_rejected
        return f"checking rows, {done:,} of {batch.file_count or done:,} files done"
    return _STEPS.get(batch.last_event, "running")
