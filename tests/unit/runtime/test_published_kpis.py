"""Published KPIs, read side by side: connections are used again, and days keep their order."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import sleep

import boto3
import pytest

from contracts.errors import PipelineError
from services.runtime.storage.aws import CALLS_AT_ONCE, CONFIG
from services.runtime.storage.published_kpis import PublishedKpis

DAYS = [date(2025, 7, 1) + timedelta(days=n) for n in range(31)]
REFUSED = "2025-07-20"


class Server:
    """DynamoDB as far as it is asked for days: how often somebody connected, who asked at once."""

    def __init__(self) -> None:
        self.connections = self.asked = self.at_once = self.most_at_once = 0
        self.refuses = False
        self._lock = Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.count(connections=1)
                super().setup()

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                [day] = [one["S"] for one in request["ExpressionAttributeValues"].values()]
                server.count(asked=1, at_once=1)
                sleep(0.002 if day < "2025-07-16" else 0)
                server.count(at_once=-1)
                if server.refuses and day == REFUSED:
                    self._answer(400, {"__type": "com.x#ResourceNotFoundException"})
                else:
                    self._answer(200, {"Items": [{"order_date": {"S": day}}], "Count": 1})

            def _answer(self, status: int, body: object) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing: tests look at the counts."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def count(self, connections: int = 0, asked: int = 0, at_once: int = 0) -> None:
        with self._lock:
            self.connections += connections
            self.asked += asked
            self.at_once += at_once
            self.most_at_once = max(self.most_at_once, self.at_once)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = Thread(target=found.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.http.shutdown()
        thread.join()
        found.http.socket.close()


@pytest.fixture
def kpis(server: Server) -> PublishedKpis:
    session = boto3.Session("AKID", "secret", region_name="us-east-1")
    client = session.client("dynamodb", endpoint_url=server.url, config=CONFIG)
    return PublishedKpis(client, "OrderKPIs", "CategoryKPIs")


@pytest.mark.medium
def test_days_are_asked_side_by_side_over_connections_that_stay(
    server: Server, kpis: PublishedKpis
) -> None:
    for _ in range(4):
        found = kpis.categories(reversed(DAYS))
        assert [item["order_date"] for item in found] == [str(day) for day in DAYS]
    assert server.asked == 4 * len(DAYS)
    assert server.connections <= CALLS_AT_ONCE
    assert 1 < server.most_at_once <= CALLS_AT_ONCE


def test_an_error_of_one_day_is_that_of_all(server: Server, kpis: PublishedKpis) -> None:
    server.refuses = True
    with pytest.raises(PipelineError, match="table CategoryKPIs"):
        kpis.categories(DAYS)
