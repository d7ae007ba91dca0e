"""Standard streams that are closed, or whose reader leaves early (`ecp ... | head`).

A program that writes to a pipe nobody reads is ended by SIGPIPE, and its shell says 128 + 13. `ecp`
does the same at its next line, 141, so that what it did not get to say never looks like success. A
command that had said all it had to say keeps its own exit code.
"""

import os
import sys

READER_GONE = 141
"""128 + SIGPIPE, as shells count it."""


def open_closed_streams() -> None:
    """Let a command run whose output nobody wants (`>&-`), as if it went to /dev/null."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def is_reader_gone(error: BaseException) -> bool:
    """Whether this is a broken pipe, or the exit that Rich and Click make of one."""
    if isinstance(error, BrokenPipeError):
        return True
    return isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)


def hush() -> None:
    """Send what cannot be written nowhere: Python tries once more when it exits, and would fail."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def write_the_rest() -> str | None:
    """Write what is still buffered while a command can answer for it; the fault, if it failed.

    A reader that left after all was said is no fault.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        hush()
    except OSError as error:
        hush()
        return str(error.strerror)
    return None
