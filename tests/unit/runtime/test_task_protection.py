"""A container is protected from scaling in while it works: asked of a real HTTP server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from services.runtime.messaging.spare_time import Between, SpareTime
from services.runtime.messaging.task_protection import (
    ASK_AGAIN_SECONDS,
    RENEW_SECONDS,
    TaskProtection,
    asking,
    task_protection,
)
from services.runtime.messaging.worker import QueueWorker, run_worker
from tests.unit.runtime.test_worker_life import Queue, a_command, worker_on

PROTECTED = {"ProtectionEnabled": True, "ExpiresInMinutes": 10}
UNPROTECTED = {"ProtectionEnabled": False}
GRANTED: dict[str, Any] = {"protection": {"ProtectionEnabled": True, "TaskArn": "arn:aws:ecs:t"}}
BLOCKED: dict[str, Any] = {"failure": {"Arn": "arn:aws:ecs:t", "Reason": "DEPLOYMENT_BLOCKED"}}
THROTTLED: dict[str, Any] = {"error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}


class Agent(HTTPServer):
    """What the container agent of ECS does with PUT task-protection/v1/state."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.answers: list[tuple[int, bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/0123-abc"


class Handler(BaseHTTPRequestHandler):
    paths: ClassVar[list[str]] = []

    def do_PUT(self) -> None:
        assert isinstance(self.server, Agent)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        self.server.asked.append(json.loads(body))
        given = self.server.answers
        status, answer = given.pop(0) if given else (200, json.dumps(GRANTED).encode())
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def agent() -> Iterator[Agent]:
    server = Agent()
    yield server
    server.shutdown()
    server.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def protection_at(agent: Agent, clock: Clock) -> TaskProtection:
    return TaskProtection(asking(agent.uri), clock)


def test_it_is_asked_for_once_and_renewed_before_it_runs_out(agent: Agent) -> None:
    clock = Clock()
    protection = protection_at(agent, clock)
    for _ in range(3):
        protection.hold()
    assert agent.asked == [PROTECTED]
    assert Handler.paths[-1] == "/api/0123-abc/task-protection/v1/state"
    clock.now += RENEW_SECONDS
    assert PROTECTED["ExpiresInMinutes"] * 60 > RENEW_SECONDS
    protection.hold()
    assert agent.asked == [PROTECTED, PROTECTED]


def test_it_is_let_go_once_and_only_where_it_is_held(agent: Agent) -> None:
    protection = protection_at(agent, Clock())
    protection.let_go()
    protection.hold()
    protection.let_go()
    protection.let_go()
    protection.hold()
    assert agent.asked == [PROTECTED, UNPROTECTED, PROTECTED]


@pytest.mark.parametrize(
    "refusal",
    [
        (200, json.dumps(BLOCKED).encode()),
        (429, json.dumps(THROTTLED).encode()),
        (502, b"<html>bad gateway</html>"),
        (200, b"[]"),
        (500, b"{}"),
    ],
    ids=["blocked", "throttled", "no JSON", "a list", "nothing in it"],
)
def test_what_is_refused_is_asked_for_again_a_minute_later(
    agent: Agent, refusal: tuple[int, bytes]
) -> None:
    agent.answers.append(refusal)
    clock = Clock()
    protection = protection_at(agent, clock)
    protection.hold()
    protection.hold()
    protection.let_go()
    assert agent.asked == [PROTECTED], "nothing is held, and the agent has its peace"
    clock.now += ASK_AGAIN_SECONDS
    protection.hold()
    protection.let_go()
    assert agent.asked == [PROTECTED, PROTECTED, UNPROTECTED]


def test_what_could_not_be_let_go_is_let_go_a_minute_later(agent: Agent) -> None:
    clock = Clock()
    protection = protection_at(agent, clock)
    protection.hold()
    agent.answers.append((429, json.dumps(THROTTLED).encode()))
    protection.let_go()
    protection.let_go()
    clock.now += ASK_AGAIN_SECONDS
    protection.let_go()
    protection.let_go()
    assert agent.asked == [PROTECTED, UNPROTECTED, UNPROTECTED]


def test_a_renewal_that_is_refused_is_still_let_go(agent: Agent) -> None:
    """Its minutes are not over yet, and nobody else would end them."""
    clock = Clock()
    protection = protection_at(agent, clock)
    protection.hold()
    clock.now += RENEW_SECONDS
    agent.answers.append((200, json.dumps(BLOCKED).encode()))
    protection.hold()
    protection.let_go()
    assert agent.asked == [PROTECTED, PROTECTED, UNPROTECTED]


def test_an_agent_that_is_away_is_a_refusal_and_no_fault(agent: Agent) -> None:
    uri = agent.uri
    agent.shutdown()
    agent.server_close()
    refusal = asking(uri, timeout_seconds=1)(PROTECTED)
    assert "does not answer" in refusal


def test_elsewhere_than_on_ecs_nobody_is_asked() -> None:
    protection = task_protection({})
    protection.hold()
    protection.let_go()


class Telling:
    """A consumer that tells what the agent was asked before the message was handled."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self.asked_before = agent, []  # type: ignore[var-annotated]

    def handle(self, _body: str, _queue: str) -> None:
        deadline = threading.Event()
        for _ in range(500):
            if self._agent.asked:
                break
            deadline.wait(0.01)
        self.asked_before.append(list(self._agent.asked))


def stopped_at(poll: int, queue: Queue, consumer: Any = None, **options: Any) -> QueueWorker:
    worker = worker_on(queue, consumer, **options)
    queue._on_poll = lambda number: worker.stop() if number == poll else None
    return worker


def test_a_worker_is_protected_while_messages_come_and_not_after(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECS_AGENT_URI", agent.uri)
    telling = Telling(agent)
    run_worker(stopped_at(4, Queue(a_command(), a_command()), telling, heartbeat_seconds=60))
    assert telling.asked_before == [[PROTECTED], [PROTECTED]], "once for messages in a row"
    assert agent.asked == [PROTECTED, UNPROTECTED]


def test_a_message_that_takes_long_stays_protected(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.messaging.task_protection.RENEW_SECONDS", 0.0)
    monkeypatch.setenv("ECS_AGENT_URI", agent.uri)

    class Slow:
        def handle(self, _body: str, _queue: str) -> None:
            pause = threading.Event()
            for _ in range(500):
                if len(agent.asked) > 3:
                    return
                pause.wait(0.01)

    run_worker(stopped_at(3, Queue(a_command()), Slow(), heartbeat_seconds=0.01))
    assert agent.asked[:4] == [PROTECTED] * 4
    assert agent.asked[-1] == UNPROTECTED


def test_work_between_messages_is_protected_as_well(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction is not ended because its queue is empty."""
    monkeypatch.setenv("ECS_AGENT_URI", agent.uri)
    spare_time, ends = SpareTime(), threading.Event()
    queue = Queue()
    worker = worker_on(queue, between=Between(spare_time, lambda: ends.wait(30)))
    seen: list[list[dict[str, Any]]] = []

    def on_poll(number: int) -> None:
        if number == 4:
            seen.append(list(agent.asked))
            ends.set()
            spare_time.end()
        if number == 6:
            worker.stop()

    queue._on_poll = on_poll
    run_worker(worker)
    assert seen == [[PROTECTED]]
    assert agent.asked == [PROTECTED, UNPROTECTED]
