"""`ecp batches`, `batch` and `redrive`: what ran, and running it again."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import RedriveBatch
from infra.ecp.batches.current_step import read_current_step
from infra.ecp.batches.file_sources import sources_of_events
from infra.ecp.batches.follow import (
    Waiting,
    execution_watch,
    follow,
    no_longer_than_wanted,
    view_for,
)
from infra.ecp.batches.outcome import (
    order_totals,
    read_outcome,
    read_result,
    read_seen_before,
    restated,
)
from infra.ecp.batches.outcome_view import (
    EXIT_CODES,
    print_order_totals,
    print_outcome,
    print_restated,
    seen_before_said,
)
from infra.ecp.batches.progress import ENDS, PUBLICATION_WORDS, ending, publication, this_attempt
from infra.ecp.batches.summaries import read_summaries
from infra.ecp.batches.timeline import timeline
from infra.ecp.batches.view import print_closed, print_moments
from infra.ecp.names import SOURCE
from infra.ecp.requester import requester
from infra.ecp.settings import CliSettings
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.options import AsJson, Wait
from infra.ecp.terminal.output import print_json, print_line
from services.runtime.wording import times


def list_batches(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest batches: rows, days and duration, and why one did not complete.

    Example: `ecp batches --limit 5`
    """
    target = current_target()
    found = read_summaries(target.client("dynamodb"), target.event_store, target.objects, limit)
    if as_json:
        print_json(found)
    else:
        print_closed("Batches", found)


def batch(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="A batch id.")],
    as_json: AsJson = False,
) -> None:
    """What happened to one batch, event by event, with the seconds since its start.

    Example: `ecp batch 3f2a9c0d1e4b5a67`
    """
    target = current_target()
    events = events_of(target, batch_id)
    moments = timeline(events, sources_of_events(events, target.objects))
    end = ending(this_attempt(events))
    state = ENDS[end.event_type] if end else "RUNNING"
    result = read_result(end, target.objects)
    totals = order_totals(result) if result else None
    replaced = restated(result) if result else None
    repeats = read_seen_before(events, target.objects)
    step = None if end else _step_of(target, events)
    published = publication(events)
    if as_json:
        print_json(
            {
                "batch_id": batch_id,
                "status": state,
                "events": [vars(moment) for moment in moments],
                "order_totals": totals,
                "restated": replaced,
                "seen_before": repeats,
                "step": step,
                "published": published == "done",
                "publication": published,
            }
        )
        return
    print_moments(f"Batch {batch_id}: {state}", moments)
    if repeats:
        print_line(seen_before_said([repeats]))
    print_restated(replaced)
    print_order_totals(totals)
    if state == "FAILED":
        then = {
            "none": "facts and KPIs are as before",
            "begun": "its KPIs may be live already, and nothing undoes that",
            "done": "its KPIs are live",
        }[published]
        finishes = "tries again" if published == "none" else "finishes it"
        said = f"{PUBLICATION_WORDS[published]}: {then}; `ecp redrive {batch_id}` {finishes}"
        print_line(said)
    if step:
        failed = f"; failed {times(step['failures'])}: {step['last_error']}"
        print_line(
            f"now in {step['name']} for {step['seconds']:.0f} s{failed if step['failures'] else ''}"
        )


def redrive(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="A batch that FAILED.")],
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Run a failed batch again, on exactly the same files.

    Only a batch that FAILED can be run again: the inputs of a rejected one need a correction, and
    a completed one is done.

    Example: `ecp redrive 3f2a9c0d1e4b5a67 --wait`
    """
    target = current_target()
    events = events_of(target, batch_id)
    end = ending(this_attempt(events))
    if end is None or end.event_type != "BatchFailed":
        state = ENDS[end.event_type] if end else "running"
        raise WrongUsage(f"batch {batch_id} is {state}: only a FAILED batch can be run again")
    redrives = sum(event.event_type == "BatchRedriven" for event in events)
    asked_at = system_clock()
    command = redrive_command(batch_id, requester(), new_event_id(), to_rfc3339(asked_at))
    target.client("sqs").send_message(
        QueueUrl=target.names.aggregator_commands_url, MessageBody=command.to_json()
    )
    if not wait:
        if as_json:
            print_json({"batch_id": batch_id, "requested": True})
        else:
            print_line(f"batch {batch_id} is to run again; `ecp batch {batch_id}` shows it")
        return
    settings = CliSettings()
    with no_longer_than_wanted(batch_id), view_for(as_json=as_json) as view:
        attempt = follow(
            lambda: target.event_store.read_correlated(batch_id),
            view,
            Waiting(settings.poll_seconds, settings.wait_seconds),
            redrives=redrives + 1,
            execution_over=execution_watch(target.client("stepfunctions")),
        )
    outcome = read_outcome(attempt, target.objects, asked_at, earlier=events)
    if outcome is None:
        raise CommandFailed(f"batch {batch_id} has no outcome; `ecp status` may tell why")
    if as_json:
        print_json(outcome)
    else:
        print_outcome(outcome)
    raise typer.Exit(int(EXIT_CODES[outcome["status"]]))


def redrive_command(batch_id: str, requested_by: str, message_id: str, now: str) -> Message:
    """The command that the aggregator takes; it expects no answer, so it carries no token."""
    command = RedriveBatch(batch_id=batch_id, requested_by=requested_by)
    context = MessageContext(SOURCE, batch_id)
    return unanswered_command(command, context, f"batch/{batch_id}", message_id, now)


def events_of(target: Target, batch_id: str) -> list[Message]:
    """The events of a batch, oldest first; raises WrongUsage when there is none of that id."""
    events = target.event_store.read_correlated(batch_id)
    if not events:
        raise WrongUsage(f"{batch_id}: there is no such batch; `ecp batches` lists the newest")
    return events


def _step_of(target: Target, events: Sequence[Message]) -> dict[str, Any] | None:
    """What the execution of the present attempt is doing."""
    started = [event for event in this_attempt(events) if event.event_type == "BatchStarted"]
    if not started:
        return None
    execution_id = started[-1].data.execution_id
    return read_current_step(target.client("stepfunctions"), execution_id, system_clock())
