"""Looking at objects: what a notification announced, and what a manifest waits for in vain.

The notification is only a hint (DESIGN 3, Aggregation): it may be lost, come twice, or name no
version and be overtaken by a newer upload of the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.identities import FileIdentity
from contracts.messages import FileDetected, FileIgnored, ManifestReceived
from services.aggregator import detection, read_model
from services.aggregator.completeness import awaited
from services.aggregator.domain import FileSet
from services.aggregator.ports import Ports

LOOKED_FOR_AT_ONCE = 100
"""Missing files that one look asks S3 for; the others come by notification, or a minute later."""

Seen = FileDetected | ManifestReceived | FileIgnored


@dataclass(frozen=True)
class Upload:
    """One object as it was found, and the event that tells of it."""

    identity: FileIdentity | None
    """None when its version is not known: it is gone, or its bucket keeps no versions."""
    event: Seen


def look_at(notification: detection.Notification, ports: Ports) -> Upload | None:
    """What a notification announced; None when that version was taken in before."""
    if notification.version_id is not None and _was_seen(_identity(notification), ports):
        return None
    reason = detection.why_foreign(notification.key)
    if reason is not None:
        return Upload(_identity(notification), detection.foreign(notification, reason))
    seen = ports.uploads.look(notification)
    if seen is None:
        return Upload(_identity(notification), detection.gone(notification))
    event: Seen
    if detection.is_manifest(seen.key) and detection.why_ignored(seen) is None:
        body = ports.uploads.read(seen)
        event = detection.gone(notification) if body is None else detection.received(seen, body)
    else:
        event = detection.detected(seen)
    return Upload(_identity(seen), event)


def look_for_missing(file_set: FileSet, ports: Ports) -> list[Upload]:
    """Files that manifests wait for and that lie in S3 although no notification told of them."""
    found = (
        look_at(detection.Notification(file_set.bucket, entry.key, entry.version_id), ports)
        for entry in awaited(file_set)[:LOOKED_FOR_AT_ONCE]
    )
    return unseen(
        [upload for upload in found if upload and isinstance(upload.event, FileDetected)], ports
    )


def unseen(uploads: Sequence[Upload], ports: Ports) -> list[Upload]:
    """Those that no transaction has recorded yet, each version once."""
    fresh: dict[FileIdentity, Upload] = {}
    nameless = [upload for upload in uploads if upload.identity is None]
    for upload in uploads:
        identity = upload.identity
        if identity is None or identity in fresh or _was_seen(identity, ports):
            continue
        fresh[identity] = upload
    return [*fresh.values(), *nameless]


def _identity(of: detection.Notification | detection.Sighting) -> FileIdentity | None:
    return FileIdentity(of.bucket, of.key, of.version_id) if of.version_id is not None else None


def _was_seen(identity: FileIdentity | None, ports: Ports) -> bool:
    if identity is None:
        return False
    return ports.store.get_item(ports.table, read_model.file_key(identity)) is not None
