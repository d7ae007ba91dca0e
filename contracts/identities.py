"""How a file and a batch are identified (DESIGN 3, Aggregation)."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


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
