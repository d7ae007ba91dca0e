"""The api by real HTTP on loopback: what it is asked is remembered, answers can be spoiled."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Spoiled = tuple[int, Mapping[str, str], str]


@dataclass
class Served:
    """`asked`: path with query, and headers, of each request. `spoil`: answers in place of ours."""

    url: str
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    spoil: list[Spoiled] = field(default_factory=list)


@contextmanager
def served(resolve: Callable[[dict[str, Any], Any], Mapping[str, Any]]) -> Iterator[Served]:
    """An API on a free port of loopback; `resolve` takes an event of the gateway (payload 2.0)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, dict(self.headers)))
            if state.spoil:
                status, headers, text = state.spoil.pop(0)
                self._answer(status, headers, text.encode())
                return
            said = resolve(an_event(self.path, dict(self.headers)), None)
            body = said["body"]
            content = b64decode(body) if said.get("isBase64Encoded") else body.encode()
            self._answer(said["statusCode"], said["headers"], content)

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in (*headers.items(), ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing: tests look at what was asked."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state = Served(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def an_event(path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """A GET as an HTTP API hands it on."""
    parts = urlsplit(path)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": {name.lower(): value for name, value in headers.items()},
        "queryStringParameters": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "requestContext": {
            "stage": "$default",
            "requestId": "r-1",
            "http": {"method": "GET", "path": parts.path, "sourceIp": "127.0.0.1"},
        },
        "isBase64Encoded": False,
    }
