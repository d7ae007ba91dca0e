"""Looking at `sources/` and at lookups: what is there really becomes rows and events.

One listing says all of `sources/`, so a notification, a file of a source that nobody knows, a seal
and the sweep ask the same question: is what the rows say still what stands?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from contracts.clock import to_rfc3339
from contracts.envelope import MessageContext
from contracts.identities import FileIdentity
from contracts.input_names import why_not_an_input
from contracts.layout import SOURCES_PREFIX
from contracts.messages import (
    FileGone,
    LookupReceived,
    ObjectRef,
    SourceAdded,
    SourceRefused,
    SourceRemoved,
)
from contracts.sources.documents import MAX_BYTES
from contracts.sources.faults import InvalidSource
from contracts.sources.shipped import parse_shipped, shipped_sources
from services.aggregator import read_model
from services.aggregator.open_set.detection import (
    ListedVersion,
    Notification,
    lookup_received,
)
from services.aggregator.open_set.loading import OpenSet, load, read_catalogue
from services.aggregator.ports import SOURCE, Ports
from services.aggregator.sources.catalogue import Catalogue, known_source
from services.runtime.event_store import (
    DeleteItem,
    PutItem,
    StateWrite,
    StreamAppend,
    retry_on_conflict,
)
from services.runtime.observability.logs import logger
from services.runtime.storage.documents import sha256_hex

CHANGES_PER_TRANSACTION = 30
MAX_REASON_BYTES = 20_000
"""Of all that is wrong with one source."""


@dataclass(frozen=True)
class Change:
    """What became of one object, and the rows that say so."""

    event: SourceAdded | SourceRefused | SourceRemoved | LookupReceived | FileGone
    writes: Sequence[StateWrite]


def refresh_sources(bucket: str, ports: Ports) -> bool:
    """Have rows and events say what stands under `sources/`; whether anything had changed."""
    changed = False
    while retry_on_conflict(partial(_refresh, bucket, ports)):
        changed = True
    return changed


def refresh_lookups(bucket: str, keys: Iterable[str], ports: Ports) -> bool:
    """The same for these lookups: the newest version of each, or that it is gone."""
    wanted = [*keys]
    if not wanted:
        return False
    return retry_on_conflict(partial(_refresh_lookups, bucket, wanted, ports))


def known_now(bucket: str, name: str, ports: Ports) -> Catalogue:
    """What the bucket knows; a source that it does not is looked for before that is said."""
    catalogue = read_catalogue(bucket, ports)
    if catalogue.source(name) is None and refresh_sources(bucket, ports):
        return read_catalogue(bucket, ports)
    return catalogue


def lookup_row(event: LookupReceived) -> read_model.Row:
    """The row of a lookup's newest version."""
    ref = ObjectRef(
        bucket=event.bucket, key=event.key, version_id=event.version_id, sha256=event.sha256
    )
    return read_model.source_key(event.bucket, event.key) | {
        "what": "lookup",
        "key": event.key,
        "version_id": event.version_id,
        "source": event.source,
        "lookup": event.lookup,
        "last_modified": event.last_modified or "",
        "ref": ref.model_dump(),
    }


def _refresh(bucket: str, ports: Ports) -> bool:
    """One transaction's worth; False when the rows say what stands."""
    open_set = load(bucket, ports)  # before the looks: who looked later and wrote first wins
    rows = _rows(bucket, ports)
    standing = {one.key: one for one in _standing(bucket, ports)}
    changes = [
        *(
            _judged(bucket, one, ports)
            for key, one in standing.items()
            if key not in rows or rows[key]["version_id"] != one.version_id
        ),
        *(
            _removed(bucket, row, ports)
            for key, row in rows.items()
            if row["what"] != "lookup" and key not in standing
        ),
    ][:CHANGES_PER_TRANSACTION]
    if changes:
        _apply(open_set, changes, ports)
    return bool(changes)


def _refresh_lookups(bucket: str, keys: Sequence[str], ports: Ports) -> bool:
    open_set = load(bucket, ports)
    rows = _rows(bucket, ports)
    changes = []
    for key in keys[:CHANGES_PER_TRANSACTION]:
        seen = ports.uploads.look(Notification(bucket, key))
        row = rows.get(key)
        if seen is None and row is not None:
            changes.append(_gone(bucket, row, ports))
        if seen is None or (row is not None and row["version_id"] == seen.version_id):
            continue
        body = ports.uploads.read(seen)
        event = None if body is None else lookup_received(seen, body)
        if isinstance(event, LookupReceived):
            changes.append(_found(event, open_set, ports))
    if changes:
        _apply(open_set, changes, ports)
    return bool(changes)


def _found(event: LookupReceived, open_set: OpenSet, ports: Ports) -> Change:
    """A lookup that nobody told of: its version is noticed as by a notification."""
    identity = FileIdentity(event.bucket, event.key, event.version_id)
    now, number = to_rfc3339(ports.clock()), open_set.files.number
    seen = read_model.seen_row(identity, event, now, number)
    return Change(event, [PutItem(ports.table, each) for each in (seen, lookup_row(event))])


def _rows(bucket: str, ports: Ports) -> dict[str, read_model.Row]:
    found = ports.store.query(ports.table, read_model.sources_of(bucket))
    return {row["key"]: row for row in found}


def _standing(bucket: str, ports: Ports) -> Iterator[ListedVersion]:
    """What stands under each key of `sources/`, but for what programs leave there."""
    after = None
    while True:
        page = ports.uploads.versions(bucket, SOURCES_PREFIX, after)
        for one in page.versions:
            found = why_not_an_input(one.key)
            if one.is_latest and not (found and found.is_hidden):
                yield one
        if page.following is None:
            return
        after = page.following


def _judged(bucket: str, version: ListedVersion, ports: Ports) -> Change:
    seen = ports.uploads.look(Notification(bucket, version.key, version.version_id))
    body = ports.uploads.read(seen) if seen and seen.size_bytes <= MAX_BYTES else b""
    if seen is None or body is None:  # deleted between the two looks: the next one says so
        return _refused(bucket, version, ports, "it was deleted while it was read")
    if seen.size_bytes > MAX_BYTES:
        why = f"it has {seen.size_bytes} bytes, more than the {MAX_BYTES} that a source may have"
        return _refused(bucket, version, ports, why)
    try:
        source = parse_shipped(body, version.key)
    except InvalidSource as error:
        return _refused(bucket, version, ports, str(error))
    if source.name in shipped_sources():
        why = f"a source {source.name} comes with the pipeline; give yours another name"
        return _refused(bucket, version, ports, why)
    ref = ObjectRef(
        bucket=bucket, key=version.key, version_id=version.version_id, sha256=sha256_hex(body)
    )
    known = known_source(source, ref)
    event = SourceAdded(
        bucket=bucket,
        key=version.key,
        version_id=version.version_id,
        source=known.pinned,
        lookups=list(known.lookups),
        title=source.title,
    )
    row = _row(bucket, version, "source") | {
        "pinned": known.pinned.model_dump(),
        "lookups": list(known.lookups),
        "title": source.title,
    }
    return Change(event, [PutItem(ports.table, row)])


def _refused(bucket: str, version: ListedVersion, ports: Ports, reason: str) -> Change:
    told = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    event = SourceRefused(
        bucket=bucket, key=version.key, version_id=version.version_id, reason=told
    )
    row = _row(bucket, version, "refused") | {"reason": told}
    return Change(event, [PutItem(ports.table, row)])


def _removed(bucket: str, row: read_model.Row, ports: Ports) -> Change:
    if row["what"] != "source":
        return _gone(bucket, row, ports)
    event = SourceRemoved(
        bucket=bucket,
        key=row["key"],
        version_id=row["version_id"],
        name=row["pinned"]["name"],
        version=row["pinned"]["version"],
    )
    return Change(event, [DeleteItem(ports.table, read_model.source_key(bucket, row["key"]))])


def _gone(bucket: str, row: read_model.Row, ports: Ports) -> Change:
    event = FileGone(
        bucket=bucket,
        key=row["key"],
        version_id=row["version_id"],
        reason="it is deleted; upload it again if it is wanted",
    )
    return Change(event, [DeleteItem(ports.table, read_model.source_key(bucket, row["key"]))])


def _apply(open_set: OpenSet, changes: Sequence[Change], ports: Ports) -> None:
    files = open_set.files
    stored = ports.store.append(
        StreamAppend(files.stream_id, files.version, [one.event for one in changes]),
        context=MessageContext(SOURCE),
        writes=[write for one in changes for write in one.writes],
    )
    ports.known_sets[files.bucket] = files.evolve(stored)
    for one in changes:
        logger.info("%s", type(one.event).__name__, key=one.event.key)


def _row(bucket: str, version: ListedVersion, what: str) -> read_model.Row:
    return read_model.source_key(bucket, version.key) | {
        "what": what,
        "key": version.key,
        "version_id": version.version_id,
        "last_modified": version.last_modified,
    }
