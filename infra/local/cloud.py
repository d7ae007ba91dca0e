"""The local cloud as the rest of the program sees it: `up`, `down`, `find`."""

import contextlib
import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.environments import PROJECT
from infra.errors import LocalCloudError
from infra.local import ministack
from infra.local.folders import Folders, private
from infra.local.processes import end_group, has_ended
from infra.local.records import (
    CLOUD,
    SETTINGS_VARIABLE,
    SUPERVISOR,
    CloudRecord,
    Restoration,
    read_record,
)

DOWN_SECONDS = 90.0
"""The supervisor gives its workers and its server time to finish, and the server saves."""


@dataclass(frozen=True)
class RunningCloud:
    """A local cloud that is up. `workers`: process ids by name. `started_at`: RFC 3339."""

    directory: Path
    endpoint: str
    port: int
    pid: int
    started_at: str
    workers: Mapping[str, int]
    settings: Mapping[str, str]
    restored: Restoration | None = None

    def environment(self) -> dict[str, str]:
        """The variables that point an AWS client at this cloud."""
        return ministack.client_environment(self.endpoint)


def up(
    directory: Path,
    port: int | None = None,
    settings: Mapping[str, str] | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
    *,
    fresh: bool = False,
    project: Path = PROJECT,
) -> RunningCloud:
    """Start the local cloud of `directory` in the background and return when it is ready.

    It goes on from what was saved, or starts empty if `fresh` or nothing was. When it is up
    already, that one is returned. `port`: None takes the last one or 4566, 0 any free one.
    `settings`: tunables such as `SETTLE_SECONDS`. Raises LocalCloudError, with the reason and
    nothing left behind, when the port is in use or anything does not start, and when a running
    cloud has another port or other settings than asked for.
    """
    wanted = dict(settings or {})
    if running := find(directory):
        return _confirm(running, port, wanted, fresh=fresh)
    folders = Folders(directory)
    folders.make_root()
    _end_crashed(folders)
    with _only_one(folders) as lock:
        down(directory)
        if fresh:
            folders.state.forget()
        chosen_port = ministack.claim_port(_port_like_before(folders) if port is None else port)
        process = _start_background(folders, project, chosen_port, wanted, lock)
    try:
        _follow(process, folders, on_progress)
    except BaseException:
        _end(process, directory)
        raise
    if running := find(directory):
        return running
    raise LocalCloudError(f"it was up and is gone again\n{folders.tail(SUPERVISOR)}")


def down(directory: Path, *, keep: bool = True) -> bool:
    """Stop the local cloud of `directory`; False when there was none.

    Also ends what a supervisor that was killed left behind. On return no process of it is left and
    its port is free; the next `up` goes on from there, unless `keep` is False. Raises
    LocalCloudError, and stops nothing, when its state cannot be saved.
    """
    folders = Folders(directory)
    record = read_record(folders.record)
    was_up = record is not None and any(one.process() for one in record.processes.values())
    if record is not None:
        if keep:
            _save_first(record)
        _stop(record, folders)
    if not keep:
        folders.state.forget()
    return was_up


def trouble(directory: Path) -> str | None:
    """What is wrong with a local cloud that was started and cannot be used; None if it can."""
    record = read_record(Folders(directory).record)
    if record is None or find(directory):
        return None
    whose = f"the local cloud of {directory}"
    again = "`ecp up` starts it again from what was saved last"
    if record.status == "crashed":
        return f"{whose} is down: {record.crash}; {again}"
    if not record.processes[SUPERVISOR].process():
        return f"{whose} was killed or the machine went down; {again}"
    if record.status == "starting":
        return f"{whose} is starting; try again in a moment"
    return (
        f"{whose} does not answer at {record.endpoint}, though its processes live; "
        "see .ecp/logs/ministack.log, or `ecp down` and `ecp up`"
    )


def _save_first(record: CloudRecord) -> None:
    """Save while everything still runs: who has no room on the disk can make some."""
    if record.status != "ready":
        return
    said = ministack.ask(record.port, ministack.SAVE_PATH, "POST")
    if said is not None and said["save_failed"]:
        raise LocalCloudError(
            f"not stopped, for its state cannot be saved: {said['save_failed']}; free some space "
            f"and try again, or `ecp down --forget` gives up what came after {said['saved_at']}"
        )


def _stop(record: CloudRecord, folders: Folders) -> None:
    if supervisor := record.processes[SUPERVISOR].process():
        _end_politely(supervisor)
    left = (read_record(folders.record) or record).processes
    if server := left[CLOUD].process() if CLOUD in left else None:
        _end_politely(server)
    for leftover in left.values():
        if process := leftover.process():
            end_group(process.pid)
            if not has_ended(process, DOWN_SECONDS):
                raise LocalCloudError(f"process {process.pid} cannot be ended, not even by force")
    folders.clean_up()


def _end_crashed(folders: Folders) -> None:
    """See off a supervisor whose server is dead: it stops its workers, and then it would go itself.

    Until then it holds the directory's lock.
    """
    record = read_record(folders.record)
    if record is None or record.status == "starting":
        return
    supervisor = record.processes[SUPERVISOR].process()
    server = record.processes.get(CLOUD)
    if supervisor and (server is None or server.process() is None):
        _end_politely(supervisor)


def _port_like_before(folders: Folders) -> int | None:
    save = folders.state.newest()
    return save.port if save else None


def find(directory: Path) -> RunningCloud | None:
    """The local cloud of `directory` when it is ready and answers, else None."""
    record = read_record(Folders(directory).record)
    if record is None or record.status != "ready" or not record.processes[SUPERVISOR].process():
        return None
    return _running(directory, record) if ministack.answers(record.port) else None


def _running(directory: Path, record: CloudRecord) -> RunningCloud:
    return RunningCloud(
        directory=directory,
        endpoint=record.endpoint,
        port=record.port,
        pid=record.pid,
        started_at=record.started_at,
        workers=record.workers,
        settings=record.settings,
        restored=record.restored,
    )


def _confirm(
    running: RunningCloud, port: int | None, wanted: Mapping[str, str], *, fresh: bool
) -> RunningCloud:
    """The running cloud, if it is what was asked for."""
    if fresh:
        raise LocalCloudError(
            f"already up at {running.endpoint}; `ecp down` first, then `ecp up --fresh`"
        )
    if port not in (None, 0, running.port) or (wanted and wanted != running.settings):
        named = ", ".join(sorted(running.settings)) or "no settings"  # a value may be a key
        raise LocalCloudError(
            f"already up at {running.endpoint}, started with {named}; "
            "`ecp down` first to change its port or settings"
        )
    return running


@contextmanager
def _only_one(folders: Folders) -> Iterator[int]:
    """Take the directory's lock, to be handed to the background process: it holds the lock as long
    as it lives, and the system frees it however it ends."""
    with private(), folders.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise LocalCloudError(
                f"a local cloud of {folders.root.parent} is starting, stopping or does not answer; "
                "try again in a moment, or `ecp down` first"
            ) from held
        yield lock.fileno()


def _start_background(
    folders: Folders, project: Path, port: int, settings: Mapping[str, str], lock: int
) -> "subprocess.Popen[str]":
    folders.prepare()
    with folders.log(SUPERVISOR).open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.local.background"),
                *("--directory", str(folders.root.parent), "--project", str(project)),
                *("--port", str(port)),
            ],
            env={**ministack.inherited_environment(), SETTINGS_VARIABLE: json.dumps(settings)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[lock],
            text=True,
            start_new_session=True,
        )


def _follow(
    process: "subprocess.Popen[str]", folders: Folders, on_progress: Callable[[str], None]
) -> None:
    """Pass on its progress until it is ready; raises LocalCloudError when it fails."""
    if process.stdout is None:
        raise LocalCloudError("the background process was started without a pipe")
    with process.stdout as lines:
        for line in lines:
            said = json.loads(line)
            if "failed" in said:
                raise LocalCloudError(f"the local cloud is not up: {said['failed']}")
            if "ready" in said:
                return
            on_progress(said["progress"])
    raise LocalCloudError(f"the local cloud is not up\n{folders.tail(SUPERVISOR)}")


def _end(process: "subprocess.Popen[str]", directory: Path) -> None:
    """Let a cloud that did not come up clean up after itself, and see that it did."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(DOWN_SECONDS)
    down(directory)


def _end_politely(process: psutil.Process) -> None:
    """Let it clean up, also one that is paused; by force if that takes too long."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
    if not has_ended(process, DOWN_SECONDS):
        end_group(process.pid)


__all__ = ["LocalCloudError", "RunningCloud", "down", "find", "trouble", "up"]
