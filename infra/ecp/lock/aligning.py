"""`ecp lock align`: lock and transformer in step again, after a restore of one of their tables."""

from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import AdmitFence, RaiseFence
from infra.ecp.lock.fences import LOCK_STREAM, Fences, read_fences
from infra.ecp.maintenance.between_batches import completed
from infra.ecp.names import LOCK_ID, SOURCE
from infra.ecp.requester import requester
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line
from infra.ecp.terminal.recorded import until_recorded
from services.api.views.sentences import describe
from services.runtime.fences import LEAP

MOST_STEPS = 100


def align(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded with your name.")],
    as_json: AsJson = False,
) -> None:
    """Put lock and transformer in step again when batches fail because fences do not fit.

    That is so after one of ProcessingLockTable, EventStore and TransformerState was restored
    alone. Fences only grow: the lock grants higher ones from now on, or the transformer takes the
    lock's for seen. So no writer of before can come back, and it may be typed at any time.

    Example: `ecp lock align --reason "TransformerState was restored to Monday"`
    """
    if not reason.strip():
        raise WrongUsage("--reason is empty: say why, for those who read the lock's story")
    target = current_target()
    before = _fences(target)
    said: list[str] = []
    for _ in range(MOST_STEPS):
        fences = _fences(target)
        if fences.lock_is_behind:
            said += map(describe, _raised(target, fences, reason.strip()))
        elif fences.transformer_is_behind:
            said.append(describe(_admitted(target, fences, reason.strip(), quietly=as_json)))
        else:
            break
    else:
        raise CommandFailed(
            f"not in step after {MOST_STEPS} steps of {LEAP:,}: type the same again to go on"
        )
    after = _fences(target)
    if as_json:
        print_json({"before": vars(before), "after": vars(after), "said": said})
        return
    for line in said:
        print_line(line)
    print_line(
        f"{'in step' if said else 'nothing to do'}: the lock has granted up to {after.granted}, "
        f"the transformer has seen {after.seen}"
    )


def _fences(target: Target) -> Fences:
    return read_fences(target.client("dynamodb"), target.event_store)


def raise_command(fences: Fences, who: str, why: str, message_id: str, now: str) -> Message:
    """The command that the lock takes; it carries no token."""
    command = RaiseFence(lock_id=LOCK_ID, seen_fence=fences.next_step, requested_by=who, reason=why)
    return unanswered_command(command, MessageContext(SOURCE), LOCK_STREAM, message_id, now)


def _raised(target: Target, fences: Fences, reason: str) -> list[Message]:
    """What the lock recorded; nothing when it has caught up by itself meanwhile."""
    command = raise_command(fences, requester(), reason, new_event_id(), to_rfc3339(system_clock()))
    target.client("sqs").send_message(
        QueueUrl=target.names.lock_commands_url, MessageBody=command.to_json()
    )

    def look() -> list[Message] | None:
        events = target.event_store.read(LOCK_STREAM, fences.stream_version)
        raised = [event for event in events if event.causation_id == command.event_id]
        return raised if raised or not _fences(target).lock_is_behind else None

    return until_recorded(
        look,
        missing="it is not recorded by the lock",
        tells="`ecp lock align` again",
        queue="lock-commands",
    )


def _admitted(target: Target, fences: Fences, reason: str, *, quietly: bool) -> Any:
    command = AdmitFence(
        request_id=f"align-{new_event_id()}",
        fence=fences.next_admission,
        requested_by=requester(),
        reason=reason,
    )
    return completed(target, command, quietly=quietly)
