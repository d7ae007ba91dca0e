"""What is going on right now: lock, open set, batches and dead letters in one document."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.ecp.batches.current_step import read_current_step
from infra.ecp.batches.left_out import read_left_out
from infra.ecp.batches.open_set import read_open_set
from infra.ecp.batches.queries import is_running, newest_batches
from infra.ecp.batches.summaries import READ_AT_ONCE, summary
from infra.ecp.lock.queries import read_lock
from services.api.operations.letters import dead_letters
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.storage.documents import ObjectStore

LOOKED_AT = 50
LAST_BATCHES = 10
LEFT_OUT_SHOWN = 10
STEPS_SHOWN = 10

Status = dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """Where it is read. `bucket`: the data bucket. `queue_prefix`: of the stage."""

    dynamodb: Any
    sqs: Any
    stepfunctions: Any
    store: DynamoDBEventStore
    objects: ObjectStore
    bucket: str
    queue_prefix: str = ""


def read_status(sources: Sources, now: datetime) -> Status:
    """The document of `ecp status --json` (docs/design.md, Command line).

    `running` are those of the newest 50 batches that are not closed, with the step of their
    execution, `last_batches` the newest ten that are, newest first, with what they came to.
    `left_out`: the newest ten versions of which no row counts. All is read at once, and nothing is
    scanned.
    """
    with ThreadPoolExecutor(READ_AT_ONCE) as readers:
        lock = readers.submit(read_lock, sources.dynamodb)
        open_set = readers.submit(read_open_set, sources.store, sources.store, sources.bucket)
        letters = readers.submit(dead_letters, sources.sqs, sources.queue_prefix)
        left_out = readers.submit(read_left_out, sources.dynamodb, LEFT_OUT_SHOWN)
        newest = newest_batches(sources.dynamodb, LOOKED_AT)
        running = [batch for batch in newest if is_running(batch)]
        closed = [batch for batch in newest if not is_running(batch)][:LAST_BATCHES]
        steps = readers.map(_with_step(sources, now), running[:STEPS_SHOWN])
        summaries = readers.map(
            lambda batch: summary(batch, sources.store, sources.objects), closed
        )
        return {
            "lock": lock.result(),
            "open_set": open_set.result(),
            "running": [*steps, *running[STEPS_SHOWN:]],
            "last_batches": list(summaries),
            "dead_letters": letters.result(),
            "left_out": left_out.result(),
        }


def _with_step(sources: Sources, now: datetime) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def add_step(batch: dict[str, Any]) -> dict[str, Any]:
        execution = batch.get("execution_id")
        step = execution and read_current_step(sources.stepfunctions, execution, now)
        return batch | {"step": step or None}

    return add_step
