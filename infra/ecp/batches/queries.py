"""Batches by id and the newest ones, from the aggregator's read model and the event store."""

from collections.abc import Iterable, Sequence
from typing import Any

from contracts.envelope import Message
from contracts.identities import FileIdentity
from contracts.messages import BatchManifest
from infra.ecp.names import STATE_TABLE, table
from services.runtime.event_store import EventStore
from services.runtime.storage import items
from services.runtime.storage.documents import ObjectStore

CLOSED = frozenset({"COMPLETED", "REJECTED", "FAILED"})


def newest_batches(dynamodb: Any, limit: int) -> list[dict[str, Any]]:
    """The batches sealed last, newest first."""
    found = items.query(
        dynamodb, table(STATE_TABLE), {"pk": "batches"}, newest_first=True, limit=limit
    )
    return [_public(item) for item in found]


def is_running(batch: dict[str, Any]) -> bool:
    """Whether a batch of the read model is not closed."""
    return batch.get("status") not in CLOSED


def _public(item: dict[str, Any]) -> dict[str, Any]:
    """The row without its table keys."""
    return {name: value for name, value in item.items() if name not in ("pk", "sk")}


def batch_holding(
    files: Sequence[FileIdentity],
    candidates: Iterable[str],
    store: EventStore,
    objects: ObjectStore,
) -> str | None:
    """Which of the candidate batches holds all of these file versions, None for none of them."""
    wanted = set(files)
    for batch_id in candidates:
        manifest = sealed_manifest(store.read_correlated(batch_id), objects)
        if manifest is not None and wanted <= identities(manifest):
            return batch_id
    return None


def sealed_manifest(events: Sequence[Message], objects: ObjectStore) -> BatchManifest | None:
    """The pinned manifest of a batch, from its seal."""
    sealed = next((event for event in events if event.event_type == "BatchSealed"), None)
    if sealed is None:
        return None
    return BatchManifest.model_validate(objects.get_json(sealed.data.manifest))


def identities(manifest: BatchManifest) -> set[FileIdentity]:
    """The file versions that a manifest pins."""
    return {FileIdentity(manifest.bucket, file.key, file.version_id) for file in manifest.files}
