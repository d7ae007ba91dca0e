"""Events of one batch for tests: the schemas' own examples, so that a test states what matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.clock import to_rfc3339
from contracts.envelope import Message, parse
from tests.contract.builders import BATCH, EXECUTION, an_envelope, an_example

__all__ = ["BATCH", "BEGAN", "EXECUTION", "an_event", "completed_batch"]

BEGAN = datetime(2025, 7, 7, 12, 0, tzinfo=UTC)


def an_event(event_type: str, seconds: float = 0.0, **changes: Any) -> Message:
    """One event, `seconds` after the batch began."""
    at = BEGAN + timedelta(seconds=seconds)
    return parse(
        an_envelope(
            event_type,
            event_id=f"0199f0a2-7d6e-7c3a-8a7f-{int(seconds * 1000):012d}",
            occurred_at=to_rfc3339(at),
            data=an_example(event_type, **changes),
        )
    )


def completed_batch() -> list[Message]:
    """The events of a batch of one file that went well, a second apart."""
    story = (
        an_event("BatchSealed", file_count=1),
        an_event("BatchStarted", 1),
        an_event("LockGranted", 2),
        an_event("FileValidated", 3),
        an_event("TransformStarted", 4),
        an_event("FactsPublished", 5),
        an_event("KpisPublished", 6),
        an_event("BatchArchived", 7),
        an_event("LockReleased", 8),
        an_event("BatchCompleted", 9),
    )
    return list(story)
