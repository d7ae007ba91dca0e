"""Requests to the transformer between batches, and what became of them; no command lives here."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from contracts.envelope import Message, MessageContext, unanswered_command
from infra.ecp.names import SOURCE
from services.runtime.event_store import EventStore

ENDS = frozenset(
    ("KpisRebuilt", "FactsMaintained", "FactsRekeyed", "FenceAdmitted", "UpkeepRefused")
)


def request_message(command: BaseModel, message_id: str, now: str) -> Message:
    """A command that expects no answer: its stream tells how it went."""
    request_id = str(getattr(command, "request_id"))  # noqa: B009 (any of several models)
    context = MessageContext(SOURCE, request_id)
    return unanswered_command(command, context, stream_of(request_id), message_id, now)


def stream_of(request_id: str) -> str:
    """Where the transformer records what it does for a request."""
    return f"transformation/{request_id}"


def wait_for_end(
    store: EventStore,
    request_id: str,
    on_news: Callable[[Sequence[Message]], None],
    *,
    poll_seconds: float,
    wait_seconds: float,
) -> Message | None:
    """The event that ended the request; None when it has not ended in time.

    `on_news` is given the events that came since it was called last.
    """
    deadline = time.monotonic() + wait_seconds
    seen = 0
    while time.monotonic() < deadline:
        news = store.read(stream_of(request_id), seen)
        seen += len(news)
        on_news(news)
        ended = next((event for event in news if event.event_type in ENDS), None)
        if ended is not None:
            return ended
        time.sleep(poll_seconds)
    return None


def start_worker(ecs: Any, names: Any, service: str = "transformer") -> None:
    """Have one of a service's containers started where none is wanted; ECS does the rest.

    Never more: what waits for long is for its scaling to see.
    """
    cluster, name = names.get("platform", "cluster-arn"), names.get(service, "service-name")
    found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if all(one["desiredCount"] == 0 for one in found):
        ecs.update_service(cluster=cluster, service=name, desiredCount=1)
