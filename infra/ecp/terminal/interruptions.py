"""Ctrl-C and SIGTERM, and how the process ends: one line and one exit code, at any moment.

Nothing is imported here that takes time: this module comes first.
"""

import atexit
import os
import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The shell's number for Ctrl-C; SIGTERM is a Ctrl-C that somebody else pressed."""
STOPPING = (signal.SIGINT, signal.SIGTERM)

_came: list[int] = []


def end_at_once() -> None:
    """From now on an interruption ends the process: nothing has begun, or all is done."""
    for number in STOPPING:
        signal.signal(number, _end)


def raise_where_it_is() -> None:
    """From now on an interruption is a KeyboardInterrupt, so that what was begun is undone."""
    for number in STOPPING:
        signal.signal(number, _raise)


def came() -> bool:
    """Whether one came, also where a library has made another error of it, or none."""
    return bool(_came)


def leave(exit_code: int) -> NoReturn:
    """End the process, once everything is written.

    The interpreter is not taken apart: threads of Arrow and DuckDB that let go of Python objects
    while that happens are unwound through C++ that forbids it, and the process aborts
    ("terminate called without an active exception", exit code 134).
    """
    atexit._run_exitfuncs()
    os._exit(exit_code)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    _say("error: interrupted\n")
    os._exit(INTERRUPTED)


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    _came.append(number)
    raise KeyboardInterrupt


def _say(line: str) -> None:
    try:
        os.write(2, line.encode(errors="backslashreplace"))
    except OSError:
        return  # nobody reads: the exit code says it
