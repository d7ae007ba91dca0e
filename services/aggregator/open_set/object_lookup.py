"""Looking at objects: what a notification announced, and what a manifest waits for in vain.

The notification is only a hint (docs/design.md, Aggregation): it may be lost, come twice, or name
no version and be overtaken by a newer upload of the same key. So versions are looked at, never
keys: each of them is noticed, or recorded as superseded, gone or ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from contracts import layout
from contracts.identities import FileIdentity
from contracts.messages import (
    FileDetected,
    FileGone,
    FileIgnored,
    FileSuperseded,
    LookupReceived,
    ManifestReceived,
    UploadManifestFile,
)
from services.aggregator import read_model
from services.aggregator.open_set import detection
from services.aggregator.open_set.completeness import awaited
from services.aggregator.open_set.detection import ListedVersion, Notification
from services.aggregator.open_set.domain import FileSet
from services.aggregator.open_set.loading import load
from services.aggregator.ports import Ports
from services.aggregator.sources.catalogue import NOTHING_KNOWN, Catalogue
from services.aggregator.sources.shelf import known_now
from services.runtime.event_store import retry_on_conflict

LOOKED_FOR_AT_ONCE = 100
"""Missing files that one look asks S3 for; the others come by notification, or a minute later."""

TAKEN = {one.__name__ for one in (FileDetected, ManifestReceived, LookupReceived)}
"""What a version is recorded as that supersedes older ones of its key."""

Seen = FileDetected | ManifestReceived | LookupReceived | FileIgnored | FileSuperseded | FileGone


@dataclass(frozen=True)
class Upload:
    """One object as it was found, and the event that tells of it."""

    identity: FileIdentity | None
    """None when its version is not known: it is gone, or its bucket keeps no versions."""
    event: Seen
    counts_after: str | None = None
    """What this version was recorded as, and is no longer: a manifest names one that was
    superseded (FileSuperseded), the source of one has come (FileIgnored)."""
    no_source: str | None = None
    """The source that is not known, and that the file waits for."""


def look_at_all(notification: Notification, ports: Ports) -> list[Upload]:
    """What a notification announced: that version, or every version of the key if it names none."""
    is_listed = notification.key.startswith(detection.INPUT_PREFIXES)
    if notification.version_id is not None or not is_listed:
        upload = look_at(notification, ports)
        return [upload] if upload is not None else []
    versions = _versions_of(notification, ports)
    if not versions and _is_known(notification, ports):
        return []  # it came again after its file was archived, or deleted and told as gone
    if not versions or versions[0].version_id == detection.NO_VERSION:
        upload = look_at(notification, ports)
        return [upload] if upload is not None else []
    return judge(notification.bucket, versions, versions[0].version_id, ports)


def look_at(notification: Notification, ports: Ports) -> Upload | None:
    """What a notification announced; None when that version was taken in before."""
    if notification.version_id is not None and was_seen(_identity(notification), ports):
        return None
    return _look(notification, ports)


def _look(notification: Notification, ports: Ports) -> Upload:
    """What lies there, whether or not it was taken in before."""
    foreign = detection.why_foreign(notification.key)
    if foreign is not None:
        return Upload(_identity(notification), detection.foreign(notification, foreign))
    seen = ports.uploads.look(notification)
    if seen is None:
        return Upload(_identity(notification), detection.gone(notification))
    event: Seen
    is_lookup = layout.lookup_of(seen.key) is not None
    if (is_lookup or detection.is_manifest(seen.key)) and detection.why_ignored(seen) is None:
        body = ports.uploads.read(seen)
        read = detection.lookup_received if is_lookup else detection.received
        event = detection.gone(notification) if body is None else read(seen, body)
        return Upload(_identity(seen), event)
    catalogue = _catalogue(seen, ports)
    event = detection.detected(seen, catalogue)
    return Upload(_identity(seen), event, no_source=detection.waits_for_source(event, catalogue))


def look_again(bucket: str, row: read_model.Row, ports: Ports) -> Upload:
    """What lies under the key of a file that waits for its source (read_model.py, `no-source#`)."""
    upload = _look(Notification(bucket, row["key"], row["version_id"]), ports)
    return replace(upload, counts_after=FileIgnored.__name__)


def _catalogue(seen: detection.Sighting, ports: Ports) -> Catalogue:
    """What is known of sources, as far as this object asks."""
    name = layout.source_of(seen.key)
    return known_now(seen.bucket, name, ports) if name else NOTHING_KNOWN


def judge(
    bucket: str, versions: Iterable[ListedVersion], newest: str, ports: Ports
) -> list[Upload]:
    """What these versions of one key are that nobody has noticed yet; `newest` is its newest one.

    An older one is superseded, unless a manifest names it or it names a manifest: then it is
    waited for.
    """
    unnoticed = [
        one for one in versions if not was_seen(FileIdentity(bucket, *one.identity), ports)
    ]
    if not unnoticed:
        return []
    pinned = _pinned(retry_on_conflict(partial(load, bucket, ports)).files)
    uploads = []
    for version in unnoticed:
        upload = _look(Notification(bucket, *version.identity), ports)
        is_free = version.identity not in pinned and detection.is_unclaimed(upload.event)
        by = _newer_than(version, newest, bucket, ports) if is_free else None
        uploads.append(
            upload if by is None else replace(upload, event=detection.superseded(upload.event, by))
        )
    return uploads


def look_for_missing(file_set: FileSet, ports: Ports) -> list[Upload]:
    """Files that somebody waits for: they lie in S3 unannounced, or will never come any more."""
    found = (_look_for(entry, file_set, ports) for entry in awaited(file_set)[:LOOKED_FOR_AT_ONCE])
    return unseen([upload for upload in found if upload is not None], ports)


def unseen(uploads: Sequence[Upload], ports: Ports) -> list[Upload]:
    """Those that no transaction has recorded yet, each version once."""
    fresh: dict[FileIdentity, Upload] = {}
    nameless = [upload for upload in uploads if upload.identity is None]
    for upload in uploads:
        identity = upload.identity
        if identity is None or identity in fresh:
            continue
        if _seen_as(identity, ports) == upload.counts_after:
            fresh[identity] = upload
    return [*fresh.values(), *nameless]


def was_seen(identity: FileIdentity | None, ports: Ports) -> bool:
    """Whether a transaction has recorded what this version is."""
    return identity is not None and _seen_as(identity, ports) is not None


def _look_for(entry: UploadManifestFile, file_set: FileSet, ports: Ports) -> Upload | None:
    if entry.version_id is None:
        upload = look_at(Notification(file_set.bucket, entry.key), ports)
        return upload if upload and isinstance(upload.event, FileDetected) else None
    named = Notification(file_set.bucket, entry.key, entry.version_id)
    before = _seen_as(FileIdentity(file_set.bucket, entry.key, entry.version_id), ports)
    if before == FileGone.__name__:
        return Upload(None, detection.gone(named))
    if before == FileSuperseded.__name__:
        return _counts_after_all(named, ports)
    if before is not None:
        return None
    upload = _look(named, ports)
    return upload if isinstance(upload.event, FileDetected | FileGone) else None


def _counts_after_all(named: Notification, ports: Ports) -> Upload:
    return replace(_look(named, ports), counts_after=FileSuperseded.__name__)


def _versions_of(notification: Notification, ports: Ports) -> list[ListedVersion]:
    """The versions of exactly that key, the newest first; delete markers are none."""
    versions: list[ListedVersion] = []
    after = None
    while True:
        page = ports.uploads.versions(notification.bucket, notification.key, after)
        versions += [one for one in page.versions if one.key == notification.key]
        is_past = any(one.key != notification.key for one in page.versions)
        if page.following is None or is_past:
            return versions
        after = page.following


def _newer_than(version: ListedVersion, newest: str, bucket: str, ports: Ports) -> str | None:
    """The version that superseded this one: a newer one that is there, or was taken in."""
    if newest != version.version_id:
        return newest
    rows = ports.store.query(ports.table, read_model.versions_of(bucket, version.key))
    newer = [
        row
        for row in rows
        if row["seen_as"] in TAKEN and row.get("last_modified", "") > version.last_modified
    ]
    latest = max(newer, key=lambda row: str(row["last_modified"]), default=None)
    return latest["sk"] if latest else None


def _is_known(notification: Notification, ports: Ports) -> bool:
    key = read_model.versions_of(notification.bucket, notification.key)
    return bool(ports.store.query(ports.table, key))


def _pinned(file_set: FileSet) -> set[tuple[str, str | None]]:
    return {
        (entry.key, entry.version_id)
        for waiting in file_set.manifests.values()
        for entry in waiting.manifest.files
    }


def _identity(of: Notification | detection.Sighting) -> FileIdentity | None:
    return FileIdentity(of.bucket, of.key, of.version_id) if of.version_id is not None else None


def _seen_as(identity: FileIdentity, ports: Ports) -> str | None:
    row = ports.store.get_item(ports.table, read_model.file_key(identity))
    return None if row is None else str(row["seen_as"])
