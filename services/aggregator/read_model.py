"""Rows of `AggregatorState`: keys and contents; each is written with the events that it tells.

| pk | sk | what |
|---|---|---|
| bucket#<bucket> | open-set | the number of the open set, and whether products are known |
| file#<bucket>#<key> | <version_id> | a file version that was seen: each is taken in once |
| bucket#<bucket> | sweep | how far the sweep of versions has come |
| content#<kind>#<size>#<SHA-256 or ETag> | batch | the completed batch that had this content |
| sources#<bucket> | <key> | a source of one's own, or why it is refused; a lookup |
| no-source#<bucket> | <source>#<hash of key and version> | a file that waits for its source |
| answered | <batch_id>#<number> | the same, once all of them are published |
| left-out | <at>#<what> | a version that was ignored, superseded or gone, and why |
| bucket#<bucket> | people-told | of which folders people were told today |
| batch#<batch_id> | batch | a batch, as `ecp batch` and `ecp batches` show it |
| batches | <sealed_at>#<batch_id> | the same row, in order of sealing |
| unfinished | <batch_id> | a batch that is not closed, for the sweep of dead executions |
| execution#<execution_id> | batch | the batch that an execution runs |
| dismissals | <at>#<event_id of the command> | quarantined rows that nobody will correct |
| refused | <batch_id>#<number> | inputs of a rejected batch, and who published them since |

Rows with `expires_at` (epoch seconds) are deleted after that time by DynamoDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.identities import FileIdentity
from contracts.messages import (
    BatchCompleted,
    BatchFailed,
    BatchRedriven,
    BatchRejected,
    BatchSealed,
    BatchStarted,
    FileGone,
    FileIgnored,
    FileSuperseded,
    QuarantineDismissed,
)
from services.aggregator.batch.domain import CLOSED
from services.runtime.event_store import DeleteItem, PutItem, StateWrite
from services.runtime.storage.documents import sha256_hex

Row = dict[str, Any]
LISTED_REJECTED_FILES = 100
"""Of a batch's rejected files, its row keeps so many; its event has them all."""

BATCHES = {"pk": "batches"}
UNFINISHED = {"pk": "unfinished"}
DISMISSALS = {"pk": "dismissals"}
REFUSED = {"pk": "refused"}
ANSWERED = {"pk": "answered"}
LEFT_OUT = {"pk": "left-out"}
LEFT_OUT_DAYS = 90
REFUSED_KEYS_IN_ROW = 100
REFUSED_DAYS = 400
"""Longer than quarantine keeps a refused file."""


def open_set_key(bucket: str) -> Row:
    """Where a bucket's open set is named."""
    return {"pk": f"bucket#{bucket}", "sk": "open-set"}


def file_key(identity: FileIdentity) -> Row:
    """Where a file version is remembered."""
    return {"pk": f"file#{identity.bucket}#{identity.key}", "sk": identity.version_id}


def seen_row(identity: FileIdentity, event: BaseModel, at: str, set_number: int) -> Row:
    """A file version as it was seen at `at` (RFC 3339), while that set was open."""
    return file_key(identity) | {
        "seen_as": type(event).__name__,
        "seen_at": at,
        "set_number": set_number,
        "last_modified": getattr(event, "last_modified", None) or "",
    }


def versions_of(bucket: str, key: str) -> Row:
    """The partition of all versions of a key that were seen."""
    return {"pk": f"file#{bucket}#{key}"}


def sweep_key(bucket: str) -> Row:
    """Where the sweep of a bucket stands."""
    return {"pk": f"bucket#{bucket}", "sk": "sweep"}


def content_key(content: Any, digest: str) -> Row:
    """Where it is kept which completed batch had this content."""
    read_by = f"{content.kind}@{content.source.name}" if content.source else content.kind
    return {"pk": f"content#{read_by}#{content.size_bytes}#{digest}", "sk": "batch"}


def sources_of(bucket: str) -> Row:
    """The partition of the sources and lookups that a bucket knows."""
    return {"pk": f"sources#{bucket}"}


def source_key(bucket: str, key: str) -> Row:
    """Where it is kept what stands under a key of `sources/`, or of a lookup."""
    return sources_of(bucket) | {"sk": key}


def without_source(bucket: str) -> Row:
    """The partition of the files whose source is not known."""
    return {"pk": f"no-source#{bucket}"}


def without_source_key(bucket: str, source: str, key: str, version_id: str) -> Row:
    """Where such a file is kept."""
    name = sha256_hex(f"{key} {version_id}".encode())[:32]
    return without_source(bucket) | {"sk": f"{source}#{name}"}


def without_source_row(event: FileIgnored, source: str, told: Row) -> Row:
    """A file that waits for its source; `told` is the row by which people see that."""
    key = without_source_key(event.bucket, source, event.key, str(event.version_id))
    return key | {
        "source": source,
        "key": event.key,
        "version_id": event.version_id,
        "told": {"pk": told["pk"], "sk": told["sk"]},
    }


def batch_key(batch_id: str) -> Row:
    """Where a batch's row is."""
    return {"pk": f"batch#{batch_id}", "sk": "batch"}


def execution_key(execution_id: str) -> Row:
    """Where the batch of an execution is named."""
    return {"pk": f"execution#{execution_id}", "sk": "batch"}


def row_of(events: Sequence[BaseModel], set_number: int, at: str) -> Row:
    """The row of a batch whose stream begins with these events, all at `at` (RFC 3339)."""
    first, *rest = events
    if not isinstance(first, BatchSealed):
        raise TypeError(f"a batch begins with BatchSealed, not {type(first).__name__}")
    row = _sealed_row(first, set_number, at)
    for event in rest:
        row = after(row, event, at)
    return row


def _sealed_row(event: BatchSealed, set_number: int, at: str) -> Row:
    return {
        "batch_id": event.batch_id,
        "status": "SEALED",
        "bucket": event.bucket,
        "set_number": set_number,
        "trigger": event.trigger,
        "attempt": event.attempt,
        "file_count": event.file_count,
        "size_bytes": event.size_bytes,
        "manifest": event.manifest.model_dump(),
        "sealed_at": at,
        "started_at": None,
        "closed_at": None,
        "execution_id": None,
        "reason": None,
        "rejected_files": [],
        "result": None,
        "answers": event.answers.model_dump() if event.answers else None,
    }


def after(row: Row, event: BaseModel, at: str) -> Row:
    """The row after one event of its batch's stream, which happened at `at`."""
    changes: Row = {}
    match event:
        case BatchStarted():
            changes = {"status": "RUNNING", "started_at": at, "execution_id": event.execution_id}
        case BatchCompleted():
            changes = {
                "status": "COMPLETED",
                "closed_at": at,
                "result": event.result.model_dump(),
                "reason": event.remark,
            }
        case BatchRejected():
            listed = [file.model_dump() for file in event.rejected_files[:LISTED_REJECTED_FILES]]
            changes = {
                "status": "REJECTED",
                "closed_at": at,
                "reason": event.reason,
                "rejected_files": listed,
            }
        case BatchFailed():
            changes = {"status": "FAILED", "closed_at": at, "reason": event.reason}
        case BatchRedriven():
            changes = {
                "status": "SEALED",
                "attempt": event.attempt,
                "started_at": None,
                "closed_at": None,
                "execution_id": None,
                "reason": None,
            }
    if isinstance(event, BatchCompleted | BatchRejected | BatchFailed):
        changes["execution_id"] = event.execution_id
    return row | changes


def dismissal_row(event: QuarantineDismissed, at: str, command_id: str) -> Row:
    """What was dismissed by a command at `at` (RFC 3339)."""
    return DISMISSALS | {"sk": f"{at}#{command_id}"} | event.model_dump() | {"dismissed_at": at}


def refused_rows(
    row: Row, refused: Sequence[str], returned: Sequence[str], at: datetime
) -> list[Row]:
    """The inputs of a rejected batch, a hundred a row, none of them published yet.

    Its rejected files wait for corrections; what was refused of its healthy ones (`returned`) is
    refused again by the batch that they go on with.
    """
    rows: list[Row] = []
    for is_rejected, keys in ((True, refused), (False, returned)):
        for start in range(0, len(keys), REFUSED_KEYS_IN_ROW):
            rows.append(
                REFUSED
                | {
                    "sk": f"{row['batch_id']}#{len(rows):02d}",
                    "batch_id": row["batch_id"],
                    "bucket": row["bucket"],
                    "set_number": row["set_number"],
                    "is_rejected": is_rejected,
                    "keys": list(keys[start : start + REFUSED_KEYS_IN_ROW]),
                    "answered": {},
                    "expires_at": epoch_seconds(at + timedelta(days=REFUSED_DAYS)),
                }
            )
    return rows


def left_out_row(event: FileIgnored | FileSuperseded | FileGone, at: datetime) -> Row:
    """A version of which no row counts, at `at`; `what` is ignored, superseded or gone."""
    named = f"{event.key} {event.version_id} {to_rfc3339(at)}"
    return LEFT_OUT | {
        "sk": f"{to_rfc3339(at)}#{sha256_hex(named.encode())[:16]}",
        "at": to_rfc3339(at),
        "what": type(event).__name__.removeprefix("File").lower(),
        "bucket": event.bucket,
        "key": event.key,
        "version_id": event.version_id,
        "reason": event.reason,
        "did_you_mean": getattr(event, "did_you_mean", None),
        "by_version_id": getattr(event, "by_version_id", None),
        "expires_at": epoch_seconds(at + timedelta(days=LEFT_OUT_DAYS)),
    }


def people_told_key(bucket: str) -> Row:
    """Where it is kept of which folders people were told today."""
    return {"pk": f"bucket#{bucket}", "sk": "people-told"}


def epoch_seconds(moment: datetime) -> int:
    """As DynamoDB's time to live wants it."""
    return int(moment.timestamp())


def batch_writes(table: str, row: Mapping[str, Any]) -> list[StateWrite]:
    """All items that say how a batch stands."""
    batch_id, execution_id = str(row["batch_id"]), row["execution_id"]
    body = {name: value for name, value in row.items() if name not in ("pk", "sk")}
    unfinished = UNFINISHED | {"sk": batch_id}
    writes: list[StateWrite] = [
        PutItem(table, batch_key(batch_id) | body),
        PutItem(table, BATCHES | {"sk": f"{row['sealed_at']}#{batch_id}"} | body),
    ]
    if row["status"] in CLOSED:
        writes.append(DeleteItem(table, unfinished))
    else:
        since = row["started_at"] or row["sealed_at"]
        standing = {
            "execution_id": execution_id,
            "since": since,
            "bucket": row["bucket"],
            "set_number": row["set_number"],
        }
        writes.append(PutItem(table, unfinished | standing))
    if row["status"] == "RUNNING" and execution_id is not None:
        writes.append(PutItem(table, execution_key(execution_id) | {"batch_id": batch_id}))
    return writes
