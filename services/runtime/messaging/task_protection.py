"""Keeps ECS from stopping this container while it works: scale-in protection of its task.

A protected task is ended neither by scaling in nor by a deployment (ECS developer guide, Task
scale-in protection). It is asked for at the agent that each container of ECS has; elsewhere there
is no such agent, and nothing to protect from.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from services.runtime.observability.logs import logger

AGENT_URI = "ECS_AGENT_URI"
"""ECS sets it in every container."""
PROTECTED_MINUTES = 10
"""As long as a worker may be silent before its message is somebody else's, and not for ever."""
RENEW_SECONDS = PROTECTED_MINUTES * 60 / 2
ASK_AGAIN_SECONDS = 60.0
TIMEOUT_SECONDS = 3.0
"""A heartbeat waits for the agent at most so long."""

Ask = Callable[[Mapping[str, Any]], str]
"""Asks the agent; returns why it refused, or nothing."""


class TaskProtection:
    """Held while there is work, by however many messages in a row, and let go when there is none.

    What is refused is asked for again a minute later: a message is handled without, and whoever is
    stopped in the middle of it has the time of StopTimeout to finish.
    """

    def __init__(self, ask: Ask | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._monotonic = ask, monotonic
        self._lock = threading.Lock()
        self._is_held = False
        self._hold_at = self._let_go_at = float("-inf")

    def hold(self) -> None:
        """Be protected from now on; called with each sign of life, it asks only when it has to."""
        with self._lock:
            if self._ask is None or self._monotonic() < self._hold_at:
                return
            wanted = {"ProtectionEnabled": True, "ExpiresInMinutes": PROTECTED_MINUTES}
            is_granted = self._is_granted(wanted)
            self._is_held = self._is_held or is_granted
            pause = RENEW_SECONDS if is_granted else ASK_AGAIN_SECONDS
            self._hold_at = self._monotonic() + pause

    def let_go(self) -> None:
        """There is no work: the container may be stopped."""
        with self._lock:
            if not self._is_held or self._monotonic() < self._let_go_at:
                return
            if self._is_granted({"ProtectionEnabled": False}):
                self._is_held, self._hold_at = False, float("-inf")
            else:
                self._let_go_at = self._monotonic() + ASK_AGAIN_SECONDS

    def _is_granted(self, wanted: Mapping[str, Any]) -> bool:
        refusal = self._ask(wanted) if self._ask else ""
        if refusal:
            logger.warning("scale-in protection is not changed", refusal=refusal, **wanted)
        return not refusal


def task_protection(environment: Mapping[str, str]) -> TaskProtection:
    """Of this container, or one that does nothing where no agent of ECS is named."""
    uri = environment.get(AGENT_URI)
    return TaskProtection(asking(uri) if uri else None)


def asking(agent_uri: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Ask:
    """Asks the agent at that address."""
    parts = urlsplit(agent_uri)
    path = f"{parts.path.rstrip('/')}/task-protection/v1/state"

    def ask(wanted: Mapping[str, Any]) -> str:
        connection = HTTPConnection(parts.netloc, timeout=timeout_seconds)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("PUT", path, json.dumps(wanted), headers)
            response = connection.getresponse()
            return _refusal(response.status, response.read())
        except (OSError, HTTPException) as error:
            return f"the agent of ECS does not answer: {error!r}"
        finally:
            connection.close()

    return ask


def _refusal(status: int, body: bytes) -> str:
    """The agent says 200 also when ECS refused: then there is a `failure`."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return f"the agent of ECS answered {status} without JSON"
    reason = said.get("failure") or said.get("error")
    if reason:
        return json.dumps(reason)
    return "" if "protection" in said else f"the agent of ECS answered {status} without protection"
