"""The server around MiniStack: what counts as a change, saving that fails, objects without room."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local import server
from infra.local.ministack_iam import Rights
from infra.local.saved_state import SavedState
from infra.local.server import SaveFailed, Saver, Scope, Server

Dump = Callable[[Path, Path], dict[str, int]]


def a_call(method: str = "POST", target: str = "", size: int | None = None) -> Scope:
    headers = [(b"x-amz-target", target.encode())] if target else []
    if size is not None:
        headers.append((b"content-length", str(size).encode()))
    return {"type": "http", "path": "/", "method": method, "headers": headers}


@pytest.mark.parametrize(
    ("call", "changes"),
    [
        (a_call("GET"), False),
        (a_call("HEAD"), False),
        (a_call("PUT", size=1), True),
        (a_call("DELETE"), True),
        (a_call("POST"), True),
        (a_call(target="DynamoDB_20120810.Query"), False),
        (a_call(target="AmazonSQS.ReceiveMessage"), False),
        (a_call(target="AmazonSQS.SendMessage"), True),
        (a_call(target="DynamoDB_20120810.TransactWriteItems"), True),
        (a_call(target="AWSStepFunctions.SendTaskSuccess"), True),
    ],
)
def test_what_may_change_something_is_saved(call: Scope, changes: bool) -> None:
    class Noting(Saver):
        noted = False

        def note_change(self) -> None:
            Noting.noted = True

    saver = Noting(SavedState(Path("/")), 4566)
    said = asyncio.run(answer(Server(ministack, saver, SimpleNamespace(), Rights()), call))
    assert (said[0]["status"], Noting.noted) == (200, changes)


async def ministack(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def answer(application: Server, call: Scope) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await application(call, receive, send)
    return said


def test_an_object_without_room_is_refused_and_a_message_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=server.RESERVE_BYTES + 99)
    monkeypatch.setattr(server.shutil, "disk_usage", lambda _: usage)
    application = Server(ministack, Saver(SavedState(tmp_path), 4566), SimpleNamespace(), Rights())
    assert asyncio.run(answer(application, a_call("PUT", size=99)))[0]["status"] == 200
    assert (
        asyncio.run(answer(application, a_call(target="AmazonSQS.SendMessage", size=999)))[0][
            "status"
        ]
        == 200
    )
    head, body = asyncio.run(answer(application, a_call("PUT", size=100)))
    assert head["status"] == 507
    assert b"<Code>DiskFull</Code><Message>No space left on device: " in body["body"]


def dumping(text: str) -> Dump:
    def dump(folder: Path, _last: Path) -> dict[str, int]:
        (folder / "sqs.json").write_text(text)
        return {"sqs.json": len(text)}

    return dump


def full(folder: Path, _last: Path) -> dict[str, int]:
    raise OSError(errno.ENOSPC, "No space left on device", str(folder / "sqs.json"))


@pytest.fixture
def state(tmp_path: Path) -> SavedState:
    return SavedState(tmp_path / "state")


def test_a_save_that_fails_is_told_and_the_last_one_stays(
    state: SavedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> Saver:
        saver = Saver(state, 4566)
        monkeypatch.setattr(server, "dump_state", dumping("whole"))
        await saver.save()
        saver.note_change()
        monkeypatch.setattr(server, "dump_state", full)
        with pytest.raises(SaveFailed, match="No space left on device"):
            await saver.save()
        return saver

    saver = asyncio.run(run())
    assert saver.failure is not None
    assert saver.failure.startswith("No space left on device: ")
    assert saver.has_changes
    newest = state.newest()
    assert newest is not None
    assert newest.saved_at == saver.saved_at
    assert (state.saved / "sqs.json").read_text() == "whole"


def test_nothing_is_saved_before_the_first_order(
    state: SavedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "dump_state", dumping("half a start"))

    async def run(*, ordered: bool) -> None:
        saver = Saver(state, 4566)
        if ordered:
            await saver.save()
        await saver.save_at_stop()

    asyncio.run(run(ordered=False))
    assert state.newest() is None
    asyncio.run(run(ordered=True))
    newest = state.newest()
    assert newest is not None
    assert newest.at_stop
