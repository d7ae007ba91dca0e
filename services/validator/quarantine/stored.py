"""What the stores hold of quarantine: replays and their documents, dismissals, copies of inputs."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from contracts.layout import QUARANTINE_PREFIX, REPLAY_ANSWERS_PREFIX
from contracts.messages import BatchManifest, ObjectRef
from services.runtime.quarantine.copies import Copies, Sealed
from services.runtime.quarantine.copies import arrange as arrange_copies
from services.runtime.quarantine.replays import COMPLETED, Replay, RowId, arrange, replay_document
from services.runtime.quarantine.resolutions import Resolutions, dismissal_of, published_since
from services.runtime.storage import items
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired
from services.validator.quarantine.rows import Listing, Row, header_in, rows_of
from services.validator.quarantine.rows import arrange as arrange_listing

THREADS = 8
Header = tuple[str, ...] | None
LOOKED_AT = 100
ENDED = frozenset({"COMPLETED", "REJECTED", "FAILED"})


def listing(s3: Any, bucket: str, batch_id: str | None = None) -> Listing:
    """What is in quarantine, of one batch where it is given, oldest first."""
    prefix = QUARANTINE_PREFIX if batch_id is None else f"{QUARANTINE_PREFIX}{batch_id}/"
    return arrange_listing(_entries(s3, bucket, prefix))


def read_rows(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[Row]:
    """The quarantined rows of each Parquet file, by line within it; read as they are consumed."""
    for key in keys:
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        yield from rows_of(content)


def read_headers(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[tuple[list[Row], Header]]:
    """The rows of each Parquet file, with the column names of the input that they stood in."""
    for key in keys:
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        yield rows_of(content), header_in(content)


def read_resolutions(
    s3: Any, dynamodb: Any, objects: ObjectStore, bucket: str, state_table: str
) -> Resolutions:
    """From the documents of the replays, the aggregator's rows and what lies in quarantine."""
    batches = items.query(dynamodb, state_table, {"pk": "batches"})
    rows = items.query(dynamodb, state_table, {"pk": "dismissals"})
    return Resolutions(
        replays=read_replays(s3, batches, objects, bucket),
        dismissals=[dismissal_of(row) for row in rows],
        published=published_since(
            row
            for partition in ("refused", "answered")
            for row in items.query(dynamodb, state_table, {"pk": partition})
        ),
        completed=frozenset(one["batch_id"] for one in batches if one["status"] == COMPLETED),
        copies=read_copies(batches, listing(s3, bucket).batches, objects),
    )


def running_batch(dynamodb: Any, state_table: str) -> str | None:
    """A batch that is sealed and has not ended, the oldest first; None when there is none.

    Of the newest ones: who waits to be run again is looked at by people.
    """
    newest = items.query(
        dynamodb, state_table, {"pk": "batches"}, newest_first=True, limit=LOOKED_AT
    )
    running = [row["batch_id"] for row in newest if row["status"] not in ENDED]
    return running[-1] if running else None


def read_replays(
    s3: Any, batches: Iterable[Mapping[str, Any]], objects: ObjectStore, bucket: str
) -> dict[RowId, Replay]:
    """The replay that answers each row: the newest completed one, else the newest.

    `batches` are the aggregator's rows, oldest first. A replay's document is as old as the replay
    and outlives the rows that it answers, so one that has expired answers nothing that is still in
    quarantine.
    """
    kept = {entry["Key"] for entry in _entries(s3, bucket, REPLAY_ANSWERS_PREFIX)}
    return arrange(
        (batch["batch_id"], batch["status"], batch["sealed_at"], document.rows)
        for batch in batches
        if batch.get("answers") and batch["answers"]["key"] in kept
        if (document := replay_document(objects, ObjectRef(**batch["answers"])))
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
    return arrange_copies(
        Sealed(row["status"], row["sealed_at"], BatchManifest(**document))
        for row, document in zip(rows, documents, strict=True)
        if document is not None
    )


def _entries(s3: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """All objects under a prefix, as S3 lists them."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry for page in pages for entry in page.get("Contents", ())]
