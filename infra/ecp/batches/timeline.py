"""What happened to a batch, told from its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from services.api.views.sentences import describe


@dataclass(frozen=True)
class Moment:
    """One event of a batch, `seconds` after its first one; `source` of the file that it is of."""

    seconds: float
    occurred_at: str
    event_type: str
    stream_id: str
    stream_version: int
    said: str
    source: str | None


def timeline(
    events: Sequence[Message], sources: Mapping[str, str] = MappingProxyType({})
) -> list[Moment]:
    """The events in the order they occurred, each with its sentence; empty for no events.

    `sources`: by key what files were read by, where they are not plain.
    """
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.event_id))
    if not ordered:
        return []
    start = from_rfc3339(ordered[0].occurred_at)
    return [
        Moment(
            seconds=(from_rfc3339(event.occurred_at) - start).total_seconds(),
            occurred_at=event.occurred_at,
            event_type=event.event_type,
            stream_id=event.stream_id,
            stream_version=event.stream_version,
            said=describe(event) + _after_all(event, ordered[position:], ordered[:position]),
            source=sources.get(getattr(event.data, "key", "")),
        )
        for position, event in enumerate(ordered)
    ]


def _after_all(event: Message, since: Sequence[Message], before: Sequence[Message]) -> str:
    """What a failed batch has published all the same, before its end or since, until a redrive."""
    if event.event_type != "BatchFailed":
        return ""
    redrives = (n for n, each in enumerate(since) if each.event_type == "BatchRedriven")
    scope = (*before, *since[: next(redrives, None)])
    types = {each.event_type for each in scope}
    if "KpisPublished" in types:
        return "; but it is published, and a redrive finishes it"
    if "FactsPublished" in types:
        return "; but its publication has begun, and a redrive finishes it"
    return ""
