"""What to do about the letters of each queue: the first sentence of its page in the runbook."""

ADVICE = {
    "aggregator-files-dlq": (
        "Cure the reason and send them back: taking a file in twice changes nothing. If the "
        "message itself is broken, drop it and upload the file again."
    ),
    "aggregator-commands-dlq": (
        "If its batch is FAILED, redrive the batch. A RedriveBatch, ReleaseBatch or "
        "DismissQuarantine may be sent back or typed again; drop all else."
    ),
    "aggregator-events-dlq": (
        "Cure the reason and send them back: starting twice is starting once. The sweep does the "
        "same work within minutes."
    ),
    "lock-commands-dlq": (
        "Do not send them back: the saga has tried again, and heartbeats come again. Drop them "
        "once you know why they came."
    ),
    "lock-events-dlq": (
        "The next sweep, a minute later, does the same work: cure the reason, then drop them."
    ),
    "validator-commands-dlq": (
        "Do not send them back: nobody waits for the answer any more. Cure the reason, redrive the "
        "batch or type the erasure again, and drop them."
    ),
    "transformer-commands-dlq": (
        "Do not send them back: their execution is over and their fence is old. Cure the reason, "
        "redrive the batch, and drop them."
    ),
    "archiver-commands-dlq": (
        "Do not send them back: the KPIs of the batch are published and right. Cure the reason, "
        "redrive the batch or type the erasure again, and drop them."
    ),
    "event-relay-dlq": (
        "They are places in the event store's stream, not messages, and cannot be sent back: cure "
        "the reason, and drop them once the sweep has started the batches."
    ),
    "api-events-dlq": (
        "Cure the reason and send them back: an event taken twice is taken once. Or make the views "
        "anew with `ecp api rebuild`, and drop them."
    ),
    "guard-events-dlq": (
        "Cure the reason and send them back: the days are judged by what is published then."
    ),
    "lineage-events-dlq": (
        "Cure the reason and send them back: what comes late or twice is said of the same run."
    ),
}
"""By queue. A test holds the runbook to these words."""


def advice_for(queue: str) -> str:
    """What to do about a queue's letters."""
    return ADVICE.get(queue, "Look at the reason, cure it, then send them back or drop them.")
