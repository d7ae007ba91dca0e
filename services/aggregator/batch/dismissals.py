"""Quarantined rows that nobody will correct: a person's word, kept in the story of the batch."""

from __future__ import annotations

from functools import partial

from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext
from contracts.errors import ContractViolation
from contracts.messages import DismissQuarantine, QuarantineDismissed
from services.aggregator import read_model
from services.aggregator.batch.domain import stream_of
from services.aggregator.ports import SOURCE, Ports
from services.runtime.event_store import PutItem, StreamAppend, retry_on_conflict
from services.runtime.observability.logs import logger


def dismiss_quarantine(message: Message, ports: Ports) -> None:
    """Record who dismisses what and why, once per command, with the row that lists read.

    What lies in quarantine is not ours to look at: whoever sends the command has seen it. Raises
    ContractViolation for a batch that was never sealed.
    """
    retry_on_conflict(partial(_dismiss, message, ports))


def _dismiss(message: Message, ports: Ports) -> None:
    command: DismissQuarantine = message.data
    stream = stream_of(command.batch_id)
    story = ports.store.read(stream)
    if not story:
        raise ContractViolation(f"there is no batch {command.batch_id}; see `ecp batches`")
    if any(event.causation_id == message.event_id for event in story):
        return
    event = QuarantineDismissed(**command.model_dump())
    row = read_model.dismissal_row(event, to_rfc3339(ports.clock()), message.event_id)
    ports.store.append(
        StreamAppend(stream, story[-1].stream_version, [event]),
        context=MessageContext(SOURCE, command.batch_id, message.event_id),
        writes=[PutItem(ports.table, row)],
    )
    logger.info("quarantine dismissed", batch_id=command.batch_id, key=command.key)
