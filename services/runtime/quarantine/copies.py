"""Inputs of equal content: a file that was sent again unchanged says nothing new, its bad rows too.

The newest copy that counts stands for all of them; what an older one had refused is the same row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.messages import BatchManifest
from services.runtime.quarantine.replays import COMPLETED


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
