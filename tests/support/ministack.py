"""A MiniStack of a suite's own on a free port of loopback, ended with everything it started."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.local import ministack
from infra.local.folders import Folders
from infra.local.processes import ChildProcess
from tests.support.pipeline import eventually


@contextmanager
def running_ministack(directory: Path, task_key: str = "") -> Iterator[Mapping[str, str]]:
    """Gives the environment variables that point an AWS client at it.

    `task_key`: opens the credentials of any role (infra/local/task_credentials.py).
    """
    folders = Folders(directory)
    folders.prepare()
    port = ministack.claim_port(0)
    server = ChildProcess(
        ministack.COMMAND,
        ministack.ministack_environment(port, folders, task_key),
        directory / "ministack.log",
        directory,
    )
    try:
        eventually(lambda: ministack.answers(port))
        yield ministack.client_environment(ministack.endpoint_url(port))
    finally:
        server.stop(grace_seconds=10)
