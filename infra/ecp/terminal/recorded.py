"""Waiting for what a command led to; commands of people carry no token, and have no answer."""

import time
from collections.abc import Callable
from typing import TypeVar

from infra.ecp.settings import CliSettings
from infra.ecp.terminal.errors import CommandFailed

WAIT_SECONDS = 20.0
"""How long to wait for a function, which may have to start first."""

T = TypeVar("T")


def until_recorded(look: Callable[[], T | None], *, missing: str, tells: str, queue: str) -> T:
    """What `look` finds, asked again and again.

    Raises CommandFailed after WAIT_SECONDS: what is `missing`, which command `tells` later, and the
    `queue` whose dead letters have it if it could not be done.
    """
    poll_seconds = CliSettings().poll_seconds
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := look()) is None:
        if time.monotonic() >= deadline:
            raise CommandFailed(
                f"{missing} within {WAIT_SECONDS:g} s, and may still be: {tells} tells, "
                f"`ecp dlq show {queue}-dlq` says if it could not be done"
            )
        time.sleep(poll_seconds)
    return found
