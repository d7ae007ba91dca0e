"""How a file, a batch and its executions are identified (docs/design.md, Aggregation)."""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

_AUTOMATIC_NAME = re.compile(r"([0-9a-f]{16})(?:-r(\d+))?")


class FileIdentity(NamedTuple):
    """One version of one object: what a batch is made of, and what later steps read."""

    bucket: str
    key: str
    version_id: str


def batch_id_of(identities: Iterable[FileIdentity]) -> str:
    """First 16 hex digits of SHA-256 over the sorted identities.

    The same files always make the same batch, in whatever order they came.
    """
    digest = hashlib.sha256()
    for identity in sorted(set(identities)):
        digest.update("\x1f".join(identity).encode())
        digest.update(b"\x1e")
    return digest.hexdigest()[:16]


def execution_name(batch_id: str, attempt: int) -> str:
    """Deterministic, so that starting twice is starting once."""
    return batch_id if attempt == 0 else f"{batch_id}-r{attempt}"


def name_of(execution_id: str) -> str:
    """The name at the end of an execution's ARN."""
    return execution_id.rsplit(":", 1)[-1]


def attempt_of(execution_id: str) -> tuple[str, int] | None:
    """Batch and attempt of an execution that the pipeline named; None for a person's name."""
    match = _AUTOMATIC_NAME.fullmatch(name_of(execution_id))
    return (match[1], int(match[2] or 0)) if match else None
