"""Doubles that several suites share: kept dead letters, and AWS saying no."""

from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError


@dataclass
class RecordedDeadLetters:
    """Keeps (queue, body, reason)."""

    letters: list[tuple[str, str, str]] = field(default_factory=list)

    def put(self, queue_name: str, body: str, reason: str) -> None:
        self.letters.append((queue_name, body, reason))


class Refusing:
    """A client whose every call fails with this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, _name: str) -> Any:
        def call(**_: Any) -> None:
            raise self.error

        return call


def refused(code: str) -> ClientError:
    """What boto3 raises when AWS answers with this error code."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")
