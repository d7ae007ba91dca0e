"""`ecp api`: where the HTTP API is, and its views made anew from the event store."""

from typing import Annotated

import typer

from infra.ecp.api.address import api_url
from infra.ecp.api.rebuilding import consumed, emptied, resent, waiting
from infra.ecp.target import current_target
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, progress
from services.runtime.wording import plural

app = typer.Typer(help="The HTTP API: where it is, and its views made anew.")


@app.command()
def url(as_json: AsJson = False) -> None:
    """Where the API answers; `/openapi.json` says what may be asked.

    Example: `curl "$(ecp api url)/kpis/orders?by=month"`
    """
    found = api_url(current_target())
    if as_json:
        print_json({"api": found})
    else:
        print_line(found)


@app.command()
def rebuild(
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until all events are taken.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make the views of the API anew: empty them, and send them every event of the event store.

    Batches go on meanwhile. Until it is done the API shows what has been taken so far; KPIs are
    not touched.

    Example: `ecp api rebuild`
    """
    target = current_target()
    dynamodb, sqs = target.client("dynamodb"), target.client("sqs")
    queue_url = target.names.get("api", "events-queue-url")
    with progress("Rebuilding the views", quiet=as_json) as say:
        removed = emptied(dynamodb, target.names.get("api", "views-table"))
        say(f"{plural(removed, 'item')} removed")
        sent = 0
        for count in resent(dynamodb, target.names.event_store_table, sqs, queue_url, consumed()):
            sent += count
            say(f"{plural(sent, 'event')} sent")
        if wait:
            for left in waiting(sqs, queue_url):
                say(f"{plural(left, 'event')} not taken yet")
    if as_json:
        print_json({"removed_items": removed, "sent_events": sent})
    else:
        done = "taken" if wait else "sent, and are taken as they come"
        print_line(f"{plural(sent, 'event')} {done}")
