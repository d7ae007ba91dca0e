"""Letting the healthy files of a rejected batch go without the rejected ones: a person's word."""

from __future__ import annotations

from functools import partial

from contracts.envelope import Message
from contracts.messages import BatchReleased, ReleaseBatch
from services.aggregator.batch.domain import stream_of
from services.aggregator.open_set.completeness import released_selection
from services.aggregator.open_set.loading import load
from services.aggregator.open_set.use_cases import must_look_again, seal_selection
from services.aggregator.ports import Ports
from services.runtime.event_store import StreamAppend, retry_on_conflict
from services.runtime.observability.logs import logger

FINISHED, AGAIN = True, False


def release_batch(message: Message, ports: Ports) -> None:
    """Seal what waits with the batch into a batch of its own; who and why go into its story.

    For a batch with which nothing waits the refusal is said in the log.
    """
    while not retry_on_conflict(partial(_release, message, ports)):
        continue


def _release(message: Message, ports: Ports) -> bool:
    command: ReleaseBatch = message.data
    story = ports.store.read(stream_of(command.batch_id))
    if any(event.causation_id == message.event_id for event in story):
        return FINISHED
    bucket = story[0].data.bucket if story else None
    open_set = load(bucket, ports) if bucket else None
    selection = released_selection(open_set.files, command.batch_id) if open_set else None
    if open_set is None or selection is None:
        logger.warning(
            "release of batch %s asked for by %s is refused: no files wait with it",
            command.batch_id,
            command.requested_by,
            batch_id=command.batch_id,
        )
        return FINISHED
    if must_look_again(open_set, selection, ports):
        return AGAIN

    def released(batch_id: str) -> list[StreamAppend]:
        event = BatchReleased(
            batch_id=command.batch_id,
            requested_by=command.requested_by,
            reason=command.reason,
            released_as=batch_id,
            file_count=len(selection.files),
        )
        return [StreamAppend(stream_of(command.batch_id), len(story), [event])]

    seal_selection(open_set, selection, ports, causation_id=message.event_id, also=released)
    return FINISHED
