"""Messages for tests, made of the schemas' own examples so that a test states only what matters."""

import json
from copy import deepcopy
from typing import Any

from contracts.envelope import kind_of_type
from contracts.messages import BatchFailed, BatchStarted
from contracts.schemas import find

BATCH = "3f2a9c0d1e4b5a67"
OTHER_BATCH = "76a5b4e1d0c9a2f3"
EXECUTION = f"arn:aws:states:us-east-1:000000000000:execution:ecsJob:{BATCH}"


def an_example(event_type: str, **changes: Any) -> dict[str, Any]:
    """The `data` of a message type: its schema's first example, with changes."""
    example = find(kind_of_type(event_type), event_type, 1).document["examples"][0]
    return deepcopy(example) | changes


def a_document(name: str, **changes: Any) -> dict[str, Any]:
    """A document: its schema's first example, with changes; `...` leaves a property out."""
    document = deepcopy(find("documents", name, 1).document["examples"][0]) | changes
    return {name: value for name, value in document.items() if value is not ...}


def an_envelope(event_type: str = "BatchCompleted", **changes: Any) -> dict[str, Any]:
    """A whole message as JSON values; `data` is the schema's example unless given."""
    envelope = {
        "event_id": "0199f0a2-7d6e-7c3a-8a7f-2f6f0d0c4a11",
        "event_type": event_type,
        "schema_version": 1,
        "source": "ecommerce-pipeline/test",
        "occurred_at": "2025-07-07T12:00:00.000Z",
        "stream_id": f"batch/{BATCH}",
        "stream_version": 3,
        "correlation_id": BATCH,
        "causation_id": None,
    }
    return envelope | {"data": an_example(event_type)} | changes


def a_body(event_type: str, **changes: Any) -> str:
    """A whole message as the text that a queue carries."""
    return json.dumps(an_envelope(event_type, **changes))


def on_the_bus(envelope: dict[str, Any]) -> dict[str, Any]:
    """The event as EventBridge hands it to a queue."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": envelope["event_type"],
        "source": envelope["source"],
        "account": "000000000000",
        "time": "2025-07-07T12:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": envelope,
    }


def a_start(batch_id: str = BATCH, attempt: int = 0) -> BatchStarted:
    """A small event; `attempt` tells one from another."""
    return BatchStarted(batch_id=batch_id, execution_id=EXECUTION, attempt=attempt)


def a_failure(reason: str) -> BatchFailed:
    """An event as large as its reason."""
    return BatchFailed(batch_id=BATCH, execution_id=EXECUTION, reason=reason)
