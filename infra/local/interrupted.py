"""Batches whose executions ended with the server that ran them: closed before `ecp up` returns.

Executions do not survive their server. The aggregator hears of the end of each from the default
bus; its sweep, asked for once more with `after_restart`, finds what no notice was left of.
"""

import json
import time
from collections.abc import Collection, Iterator
from typing import Any

from contracts.identities import attempt_of
from infra.ecp.batches.queries import is_running
from infra.ecp.names import STATE_TABLE
from services.aggregator.read_model import batch_key, execution_key
from services.runtime.storage import items

SWEEP_RULE = "aggregator-sweep"
STATE_MACHINE = "ecsJob"
CLOSED_SECONDS = 20.0
"""A status event is taken in well under a second. When no batch is closed for so long, `ecp up`
says of those that are left that they are open."""
LOOK_SECONDS = 0.2


def ask_for_sweep(events: Any, sqs: Any) -> None:
    """Send the sweep that the schedule sends, to where it goes, saying that this is a restart.

    Of every stage: all are brought back.
    """
    for target in _sweeps(events):
        queue_name = target["Arn"].rpartition(":")[2]
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue_name)["QueueUrl"],
            MessageBody=json.dumps({**json.loads(target["Input"]), "after_restart": True}),
        )


def _sweeps(events: Any) -> Iterator[Any]:
    pages = events.get_paginator("list_rules").paginate()
    names = [rule["Name"] for page in pages for rule in page["Rules"]]
    for name in names:
        if name == SWEEP_RULE or name.endswith(f"-{SWEEP_RULE}"):
            yield from events.list_targets_by_rule(Rule=name)["Targets"]


def await_closed(
    dynamodb: Any, executions: Collection[str], within_seconds: float = CLOSED_SECONDS
) -> dict[str, bool]:
    """The batches that these executions, by ARN, ran, and whether each is closed.

    Returns when all are, or when none more was for `within_seconds`. An execution that was started
    by hand and found nothing to do ran no batch.
    """
    batches = {found for each in executions if (found := _batch_of(dynamodb, each))}
    left = set(batches)
    deadline = time.monotonic() + within_seconds
    while still_open := {each for each in left if _is_open(dynamodb, *each)}:
        if len(still_open) < len(left):
            deadline = time.monotonic() + within_seconds
        left = still_open
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_SECONDS)
    open_ids = {batch_id for _, batch_id in still_open}
    return {batch_id: batch_id not in open_ids for _, batch_id in sorted(batches)}


def _batch_of(dynamodb: Any, execution: str) -> tuple[str, str] | None:
    """The table of its stage, and the batch in it.

    By what was recorded at its start; by its name, if it was interrupted before that.
    """
    table = execution.split(":")[6].removesuffix(STATE_MACHINE) + STATE_TABLE
    if recorded := items.get_item(dynamodb, table, execution_key(execution)):
        return table, str(recorded["batch_id"])
    by_name = attempt_of(execution)
    if by_name and items.get_item(dynamodb, table, batch_key(by_name[0])):
        return table, by_name[0]
    return None


def _is_open(dynamodb: Any, table: str, batch_id: str) -> bool:
    row = items.get_item(dynamodb, table, batch_key(batch_id))
    return row is not None and is_running(row)
