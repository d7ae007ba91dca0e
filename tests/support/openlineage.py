"""The standard's own schemas, and a backend of a test's own that takes events over HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMAS = Path(__file__).parent / "openlineage_schemas"
RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


@cache
def validator_of(url: str) -> jsonschema_rs.Validator:
    """By the URL that an event or a facet gives as that of its schema; raises KeyError."""
    documents = {
        document["$id"]: document
        for document in (json.loads(path.read_text()) for path in SCHEMAS.glob("*.json"))
    }
    if url.split("#")[0] not in documents:
        raise KeyError(f"no schema {url} in {SCHEMAS}")
    return jsonschema_rs.Draft202012Validator(
        {"$ref": url}, registry=jsonschema_rs.Registry(documents.items()), validate_formats=True
    )


def faults_of(event: dict[str, Any]) -> list[str]:
    """What the standard has against a run event as it was sent, each facet by its own schema."""
    found = [
        f"{error.instance_path}: {error}" for error in validator_of(RUN_EVENT).iter_errors(event)
    ]
    if event.get("schemaURL") != RUN_EVENT:
        found.append(f"schemaURL is {event.get('schemaURL')}")
    for name, facet in facets_of(event):
        errors = validator_of(facet["_schemaURL"]).iter_errors(facet)
        found += [f"{name}: {error}" for error in errors]
        by_name = validator_of(facet["_schemaURL"].split("#")[0]).iter_errors({name: facet})
        found += [f"{name}, by its name: {error}" for error in by_name]
    return found


def facets_of(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every facet of the event, by name."""
    datasets = (*event.get("inputs", ()), *event.get("outputs", ()))
    for holder in (event["run"], event["job"], *datasets):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(kind, {}).items()


@dataclass
class LineageBackend:
    """What came; `status`: what it answers with; `calls`: requests, good or bad."""

    url: str = ""
    status: int = 201
    calls: int = 0
    keys: list[str | None] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def running_backend() -> Iterator[LineageBackend]:
    """On a loopback port, until the end of the block."""
    backend = LineageBackend()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            backend.calls += 1
            if backend.status < 400:
                assert self.path == "/api/v1/lineage"
                backend.keys.append(self.headers.get("Authorization"))
                backend.events.append(json.loads(body))
            answer = b'{"message": "as the test wants it"}'
            self.send_response(backend.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    backend.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
