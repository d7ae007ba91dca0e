"""The proxy of `ecp console`: it signs for its owner's browser, and for nobody else."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.ecp.console.signing_proxy import SigningProxy

OWNER = Credentials("AKIAOWNER", "owners-secret", "owners-token")
REGION = "eu-central-1"
POLL_SECONDS = 0.01
"""How often a server looks whether it is to end: half a second is the default."""
PAGE = gzip.compress(b"<h1>Overview</h1>")


class Api(BaseHTTPRequestHandler):
    """What AWS would get, and an answer with what a browser needs."""

    asked: ClassVar[list["Api"]] = []
    body = b""

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.asked.append(self)
        if self.headers.get("If-None-Match") == '"known"':
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    Api.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def proxy(api: str) -> Iterator[SigningProxy]:
    made = SigningProxy(api, OWNER, REGION)
    Thread(target=made._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
    yield made
    made._server.shutdown()
    made.close()


def ask(url: str, method: str = "GET", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"line=4" if method == "POST" else None
    return urllib3.request(method, url, headers=named, body=body, redirect=False, retries=False)


def signature_of(asked: Api, api: str) -> str:
    """As AWS would reckon it from what came."""
    signed = asked.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    headers = {name: asked.headers[name] for name in signed if name != "host"}
    request = AWSRequest(asked.command, api + asked.path, headers, asked.body or None)
    request.context["timestamp"] = asked.headers["X-Amz-Date"]
    auth = SigV4Auth(OWNER, "execute-api", REGION)
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


@pytest.mark.parametrize(
    "path",
    ["/console", "/console/categories?category=%3Cscript%3E&from=2025-07-01&to=", "/kpis/orders"],
)
def test_what_a_browser_asks_is_signed_and_otherwise_left_as_it_is(
    proxy: SigningProxy, api: str, path: str
) -> None:
    answer = ask(proxy.address + path, Cookie="a=b", Accept_Encoding="gzip")
    [asked] = Api.asked
    assert asked.path == path
    assert asked.headers["X-Amz-Security-Token"] == "owners-token"
    assert (
        f"AKIAOWNER/{datetime.now(UTC):%Y%m%d}/{REGION}/execute-api"
        in (asked.headers["Authorization"])
    )
    assert asked.headers["Authorization"].endswith(signature_of(asked, api))
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in asked.headers["Authorization"]
    assert "Cookie" not in asked.headers
    assert (answer.status, answer.data) == (200, b"<h1>Overview</h1>")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


def test_an_answer_that_is_known_is_not_sent_again(proxy: SigningProxy) -> None:
    answer = ask(f"{proxy.address}/console", If_None_Match='"known"')
    assert (answer.status, answer.data) == (304, b"")


def test_who_does_not_know_the_address_gets_nothing(proxy: SigningProxy) -> None:
    other = f"http://127.0.0.1:{proxy.port}"
    for path in ("/", "/console", f"{proxy.address.removeprefix(other)[:-1]}/console"):
        assert ask(other + path).status == 403
    assert Api.asked == []


def test_another_name_for_this_machine_gets_nothing(proxy: SigningProxy) -> None:
    assert ask(f"{proxy.address}/console", Host="attacker.example").status == 403
    assert Api.asked == []


@pytest.mark.parametrize(
    ("origin", "status"), [(None, 403), ("null", 403), ("http://attacker.example", 403), ("", 200)]
)
def test_a_form_is_taken_from_its_own_pages_only(
    proxy: SigningProxy, api: str, origin: str | None, status: int
) -> None:
    ours = f"http://127.0.0.1:{proxy.port}"
    headers = {} if origin is None else {"Origin": origin or ours}
    assert ask(f"{proxy.address}/console", "POST", **headers).status == status
    assert [asked.body for asked in Api.asked] == ([b"line=4"] if status == 200 else [])


def test_an_api_that_does_not_answer_is_told() -> None:
    proxy = SigningProxy("http://127.0.0.1:9", OWNER, REGION)
    Thread(target=proxy.serve, daemon=True).start()
    answer = ask(f"{proxy.address}/console")
    assert (answer.status, b"does not answer" in answer.data) == (502, True)
    proxy._server.shutdown()
    proxy.close()


def test_it_listens_on_loopback_alone_and_each_time_elsewhere(proxy: SigningProxy) -> None:
    other = SigningProxy("http://127.0.0.1:9", OWNER, REGION)
    assert proxy._server.server_address[0] == "127.0.0.1"
    assert proxy.address.rpartition("/")[2] != other.address.rpartition("/")[2]
    other.close()
