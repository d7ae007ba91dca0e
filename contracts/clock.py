"""Time and identifiers as arguments: the types that use cases take, and the real ones."""

from collections.abc import Callable
from datetime import UTC, datetime

import uuid_utils

Clock = Callable[[], datetime]
NewId = Callable[[], str]


def system_clock() -> datetime:
    """The current instant, timezone-aware, in UTC."""
    return datetime.now(UTC)


def new_event_id() -> str:
    """A UUIDv7 as text: unique, and sorted by time of creation."""
    return str(uuid_utils.uuid7())


def to_rfc3339(instant: datetime) -> str:
    """`2025-07-07T12:00:00.000Z`: UTC with milliseconds, so that texts sort as instants do."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def from_rfc3339(text: str) -> datetime:
    """The instant behind an RFC 3339 text; raises ValueError when it has no time zone."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write RFC 3339 such as 2025-07-07T12:00:00Z")
    return instant.astimezone(UTC)
