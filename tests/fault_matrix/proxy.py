"""An HTTP proxy before the local cloud: it passes on all but what it is told to spoil."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fault_matrix.wire import Answer, Request

HOST = "127.0.0.1"
UPSTREAM_TIMEOUT_SECONDS = 120
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}
Send = Callable[[Request], Answer]


@dataclass
class Exchange:
    """One request that a fault may act on; `peer_port` leads to the process that sent it."""

    request: Request
    peer_port: int
    proxy: "FaultProxy"
    _answered: Answer | None = None

    def forward(self, request: Request | None = None) -> Answer:
        """Have it carried out; the first time, an answer that is here already is taken."""
        if request is None and self._answered is not None:
            answer, self._answered = self._answered, None
            return answer
        return self.proxy.send(request or self.request)


Fault = Callable[[Exchange], Answer | None]
"""What to answer instead; None hangs up without an answer."""


@dataclass
class Injection:
    """A fault for the nth matching request, or for all from it on for a time.

    With `matches_answer` the request is carried out first, and only one so answered counts.
    `done` tells each time it was injected, by the operation.
    """

    matches: Callable[[Request], bool]
    fault: Fault
    nth: int = 1
    lasts_seconds: float = 0.0
    matches_answer: Callable[[Answer], bool] | None = None
    done: list[str] = field(default_factory=list)
    _seen: int = 0
    _began_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, request: Request) -> bool:
        """Whether this one is to be spoilt; each call counts."""
        with self._lock:
            self._seen += 1
            if self._began_at is None and self._seen == self.nth:
                self._began_at = time.monotonic()
            elif self._began_at is None or not self._lasts():
                return False
            self.done.append(request.operation)
            return True

    def takes_answer(self, request: Request, answer: Answer) -> bool:
        """As `takes`, for a fault that waits for a certain answer."""
        if self.matches_answer is None or not self.matches(request):
            return False
        return self.matches_answer(answer) and self.takes(request)

    def _lasts(self) -> bool:
        began_at = self._began_at or 0.0
        return time.monotonic() - began_at < self.lasts_seconds


class FaultProxy:
    """Listens on a free port of loopback; `log` holds what went by, newest last."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._injections: list[Injection] = []
        self.rewrites: list[Callable[[Request], Request]] = []
        self.log: list[tuple[float, str]] = []
        self._passed = threading.Condition()
        self._writes = 0
        self._at_work = 0
        self._server = _Server((HOST, 0), _handler_of(self))
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def injecting(self, *injections: Injection) -> Iterator[None]:
        """Within the block these faults are armed; `is_spoiling` tells of those still under way."""
        self._injections = list(injections)
        try:
            yield
        finally:
            self._injections = []

    def is_spoiling(self) -> bool:
        """Whether a fault is still at work on a request."""
        return self._at_work > 0

    def answer(self, request: Request, peer_port: int) -> Answer | None:
        """Pass a request on, or let the fault that is meant for it answer."""
        for rewrite in self.rewrites:
            request = rewrite(request)
        for injection in self._injections:
            if injection.matches_answer is None and injection.matches(request):
                exchange = Exchange(request, peer_port, self)
                is_meant = injection.takes(request)
                return self._spoil(injection, exchange) if is_meant else exchange.forward()
        answer = self.send(request)
        # Looked up only now: a long poll may have begun before the fault was armed.
        for injection in self._injections:
            if injection.takes_answer(request, answer):
                return self._spoil(injection, Exchange(request, peer_port, self, answer))
        return answer

    def send(self, request: Request) -> Answer:
        """Have a request carried out by the local cloud."""
        connection = http.client.HTTPConnection(
            HOST, self._upstream_port, timeout=UPSTREAM_TIMEOUT_SECONDS
        )
        try:
            connection.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            headers = tuple(
                (name, value)
                for name, value in response.getheaders()
                if name.lower() not in HOP_BY_HOP - {"content-length"}
            )
            answer = Answer(response.status, headers, response.read())
        finally:
            connection.close()
        self._note(request, answer)
        return answer

    def await_another_write(self, longest_seconds: float) -> bool:
        """Wait until something else is written; False when nothing was in that time."""
        with self._passed:
            before = self._writes
            return self._passed.wait_for(lambda: self._writes > before, longest_seconds)

    def say(self, line: str) -> None:
        """Add a line to the log."""
        self.log.append((time.time(), line))

    def _spoil(self, injection: Injection, exchange: Exchange) -> Answer | None:
        name = getattr(injection.fault, "__name__", "fault")
        self.say(f"{exchange.request.operation} <- {name}")
        self._at_work += 1
        try:
            answer = injection.fault(exchange)
        finally:
            self._at_work -= 1
        self.say(f"{exchange.request.operation} -> {answer.status if answer else 'hung up'}")
        return answer

    def _note(self, request: Request, answer: Answer) -> None:
        if not request.is_read or answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            self.say(f"{request.operation} {answer.status}")
        if not request.is_read:
            with self._passed:
                self._writes += 1
                self._passed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed leaves its connection: that is what the matrix is about."""


def _handler_of(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one(self) -> None:
            request = Request(self.command, self.path, tuple(self.headers.items()), self._body())
            answer = proxy.answer(request, int(self.client_address[1]))
            if answer is None:
                self.close_connection = True
                return
            self.wfile.write(_as_bytes(request, answer))

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

        def log_message(self, *_: object) -> None:
            """The proxy's own log tells more."""

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                return b"".join(iter(self._chunk, b""))
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _chunk(self) -> bytes:
            size = int(self.rfile.readline().split(b";")[0], 16)
            content = self.rfile.read(size)
            self.rfile.readline()
            return content

    return Handler


def _as_bytes(request: Request, answer: Answer) -> bytes:
    headers = [one for one in answer.headers if one[0].lower() != "content-length"]
    length = str(len(answer.body))
    if request.method == "HEAD":
        given = (value for name, value in answer.headers if name.lower() == "content-length")
        length = next(given, "0")
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in [*headers, ("Content-Length", length)]]
    body = b"" if request.method == "HEAD" else answer.body
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
