"""A command to erase a user from quarantine: each object is rewritten as what its key says."""

import io
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.clock import new_event_id
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import EraseFromQuarantine, ObjectVersion
from services.runtime.event_store import InMemoryEventStore
from services.runtime.privacy.erasure import ErasurePorts
from services.runtime.storage.documents import InMemoryObjectStore
from services.validator.erasure import erase_from_quarantine
from services.validator.row_files import QUARANTINE_SCHEMA
from tests.unit.runtime.test_erasure import TOKEN, Versions, a_request

BATCH = "3f2a9c0d1e4b5a67"
NOW = datetime(2025, 7, 8, 23, tzinfo=UTC)
STAGED = f"processing/{BATCH}/staged/orders/0000.parquet"
ROWS = f"quarantine/{BATCH}/rows/0000.parquet"
FILE = f"quarantine/{BATCH}/files/orders/a.csv"
MINE, MINE_ERASED = "1" * 64, "2" * 64


def parquet(*rows: dict[str, Any], schema: Any = None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink)
    return sink.getvalue()


def bad_row(raw: str) -> dict[str, Any]:
    return dict.fromkeys(QUARANTINE_SCHEMA.names, "x") | {"kind": "orders", "line": 2, "raw": raw}


class Quarantine:
    """Objects of the validator, and the erasing of a user from them."""

    def __init__(self) -> None:
        self.versions, self.documents = Versions(), InMemoryObjectStore()
        self.store = InMemoryEventStore(lambda: NOW, new_event_id, {})

    def erase(self) -> Any:
        """The event that says what was done."""
        asked: list[str] = []

        def versions_of(bucket: str) -> Versions:
            asked.append(bucket)
            return self.versions

        ports = ErasurePorts(self.store, self.documents, versions_of, lambda: NOW)
        erase_from_quarantine(self.command(self.versions.listed()), ports)
        assert asked == ["data"]
        [event] = self.store.read("validation/erasure-1-0")
        return event

    def command(self, objects: list[ObjectVersion]) -> Message:
        ref = self.documents.put_json("data", "erasures/open/erasure-1/user.json", a_request())
        command = EraseFromQuarantine(
            request_id="erasure-1-0",
            request=ref,
            bucket="data",
            objects=objects,
            requested_by="ann",
        )
        context = MessageContext("test")
        return unanswered_command(command, context, "s", new_event_id(), "2025-07-08T00:00:00.000Z")

    def standing(self, key: str) -> bytes:
        return self.versions.content[key, self.versions.current[key]]


@pytest.fixture
def quarantine() -> Quarantine:
    return Quarantine()


def test_staged_rows_are_rewritten_by_their_pseudonyms(quarantine: Quarantine) -> None:
    quarantine.versions.add(parquet({"order_id": "1", "user_id": MINE}), STAGED)
    assert quarantine.erase().data.rows == 1
    assert pq.read_table(io.BytesIO(quarantine.standing(STAGED)))["user_id"].to_pylist() == [
        MINE_ERASED
    ]


def test_bad_rows_are_rewritten_by_their_text(quarantine: Quarantine) -> None:
    quarantine.versions.add(parquet(bad_row("1,alice,x"), schema=QUARANTINE_SCHEMA), ROWS)
    assert quarantine.erase().data.uncertain_rows == 1
    kept = pq.read_table(io.BytesIO(quarantine.standing(ROWS)))
    assert kept["raw"].to_pylist() == [f"1,{TOKEN},x"]


def test_rejected_files_are_rewritten_as_the_csv_of_their_kind(quarantine: Quarantine) -> None:
    text = "order_id,user_id,order_date,total_amount,status\nalice,alice,2025-07-07,1.00,paid\n"
    quarantine.versions.add(text, FILE)
    assert quarantine.erase().data.rows == 1
    kept = quarantine.standing(FILE).decode()
    assert kept == text.replace("alice,alice", f"alice,{TOKEN}")


def test_the_event_says_whose_it_is_and_what_it_answers(quarantine: Quarantine) -> None:
    quarantine.versions.add(parquet({"order_id": "1", "user_id": "3" * 64}), STAGED)
    event = quarantine.erase()
    assert event.event_type == "UserErasedFromQuarantine"
    assert event.source == "ecommerce-pipeline/validator"
    assert event.correlation_id == "erasure-1-0"
    assert event.causation_id is not None
    assert (event.data.versions, event.data.rewritten_objects, event.data.rows) == (1, 0, 0)
