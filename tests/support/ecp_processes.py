"""Each call of `ecp` in a process of its own, forked from one that has loaded it already.

Loading Python and `ecp` takes longer than most commands. The process that forks does nothing else:
it has one thread, no client and no connection. `python -m tests.support.ecp_processes FD`.
"""

import contextlib
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

from tests.support.botocore_models import share_models
from tests.support.deployed_code import PROJECT, code_path

SERVICES = ("cloudwatch", "dynamodb", "ecs", "events", "lambda", "s3", "sqs", "ssm")
"""Whose descriptions in botocore are read once, and not by each command."""
LARGEST_ORDER = 1_000_000
Ended = tuple[int, str, str]
"""Exit code, standard output and standard error."""


class Processes:
    """The process that forks, as the one who asks sees it; safe for several threads."""

    def __init__(self) -> None:
        self._orders, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(its_end.fileno())],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": code_path()},
                stdin=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                start_new_session=True,
            )

    def run(
        self,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        timeout_seconds: float,
    ) -> Ended:
        """One command from start to end; subprocess.TimeoutExpired when it takes longer."""
        answer, its_end = socket.socketpair()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, answer:
            order = json.dumps([arguments, str(directory), dict(environment)]).encode()
            with its_end:
                files = [out.fileno(), err.fileno(), its_end.fileno()]
                socket.send_fds(self._orders, [order], files)
            answer.settimeout(timeout_seconds)
            with answer.makefile() as lines:
                pid = int(lines.readline())
                try:
                    ended = int(lines.readline())
                except TimeoutError as late:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired([*arguments], timeout_seconds) from late
            return os.waitstatus_to_exitcode(ended), _text(out), _text(err)


@cache
def processes() -> Processes:
    """Of this process; it ends with it."""
    return Processes()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(orders: socket.socket) -> None:
    """Fork for each order, until whoever gives them has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, LARGEST_ORDER, 3)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _watch(order, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(order: bytes, out: int, err: int, answer: int) -> NoReturn:
    """Tell the process id of the command, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(answer)
        _become_ecp(*json.loads(order), out, err)
    os.write(answer, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(answer, f"{ended}\n".encode())
    os._exit(0)


def _become_ecp(
    arguments: list[str], directory: str, environment: dict[str, str], out: int, err: int
) -> NoReturn:
    from infra.ecp.main import main

    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.argv = ["ecp", *arguments]
    main()


def load() -> None:
    """All that commands load; nothing that starts a thread or opens a connection."""
    import boto3

    from infra.ecp.commands import COMMANDS

    share_models()
    for entry in COMMANDS.values():
        import_module(f"infra.ecp.{entry.module}")
    session = boto3.session.Session()
    for name in SERVICES:
        session.client(
            name,
            region_name="eu-west-1",
            endpoint_url="http://127.0.0.1:9",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
