"""Where rows stand: the facts that an order, a product or a pair has now, and their place in time.

A row's place is the batch it was stated in, the file and the line. The row of a replay stands in
the place of the quarantined row that it answers, or of the standing row that it states again
(docs/decisions/0010).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from contracts.envelope import Message
from contracts.messages import AnsweredRow, ObjectRef, RestatedRow
from services.runtime.event_store import EventStore
from services.runtime.quarantine.replays import replay_document
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired

IDENTITY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders": ("order_id",),
    "products": ("product_id",),
    "order_items": ("order_id", "product_id"),
}
PROVENANCE = ("batch_id", "source_key", "source_line")

Identity = tuple[str, ...]


class Precedence(NamedTuple):
    """Sorts rows as they count: a later one replaces an earlier one.

    `epoch` grows with each published batch, `file_index` and `line` within it. `statement` is the
    index of the last file of its statement, where several files are one.
    """

    epoch: int
    file_index: int
    line: int
    statement: int = -1

    @property
    def stated(self) -> tuple[int, int]:
        """The statement that the row belongs to; a greater one is newer."""
        return self.epoch, max(self.file_index, self.statement)


class Origin(NamedTuple):
    """A row of an input: its batch, the input's key, and the line where the row starts."""

    batch_id: str
    key: str
    line: int


@dataclass(frozen=True)
class CurrentRow:
    """A row of the facts; the amounts are those of an order line, None for other kinds."""

    identity: Identity
    batch_id: str
    source_key: str
    source_line: int
    quantity: int | None = None
    unit_price_cents: int | None = None
    line_id: str | None = None
    line_amount_cents: int | None = None

    @property
    def stated_at(self) -> Origin:
        """The row of an input that it came from last."""
        return Origin(self.batch_id, self.source_key, self.source_line)


class BatchRecord:
    """What the events of one batch say of where its rows count."""

    def __init__(self, events: Iterable[Message], objects: ObjectStore) -> None:
        self._events = list(events)
        self._objects = objects

    @cached_property
    def epoch(self) -> int | None:
        """The writer epoch that published it, None when it is not published."""
        return next((e.data.epoch for e in self._of_type("KpisPublished")), None)

    @cached_property
    def end(self) -> str | None:
        """BatchCompleted, BatchRejected or BatchFailed; None while it runs, or when unknown."""
        ends = ("BatchCompleted", "BatchRejected", "BatchFailed")
        return next((e.event_type for e in reversed(self._events) if e.event_type in ends), None)

    @cached_property
    def file_indexes(self) -> dict[str, int]:
        """The index of each input by key; a key is in a batch once."""
        return {e.data.key: e.data.file_index for e in self._of_type("FileValidated")}

    @cached_property
    def statements(self) -> dict[str, int]:
        """By key, the index of the last file of its statement, for files that share one.

        A batch whose manifest has expired has none: its files are told apart then.
        """
        found: dict[str, int] = {}
        for event in self._of_type("BatchSealed"):
            document = read_unless_expired(self._objects, event.data.manifest)
            files = [file for file in (document or {}).get("files", ()) if file.get("statement")]
            last = {file["statement"]: file["index"] for file in files}
            found |= {file["key"]: last[file["statement"]] for file in files}
        return found

    @cached_property
    def origins(self) -> dict[tuple[str, int], Origin]:
        """Of a replay: the row behind each of its rows, by the key and line that it has there."""
        refs: list[ObjectRef | None] = [e.data.answers for e in self._of_type("BatchSealed")]
        rows: list[AnsweredRow | RestatedRow] = []
        for document in (replay_document(self._objects, ref) for ref in refs if ref):
            if document is not None:
                rows += [*document.rows, *document.restated]
        return {
            (row.replay_key, row.replay_line): Origin(row.batch_id, row.key, row.line)
            for row in rows
        }

    def _of_type(self, event_type: str) -> Iterator[Message]:
        return (event for event in self._events if event.event_type == event_type)


class Precedences:
    """Precedences of rows, from the events of the batches that stated them; each is read once."""

    def __init__(self, store: EventStore, objects: ObjectStore) -> None:
        self._store, self._objects = store, objects
        self._batches: dict[str, BatchRecord] = {}

    def batch(self, batch_id: str) -> BatchRecord:
        """What is known of a batch."""
        if batch_id not in self._batches:
            events = self._store.read_correlated(batch_id)
            self._batches[batch_id] = BatchRecord(events, self._objects)
        return self._batches[batch_id]

    def origin(self, row: Origin) -> Origin:
        """The row that a replay's row stands for, however often it was replayed; else itself.

        The link of a replay that has expired is missing: its rows then count as stated by it, which
        is later than anything that is still in quarantine.
        """
        behind = self.batch(row.batch_id).origins.get((row.key, row.line))
        return self.origin(behind) if behind else row

    def of(self, row: Origin) -> Precedence | None:
        """Where a row counts, None when its batch is not published."""
        batch_id, key, line = self.origin(row)
        batch = self.batch(batch_id)
        if batch.epoch is None or key not in batch.file_indexes:
            return None
        return Precedence(batch.epoch, batch.file_indexes[key], line, batch.statements.get(key, -1))
