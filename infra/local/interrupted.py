"""Batches whose executions ended with the server that ran them: closed before `ecp up` returns.

Executions do not survive their server. The aggregator hears of the end of each from the default
bus; its sweep, asked for once more with `after_restart`, finds what no notice was left of.
"""

import json
import time
from collections.abc import Sequence, Set
from typing import Any

from contracts.identities import name_of
from infra.queries.batches import is_running, newest_batches

SWEEP_RULE = "aggregator-sweep"
CLOSED_SECONDS = 20.0
"""A status event is taken in well under a second; longer, and `ecp up` says that it goes on."""
LOOK_SECONDS = 0.2
NEWEST = 1000
"""Batches that are looked at: what ran is among the newest."""


def ask_for_sweep(events: Any, sqs: Any) -> None:
    """Send the sweep that the schedule sends, to where it goes, saying that this is a restart."""
    for target in events.list_targets_by_rule(Rule=SWEEP_RULE)["Targets"]:
        queue_name = target["Arn"].rpartition(":")[2]
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue_name)["QueueUrl"],
            MessageBody=json.dumps({**json.loads(target["Input"]), "after_restart": True}),
        )


def await_closed(
    dynamodb: Any, executions: Sequence[str], within_seconds: float = CLOSED_SECONDS
) -> dict[str, bool]:
    """The batches that these executions, by name, ran, and whether each is closed.

    Returns when all are, or after `within_seconds`.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        closed = _closed(dynamodb, set(executions)) if executions else {}
        if all(closed.values()) or time.monotonic() >= deadline:
            return closed
        time.sleep(LOOK_SECONDS)


def _closed(dynamodb: Any, executions: Set[str]) -> dict[str, bool]:
    return {
        batch["batch_id"]: not is_running(batch)
        for batch in newest_batches(dynamodb, NEWEST)
        if batch["execution_id"] and name_of(batch["execution_id"]) in executions
    }
