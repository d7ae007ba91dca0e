"""The single-writer lock as people and programs see it; its rules are the lock service's."""

from collections.abc import Mapping
from typing import Any

from infra.queries import items
from infra.queries.names import LOCK_ID, LOCK_TABLE


def read_lock(dynamodb: Any) -> dict[str, Any]:
    """Who holds the lock and who waits; a lock that was never taken is free."""
    return describe_lock(items.get_item(dynamodb, LOCK_TABLE, {"LockId": LOCK_ID}))


def describe_lock(item: Mapping[str, Any] | None) -> dict[str, Any]:
    """The lock's item as `ecp lock show --json` gives it; holder fields are None when free."""
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
