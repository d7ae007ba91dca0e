"""Archiving as the saga sees it, on buckets in memory: nothing is lost, whatever happens when."""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from contracts.errors import ContractViolation, PipelineError
from contracts.messages import ArchiveBatch, ObjectRef
from services.archiver.domain import Stored
from services.archiver.use_cases import Ports, archive_batch
from services.runtime.event_store import InMemoryEventStore
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.storage.documents import canonical_json, sha256_hex
from tests.support.commands import saga_command

BATCH = "3f2a9c0d1e4b5a67"
DATA, ARCHIVE = "uploads", "archive"


@dataclass(frozen=True)
class Version:
    content: bytes
    stored: Stored


class Buckets:
    """Versioned buckets; also the document store, as S3 is both."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], list[Version]] = defaultdict(list)
        self.copies: list[str] = []
        self.damage: bytes | None = None
        self.copy_gate: threading.Event | None = None
        self._numbers = count(1)
        self._mutex = threading.Lock()

    def put(
        self, bucket: str, key: str, content: bytes, parts: int = 1, metadata: Any = None
    ) -> Stored:
        etag = hashlib.md5(content).hexdigest()  # noqa: S324
        stored = Stored(
            version_id=f"v{next(self._numbers)}",
            size_bytes=len(content),
            etag=etag if parts == 1 else f"{etag}-{parts}",
            content_type="text/csv",
            metadata=metadata or {},
        )
        with self._mutex:
            self.versions[(bucket, key)].append(Version(content, stored))
        return stored

    def keys(self, bucket: str) -> list[str]:
        return sorted(
            key for (name, key), found in self.versions.items() if found and name == bucket
        )

    def content(self, bucket: str, key: str) -> bytes:
        return self.versions[(bucket, key)][-1].content

    def _find(self, bucket: str, key: str, version_id: str | None) -> Version | None:
        found = [
            version
            for version in self.versions[(bucket, key)]
            if version_id in (None, version.stored.version_id)
        ]
        return found[-1] if found else None

    def head(self, bucket: str, key: str, version_id: str | None = None) -> Stored | None:
        version = self._find(bucket, key, version_id)
        return None if version is None else version.stored

    def copy(
        self,
        source: tuple[str, str, str],
        bucket: str,
        key: str,
        like: Stored,
        provenance: Mapping[str, str],
    ) -> None:
        if self.copy_gate is not None:
            self.copy_gate.wait(5)
        version = self._find(*source)
        assert version is not None
        content = version.content if self.damage is None else self.damage
        self.copies.append(key)
        self.put(bucket, key, content, metadata={**like.metadata, **provenance})

    def sha256(self, bucket: str, key: str, version_id: str) -> str:
        version = self._find(bucket, key, version_id)
        assert version is not None
        return sha256_hex(version.content)

    def delete(self, bucket: str, key: str, version_id: str) -> None:
        with self._mutex:
            kept = [v for v in self.versions[(bucket, key)] if v.stored.version_id != version_id]
            self.versions[(bucket, key)] = kept

    def put_json(self, bucket: str, key: str, document: Any) -> ObjectRef:
        content = canonical_json(document)
        stored = self.put(bucket, key, content)
        return ObjectRef(
            bucket=bucket, key=key, version_id=stored.version_id, sha256=sha256_hex(content)
        )

    def get_json(self, ref: ObjectRef) -> Any:
        version = self._find(ref.bucket, ref.key, ref.version_id)
        assert version is not None
        return json.loads(version.content)


class Batch:
    """A published batch: its inputs, its audit documents, and the command to archive it."""

    def __init__(self) -> None:
        self.buckets = Buckets()
        self.answers = InMemoryTaskCallbacks()
        self.ids = (str(UUID(int=number)) for number in count(1))
        self.store = InMemoryEventStore(
            lambda: datetime(2025, 7, 7, 12, tzinfo=UTC), lambda: next(self.ids)
        )
        self.files: list[dict[str, Any]] = []
        self.heartbeat_seconds = 20.0

    def upload(
        self,
        key: str,
        content: bytes,
        parts: int = 1,
        sha256: str | None = None,
        duplicate_of: int | None = None,
    ) -> Stored:
        stored = self.buckets.put(DATA, key, content, parts=parts)
        index = len(self.files)
        self.files.append(
            {
                "index": index,
                "kind": key.partition("/")[0],
                "key": key,
                "version_id": stored.version_id,
                "size_bytes": stored.size_bytes,
                "etag": stored.etag,
                "sha256": sha256,
                "duplicate_of": duplicate_of,
            }
        )
        if duplicate_of is None:
            self.buckets.put_json(
                DATA, f"processing/{BATCH}/reports/{index:04d}.json", {"file": key}
            )
        return stored

    def archive(self, batch_id: str = BATCH, **result: Any) -> dict[str, Any]:
        manifest = {
            "batch_id": BATCH,
            "bucket": DATA,
            "sealed_at": "2025-07-07T12:00:00.000Z",
            "trigger": "MANIFEST",
            "manifest_key": None,
            "files": self.files,
        }
        prefix = f"processing/{BATCH}"
        command = ArchiveBatch(
            batch_id=batch_id,
            manifest=self.buckets.put_json(DATA, f"{prefix}/manifest.json", manifest),
            result=self.buckets.put_json(DATA, f"{prefix}/result.json", {"epoch": 1, **result}),
            fence=7,
            attempt=0,
        )
        message = saga_command(
            command, next(self.ids), "2025-07-07T12:00:00.000Z", batch_id, "token"
        )
        ports = Ports(
            store=self.store,
            documents=self.buckets,
            objects=self.buckets,
            answers=self.answers,
            archive_bucket=ARCHIVE,
            threads=4,
            heartbeat_seconds=self.heartbeat_seconds,
        )
        return archive_batch(message, ports)

    def inputs_left(self) -> list[str]:
        return [key for key in self.buckets.keys(DATA) if not key.startswith("processing/")]

    def said(self) -> list[Any]:
        return [message.data for message in self.store.read(f"archive/{BATCH}")]


@pytest.fixture
def batch() -> Batch:
    batch = Batch()
    batch.upload("orders/a.csv", b"order_id\n1\n")
    batch.upload("order_items/a.csv", b"order_id,product_id\n1,2\n")
    return batch


def test_inputs_move_to_the_archive_and_the_papers_are_kept_beside(batch: Batch) -> None:
    assert batch.archive() == {"outcome": "ARCHIVED", "file_count": 2}
    assert batch.buckets.keys(ARCHIVE) == [
        f"archive/{BATCH}/_audit/manifest.json",
        f"archive/{BATCH}/_audit/reports/0000.json",
        f"archive/{BATCH}/_audit/reports/0001.json",
        f"archive/{BATCH}/_audit/result.json",
        f"archive/{BATCH}/order_items/a.csv",
        f"archive/{BATCH}/orders/a.csv",
    ]
    assert batch.buckets.content(ARCHIVE, f"archive/{BATCH}/orders/a.csv") == b"order_id\n1\n"
    assert batch.inputs_left() == []


def test_what_the_batch_changed_is_kept_beside_in_the_version_that_the_result_names(
    batch: Batch,
) -> None:
    key = f"processing/{BATCH}/difference.json"
    named = batch.buckets.put_json(DATA, key, {"epoch": 1})
    batch.buckets.put_json(DATA, key, {"epoch": 2})
    batch.archive(difference=named.model_dump())
    kept = batch.buckets.content(ARCHIVE, f"archive/{BATCH}/_audit/difference.json")
    assert kept == b'{"epoch":1}'


def test_the_event_says_how_much_was_moved(batch: Batch) -> None:
    batch.archive()
    [event] = batch.said()
    assert (event.file_count, event.size_bytes, event.fence) == (2, 35, 7)
    assert event.archive_prefix == f"archive/{BATCH}/"


def test_a_duplicate_moves_too_and_has_no_report(batch: Batch) -> None:
    batch.upload("orders/again.csv", b"order_id\n1\n", duplicate_of=0)
    assert batch.archive()["file_count"] == 3
    assert f"archive/{BATCH}/orders/again.csv" in batch.buckets.keys(ARCHIVE)
    assert f"archive/{BATCH}/_audit/reports/0002.json" not in batch.buckets.keys(ARCHIVE)


def test_a_newer_upload_under_the_same_key_is_left_alone(batch: Batch) -> None:
    newer = batch.buckets.put(DATA, "orders/a.csv", b"order_id\n2\n")
    batch.archive()
    assert batch.buckets.content(ARCHIVE, f"archive/{BATCH}/orders/a.csv") == b"order_id\n1\n"
    assert batch.buckets.head(DATA, "orders/a.csv") == newer
    assert batch.inputs_left() == ["orders/a.csv"]


def test_a_second_command_is_answered_from_the_stream(batch: Batch) -> None:
    batch.archive()
    copies = list(batch.buckets.copies)
    assert batch.archive() == {"outcome": "ARCHIVED", "file_count": 2}
    assert batch.buckets.copies == copies
    assert len(batch.said()) == 1


def test_a_damaged_copy_is_found_and_no_source_is_deleted(batch: Batch) -> None:
    batch.buckets.damage = b"order_id\n9\n"
    with pytest.raises(PipelineError, match=r"not what was copied from s3://uploads/order"):
        batch.archive()
    assert batch.inputs_left() == ["order_items/a.csv", "orders/a.csv"]
    assert batch.said() == []


def test_a_damaged_copy_is_replaced_by_the_next_attempt(batch: Batch) -> None:
    batch.buckets.put(ARCHIVE, f"archive/{BATCH}/orders/a.csv", b"half of i")
    batch.archive()
    assert batch.buckets.content(ARCHIVE, f"archive/{BATCH}/orders/a.csv") == b"order_id\n1\n"


def test_a_run_that_was_cut_short_after_deleting_is_finished(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr("services.archiver.use_cases._record", crash)
        with pytest.raises(KeyboardInterrupt):
            batch.archive()
    assert batch.inputs_left() == []
    copied = [key for key in batch.buckets.copies if "_audit" not in key]
    assert batch.archive() == {"outcome": "ARCHIVED", "file_count": 2}
    assert [key for key in batch.buckets.copies if "_audit" not in key] == copied


def test_an_input_that_is_in_neither_bucket_is_told_as_gone_and_the_others_move(
    batch: Batch,
) -> None:
    gone = batch.files[0]
    batch.buckets.delete(DATA, gone["key"], gone["version_id"])
    assert batch.archive() == {"outcome": "ARCHIVED", "file_count": 1}
    [message] = batch.store.read(f"archive/{BATCH}")
    event = message.data
    assert (event.gone, event.size_bytes) == (["orders/a.csv"], batch.files[1]["size_bytes"])
    assert batch.inputs_left() == []
    assert f"archive/{BATCH}/order_items/a.csv" in batch.buckets.keys(ARCHIVE)


def test_a_source_that_is_gone_and_whose_copy_differs_is_named(batch: Batch) -> None:
    gone = batch.files[0]
    batch.buckets.put(ARCHIVE, f"archive/{BATCH}/orders/a.csv", b"order_id\n7\n")
    batch.buckets.delete(DATA, gone["key"], gone["version_id"])
    with pytest.raises(PipelineError, match=r"no verified copy"):
        batch.archive()


def test_a_missing_report_is_named_and_nothing_is_deleted(batch: Batch) -> None:
    key = f"processing/{BATCH}/reports/0001.json"
    batch.buckets.versions[(DATA, key)].clear()
    with pytest.raises(PipelineError, match=r"reports/0001\.json is not there"):
        batch.archive()
    assert len(batch.inputs_left()) == 2


def test_a_multipart_upload_is_compared_byte_for_byte(batch: Batch) -> None:
    batch.upload("orders/large.csv", b"order_id\n5\n", parts=2)
    batch.archive()
    assert batch.inputs_left() == []


def test_a_damaged_copy_of_a_multipart_upload_is_found(batch: Batch) -> None:
    batch = Batch()
    batch.upload("orders/large.csv", b"order_id\n5\n", parts=2)
    batch.buckets.damage = b"order_id\n6\n"
    with pytest.raises(PipelineError, match=r"not what was copied"):
        batch.archive()
    assert batch.inputs_left() == ["orders/large.csv"]


def test_a_known_sha256_proves_the_copy_of_a_multipart_upload_that_is_gone() -> None:
    content = b"order_id\n5\n"
    for archived, proven in ((content, True), (b"order_id\n6\n", False)):
        batch = Batch()
        source = batch.upload("orders/large.csv", content, parts=2, sha256=sha256_hex(content))
        batch.buckets.put(ARCHIVE, f"archive/{BATCH}/orders/large.csv", archived)
        batch.buckets.delete(DATA, "orders/large.csv", source.version_id)
        if proven:
            assert batch.archive()["outcome"] == "ARCHIVED"
        else:
            with pytest.raises(PipelineError, match="no verified copy"):
                batch.archive()


def test_a_multipart_upload_that_is_gone_is_known_by_the_origin_in_its_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = Batch()
    batch.upload("orders/large.csv", b"order_id\n5\n", parts=2)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr("services.archiver.use_cases._record", crash)
        with pytest.raises(KeyboardInterrupt):
            batch.archive()
    assert batch.archive() == {"outcome": "ARCHIVED", "file_count": 1}


def test_the_task_gets_heartbeats_while_the_copies_take_their_time(batch: Batch) -> None:
    batch.heartbeat_seconds = 0.01
    batch.buckets.copy_gate = threading.Event()
    threading.Timer(0.2, batch.buckets.copy_gate.set).start()
    batch.archive()
    assert "token" in batch.answers.heartbeats


@pytest.mark.medium
def test_a_thousand_files_are_archived(batch: Batch) -> None:
    for number in range(998):
        batch.upload(f"orders/{number:04d}.csv", f"order_id\n{number}\n".encode())
    assert batch.archive() == {"outcome": "ARCHIVED", "file_count": 1000}
    assert batch.inputs_left() == []


def test_the_manifest_of_another_batch_is_refused(batch: Batch) -> None:
    with pytest.raises(ContractViolation, match="not of ffffffffffffffff"):
        batch.archive(batch_id="f" * 16)
