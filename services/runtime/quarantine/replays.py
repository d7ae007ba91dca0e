"""Which quarantined rows a replay has answered, and what each replay answers."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from contracts.messages import AnsweredRow, ObjectRef, ReplayAnswers
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired

COMPLETED = "COMPLETED"


class RowId(NamedTuple):
    """One quarantined row: a line of one version of an input, in the batch that refused it."""

    batch_id: str
    key: str
    version_id: str
    line: int


class Replay(NamedTuple):
    """A replay of a row: its batch, how and since when it stands, what the corrected row states."""

    batch_id: str
    status: str
    sealed_at: str
    identity: tuple[str, ...]


Replays = Mapping[RowId, Replay]


def row_id(row: Mapping[str, Any]) -> RowId:
    """The identity of a row as the quarantine holds it."""
    return RowId(row["batch_id"], row["key"], row["version_id"], row["line"])


def is_open(found: RowId, replays: Replays) -> bool:
    """Whether no replay of the row has completed."""
    return found not in replays or replays[found].status != COMPLETED


def arrange(
    replays: Iterable[tuple[str, str, str, Iterable[AnsweredRow]]],
) -> dict[RowId, Replay]:
    """The answer of each row; `replays` are batch id, status, seal and rows, oldest first."""
    found: dict[RowId, Replay] = {}
    for batch_id, status, sealed_at, rows in replays:
        for row in rows:
            answered = RowId(row.batch_id, row.key, row.version_id, row.line)
            if is_open(answered, found) or status == COMPLETED:
                found[answered] = Replay(batch_id, status, sealed_at, tuple(row.identity))
    return found


def replay_document(objects: ObjectStore, ref: ObjectRef) -> ReplayAnswers | None:
    """What one replay answers and states again; None when its document has expired."""
    document = read_unless_expired(objects, ref)
    return ReplayAnswers.model_validate(document) if document is not None else None
