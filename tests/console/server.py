"""The API in this process behind a real server: a browser's question is a gateway's event."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.unit.api.harness import ApiHarness, a_question

PREFIX = "/_aws/execute-api/abcdef1234"
"""As the local cloud has it: links have to hold below any path."""


@contextmanager
def serving(api: ApiHarness) -> Iterator[str]:
    """The address of the API, on a free port of loopback."""

    one_at_a_time = Lock()  # as in a Lambda function

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            path = unquote(asked.path)
            if not path.startswith(PREFIX):
                self.send_error(404)
                return
            event = a_question(path.removeprefix(PREFIX) or "/", dict(self.headers))
            event["rawQueryString"] = asked.query
            event["queryStringParameters"] = dict(parse_qsl(asked.query, keep_blank_values=True))
            with one_at_a_time:
                said = api.resolve(event)
            body = said.get("body") or ""
            raw = base64.b64decode(body) if said.get("isBase64Encoded") else body.encode()
            self.send_response(said["statusCode"])
            for name, value in said["headers"].items():
                self.send_header(name, value)
            if said["statusCode"] != 304:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # browsers leave when they have what they want
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            """Said by nobody: the browser tells of what failed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{PREFIX}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
