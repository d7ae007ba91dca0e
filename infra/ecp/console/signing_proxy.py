"""A proxy on loopback that signs what a browser asks of the API on AWS (SigV4).

Whoever reached it could ask in the name of its owner: so it listens on loopback alone, below a
path that cannot be guessed, answers no other host name (DNS rebinding), and takes a form from its
own pages only.
"""

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

SERVICE = "execute-api"
ASKED = ("Accept", "Accept-Encoding", "Content-Type", "If-None-Match")
"""What of a question is sent on."""
NOT_ANSWERED = {"connection", "content-length", "date", "server", "transfer-encoding", "keep-alive"}
"""What of an answer is of the connection to AWS, and not of the answer."""
MAX_FORM_BYTES = 1_000_000
TIMEOUT_SECONDS = 35
"""The API's own function has 29 s."""


class SigningProxy:
    """Serves the API at `api` under `address`, each request signed with the credentials."""

    def __init__(self, api: str, credentials: Any, region: str, port: int = 0) -> None:
        self._api, self._credentials, self._region = api.rstrip("/"), credentials, region
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)
        self._prefix = f"/{secrets.token_urlsafe(24)}"
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """What stands before the API's paths; who knows it may ask."""
        return f"http://127.0.0.1:{self.port}{self._prefix}"

    def serve(self) -> None:
        """Until `close`, or an interruption."""
        self._server.serve_forever()

    def close(self) -> None:
        """Listen no more."""
        self._server.server_close()

    def refusal(self, method: str, target: str, headers: Any) -> str | None:
        """Why a request is not sent on; None when it is."""
        if headers.get("Host") not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            return "another host is asked for"
        if not secrets.compare_digest(
            target[: len(self._prefix) + 1].encode(), f"{self._prefix}/".encode()
        ):
            return "open the address that `ecp console` has told"
        if method != "GET" and headers.get("Origin") != f"http://{headers['Host']}":
            return "a form of another page"
        return None

    def ask(self, method: str, target: str, headers: Any, body: bytes) -> Any:
        """The API's answer to a request below the prefix; raises urllib3's HTTPError.

        Host, time, token and body are signed; what is on the way may rewrite other headers.
        """
        url = f"{self._api}{target.removeprefix(self._prefix)}"
        request = AWSRequest(method, url, data=body or None)
        frozen = self._credentials.get_frozen_credentials()
        SigV4Auth(frozen, SERVICE, self._region).add_auth(request)
        signed = request.prepare()
        sent = {name: headers[name] for name in ASKED if headers.get(name)}
        return self._pool.request(
            method, signed.url, headers=sent | dict(signed.headers), body=body or None,
            redirect=False, decode_content=False, preload_content=True,
        )  # fmt: skip


def _handler(proxy: SigningProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_SECONDS

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size) > MAX_FORM_BYTES:
                self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large")
                return
            self._answer(self.rfile.read(int(size)))

        def _answer(self, body: bytes) -> None:
            refused = proxy.refusal(self.command, self.path, self.headers)
            if refused is not None:
                self._say(HTTPStatus.FORBIDDEN, refused)
                return
            try:
                answer = proxy.ask(self.command, self.path, self.headers, body)
            except urllib3.exceptions.HTTPError as error:
                self._say(HTTPStatus.BAD_GATEWAY, f"the API does not answer: {error}")
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in NOT_ANSWERED:
                    self.send_header(name, value)
            if answer.status != HTTPStatus.NOT_MODIFIED:
                self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        def _say(self, status: HTTPStatus, text: str) -> None:
            said = f"{text}\n".encode()
            self.close_connection = True
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Length", str(len(said)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the address is a secret, and pages say what went wrong."""

    return Handler
