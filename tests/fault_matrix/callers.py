"""The processes behind the requests: found by their port, killed, or all started anew."""

import contextlib
import os
import signal

import psutil

from tests.fault_matrix.proxy import Exchange

FUNCTION = "AWS_LAMBDA_FUNCTION_NAME"


def caller_of(exchange: Exchange) -> int | None:
    """The pid of the process at the other end of the connection; None when it is gone."""
    proxy_port = exchange.proxy.port
    for connection in psutil.net_connections("tcp4"):
        if not connection.raddr or connection.pid in (None, os.getpid()):
            continue
        if (connection.laddr.port, connection.raddr.port) == (exchange.peer_port, proxy_port):
            return connection.pid
    return None


def kill(pid: int) -> None:
    """SIGKILL; one that is gone already is what we want."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def functions_of(cloud_pid: int) -> list[int]:
    """The processes in which the local cloud runs its functions."""
    found = []
    for process in psutil.Process(cloud_pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if FUNCTION in process.environ():
                found.append(process.pid)
    return found
