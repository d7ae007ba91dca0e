"""Which content was published before: an index by size and digest, read when a set is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from contracts.envelope import MessageContext
from contracts.identities import FileIdentity
from contracts.messages import BatchManifest, PinnedSource
from services.aggregator import read_model
from services.aggregator.open_set.domain import PendingFile
from services.aggregator.ports import SOURCE, Ports
from services.runtime.event_store import PutItem

REMEMBERED = timedelta(days=400)
ITEMS_AT_ONCE = 90
"""Of the 100 that a transaction takes."""


class Content(Protocol):
    """What tells one content from another."""

    @property
    def kind(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def etag(self) -> str: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def source(self) -> PinnedSource | None: ...


def seen_before(files: Sequence[PendingFile], ports: Ports) -> dict[FileIdentity, str]:
    """Of these files those whose content a completed batch had as an input, with that batch.

    SHA-256 where S3 has it, else the ETag; one of an upload in parts depends on how it was cut.
    """
    now = read_model.epoch_seconds(ports.clock())
    keys = {
        one.identity: read_model.content_key(one.file, digests_of(one.file)[0]) for one in files
    }
    rows = ports.store.get_items(ports.table, list(keys.values()))
    known = {row["pk"]: str(row["batch_id"]) for row in rows if row["expires_at"] > now}
    return {file: known[key["pk"]] for file, key in keys.items() if key["pk"] in known}


def remember_contents(manifest: BatchManifest, ports: Ports) -> None:
    """Remember what a completed batch was made of; safe to repeat, the newest batch stays."""
    expires_at = read_model.epoch_seconds(ports.clock() + REMEMBERED)
    rows = [
        read_model.content_key(file, digest)
        | {"batch_id": manifest.batch_id, "key": file.key, "expires_at": expires_at}
        for file in manifest.files
        if file.duplicate_of is None
        for digest in digests_of(file)
    ]
    for start in range(0, len(rows), ITEMS_AT_ONCE):
        ports.store.append(
            context=MessageContext(SOURCE, manifest.batch_id),
            writes=[PutItem(ports.table, row) for row in rows[start : start + ITEMS_AT_ONCE]],
        )


def digests_of(content: Content) -> list[str]:
    """The best one first."""
    return [one for one in (content.sha256, content.etag) if one]
