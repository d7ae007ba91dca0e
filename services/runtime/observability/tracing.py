"""Sending spans to an OpenTelemetry collector; where none is named, nothing is even imported."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from services.runtime.observability.logs import logger
from services.runtime.observability.spans import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
"""Standard variables of OpenTelemetry; all others of its OTLP exporter are heeded too."""
TIMEOUT_SECONDS = 1.0
"""How long a message may wait for the collector where no variable says it."""
QUIET_SECONDS = 60.0
"""How long a collector that failed is left alone: it costs a second a minute, not one a message."""


def is_on() -> bool:
    """Whether the environment names a collector."""
    return any(os.environ.get(name) for name in ENDPOINTS)


def new_span_id() -> int:
    """64 bits that no other span has."""
    return secrets.randbits(64) or 1


class Outbox:
    """Spans that wait to be sent together, and a collector that may be away.

    `now`: seconds on the monotonic clock.
    """

    def __init__(
        self,
        exporter: Callable[[], SpanExporter] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exporter, self._now = exporter or otlp_exporter, now
        self._waiting: list[Span] = []
        self._quiet_until = 0.0

    def put(self, spans: Iterable[Span]) -> None:
        """Keep them until the next flush."""
        self._waiting += spans

    def flush(self) -> None:
        """Send what waits. A collector that cannot take it costs the spans, never a message."""
        spans, self._waiting = self._waiting, []
        if not spans or self._now() < self._quiet_until:
            return
        if not self._sent(spans):
            self._quiet_until = self._now() + QUIET_SECONDS
            logger.warning("spans are not sent", spans=len(spans), quiet_seconds=QUIET_SECONDS)

    def _sent(self, spans: list[Span]) -> bool:
        from opentelemetry.sdk.trace.export import SpanExportResult

        try:
            result = self._exporter().export([readable(span) for span in spans])
        except Exception:
            logger.exception("the collector cannot be reached")
            return False
        return result is SpanExportResult.SUCCESS


@cache
def otlp_exporter() -> SpanExporter:
    """OTLP over HTTP, as the environment says."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # It says in plain text what `flush` says as a line of ours.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    is_told = any(os.environ.get(name) for name in TIMEOUTS)
    return OTLPSpanExporter(timeout=None if is_told else TIMEOUT_SECONDS)


def readable(span: Span) -> ReadableSpan:
    """The span as the SDK's exporters take it.

    Made directly: a tracer would give ids of its own, and these are what the trace is held by.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
    from opentelemetry.trace.status import Status, StatusCode

    def context(span_id: int) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(span.trace_id, span_id, is_remote=True, trace_flags=flags)

    return ReadableSpan(
        name=span.name,
        context=context(span.span_id),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=Resource.create({"service.name": span.service}),
        attributes=span.attributes,
        kind=SpanKind[span.kind],
        status=Status(StatusCode.ERROR, span.fault) if span.fault else Status(StatusCode.UNSET),
        start_time=_nanoseconds(span.began.timestamp()),
        end_time=_nanoseconds(span.ended.timestamp()),
        instrumentation_scope=InstrumentationScope("ecommerce-pipeline"),
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000) * 1000


outbox = Outbox()
"""The spans of this process."""
