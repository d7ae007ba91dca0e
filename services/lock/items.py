"""How the lock lies in `ProcessingLockTable`: its item, which is also the snapshot, and the tokens.

Decisions are in `domain.py`; nothing here reads or writes a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.lock.domain import Holder, Lock, Waiter

KEY = "LockId"


def lock_item(lock: Lock) -> dict[str, Any]:
    """The lock as its item: the seed's fields, and all that a fold of the stream would give.

    DynamoDB holds 400 KB in an item: about 1,500 waiters with the longest execution ARNs.
    """
    return {
        KEY: lock.lock_id,
        "currentlockcount": 0 if lock.holder is None else 1,
        "execution_metadata": {} if lock.holder is None else _metadata(lock.holder),
        "stream_version": lock.version,
        "highest_fence": lock.highest_fence,
        "waiting": len(lock.waiters),
        "waiters": [
            {"execution_id": waiter.execution_id, "batch_id": waiter.batch_id}
            for waiter in lock.waiters
        ],
    }


def lock_from(item: Mapping[str, Any] | None, lock_id: str) -> Lock:
    """The lock that the item tells of; events after its `stream_version` are not in it.

    An item that is missing, or was put back by hand without `stream_version`, tells nothing:
    the result is the lock before its first event, and the whole stream is folded again.
    """
    if item is None or "stream_version" not in item:
        return Lock(lock_id=lock_id)
    metadata = item["execution_metadata"]
    return Lock(
        lock_id=lock_id,
        version=item["stream_version"],
        holder=Holder(**metadata) if metadata else None,
        waiters=tuple(Waiter(**waiter) for waiter in item["waiters"]),
        highest_fence=item.get("highest_fence", 0),
    )


def lock_key(lock_id: str) -> dict[str, str]:
    return {KEY: lock_id}


def token_key(lock_id: str, execution_id: str) -> dict[str, str]:
    """Where the task token of one execution lies while its AcquireLock is not answered."""
    return {KEY: f"{lock_id}/token/{execution_id}"}


def token_item(lock_id: str, execution_id: str, task_token: str, attempt: int) -> dict[str, Any]:
    """A debt: this token is to be answered when its execution holds the lock."""
    return {
        **token_key(lock_id, execution_id),
        "task_token": task_token,
        "attempt": attempt,
    }


def _metadata(holder: Holder) -> dict[str, Any]:
    return {
        "execution_id": holder.execution_id,
        "batch_id": holder.batch_id,
        "fence": holder.fence,
        "granted_at": holder.granted_at,
        "lease_until": holder.lease_until,
    }
