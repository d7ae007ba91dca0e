"""Which quarantined rows a replay has answered, and what each replay answers."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from contracts.layout import REPLAY_ANSWERS_PREFIX
from contracts.messages import AnsweredRow, ObjectRef, ReplayAnswers
from infra.ecp.names import STATE_TABLE
from services.runtime.storage import items
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired

COMPLETED = "COMPLETED"


class RowId(NamedTuple):
    """One quarantined row: a line of one version of an input, in the batch that refused it."""

    batch_id: str
    key: str
    version_id: str
    line: int


class Answer(NamedTuple):
    """A replay of a row: its batch, how and since when it stands, what the corrected row states."""

    batch_id: str
    status: str
    sealed_at: str
    identity: tuple[str, ...]


Answers = Mapping[RowId, Answer]


def row_id(row: Mapping[str, Any]) -> RowId:
    """The identity of a row as the quarantine holds it."""
    return RowId(row["batch_id"], row["key"], row["version_id"], row["line"])


def is_open(found: RowId, answers: Answers) -> bool:
    """Whether no replay of the row has completed."""
    return found not in answers or answers[found].status != COMPLETED


def read_answers(s3: Any, dynamodb: Any, objects: ObjectStore, bucket: str) -> dict[RowId, Answer]:
    """The replay that answers each row: the newest completed one, else the newest.

    A replay's document is as old as the replay and outlives the rows that it answers, so one that
    has expired answers nothing that is still in quarantine.
    """
    kept = _kept_documents(s3, bucket)
    if not kept:
        return {}
    batches = items.query(dynamodb, STATE_TABLE, {"pk": "batches"})
    return arrange(
        (batch["batch_id"], batch["status"], batch["sealed_at"], document.rows)
        for batch in batches
        if batch.get("answers") and batch["answers"]["key"] in kept
        if (document := replay_document(objects, ObjectRef(**batch["answers"])))
    )


def arrange(
    replays: Iterable[tuple[str, str, str, Iterable[AnsweredRow]]],
) -> dict[RowId, Answer]:
    """The answer of each row; `replays` are batch id, status, seal and rows, oldest first."""
    found: dict[RowId, Answer] = {}
    for batch_id, status, sealed_at, rows in replays:
        for row in rows:
            answered = RowId(row.batch_id, row.key, row.version_id, row.line)
            if is_open(answered, found) or status == COMPLETED:
                found[answered] = Answer(batch_id, status, sealed_at, tuple(row.identity))
    return found


def replay_document(objects: ObjectStore, ref: ObjectRef) -> ReplayAnswers | None:
    """What one replay answers and states again; None when its document has expired."""
    document = read_unless_expired(objects, ref)
    return ReplayAnswers.model_validate(document) if document is not None else None


def _kept_documents(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=REPLAY_ANSWERS_PREFIX
    )
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}
