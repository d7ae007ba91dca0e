"""`ecp status`, `batches`, `batch` and `redrive`: what runs, what ran, and running it again."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import RedriveBatch
from infra.cli.errors import CommandFailed, WrongUsage
from infra.cli.follow import Waiting, execution_watch, follow, no_longer_than_wanted, view_for
from infra.cli.options import AsJson, Wait
from infra.cli.outcome_view import EXIT_CODES, print_order_totals, print_outcome
from infra.cli.output import print_json, print_line, print_table
from infra.cli.requester import requester
from infra.cli.settings import CliSettings
from infra.cli.target import Target, current_target
from infra.queries.batches import newest_batches
from infra.queries.names import SOURCE
from infra.queries.outcome import read_order_totals, read_outcome
from infra.queries.progress import ENDS, ending, this_attempt
from infra.queries.status import read_status
from infra.queries.timeline import plural, size, timeline

BATCH_COLUMNS = ("batch", "status", "files", "sealed (UTC)")
SHOWN_FILES, SHOWN_REASONS = 20, 5


def status(as_json: AsJson = False) -> None:
    """What is going on: the lock, files that wait, batches, dead letters.

    Example: `ecp status`
    """
    target = current_target()
    found = read_status(
        target.client("dynamodb"),
        target.client("sqs"),
        target.event_store,
        target.names.data_bucket,
    )
    if as_json:
        print_json(found)
        return
    print_line(f"speaking to {target.origin}")
    held = found["lock"]
    print_line(
        f"lock: held by batch {held['batch_id']} until {held['lease_until']}, "
        f"{len(held['waiters'])} in line"
        if held["held"]
        else "lock: free"
    )
    _print_open_set(found["open_set"])
    _print_batches("Running", found["running"])
    _print_batches("Last batches", found["last_batches"])
    dead = {queue: count for queue, count in found["dead_letters"].items() if count}
    print_table("Dead letters", ("queue", "messages"), list(dead.items()), empty="none")


def list_batches(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest batches and how they ended.

    Example: `ecp batches --limit 5`
    """
    found = newest_batches(current_target().client("dynamodb"), limit)
    if as_json:
        print_json(found)
    else:
        _print_batches("Batches", found)


def batch(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="A batch id.")],
    as_json: AsJson = False,
) -> None:
    """What happened to one batch, event by event, with the seconds since its start.

    Example: `ecp batch 3f2a9c0d1e4b5a67`
    """
    target = current_target()
    events = events_of(target, batch_id)
    moments = timeline(events)
    end = ending(this_attempt(events))
    state = ENDS[end.event_type] if end else "RUNNING"
    totals = read_order_totals(end, target.objects)
    if as_json:
        print_json(
            {
                "batch_id": batch_id,
                "status": state,
                "events": [vars(moment) for moment in moments],
                "order_totals": totals,
            }
        )
        return
    print_table(
        f"Batch {batch_id}: {state}",
        ("seconds", "event", "what happened"),
        [(f"{moment.seconds:.3f}", moment.event_type, moment.said) for moment in moments],
    )
    print_order_totals(totals)


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


def _print_batches(title: str, found: Sequence[dict[str, Any]]) -> None:
    print_table(
        title,
        BATCH_COLUMNS,
        [
            (
                batch["batch_id"],
                batch.get("status"),
                batch.get("file_count"),
                str(batch["sealed_at"])[:19].replace("T", " "),
            )
            for batch in found
        ],
    )


def _print_open_set(open_set: dict[str, Any]) -> None:
    files = open_set["files"]
    if not files and not open_set["manifests"]:
        print_line("open set: empty")
        return
    print_line(f"open set: {plural(len(files), 'file')} waiting since {open_set['waiting_since']}")
    for reason in open_set["waiting_for"][:SHOWN_REASONS]:
        print_line(f"  waits for {reason}")
    print_table(
        "Waiting files",
        ("file", "size", "arrived (UTC)"),
        [(file["key"], size(file["size_bytes"]), file["arrived_at"][:19]) for file in files],
        limit=SHOWN_FILES,
    )
