"""The proxy does what a cell asks: a matrix of faults that never happened would prove nothing."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.fault_matrix import faults
from tests.fault_matrix.proxy import HOST, FaultProxy, Injection


class Refused(Exception):
    """The answer was no 200."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Upstream:
    """A service that counts what it carries out and answers with the count."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                upstream.taken.append(str(self.headers["X-Amz-Target"]))
                body = json.dumps({"count": len(upstream.taken)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    running = Upstream()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    running = FaultProxy(upstream.server.server_address[1])
    running.start()
    yield running
    running.stop()


def call(proxy: FaultProxy, operation: str = "UpdateTable") -> int:
    """One request as boto3 would send it; gives the count that the service answered with."""
    headers = {"X-Amz-Target": f"AWSGlue.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
    try:
        connection.request("POST", "/", b"{}", headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise Refused(answer.status)
    return int(json.loads(body)["count"])


def updates(fault: faults.Fault, **more: object) -> Injection:
    return Injection(lambda request: request.operation == "glue:UpdateTable", fault, **more)


def test_what_no_fault_is_meant_for_goes_through(proxy: FaultProxy, upstream: Upstream) -> None:
    injection = updates(faults.throttle)
    with proxy.injecting(injection):
        assert call(proxy, "GetTable") == 1
    assert injection.done == []


def test_a_duplicate_is_carried_out_twice(proxy: FaultProxy, upstream: Upstream) -> None:
    injection = updates(faults.send_twice)
    with proxy.injecting(injection):
        assert call(proxy) == 2
    assert injection.done == ["glue:UpdateTable"]


def test_a_throttled_request_is_not_carried_out(proxy: FaultProxy, upstream: Upstream) -> None:
    with proxy.injecting(updates(faults.throttle)), pytest.raises(Refused):
        call(proxy)
    assert upstream.taken == []


def test_an_error_after_success_hides_what_was_done(proxy: FaultProxy, upstream: Upstream) -> None:
    with proxy.injecting(updates(faults.fail_after)), pytest.raises(Refused) as caught:
        call(proxy)
    assert caught.value.status >= 500
    assert len(upstream.taken) == 1


def test_only_the_nth_request_is_spoilt(proxy: FaultProxy, upstream: Upstream) -> None:
    injection = updates(faults.fail, nth=2)
    with proxy.injecting(injection):
        assert call(proxy) == 1
        with pytest.raises(Refused):
            call(proxy)
        assert call(proxy) == 2
    assert len(injection.done) == 1


def test_a_fault_that_waits_for_an_answer_sees_a_request_that_began_before_it(
    proxy: FaultProxy, upstream: Upstream
) -> None:
    """A worker's long poll is under way when a cell begins."""
    injection = updates(faults.fail_after, matches_answer=lambda _: True)
    send = proxy.send

    def arms_meanwhile(request: object) -> object:
        proxy._injections = [injection]
        return send(request)  # type: ignore[arg-type]

    proxy.send = arms_meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(Refused):
        call(proxy)
    assert injection.done == ["glue:UpdateTable"]
