"""What is going on right now: lock, open set, batches and dead letters in one document."""

from typing import Any

from contracts.event_store import DynamoDBEventStore
from infra.queries.batches import is_running, newest_batches
from infra.queries.dead_letters import dead_letters
from infra.queries.lock import read_lock
from infra.queries.open_set import read_open_set

LOOKED_AT = 50
LAST_BATCHES = 10

Status = dict[str, Any]


def read_status(dynamodb: Any, sqs: Any, store: DynamoDBEventStore, bucket: str) -> Status:
    """The document of `ecp status --json` (DESIGN 4).

    `running` are those of the newest 50 batches that are not closed, `last_batches` the newest
    ten that are, newest first.
    """
    newest = newest_batches(dynamodb, LOOKED_AT)
    return {
        "lock": read_lock(dynamodb),
        "open_set": read_open_set(store, store, bucket),
        "running": [batch for batch in newest if is_running(batch)],
        "last_batches": [batch for batch in newest if not is_running(batch)][:LAST_BATCHES],
        "dead_letters": dead_letters(sqs),
    }
