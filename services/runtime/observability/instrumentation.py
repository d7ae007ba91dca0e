"""What is told of each message that a service handles: a log line, its measures, its spans."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.clock import system_clock
from contracts.envelope import Message
from services.runtime.observability import metrics, spans, tracing
from services.runtime.observability.logs import keys_of_message, logger, this_service
from services.runtime.observability.metrics import Metric


@contextmanager
def instrumented(message: Message) -> Iterator[None]:
    """Handle the message inside; how long it took and whether it failed is told afterwards."""
    began, began_at, fault = time.monotonic(), system_clock(), ""
    try:
        yield
    except Exception as error:
        fault = type(error).__name__  # what it says is in the log, and may name what people typed
        raise
    finally:
        seconds = time.monotonic() - began
        measures = [Metric.HANDLING_SECONDS.of(seconds, message.event_type)]
        if fault:
            measures.append(Metric.HANDLER_FAULTS.of(1, message.event_type))
        metrics.write(this_service(), measures, keys_of_message(message))
        if tracing.is_on():
            tracing.outbox.put(
                spans.handled(
                    message, this_service(), tracing.new_span_id(), began_at, system_clock(), fault
                )
            )
    logger.info("message handled", seconds=round(seconds, 3))
