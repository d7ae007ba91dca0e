"""What an object in the data bucket is: an input, a lookup, an upload manifest, nothing of ours."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from contracts import layout, schemas
from contracts.errors import ContractViolation
from contracts.foreign import json_document, shown
from contracts.input_names import NotAnInput, why_not_an_input
from contracts.messages import (
    FileDetected,
    FileGone,
    FileIgnored,
    FileSuperseded,
    LookupReceived,
    ManifestReceived,
    ObjectRef,
    UploadManifestFile,
)
from services.aggregator.open_set.domain import MAX_BATCH_FILES, Kind
from services.aggregator.sources.catalogue import Catalogue

MAX_MANIFEST_BYTES = 1_000_000
SHOWN_CHARACTERS = 80
"""Of an entry that is none."""
MAX_LOOKUP_BYTES = 32 * 1024 * 1024
MAX_EVENT_BYTES = 180_000
"""A manifest travels inside one event, and events stay under 200 KB (docs/design.md, Messages)."""

INPUT_PREFIXES = (
    *(f"{kind}/" for kind in layout.KINDS),
    layout.INCOMING_PREFIX,
    layout.MANIFEST_UPLOAD_PREFIX,
)
"""What the aggregator may list and read."""

SOURCE_NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")

NO_VERSION = "null"
"""What S3 calls the version of an object written while versioning was off."""

_SPLIT = "split it into several"
_FOLDERS = ", ".join((*(f"{kind}/" for kind in layout.KINDS), f"{layout.INCOMING_PREFIX}<source>/"))


class Notification(NamedTuple):
    """A hint that an object was written; `version_id` where the sender said it."""

    bucket: str
    key: str
    version_id: str | None = None


class ListedVersion(NamedTuple):
    """A version as a listing names it; `last_modified` RFC 3339.

    `is_latest`: it is what stands under the key.
    """

    key: str
    version_id: str
    last_modified: str
    is_latest: bool = True

    @property
    def identity(self) -> tuple[str, str]:
        """The key and the version."""
        return self.key, self.version_id


class VersionPage(NamedTuple):
    """Versions in order of key, the newest of a key first, and where the next page begins."""

    versions: Sequence[ListedVersion]
    following: tuple[str, str] | None


@dataclass(frozen=True)
class Sighting:
    """What HEAD said of an object; `sha256` hex and only of the whole content."""

    bucket: str
    key: str
    version_id: str | None
    size_bytes: int
    etag: str
    last_modified: str
    sha256: str | None = None
    manifest_key: str | None = None


def is_manifest(key: str) -> bool:
    """Whether the key is where upload manifests lie."""
    return key.startswith(layout.MANIFEST_UPLOAD_PREFIX) and not key.endswith("/")


def gone(notification: Notification) -> FileGone:
    """An object that was announced and is not there any more."""
    return FileGone(
        bucket=notification.bucket,
        key=notification.key,
        version_id=notification.version_id,
        reason="it was announced but is not there any more; upload it again if it is wanted",
    )


def superseded(event: object, by: str) -> FileSuperseded:
    """The event for an input or manifest that a newer version has overtaken before it counted."""
    seen = cast("FileDetected | ManifestReceived", event)
    return FileSuperseded(
        bucket=seen.bucket,
        key=seen.key,
        version_id=seen.version_id,
        by_version_id=by,
        reason="a newer version of it came before this one was noticed; upload this one again, "
        "under a key of its own, if its rows are wanted too",
    )


def is_unclaimed(event: object) -> bool:
    """Whether a newer version of its key supersedes it: it was sent with no manifest."""
    return isinstance(event, ManifestReceived | LookupReceived) or (
        isinstance(event, FileDetected) and event.manifest_key is None
    )


def why_foreign(key: str) -> NotAnInput | None:
    """Why no object under this key is an input or a manifest, and what was probably meant.

    Such an object is not looked at: the aggregator may read input and manifest prefixes only.
    """
    found = why_not_an_input(key)
    if found is None or found.is_hidden or not is_manifest(key):
        return found
    if (size := layout.name_bytes(key)) > layout.MAX_MANIFEST_NAME_BYTES:
        return NotAnInput(
            f"the name of a manifest may have {layout.MAX_MANIFEST_NAME_BYTES} bytes, and this one "
            f"has {size}; give it a shorter one"
        )
    if key.endswith(".json"):
        return None
    name = key.rpartition("/")[2].split(".")[0] or "name"
    return NotAnInput(
        f"a manifest must be called {layout.MANIFEST_UPLOAD_PREFIX}<name>.json; rename it",
        f"{layout.MANIFEST_UPLOAD_PREFIX}{name}.json",
    )


def foreign(notification: Notification, why: NotAnInput) -> FileIgnored:
    """The event for an object that is no input by its key alone."""
    return FileIgnored(
        bucket=notification.bucket,
        key=notification.key,
        version_id=notification.version_id,
        reason=why.reason,
        did_you_mean=why.did_you_mean,
    )


def why_ignored(seen: Sighting) -> str | None:
    """Why an object is no input, and what to do; None when it is one (or is a manifest)."""
    if (foreign := why_foreign(seen.key)) is not None:
        return foreign.reason
    if seen.version_id in (None, NO_VERSION):
        return (
            f"bucket {seen.bucket} does not version its objects, so this file cannot be pinned; "
            "switch versioning on and upload it again"
        )
    if is_manifest(seen.key) and seen.size_bytes > MAX_MANIFEST_BYTES:
        return f"it has {seen.size_bytes} bytes, more than {MAX_MANIFEST_BYTES}; {_SPLIT}"
    if layout.lookup_of(seen.key) and seen.size_bytes > MAX_LOOKUP_BYTES:
        return f"it has {seen.size_bytes} bytes; a lookup may have {MAX_LOOKUP_BYTES}"
    return None


def waits_for_source(event: object, catalogue: Catalogue | None) -> str | None:
    """The name of the source without which an object of this event is no input yet."""
    name = layout.source_of(event.key) if isinstance(event, FileIgnored) else None
    is_unknown = name and catalogue is not None and catalogue.source(name) is None
    return name if is_unknown else None


def detected(seen: Sighting, catalogue: Catalogue) -> FileDetected | FileIgnored:
    """The event for an object outside `manifests/` that is no lookup."""
    reason = why_ignored(seen)
    if reason is not None:
        return ignored(seen, reason)
    name = layout.source_of(seen.key)
    known = catalogue.source(name) if name else None
    if name and known is None:
        nearest = catalogue.nearest_key(seen.key)
        return ignored(seen, catalogue.why_unknown(name), nearest)
    return FileDetected(
        bucket=seen.bucket,
        key=seen.key,
        version_id=str(seen.version_id),
        kind=known.row_kind if known else cast(Kind, layout.kind_of(seen.key)),
        source=known.pinned if known else None,
        size_bytes=seen.size_bytes,
        etag=seen.etag,
        sha256=seen.sha256,
        manifest_key=seen.manifest_key,
        last_modified=seen.last_modified,
    )


def lookup_received(seen: Sighting, body: bytes) -> LookupReceived | FileIgnored:
    """The event for a lookup of a source, whether or not that is known yet."""
    source, lookup = cast(tuple[str, str], layout.lookup_of(seen.key))
    if not SOURCE_NAME.fullmatch(source):
        return ignored(seen, f"{source} is no name of a source: a-z, 0-9 and -, from 2 to 40")
    return LookupReceived(
        bucket=seen.bucket,
        key=seen.key,
        version_id=str(seen.version_id),
        source=source,
        lookup=lookup,
        size_bytes=seen.size_bytes,
        sha256=seen.sha256 or hashlib.sha256(body).hexdigest(),
        last_modified=seen.last_modified,
    )


def received(seen: Sighting, body: bytes) -> ManifestReceived | FileIgnored:
    """The event for an upload manifest with this content: `{"files": [keys]}`.

    An entry is a key, or `{"key", "version_id"}` for one version of it. `answers`, if it is the
    reference of a ReplayAnswers document, goes with the batch; `"one_statement": true` makes the
    files part files of one statement. Other fields of the document belong to its sender and are
    left alone.
    """
    try:
        document = json_document(body, MAX_MANIFEST_BYTES)
        entries = _entries(document)
        _check_entries(entries)
    except ContractViolation as fault:
        return ignored(seen, f"the manifest cannot be used: {fault}; correct it, upload it again")
    event = ManifestReceived(
        bucket=seen.bucket,
        key=seen.key,
        version_id=str(seen.version_id),
        files=entries,
        answers=_answers(document),
        last_modified=seen.last_modified,
        one_statement=document.get("one_statement") is True,
    )
    size = len(event.model_dump_json().encode())
    if size > MAX_EVENT_BYTES:
        return ignored(seen, f"its keys take {size} bytes, more than {MAX_EVENT_BYTES}; {_SPLIT}")
    return event


def ignored(seen: Sighting, reason: str, did_you_mean: str | None = None) -> FileIgnored:
    """The event for an object that is no input."""
    return FileIgnored(
        bucket=seen.bucket,
        key=seen.key,
        version_id=seen.version_id,
        reason=reason,
        did_you_mean=did_you_mean,
    )


def _entries(document: Mapping[str, Any]) -> list[UploadManifestFile]:
    """The files that a manifest names; raises ContractViolation for another shape."""
    files = document.get("files")
    if not isinstance(files, list) or not files:
        raise ContractViolation('it must be {"files": ["orders/a.csv", ...]} with at least one key')
    entries = []
    for file in files:
        entry = _entry(file)
        if entry is None:
            told = shown(json.dumps(file), SHOWN_CHARACTERS)
            raise ContractViolation(f'{told} is neither a key nor {{"key", "version_id"}}')
        entries.append(entry)
    return entries


def _entry(file: Any) -> UploadManifestFile | None:
    if isinstance(file, str) and file:
        return UploadManifestFile(key=file)
    if not isinstance(file, dict):
        return None
    key, version_id = file.get("key"), file.get("version_id")
    if not (isinstance(key, str) and key):
        return None
    if version_id is not None and not (isinstance(version_id, str) and version_id):
        return None
    return UploadManifestFile(key=key, version_id=version_id)


def _answers(document: Mapping[str, Any]) -> ObjectRef | None:
    """What the upload answers; a field of that name that is no reference is its sender's own."""
    answers = document.get("answers")
    try:
        schemas.check("parts", "ObjectRef", 1, answers, closed=False)
    except ContractViolation:
        return None
    return ObjectRef.model_validate(answers)


def _check_entries(entries: list[UploadManifestFile]) -> None:
    """Raise ContractViolation when these files cannot be one batch."""
    if len(entries) > MAX_BATCH_FILES:
        raise ContractViolation(
            f"it names {len(entries)} files, more than the {MAX_BATCH_FILES} of one batch"
        )
    seen: set[str] = set()
    for entry in entries:
        if not layout.is_input(entry.key):
            raise ContractViolation(
                f"{shown(entry.key)} is no .csv or .csv.gz file under {_FOLDERS}"
            )
        if entry.key in seen:
            raise ContractViolation(
                f"{entry.key} is named twice, and two versions of a key never share a batch"
            )
        seen.add(entry.key)
