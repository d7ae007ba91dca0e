"""An OpenTelemetry collector of a test's own: takes OTLP over HTTP and keeps the spans."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {4: "PRODUCER", 5: "CONSUMER"}


@dataclass(frozen=True)
class Received:
    """One span as it came over the wire; ids are hexadecimal, an empty parent is none."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    kind: str
    seconds: float
    is_error: bool
    attributes: dict[str, str]


@dataclass
class Collector:
    """What came; `status`: what it answers with; `calls`: requests, good or bad."""

    url: str = ""
    status: int = 200
    calls: int = 0
    spans: list[Received] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        self.calls += 1
        if self.status != 200:
            return
        assert path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(body)
        for of_resource in request.resource_spans:
            resource = texts(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                self.spans += [received(span, resource["service.name"]) for span in of_scope.spans]


def received(span: Any, service: str) -> Received:
    return Received(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        service=service,
        kind=KINDS[span.kind],
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        is_error=span.status.code == 2,
        attributes=texts(span.attributes),
    )


def texts(attributes: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in attributes}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Listens on a free port of loopback while inside."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def faults_of(spans: list[Received]) -> list[str]:
    """What is wrong with the traces of these spans: broken trees, more than one root."""
    faults = []
    for trace_id in {span.trace_id for span in spans}:
        of_trace = [span for span in spans if span.trace_id == trace_id]
        there = {span.span_id for span in of_trace}
        roots = {span.span_id for span in of_trace if not span.parent_id}
        if len(roots) != 1:
            faults.append(f"{trace_id} has {len(roots)} roots")
        faults += [
            f"{span.name} of {span.service}: its parent {span.parent_id} is not there"
            for span in of_trace
            if span.parent_id and span.parent_id not in there
        ]
    return faults
