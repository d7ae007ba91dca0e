"""Batches whose executions ended with the server that ran them: closed before `ecp up` returns.

Executions do not survive their server. The aggregator hears of the end of each from the default
bus; its sweep, asked for once more with `after_restart`, finds what no notice was left of.
"""

import json
import time
from collections.abc import Collection
from typing import Any

from contracts.identities import attempt_of
from infra.ecp.batches.queries import is_running
from infra.ecp.names import STATE_TABLE
from services.aggregator.read_model import batch_key, execution_key
from services.runtime.storage import items

SWEEP_RULE = "aggregator-sweep"
CLOSED_SECONDS = 20.0
"""A status event is taken in well under a second. When no batch is closed for so long, `ecp up`
says of those that are left that they are open."""
LOOK_SECONDS = 0.2


def ask_for_sweep(events: Any, sqs: Any) -> None:
    """Send the sweep that the schedule sends, to where it goes, saying that this is a restart."""
    for target in events.list_targets_by_rule(Rule=SWEEP_RULE)["Targets"]:
        queue_name = target["Arn"].rpartition(":")[2]
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue_name)["QueueUrl"],
            MessageBody=json.dumps({**json.loads(target["Input"]), "after_restart": True}),
        )


def await_closed(
    dynamodb: Any, executions: Collection[str], within_seconds: float = CLOSED_SECONDS
) -> dict[str, bool]:
    """The batches that these executions, by ARN, ran, and whether each is closed.

    Returns when all are, or when none more was for `within_seconds`. An execution that was started
    by hand and found nothing to do ran no batch.
    """
    batches = {batch for each in executions if (batch := _batch_of(dynamodb, each))}
    left = set(batches)
    deadline = time.monotonic() + within_seconds
    while still_open := {batch for batch in left if _is_open(dynamodb, batch)}:
        if len(still_open) < len(left):
            deadline = time.monotonic() + within_seconds
        left = still_open
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_SECONDS)
    return {batch: batch not in still_open for batch in sorted(batches)}


def _batch_of(dynamodb: Any, execution: str) -> str | None:
    """By what was recorded at its start; by its name, if it was interrupted before that."""
    if recorded := items.get_item(dynamodb, STATE_TABLE, execution_key(execution)):
        return str(recorded["batch_id"])
    by_name = attempt_of(execution)
    if by_name and items.get_item(dynamodb, STATE_TABLE, batch_key(by_name[0])):
        return by_name[0]
    return None


def _is_open(dynamodb: Any, batch_id: str) -> bool:
    row = items.get_item(dynamodb, STATE_TABLE, batch_key(batch_id))
    return row is not None and is_running(row)
