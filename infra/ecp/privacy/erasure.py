"""Where one user may stand, what is in the way of erasing them, and what was done; no command."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from contracts.clock import Clock
from contracts.envelope import Message
from contracts.identities import FileIdentity
from contracts.layout import (
    ERASURES_PREFIX,
    INCOMING_PREFIX,
    KINDS,
    OPEN_ERASURES_PREFIX,
    PROCESSING_PREFIX,
    QUARANTINE_PREFIX,
    archive_prefix,
    is_input,
    kind_of,
    kind_of_stored,
    source_of,
    stored_input,
)
from contracts.messages import (
    ErasedFacts,
    ErasedPlace,
    ErasureReceipt,
    ErasureRequest,
    ExportColumns,
    ObjectRef,
    ObjectVersion,
    PseudonymErasure,
    UnsearchedObject,
)
from infra.ecp.batches.open_set import read_open_set
from infra.ecp.names import STATE_TABLE, table
from services.aggregator.read_model import UNFINISHED, file_key
from services.runtime.event_store import EventStore, StateTables
from services.runtime.privacy.erasure import Erasure, csv_rewrite, erase_in, export_rewrite
from services.runtime.privacy.pseudonyms import check_of, pseudonym_of
from services.runtime.privacy.user_ids import Replacement
from services.runtime.storage import items
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired
from services.runtime.storage.object_versions import S3Versions

OBJECTS_IN_ONE_COMMAND = 100
COUNTS = ("versions", "rewritten_objects", "deleted_versions", "rows", "uncertain_rows")
NOT_CHANGED = (
    "KPIs: they hold sums and counts, and the orders still count",
    "events, reports and logs: they name files, counts and orders, no users; but the text of a "
    "broken rule quotes what stood in the column, even if that belongs into another one",
    "what was exported, downloaded or restored elsewhere: it is out of reach",
    "what names the user and is uploaded from now on: it is stated anew",
)

Identities = Collection[FileIdentity]


def versions_under(s3: Any, bucket: str, prefix: str) -> Iterator[ObjectVersion]:
    """Every version of every object, those that are overwritten or deleted too."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Versions", ()):
            yield ObjectVersion(
                key=entry["Key"], version_id=entry["VersionId"], is_current=entry["IsLatest"]
            )


def uploads(s3: Any, bucket: str) -> list[ObjectVersion]:
    """All that people have put into the data bucket and nobody has moved."""
    return [each for kind in KINDS for each in versions_under(s3, bucket, f"{kind}/")] + [
        each for each in versions_under(s3, bucket, INCOMING_PREFIX) if source_of(each.key)
    ]


def quarantined_and_staged(s3: Any, bucket: str) -> list[ObjectVersion]:
    """What the validator keeps of rows: bad rows, rejected files, accepted orders."""
    found = versions_under(s3, bucket, QUARANTINE_PREFIX)
    kept = [each for each in found if _is_of_rows(each.key) or stored_input(each.key)]
    staged = versions_under(s3, bucket, PROCESSING_PREFIX)
    return kept + [each for each in staged if each.key.split("/")[2] == "orders"]


def archived(s3: Any, bucket: str, batch_id: str | None = None) -> list[ObjectVersion]:
    """Archived inputs, of one batch where it is given; their papers name no user."""
    prefix = archive_prefix(batch_id) if batch_id else "archive/"
    return [each for each in versions_under(s3, bucket, prefix) if stored_input(each.key)]


def as_read(
    objects: Iterable[ObjectVersion], columns_of: Callable[[str], ExportColumns]
) -> list[ObjectVersion]:
    """The same, those of sources with how they are read: by any version of their source."""
    found = []
    for each in objects:
        name = source_of(stored_input(each.key) or each.key)
        found.append(each.model_copy(update={"export": columns_of(name)}) if name else each)
    return found


def search(
    objects: Iterable[ObjectVersion], s3: Any, bucket: str, wanted: Replacement, clock: Clock
) -> Erasure:
    """Which of these CSV files hold the user; nothing is changed."""

    def rewrite_of(version: ObjectVersion) -> Any:
        if version.export is not None:
            return export_rewrite(version.export, wanted)
        kind = kind_of_stored(version.key) or kind_of(version.key) or "orders"
        return csv_rewrite(kind, clock().date(), wanted)

    return erase_in(objects, S3Versions(s3, bucket), rewrite_of, dry_run=True)


@dataclass(frozen=True)
class Batches:
    """Batches that may still read their inputs."""

    unfinished: tuple[str, ...]
    failed: Mapping[str, frozenset[FileIdentity]]


def open_batches(dynamodb: Any, objects: ObjectStore) -> Batches:
    """Those in work, and those that failed with the inputs that a redrive would read again."""
    failed = {}
    for batch in items.query(dynamodb, table(STATE_TABLE), {"pk": "batches"}):
        if batch["status"] != "FAILED":
            continue
        manifest = read_unless_expired(objects, ObjectRef(**batch["manifest"]))
        files = manifest["files"] if manifest else ()
        failed[batch["batch_id"]] = frozenset(
            FileIdentity(batch["bucket"], file["key"], file["version_id"]) for file in files
        )
    unfinished = items.query(dynamodb, table(STATE_TABLE), UNFINISHED)
    return Batches(tuple(item["sk"] for item in unfinished), failed)


def in_work(batches: Batches) -> list[str]:
    """Why nothing can be erased now."""
    return [
        f"batch {batch_id} is in work: ask again when it is closed (`ecp status`)"
        for batch_id in batches.unfinished
    ]


def pending_files(store: EventStore, tables: StateTables, bucket: str) -> set[FileIdentity]:
    """The files of the open set."""
    waiting = read_open_set(store, tables, bucket)["files"]
    return {FileIdentity(bucket, file["key"], file["version_id"]) for file in waiting}


def identities(bucket: str, versions: Iterable[ObjectVersion]) -> list[FileIdentity]:
    """The same versions as the aggregator names them."""
    return [FileIdentity(bucket, each.key, each.version_id) for each in versions]


def are_known(dynamodb: Any, files: Iterable[FileIdentity]) -> set[FileIdentity]:
    """Those of the files that the aggregator has taken in."""
    return {file for file in files if items.get_item(dynamodb, table(STATE_TABLE), file_key(file))}


@dataclass(frozen=True)
class Uploads:
    """What is in the way of erasing, and the uploads that hold the user and nobody will read.

    `versions` were searched; of `unsearched` nobody can tell.
    """

    obstacles: tuple[str, ...]
    leftovers: tuple[ObjectVersion, ...]
    versions: int = 0
    unsearched: tuple[UnsearchedObject, ...] = ()

    def erased(self) -> ErasedPlace:
        """What was done once the leftovers are deleted."""
        return ErasedPlace(
            place="uploads",
            versions=self.versions,
            rewritten_objects=0,
            deleted_versions=len(self.leftovers),
            rows=0,
            uncertain_rows=0,
        )


def judge_uploads(
    bucket: str,
    holding: Sequence[ObjectVersion],
    pending: Identities,
    failed: Mapping[str, Identities],
    known: Identities,
) -> Uploads:
    """A version that waits, or that a failed batch would read again, must not be changed.

    Any other is left over: overwritten, rejected (quarantine has it), or no input at all.
    """
    obstacles, leftovers = [], []
    for version in holding:
        identity = FileIdentity(bucket, version.key, version.version_id)
        batches = [batch_id for batch_id, files in failed.items() if identity in files]
        if identity in pending:
            obstacles.append(
                f"{version.key} waits in the open set and holds the user: `ecp status` says what "
                "the set waits for; it is processed then, or delete the file"
            )
        elif batches:
            obstacles.append(_redrive_first(batches[0], version.key))
        elif version.is_current and identity not in known and is_input(version.key):
            obstacles.append(f"{version.key} has just arrived and holds the user: wait a moment")
        else:
            leftovers.append(version)
    return Uploads(tuple(obstacles), tuple(leftovers))


def judge_archived(batch_id: str, holding: Sequence[ObjectVersion]) -> list[str]:
    """A batch that failed while it was archived compares its copies with its inputs again."""
    return [_redrive_first(batch_id, holding[0].key)] if holding else []


def portions(objects: Sequence[ObjectVersion]) -> Iterator[list[ObjectVersion]]:
    """As many as one command may name."""
    rest = iter(objects)
    while portion := list(islice(rest, OBJECTS_IN_ONE_COMMAND)):
        yield portion


def wait_for_all(
    store: EventStore,
    streams: Collection[str],
    on_news: Callable[[Message], None],
    *,
    poll_seconds: float,
    wait_seconds: float,
) -> dict[str, Message]:
    """The event that each stream ends with: its first. Those that come in time."""
    ended: dict[str, Message] = {}
    deadline = time.monotonic() + wait_seconds
    while len(ended) < len(streams) and time.monotonic() < deadline:
        for stream in streams:
            events = store.read(stream) if stream not in ended else ()
            for event in events:
                ended[stream] = event
                on_news(event)
        if len(ended) < len(streams):
            time.sleep(poll_seconds)
    return ended


def place_of(name: str, parts: Iterable[Any]) -> ErasedPlace:
    """What was done in one place, added up over its commands."""
    every = list(parts)
    return ErasedPlace(
        place=name,
        **{count: sum(getattr(part, count) for part in every) for count in COUNTS},
    )


def receipt_of(
    request: ErasureRequest,
    digest: str,
    finished_at: str,
    places: Sequence[ErasedPlace],
    facts: ErasedFacts,
    unsearched: Sequence[UnsearchedObject],
) -> ErasureReceipt:
    """The receipt; it counts, and names no object that held the user: the token stands there."""
    found = [getattr(place, count) for place in places for count in COUNTS[1:]]
    found += [facts.rows, facts.expired_snapshots, facts.deleted_files]
    return ErasureReceipt(
        erasure_id=request.erasure_id,
        user_digest=digest,
        requested_by=request.requested_by,
        requested_at=request.requested_at,
        finished_at=finished_at,
        places=list(places),
        facts=facts,
        unsearched=list(unsearched),
        not_changed=list(NOT_CHANGED),
        changed=any(found),
    )


def pseudonyms_of(user_id: str, token: str, keys: Sequence[bytes]) -> list[PseudonymErasure]:
    """The pseudonyms of user and token of each generation, the newest last."""
    chains = [keys[: number + 1] for number in range(len(keys))]
    return [
        PseudonymErasure(
            check=check_of(chain),
            pseudonym=pseudonym_of(user_id, chain),
            token=pseudonym_of(token, chain),
        )
        for chain in chains
    ]


def open_request(s3: Any, bucket: str, user_id: str) -> ErasureRequest | None:
    """The request of an erasure of this user that has not ended."""
    for version in versions_under(s3, bucket, OPEN_ERASURES_PREFIX):
        if version.is_current and version.key.endswith("/user.json"):
            request = ErasureRequest.model_validate_json(_content(s3, bucket, version.key))
            if request.user_id == user_id:
                return request
    return None


def receipts(s3: Any, bucket: str, digest: str | None = None) -> list[ErasureReceipt]:
    """All receipts, or those of one user, oldest first."""
    kept = [
        ErasureReceipt.model_validate_json(_content(s3, bucket, version.key))
        for version in versions_under(s3, bucket, ERASURES_PREFIX)
        if version.is_current and not version.key.startswith(OPEN_ERASURES_PREFIX)
    ]
    ours = [receipt for receipt in kept if digest in (None, receipt.user_digest)]
    return sorted(ours, key=lambda receipt: receipt.finished_at)


def _content(s3: Any, bucket: str, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def _redrive_first(batch_id: str, key: str) -> str:
    return (
        f"batch {batch_id} is FAILED, and {key} of it holds the user: "
        f"`ecp redrive {batch_id} --wait` first, or delete the file"
    )


def _is_of_rows(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 4 and parts[2] == "rows" and key.endswith(".parquet")
