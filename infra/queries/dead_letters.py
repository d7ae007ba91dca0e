"""How many messages wait in the dead-letter queues; moving them is not done here."""

from typing import Any

DEAD_LETTER_SUFFIX = "-dlq"
OWNERS = (
    "aggregator-",
    "lock-",
    "validator-",
    "transformer-",
    "archiver-",
    "event-relay-",
    "saga-",
)


def dead_letters(sqs: Any) -> dict[str, int]:
    """Approximate number of visible messages per dead-letter queue of the pipeline."""
    counts: dict[str, int] = {}
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", ()):
            name = str(url).rsplit("/", 1)[-1]
            if is_dead_letter_queue(name):
                answer = sqs.get_queue_attributes(
                    QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
                )
                counts[name] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    return dict(sorted(counts.items()))


def is_dead_letter_queue(name: str) -> bool:
    """Whether a queue's name is `<service>-...-dlq` of one of our stacks."""
    return name.endswith(DEAD_LETTER_SUFFIX) and name.startswith(OWNERS)
