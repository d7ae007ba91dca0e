"""Credentials of workers: each token opens its own role, and nothing of this machine's users."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local import server, task_credentials
from infra.local.ministack_iam import Rights
from infra.local.saved_state import SavedState
from infra.local.server import Saver, Server
from infra.local.task_credentials import CREDENTIALS_PATH, token_of, worker_environment

KEY = task_credentials.new_key()
ROLE = "arn:aws:iam::000000000000:role/validator-TaskRole-1A"


def asked(path: str, token: str, key: str = KEY) -> int:
    """The status of the answer to a worker."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    saver = Saver(SavedState(Path("/")), 4566)
    application = Server(None, saver, SimpleNamespace(), Rights(), key)  # type: ignore[arg-type]
    headers = [(b"authorization", token.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    asyncio.run(application(scope, receive, send))
    return int(said[0]["status"])


def test_a_worker_is_handed_its_own_role_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[str] = []
    monkeypatch.setattr(server, "credentials", lambda role, _: handed.append(role) or {})
    token = token_of(KEY, "validator-TaskRole-1A")
    assert asked(f"{CREDENTIALS_PATH}validator-TaskRole-1A", token) == 200
    for path, said in (
        ("transformer-TaskRole", token),
        ("validator-TaskRole-1A", ""),
        ("validator-TaskRole-1A", "é"),
    ):
        assert asked(CREDENTIALS_PATH + path, said) == 403
    assert handed == ["validator-TaskRole-1A"]


def test_a_server_that_was_given_no_key_hands_out_nothing() -> None:
    token = token_of("", "validator-TaskRole-1A")
    assert asked(f"{CREDENTIALS_PATH}validator-TaskRole-1A", token, key="") == 403


def test_a_worker_finds_no_credentials_but_those() -> None:
    environment = worker_environment("http://127.0.0.1:1", KEY, ROLE)
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == (
        "http://127.0.0.1:1/_ecp/credentials/validator-TaskRole-1A"
    )
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"]
    assert Path(environment["AWS_CONFIG_FILE"]) == Path("/dev/null")
    assert "AWS_ACCESS_KEY_ID" not in environment
