"""Inputs of equal content: a file that was sent again unchanged says nothing new, its bad rows too.

The newest copy that counts stands for all of them; what an older one had refused is the same row.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from contracts.messages import BatchManifest, ObjectRef
from infra.ecp.quarantine.replays import COMPLETED
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired

THREADS = 8


class Input(NamedTuple):
    """One input of a batch."""

    batch_id: str
    key: str


class Sealed(NamedTuple):
    """A batch as the aggregator's row tells it, and the files that it pins."""

    status: str
    sealed_at: str
    manifest: BatchManifest


class Content(NamedTuple):
    """What makes two inputs equal: kind and size, and SHA-256 where S3 has it, else ETag."""

    kind: str
    size_bytes: int
    digest: str


@dataclass(frozen=True)
class Copies:
    """For each input the one that stands for it, and all that are equal to it, by time."""

    by_input: Mapping[Input, tuple[Input, ...]] = field(default_factory=dict)

    def of(self, one: Input) -> tuple[Input, ...]:
        """All inputs of equal content, the one that stands for them last; itself when alone."""
        return self.by_input.get(one, (one,))

    def newer(self, one: Input) -> Input | None:
        """The input that stands for this one; None when it stands for itself."""
        newest = self.of(one)[-1]
        return None if newest == one else newest


def arrange(batches: Iterable[Sealed]) -> Copies:
    """Inputs of equal content together: completed batches count more than others, then newer ones.

    A row of a batch that is not published cannot be replayed, so it never stands for one that can.
    """
    found: dict[Content, list[tuple[bool, str, Input]]] = {}
    for status, sealed_at, manifest in batches:
        for file in manifest.files:
            if file.duplicate_of is None:
                content = Content(file.kind, file.size_bytes, file.sha256 or file.etag)
                one = Input(manifest.batch_id, file.key)
                found.setdefault(content, []).append((status == COMPLETED, sealed_at, one))
    return Copies(
        {
            one: tuple(each for _, _, each in sorted(alike))
            for alike in found.values()
            if len(alike) > 1
            for _, _, one in alike
        }
    )


def read_copies(
    batches: Iterable[Mapping[str, Any]], in_quarantine: Iterable[str], objects: ObjectStore
) -> Copies:
    """The copies among all batches of which something is in quarantine.

    `batches` are the aggregator's rows. A manifest that has expired names no copies.
    """
    wanted = set(in_quarantine)
    rows = [row for row in batches if row["batch_id"] in wanted]
    if len(rows) < 2:
        return Copies()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="manifests") as pool:
        refs = [ObjectRef(**row["manifest"]) for row in rows]
        documents = list(pool.map(partial(read_unless_expired, objects), refs))
    return arrange(
        Sealed(row["status"], row["sealed_at"], BatchManifest(**document))
        for row, document in zip(rows, documents, strict=True)
        if document is not None
    )
