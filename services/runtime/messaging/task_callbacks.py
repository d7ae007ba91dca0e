"""Answering the saga: task tokens of Step Functions as a port, with a recording double."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError

GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken", "ValidationException"}
"""Answers to a token that nobody waits for, or that never was one."""
MAX_ERROR_CHARACTERS = 256
MAX_CAUSE_CHARACTERS = 32_768
"""Limits of SendTaskFailure (AWS API reference)."""


class TaskCallbacks(Protocol):
    """Each call returns False when nobody waits for the token any more."""

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """Complete the task with this output."""

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Fail the task; the saga decides whether to try again."""

    def heartbeat(self, token: str) -> bool:
        """Say that the task is being worked on."""


class StepFunctionsTaskCallbacks:
    """The real thing, on a boto3 `stepfunctions` client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """SendTaskSuccess; other faults than a vanished task are raised."""
        return self._send("send_task_success", taskToken=token, output=json.dumps(output))

    def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure, cut to the API's limits."""
        return self._send(
            "send_task_failure",
            taskToken=token,
            error=error[:MAX_ERROR_CHARACTERS],
            cause=_encodable(cause[:MAX_CAUSE_CHARACTERS]),
        )

    def heartbeat(self, token: str) -> bool:
        """SendTaskHeartbeat."""
        return self._send("send_task_heartbeat", taskToken=token)

    def _send(self, operation: str, **arguments: str) -> bool:
        try:
            getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return False
            raise
        return True


def _encodable(text: str) -> str:
    """What a fault says may hold what no UTF-8 does, when it names what somebody typed."""
    return text.encode(errors="backslashreplace").decode()


@dataclass
class InMemoryTaskCallbacks:
    """Records answers; tokens in `gone` have nobody waiting."""

    gone: set[str] = field(default_factory=set)
    succeeded: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    heartbeats: list[str] = field(default_factory=list)

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """Record the output, unless the task is gone or was answered before."""
        if self._is_gone(token):
            return False
        self.succeeded[token] = dict(output)
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Record the failure, unless the task is gone or was answered before."""
        if self._is_gone(token):
            return False
        self.failed[token] = (error, cause)
        return True

    def heartbeat(self, token: str) -> bool:
        """Record the heartbeat, unless the task is gone."""
        if self._is_gone(token):
            return False
        self.heartbeats.append(token)
        return True

    def _is_gone(self, token: str) -> bool:
        return token in self.gone or token in self.succeeded or token in self.failed
