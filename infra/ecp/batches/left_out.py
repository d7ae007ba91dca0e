"""Versions of which no row counts: ignored, superseded by a newer one, or deleted; newest first."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from contracts.clock import from_rfc3339
from infra.ecp.names import STATE_TABLE, table
from services.runtime.storage import items

MOST = 1000
"""Rows that one look reads; they are kept for 90 days."""
FIELDS = ("at", "what", "key", "version_id", "reason", "did_you_mean", "by_version_id")
EVERY_KIND = ("ignored", "superseded", "gone")


def read_left_out(
    dynamodb: Any,
    limit: int = MOST,
    *,
    what: Collection[str] = EVERY_KIND,
    since: datetime | None = None,
) -> list[dict[str, Any]]:
    """Those of the newest 1,000 that are of these kinds, at most `limit`.

    `did_you_mean`: the nearest key under which an ignored one would be taken; `by_version_id`: the
    version that superseded this one.
    """
    newest = items.query(
        dynamodb, table(STATE_TABLE), {"pk": "left-out"}, newest_first=True, limit=max(limit, MOST)
    )
    return [
        {name: row.get(name) for name in FIELDS}
        for row in newest
        if row["what"] in what and (since is None or from_rfc3339(row["at"]) >= since)
    ][:limit]
