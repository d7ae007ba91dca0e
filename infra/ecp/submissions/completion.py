"""Which rejected batches a submission completes, and what they still wait for; pure.

Decided by the aggregator's own rule on its own open set, so that what is said is what will happen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from contracts.identities import FileIdentity, batch_id_of
from contracts.layout import kind_of
from contracts.messages import DetectedFile, PendingManifest, UploadManifestFile
from services.aggregator.open_set.domain import FileSet, Kind, PendingFile, WaitingManifest
from services.aggregator.open_set.waiting import Group, classify_pending

LAST = "9999-12-31T23:59:59.999Z"
"""When a file that is still to come is taken: after all that lies there, by whatever clock."""


@dataclass(frozen=True)
class StillMissing:
    """A rejected batch and the keys that have to come corrected.

    One whose keys nobody knows is joined by no submission.
    """

    batch_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Completion:
    """Rejected batches that a submission goes with: `healthy` files of theirs go along.

    `batch_id` is the batch that all will be, once nothing is `missing`.
    """

    rejected: tuple[str, ...]
    batch_id: str
    healthy: int
    missing: tuple[StillMissing, ...]


def completion(
    file_set: FileSet, manifest_key: str, sent: Sequence[FileIdentity], now: datetime
) -> Completion | None:
    """What the manifest's files complete in this open set; None: no rejected batch waits for them.

    It does not matter whether the aggregator has noticed the files yet.
    """
    together = _with(file_set, manifest_key, sent, now)
    for group in classify_pending(together).groups:
        if any(claim.key == manifest_key for claim in group.claims):
            return _completed_by(group, {file.key for file in sent})
    return None


def is_noticed(file_set: FileSet, manifest_key: str, sent: Sequence[FileIdentity]) -> bool:
    """Whether the manifest and all files that it names wait in this open set."""
    return manifest_key in file_set.manifests and set(sent) <= set(file_set.files)


def _completed_by(group: Group, sent: set[str]) -> Completion:
    missing = [StillMissing(hold.batch_id, group.missing_of(hold) or ()) for hold in group.holds]
    return Completion(
        rejected=tuple(hold.batch_id for hold in group.holds),
        batch_id=batch_id_of(pending.identity for pending in group.files),
        healthy=len({one.file.key for one in group.held} - sent),
        missing=tuple(one for one in missing if one.keys),
    )


def _with(
    file_set: FileSet, manifest_key: str, sent: Sequence[FileIdentity], now: datetime
) -> FileSet:
    """The set once it holds the manifest and its files."""
    files, manifests = dict(file_set.files), dict(file_set.manifests)
    for identity in sent:
        files.setdefault(identity, PendingFile(_detected(identity, manifest_key), now))
    named = [UploadManifestFile(key=one.key, version_id=one.version_id) for one in sent]
    pending = PendingManifest(
        key=manifest_key, version_id="to-come", last_modified=LAST, files=named
    )
    manifests.setdefault(manifest_key, WaitingManifest(pending, now))
    return replace(file_set, files=files, manifests=manifests)


def _detected(identity: FileIdentity, manifest_key: str) -> DetectedFile:
    return DetectedFile(
        bucket=identity.bucket,
        key=identity.key,
        version_id=identity.version_id,
        kind=cast(Kind, kind_of(identity.key) or "order_items"),  # who waits asks no kind
        size_bytes=0,
        etag="to-come",
        manifest_key=manifest_key,
        last_modified=LAST,
    )
