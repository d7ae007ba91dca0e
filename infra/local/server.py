"""The process of the local cloud: MiniStack on loopback, and its state saved while it runs.

MiniStack saves nothing before it stops, and then file by file. Here its whole state is saved at
once: some seconds after something changed, and when it is told to stop. `python -m
infra.local.server`; under /_ecp/ it answers what only this process knows.
"""

import asyncio
import json
import logging
import os
import selectors
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from contracts.clock import to_rfc3339
from infra.local.ministack import ACCOUNT, RIGHTS_PATH, SAVE_PATH, STATE_PATH
from infra.local.ministack_iam import Rights
from infra.local.ministack_state import Restored, dump_state, queues_with_retries
from infra.local.saved_state import Save, SavedState
from infra.local.settings import ServerSettings
from infra.local.task_credentials import CREDENTIALS_PATH, credentials, is_of

SAVE_AFTER_SECONDS = 5.0
"""So long after a change at most it is saved, unless saving itself takes long."""
SHARE_OF_TIME = 20
"""A save is followed by so many times its own duration without one."""
LONGEST_SAVE_SECONDS = 120.0
RESERVE_BYTES = 16_000_000
"""Objects are refused when the disk would have less than this left."""
READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Receive", "Head")
"""Calls of AWS that change nothing begin with these words."""

logger = logging.getLogger("ecp.state")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class SaveFailed(Exception):
    """The state could not be saved; the last save stands."""


class Saver:
    """Saves the whole state, in a copy of this process that shares its memory.

    The copy (fork) sees one instant, while this process goes on answering. Nothing is saved before
    the first order to: a cloud that did not come up leaves the last save as it was.
    """

    def __init__(self, state: SavedState, port: int) -> None:
        self._state, self._port = state, port
        self._is_ordered = False
        self._changed_at: float | None = None
        self._not_before = 0.0
        self._one_at_a_time = asyncio.Lock()
        self.saved_at: str | None = None
        self.failure: str | None = None

    @property
    def has_changes(self) -> bool:
        return self._changed_at is not None

    def lack_of_space(self, size_bytes: int) -> str | None:
        """Why an object of so many bytes is not taken: MiniStack says 200 when it cannot keep it.

        The reserve is left for the rest: state files are small, and so are messages.
        """
        if not size_bytes:
            return None
        free = shutil.disk_usage(self._state.root).free
        if free >= size_bytes + RESERVE_BYTES:
            return None
        return (
            f"No space left on device: {self._state.root} has {free // 1_000_000:,} MB free, and "
            f"the local cloud leaves {RESERVE_BYTES // 1_000_000} MB of them alone"
        )

    def note_change(self) -> None:
        """Something is different from what is saved."""
        if self._changed_at is None:
            self._changed_at = time.monotonic()

    async def save_changes(self) -> None:
        """Save what changed, when it is time to; one failure is followed by another attempt."""
        now = time.monotonic()
        due = self._is_ordered and self._changed_at is not None and now >= self._not_before
        if due and self._changed_at is not None and now - self._changed_at >= SAVE_AFTER_SECONDS:
            try:
                await self.save()
            except SaveFailed as failed:
                logger.error("the state could not be saved: %s", failed)

    async def save(self, *, at_stop: bool = False) -> None:
        """Save now; raises SaveFailed with the reason."""
        async with self._one_at_a_time:
            self._is_ordered = True
            began, changed_at = time.monotonic(), self._changed_at
            self._changed_at = None
            try:
                saved_at = to_rfc3339(datetime.now(UTC))
                await self._save(Save(saved_at, at_stop, self._port))
            except SaveFailed as failed:
                self._changed_at = changed_at or time.monotonic()
                self.failure = str(failed)
                raise
            finally:
                took = time.monotonic() - began
                self._not_before = time.monotonic() + SHARE_OF_TIME * took
            self.saved_at, self.failure = saved_at, None

    async def save_at_stop(self) -> None:
        """The last save of this process, if one was ever ordered."""
        if self._is_ordered:
            await self.save(at_stop=True)

    async def _save(self, save: Save) -> None:
        try:
            folder = self._state.begin()
            self._state.link_objects()
        except OSError as error:
            self._state.discard_half()
            raise SaveFailed(_reason(error)) from error
        answer, to_parent = os.pipe()
        child = os.fork()
        if child == 0:
            _save_and_exit(self._state, folder, save, to_parent)
        os.close(to_parent)
        try:
            said = await asyncio.to_thread(_read_all, answer, child)
        finally:
            os.close(answer)
        if said != "saved":
            self._state.discard_half()
            raise SaveFailed(said or "it took too long, or was killed")


def _save_and_exit(state: SavedState, folder: Path, save: Save, to_parent: int) -> None:
    """In the copy: write, tell how it went, end without running anything else of the server."""
    said = "it ended early"
    try:
        _let_go_of_connections(to_parent)
        sizes = dump_state(folder, state.saved)
        state.publish(Save(save.saved_at, save.at_stop, save.port, sizes))
        said = "saved"
    except Exception as error:  # noqa: BLE001 (whatever it is, the server hears of it)
        said = _reason(error)
    finally:
        os.write(to_parent, said.encode())
        os._exit(0)


def _let_go_of_connections(keep: int) -> None:
    """The copy holds every socket, too; a client would wait for its end of them."""
    for descriptor in map(int, os.listdir("/dev/fd")):
        if descriptor > 2 and descriptor != keep:
            try:
                os.close(descriptor)
            except OSError:  # the one that listed the folder
                continue


def _read_all(descriptor: int, child: int) -> str:
    """What the copy told; it is ended when it takes too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        readable = selector.select(LONGEST_SAVE_SECONDS)
    if not readable:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return os.read(descriptor, 4096).decode() if readable else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


class Server:
    """MiniStack's application with saving around it."""

    def __init__(
        self, ministack: App, saver: Saver, restored: Restored, rights: Rights, task_key: str = ""
    ) -> None:
        self._ministack, self._saver, self._restored = ministack, saver, restored
        self._rights, self._task_key = rights, task_key
        self._saving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/_ecp/"):
            await self._answer(scope, receive, send)
        else:
            if scope["type"] == "http" and _may_change(scope):
                if full := self._saver.lack_of_space(_object_size(scope)):
                    await _refuse(full, receive, send)
                    return
                self._saver.note_change()
            await self._ministack(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_and_save() -> dict[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._stop_saving()
                logging.shutdown()
                os._exit(0)  # functions that run wait for this server, which answers no more
            return message

        async def send_and_begin(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                if failure := self._restored.failure:
                    message = {"type": "lifespan.startup.failed", "message": failure}
                else:
                    self._restored.tell_interrupted()
                    self._saving = asyncio.create_task(self._save_in_the_background())
            await send(message)

        await self._ministack(scope, receive_and_save, send_and_begin)

    async def _save_in_the_background(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            await self._saver.save_changes()

    async def _stop_saving(self) -> None:
        if self._saving:
            self._saving.cancel()
        try:
            await self._saver.save_at_stop()
        except SaveFailed as failed:
            logger.error("the state could not be saved at the end: %s", failed)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        status, said = await self._answer_to(scope)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})

    async def _answer_to(self, scope: Scope) -> tuple[HTTPStatus, Mapping[str, Any]]:
        path, status = scope["path"], HTTPStatus.OK
        if path.startswith(CREDENTIALS_PATH):
            return self._hand_over(path.removeprefix(CREDENTIALS_PATH), scope)
        if path == RIGHTS_PATH:
            return status, {"asked": self._rights.asked()}
        if path == SAVE_PATH and scope["method"] == "POST":
            try:
                await self._saver.save()
            except SaveFailed:
                status = HTTPStatus.INSUFFICIENT_STORAGE
        elif path != STATE_PATH:
            status = HTTPStatus.NOT_FOUND
        return status, {
            "saved_at": self._saver.saved_at,
            "save_failed": self._saver.failure,
            "has_changes": self._saver.has_changes,
            "interrupted": self._restored.interrupted,
            "retried": queues_with_retries(),
        }

    def _hand_over(self, role: str, scope: Scope) -> tuple[HTTPStatus, Mapping[str, Any]]:
        """Credentials of a role, to its own worker alone."""
        token = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        if not is_of(self._task_key, role, token):
            return HTTPStatus.FORBIDDEN, {"message": "the token is not of this role"}
        return HTTPStatus.OK, credentials(role, ACCOUNT)


def _object_size(scope: Scope) -> int:
    """The bytes of an object or part that is to be put, 0 for any other call."""
    headers = dict(scope["headers"])
    if scope["method"] != "PUT" or b"x-amz-target" in headers:
        return 0
    return int(headers.get(b"content-length", b"1"))


async def _refuse(reason: str, receive: Receive, send: Send) -> None:
    """Answer as S3 does, with a code of our own, which no client tries again."""
    while (await receive()).get("more_body"):
        continue
    said = f"<Error><Code>DiskFull</Code><Message>{escape(reason)}</Message></Error>"
    headers = [(b"content-type", b"application/xml")]
    await send({"type": "http.response.start", "status": 507, "headers": headers})
    await send({"type": "http.response.body", "body": said.encode()})


def _may_change(scope: Scope) -> bool:
    """Whether a call may change anything: by its operation where it is named, else its method."""
    target = dict(scope["headers"]).get(b"x-amz-target", b"").decode("latin-1")
    if target:
        return not target.rpartition(".")[2].startswith(READS)
    return scope["method"] not in ("GET", "HEAD")


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    import resource

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    settings = ServerSettings()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    restored = Restored()
    ministack: Any = restored.load_ministack()
    rights = Rights()
    rights.enforce()
    config = Config()
    config.bind = [f"{settings.bind_host}:{settings.gateway_port}"]
    config.keep_alive_timeout = 75
    config.loglevel = settings.log_level.upper()

    async def run() -> None:
        saver = Saver(SavedState(settings.ecp_state), settings.gateway_port)
        server = Server(ministack, saver, restored, rights, settings.ecp_task_key)
        await serve(server, config)  # type: ignore[arg-type]

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
