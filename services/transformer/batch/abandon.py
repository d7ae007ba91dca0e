"""Abandoning a batch: undone, given up before anything of it began, or finished when it was past
the point of no return."""

from contracts.messages import AbandonBatch, BatchAbandoned, ObjectRef, TransformBatch
from services.runtime.event_store import StreamAppend, retry_on_conflict
from services.runtime.fences import LEAP
from services.transformer.batch.domain import TransformerState
from services.transformer.batch.settle import begun_again_unless_overtaken, unless_published
from services.transformer.batch.state import (
    CONTEXT,
    Answer,
    Ports,
    before_the_epoch,
    change_state,
    change_state_as_owner,
    current_state,
    history_of,
    published,
    stream_of,
)


def abandon_batch(command: AbandonBatch | TransformBatch, ports: Ports) -> Answer:
    """Undo a batch whose saga failed or whose data are at fault, or finish it if its publication
    had begun.

    Afterwards no attempt under the same lock grant can bring the batch back. Raises StaleWriter
    when a newer lock grant was seen, Transient when it is to be asked again.
    """
    if retry_on_conflict(lambda: _gave_up_before_it_began(command, ports)):
        return {"outcome": "ABANDONED"}
    return unless_published(
        command,
        ports,
        lambda history: (
            _undo(command, ports)
            if history.abandoned_under < command.fence
            else {"outcome": "ABANDONED"}
        ),
    )


def _gave_up_before_it_began(command: AbandonBatch | TransformBatch, ports: Ports) -> bool:
    """Whether nothing of the batch was ever begun here: then there is nothing to undo.

    Its own stream remembers that it was given up, which keeps late attempts under this grant away.
    The state that all batches share stays as it is: a command about a batch that nobody here knows
    must not make others stale. The lock's next grant is above the fence that is remembered, and
    has to be within a leap of the shared one: so only half a leap is taken here.
    """
    history = history_of(command.batch_id, ports)
    if history.is_begun:
        return False
    if history.abandoned_under >= command.fence:
        return True
    state = current_state(ports)
    state.admit(command.fence, leap=LEAP // 2)
    reason = "the saga gave the batch up before anything of it was begun"
    given_up = _abandoned(command, max(1, state.epoch), reason)
    append = StreamAppend(stream_of(command.batch_id), history.version, [given_up])
    ports.store.append(append, context=CONTEXT)
    return True


def _undo(command: AbandonBatch | TransformBatch, ports: Ports) -> Answer:
    """Put the facts back to the published heads under a new epoch.

    Nothing is undone when another attempt has published the batch meanwhile, or given it up.
    """

    def raise_epoch() -> tuple[TransformerState, int] | ObjectRef | None:
        before, mains, history = before_the_epoch(command, ports)
        if history.result is not None:
            return history.result
        if history.abandoned_under >= command.fence:
            return None
        state = before.begin_abandoning(command.batch_id, command.fence, command.attempt, mains)
        return state, change_state(ports, before, state, history.version)

    begun = retry_on_conflict(raise_epoch)
    if isinstance(begun, ObjectRef):
        return published(begun)
    if begun is not None:
        state, version = begun
        with begun_again_unless_overtaken(state.epoch, ports):
            ports.facts.fence(state.heads or {}, state.epoch, command.batch_id)
        reason = "the saga gave the batch up before publication; the facts are as before it"
        undone = _abandoned(command, state.epoch, reason)
        change_state_as_owner(ports, state, state.settle(), version, undone)
    return {"outcome": "ABANDONED"}


def _abandoned(command: AbandonBatch | TransformBatch, epoch: int, reason: str) -> BatchAbandoned:
    return BatchAbandoned(
        batch_id=command.batch_id,
        epoch=epoch,
        reason=reason,
        attempt=command.attempt,
        fence=command.fence,
    )
