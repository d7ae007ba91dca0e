"""A local cloud whose functions and workers speak to it through the proxy, with short timeouts."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud as local_cloud
from infra.local import ministack
from infra.local.folders import Folders
from infra.local.records import CLOUD, read_record
from tests.fault_matrix import callers
from tests.fault_matrix.proxy import FaultProxy
from tests.fault_matrix.wire import Request
from tests.support.deployed_code import code_path
from tests.support.ecp import Said, ecp
from tests.support.pipeline import DATA_BUCKET, Pipeline

MACHINERY = Path(__file__).parent / "machinery"
FUNCTION_SECONDS = 5
"""What comes late in a cell comes later than this."""
SWEEP_SECONDS = 3.0
"""A minute in the templates: what only a sweep cures would make each cell a minute long."""
SWEEPS = {
    "aggregator-events": {"sweep": DATA_BUCKET},
    "lock-events": {"sweep": "ecommerce-pipeline-lock"},
}
"""What the rules `aggregator-sweep` and `lock-sweep` send, by queue."""


@dataclass(frozen=True)
class Stand:
    """One local cloud behind a proxy. `clocks`: where each process's clock jumps are written."""

    directory: Path
    proxy: FaultProxy
    clocks: Path
    direct: Pipeline
    pipeline: Pipeline

    def ecp(self, *arguments: str) -> Said:
        """Run `ecp`; it speaks to the proxy as well."""
        return ecp(*arguments, directory=self.directory, environment=self.pipeline.environment)

    def queue_url(self, name: str) -> str:
        return str(self.direct.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue, past the proxy."""
        self.direct.client("sqs").send_message(QueueUrl=self.queue_url(queue), MessageBody=body)

    def restart_everything(self) -> None:
        """kill -9 of every worker and function at once; the supervisor starts the workers again."""
        record = read_record(Folders(self.directory).record)
        if record is None:
            raise LookupError(f"no local cloud runs in {self.directory}")
        pids = [*record.workers.values(), *callers.functions_of(record.processes[CLOUD].pid)]
        self.proxy.say(f"kill -9 of all workers and functions: {pids}")
        for pid in pids:
            callers.kill(pid)

    def set_clocks_right(self) -> None:
        """Every clock is what it was: those that were ahead jump back."""
        for jump in self.clocks.iterdir():
            jump.unlink(missing_ok=True)


@contextmanager
def standing(directory: Path, function_seconds: int = FUNCTION_SECONDS) -> Iterator[Stand]:
    """A cloud of its own, swept often, until the end of the block.

    `function_seconds`: what a function may take, which on a busy machine its start alone may.
    """
    port = ministack.claim_port(0)
    proxy = FaultProxy(port)
    proxy.start()
    clocks = directory / "clocks"
    clocks.mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", code_path(MACHINERY))
        environment.setenv("FAULT_PROXY_URL", proxy.url)
        environment.setenv("FAULT_CLOCKS", str(clocks))
        # The proxy changes requests that are signed.
        environment.setenv(ministack.IAM_VARIABLE, ministack.OPEN)
        # No heartbeat within a held request: the message becomes visible again, as it should.
        environment.setenv("HEARTBEAT_SECONDS", "30")
        running = local_cloud.up(directory, port=port, settings={"SETTLE_SECONDS": "2"})
    try:
        direct = Pipeline(running.environment())
        through = Pipeline({**running.environment(), "AWS_ENDPOINT_URL": proxy.url})
        stand = Stand(directory, proxy, clocks, direct, through)
        _shorten_timeouts(stand, function_seconds)
        with _swept(stand):
            yield stand
    finally:
        local_cloud.down(directory)
        proxy.stop()


def _shorten_timeouts(stand: Stand, function_seconds: int) -> None:
    """Functions, their queues, and what the workers ask for: seconds instead of minutes."""
    visibility_seconds = function_seconds + 1
    sqs, functions = stand.direct.client("sqs"), stand.direct.client("lambda")
    for function in functions.list_functions()["Functions"]:
        functions.update_function_configuration(
            FunctionName=function["FunctionName"], Timeout=function_seconds
        )
    for url in sqs.list_queues()["QueueUrls"]:
        if not url.endswith("-dlq"):
            sqs.set_queue_attributes(
                QueueUrl=url, Attributes={"VisibilityTimeout": str(visibility_seconds)}
            )

    def short_visibility(request: Request) -> Request:
        """A worker asks for three heartbeats' worth; here it gets as much as a function."""
        if request.operation != "sqs:ReceiveMessage":
            return request
        given = {**request.parameters, "VisibilityTimeout": visibility_seconds}
        return request.with_parameters(given)

    stand.proxy.rewrites.append(short_visibility)


@contextmanager
def _swept(stand: Stand) -> Iterator[None]:
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(SWEEP_SECONDS):
            for queue, message in SWEEPS.items():
                stand.send(queue, json.dumps(message))

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def purge(stand: Stand, queue: str) -> list[dict[str, Any]]:
    """Take every message out of a queue."""
    sqs, url = stand.direct.client("sqs"), stand.queue_url(queue)
    taken: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        taken += messages
    return taken


def wait_until_quiet(stand: Stand, longest_seconds: float) -> None:
    """Until no fault holds a request any more."""
    deadline = time.monotonic() + longest_seconds
    while stand.proxy.is_spoiling() and time.monotonic() < deadline:
        time.sleep(0.05)
