"""The single-writer lock as people and programs see it; its rules are the lock service's."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from infra.ecp.batches.progress import ENDS, StepState, ending, steps, this_attempt
from infra.ecp.names import LOCK_ID, LOCK_TABLE, table
from services.runtime.storage import items

BATCH_IS_CLOSED = "Ended"
GIVEN_UP = frozenset(("LockReleased", "LockRecovered"))

ReadBatch = Callable[[str], Sequence[Message]]


def read_lock(dynamodb: Any) -> dict[str, Any]:
    """Who holds the lock and who waits; a lock that was never taken is free."""
    return describe_lock(items.get_item(dynamodb, table(LOCK_TABLE), {"LockId": LOCK_ID}))


def describe_lock(item: Mapping[str, Any] | None) -> dict[str, Any]:
    """The lock's item as `ecp status --json` gives it; holder fields are None when free."""
    item = item or {}
    metadata = item.get("execution_metadata") or {}
    holder = metadata if item.get("currentlockcount") else {}
    return {
        "lock_id": item.get("LockId", LOCK_ID),
        "held": bool(item.get("currentlockcount")),
        "currentlockcount": item.get("currentlockcount", 0),
        "execution_id": holder.get("execution_id"),
        "batch_id": holder.get("batch_id"),
        "fence": holder.get("fence"),
        "granted_at": holder.get("granted_at"),
        "lease_until": holder.get("lease_until"),
        "waiters": [dict(waiter) for waiter in item.get("waiters", ())],
    }


def explain_lock(found: Mapping[str, Any], read_batch: ReadBatch, now: datetime) -> dict[str, Any]:
    """The lock with how long, doing what, and since when others wait (`ecp lock show --json`).

    `read_batch` gives the events of a batch. `doing` is None when the lock is free, and the
    `waiting_since` of a waiter whose events cannot be found is None.
    """
    held = bool(found["held"])
    return {
        **found,
        "held_seconds": _seconds(found["granted_at"], now) if held else None,
        "doing": _doing(read_batch(found["batch_id"])) if held else None,
        "waiters": [
            {**waiter, "waiting_since": since, "waiting_seconds": _seconds(since, now)}
            for waiter in found["waiters"]
            for since in (_queued_at(read_batch(waiter["batch_id"]), waiter["execution_id"]),)
        ],
    }


def how_it_was_given_up(events: Sequence[Message], fence: int) -> Message | None:
    """The event with which the holder of a fence gave or lost the lock, among its batch's."""
    ends = [e for e in events if e.event_type in GIVEN_UP and e.data.fence == fence]
    return ends[-1] if ends else None


def _doing(events: Sequence[Message]) -> dict[str, str]:
    attempt = this_attempt(events)
    end = ending(attempt)
    if end is not None:
        return {"step": BATCH_IS_CLOSED, "detail": f"its batch is {ENDS[end.event_type]}"}
    running = [step for step in steps(attempt) if step.state is StepState.RUNNING]
    if not running:
        return {"step": "Release", "detail": "every other step is done"}
    return {"step": running[-1].name, "detail": running[-1].detail}


def _queued_at(events: Sequence[Message], execution_id: str) -> str | None:
    """When an execution took its place; asking again keeps it."""
    return min(
        (
            event.occurred_at
            for event in events
            if event.event_type == "LockQueued" and event.data.execution_id == execution_id
        ),
        default=None,
    )


def _seconds(since: str | None, now: datetime) -> float | None:
    return None if since is None else round((now - from_rfc3339(since)).total_seconds(), 3)
