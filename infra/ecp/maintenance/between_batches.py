"""Work on the facts that the transformer does between two batches: sent, shown, waited for."""

from collections.abc import Sequence
from typing import Any

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message
from infra.ecp.maintenance.requests import request_message, start_worker, wait_for_end
from infra.ecp.settings import CliSettings
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed
from infra.ecp.terminal.output import print_beside, spinner
from services.api.views.sentences import describe


def carried_out(target: Target, command: Any, *, quietly: bool) -> Message | None:
    """Send the command, show its events, and give the last one; None when it takes too long."""
    settings = CliSettings()
    message = request_message(command, new_event_id(), to_rfc3339(system_clock()))
    queue_url = target.names.get("transformer", "command-queue-url")
    target.client("sqs").send_message(QueueUrl=queue_url, MessageBody=message.to_json())
    start_worker(target.client("ecs"), target.names)

    def show(news: Sequence[Message]) -> None:
        for event in news if not quietly else ():
            print_beside(f"  {describe(event)}")

    with spinner("waiting for the transformer"):
        return wait_for_end(
            target.event_store,
            command.request_id,
            show,
            poll_seconds=settings.poll_seconds,
            wait_seconds=settings.wait_seconds,
        )


def completed(target: Target, command: Any, *, quietly: bool) -> Message:
    """As `carried_out`; raises CommandFailed when it takes too long or the transformer refuses."""
    ended = carried_out(target, command, quietly=quietly)
    if ended is None:
        raise CommandFailed(
            f"{command.request_id} has not ended within {CliSettings().wait_seconds:g} s; it may "
            "go on: `ecp dlq show transformer-commands-dlq` says if it could not be done"
        )
    if ended.event_type == "UpkeepRefused":
        raise CommandFailed(ended.data.reason)
    return ended
