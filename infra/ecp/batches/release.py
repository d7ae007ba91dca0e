"""`ecp release`: the healthy files of a rejected batch go on without the rejected ones."""

import sys
from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import ReleaseBatch
from infra.ecp.batches.open_set import read_open_set
from infra.ecp.names import SOURCE
from infra.ecp.requester import requester
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import confirm, print_json, print_line
from infra.ecp.terminal.recorded import until_recorded
from services.api.views.sentences import describe
from services.runtime.wording import listed, plural

LONGEST_REASON = 2000
"""Limit of ReleaseBatch."""
SHOWN_KEYS = 20


def release(
    batch_id: Annotated[
        str, typer.Argument(metavar="BATCH", help="A rejected batch whose healthy files wait.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", help="Why; it is kept with your name for good.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the healthy files of a rejected batch go on without the rejected ones.

    They wait for corrected versions of exactly the rejected keys; a corrected file, sent by
    `ecp submit FILE`, takes them along. This is for when it will not come: the healthy files
    become a batch of their own now, and the numbers of their days lack what the rejected files
    say, until that is sent after all. Who released them and why is in the story of the batch.

    `ecp status` shows which batches wait, and for what.

    Example: `ecp release 3f2a9c0d1e4b5a67 --reason "the Berlin shop has closed"`
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise WrongUsage(f"--reason: say why, in at most {LONGEST_REASON:,} characters")
    target = current_target()
    open_set = read_open_set(target.event_store, target.event_store, target.names.data_bucket)
    held = next((one for one in open_set["held"] if one["batch_id"] == batch_id), None)
    if held is None:
        others = ", ".join(one["batch_id"] for one in open_set["held"]) or "no batch"
        raise WrongUsage(f"no files wait with batch {batch_id}; files wait with {others}")
    if not yes and not as_json and sys.stdin.isatty():
        _say_what_will_happen(held)
        confirm("Release them?")
    command = release_command(
        batch_id, requester(), reason.strip(), new_event_id(), to_rfc3339(system_clock())
    )
    target.client("sqs").send_message(
        QueueUrl=target.names.aggregator_commands_url, MessageBody=command.to_json()
    )
    event = until_recorded(
        lambda: _released(target, command),
        missing="the release is not recorded",
        tells="`ecp status`",
        queue="aggregator-commands",
    )
    if as_json:
        said = {name: getattr(event.data, name) for name in ("batch_id", "released_as")}
        print_json({**said, "files": held["files"], "without": held["awaiting"]})
        return
    print_line(f"batch {batch_id}: {describe(event)}")
    print_line(f"`ecp batch {event.data.released_as}` shows what becomes of them")


def release_command(
    batch_id: str, requested_by: str, reason: str, message_id: str, now: str
) -> Message:
    """The command that the aggregator takes; it expects no answer, so it carries no token."""
    command = ReleaseBatch(batch_id=batch_id, requested_by=requested_by, reason=reason)
    return unanswered_command(
        command, MessageContext(SOURCE, batch_id), f"batch/{batch_id}", message_id, now
    )


def _say_what_will_happen(held: dict[str, Any]) -> None:
    keys = held["awaiting"]
    without = "what was rejected" if keys is None else listed(keys, SHOWN_KEYS)
    print_line(
        f"{plural(len(held['files']), 'file')} of batch {held['batch_id']} will be a batch of "
        f"their own, without {without}:"
    )
    for key in held["files"][:SHOWN_KEYS]:
        print_line(f"  {key}")
    if len(held["files"]) > SHOWN_KEYS:
        print_line(f"  and {len(held['files']) - SHOWN_KEYS:,} more")


def _released(target: Target, command: Message) -> Message | None:
    """The event that the command led to."""
    for event in target.event_store.read(command.stream_id):
        if event.event_type == "BatchReleased" and event.causation_id == command.event_id:
            return event
    return None
