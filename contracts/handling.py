"""What is told of each message that a service handles: a log line and its measures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from contracts import metrics
from contracts.envelope import Message
from contracts.logs import keys_of_message, logger, this_service
from contracts.metrics import Metric


@contextmanager
def told(message: Message) -> Iterator[None]:
    """Handle the message inside; how long it took and whether it failed is told afterwards."""
    began = time.monotonic()
    faults = 1
    try:
        yield
        faults = 0
    finally:
        seconds = time.monotonic() - began
        measures = [Metric.HANDLING_SECONDS.of(seconds, message.event_type)]
        measures += [Metric.HANDLER_FAULTS.of(1, message.event_type)] * faults
        metrics.write(this_service(), measures, keys_of_message(message))
    logger.info("message handled", seconds=round(seconds, 3))
