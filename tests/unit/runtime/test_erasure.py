"""Versions of objects that hold a user: what stands is rewritten, what stood is deleted."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from contracts.clock import new_event_id
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.errors import ContractViolation, PipelineError, Transient, VersionGone
from contracts.messages import (
    EraseFromArchive,
    ErasureRequest,
    ObjectVersion,
    UserErasedFromArchive,
)
from services.runtime.event_store import InMemoryEventStore
from services.runtime.privacy import erasure
from services.runtime.privacy.erasure import (
    Erasure,
    ErasurePorts,
    carry_out,
    csv_rewrite,
    erase_in,
    replacement_of,
)
from services.runtime.privacy.user_ids import Replacement
from services.runtime.storage.documents import InMemoryObjectStore
from services.runtime.storage.object_versions import S3Versions
from tests.support.doubles import Refusing, refused
from tests.support.moto_account import versioned_buckets
from tests.support.shop import an_order, orders_csv

TOKEN = "erased-0123456789abcdef"
WANTED = Replacement("alice", TOKEN)
KEY = "archive/3f2a9c0d1e4b5a67/orders/ä 1.csv"
HELD = orders_csv(an_order("1", "alice"), '2,"alice', an_order("3", "bob"))
FREE = orders_csv(an_order("3", "bob"))
NOW = datetime(2025, 7, 8, tzinfo=UTC)


class Versions:
    """A versioned bucket in memory, which may be away from its `refuses_from`th change on."""

    def __init__(self, refuses_from: int = 0) -> None:
        self.content: dict[tuple[str, str], bytes] = {}
        self.current: dict[str, str] = {}
        self.changes = 0
        self.refuses_from = refuses_from

    def add(self, content: str | bytes, key: str = KEY) -> ObjectVersion:
        version_id = f"v{len(self.content) + 1}-{self.changes}"
        whole = content if isinstance(content, bytes) else content.encode()
        self.content[key, version_id] = whole
        self.current[key] = version_id
        return ObjectVersion(key=key, version_id=version_id, is_current=True)

    def listed(self) -> list[ObjectVersion]:
        return [
            ObjectVersion(key=key, version_id=one, is_current=self.current[key] == one)
            for key, one in self.content
        ]

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[io.BytesIO]:
        content = self.content.get((version.key, version.version_id))
        if content is None:
            raise VersionGone(version.key)
        yield io.BytesIO(content)

    def put(self, path: Path, like: ObjectVersion) -> None:
        self._change()
        self.add(path.read_bytes(), like.key)

    def delete(self, version: ObjectVersion) -> None:
        self._change()
        self.content.pop((version.key, version.version_id), None)

    def _change(self) -> None:
        self.changes += 1
        if self.refuses_from and self.changes >= self.refuses_from:
            raise Transient("S3 is away")


def erase(versions: Versions, *, dry_run: bool = False) -> Erasure:
    return erase_in(
        versions.listed(),
        versions,
        lambda _: csv_rewrite("orders", date(2025, 7, 8), WANTED),
        dry_run=dry_run,
    )


def test_what_stands_is_rewritten_and_every_version_that_held_the_user_is_deleted() -> None:
    versions = Versions()
    for content in (FREE, HELD, HELD):
        versions.add(content)
    done = erase(versions)
    assert sorted(versions.content.values()) == sorted(
        (FREE.encode(), HELD.replace("alice", TOKEN).encode())
    )
    assert versions.content[KEY, versions.current[KEY]].decode() == HELD.replace("alice", TOKEN)
    assert (done.versions, done.rewritten_objects, done.deleted_versions) == (3, 1, 2)
    assert (done.rows, done.uncertain_rows) == (1, 1)


def test_an_object_that_holds_the_user_no_longer_only_loses_its_old_versions() -> None:
    versions = Versions()
    for content in (HELD, FREE):
        versions.add(content)
    done = erase(versions)
    assert list(versions.content.values()) == [FREE.encode()]
    assert (done.rewritten_objects, done.deleted_versions, done.rows) == (0, 1, 0)


def test_a_dry_run_names_what_holds_the_user_and_changes_nothing() -> None:
    versions = Versions()
    versions.add(FREE)
    held = versions.add(HELD)
    before = dict(versions.content)
    done = erase(versions, dry_run=True)
    assert versions.content == before
    assert done.holding == [held]
    assert (done.rewritten_objects, done.deleted_versions) == (1, 1)


def test_a_second_time_changes_nothing_and_counts_the_same_rows() -> None:
    versions = Versions()
    versions.add(HELD)
    first = erase(versions)
    changes = versions.changes
    again = erase(versions)
    assert versions.changes == changes
    assert (again.rows, again.uncertain_rows) == (first.rows, first.uncertain_rows)
    assert (again.rewritten_objects, again.deleted_versions) == (0, 0)


@pytest.mark.parametrize("refuses_from", [1, 2, 3, 4])
def test_what_died_anywhere_is_finished_by_doing_it_again(refuses_from: int) -> None:
    versions = Versions(refuses_from)
    versions.add(HELD)
    versions.add(HELD, KEY + ".other")
    with pytest.raises(Transient):
        erase(versions)
    assert any(HELD.encode() == content for content in versions.content.values())
    versions.refuses_from = 0
    done = erase(versions)
    assert done.rows == 2
    assert list(versions.content.values()) == [HELD.replace("alice", TOKEN).encode()] * 2


def test_a_file_stays_packed_and_whole() -> None:
    versions = Versions()
    versions.add(gzip.compress(HELD.encode()), KEY + ".gz")
    versions.add(gzip.compress(FREE.encode()), KEY + ".free.gz")
    free = versions.content[KEY + ".free.gz", versions.current[KEY + ".free.gz"]]
    erase(versions)
    standing = {key: versions.content[key, one] for key, one in versions.current.items()}
    assert gzip.decompress(standing[KEY + ".gz"]).decode() == HELD.replace("alice", TOKEN)
    assert standing[KEY + ".free.gz"] == free


def test_an_id_that_two_pieces_share_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "READ_BYTES", HELD.index("alice") + 3)
    versions = Versions()
    versions.add(HELD.replace('"alice', "x"))
    assert erase(versions).rows == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 a workbook with alice", "it is no text"),
        (gzip.compress(HELD.encode() * 20)[:-9], "ends too early"),
        (b"\x1f\x8b not gzip", "not readable as gzip"),
    ],
)
def test_what_cannot_be_searched_is_named_and_left(content: bytes, reason: str) -> None:
    versions = Versions()
    versions.add(content)
    versions.add(HELD, KEY + ".other")
    done = erase(versions)
    [left] = done.unsearched
    assert left.key == KEY
    assert reason in left.reason
    assert content in versions.content.values()
    assert done.rewritten_objects == 1


def test_a_version_that_is_gone_by_now_is_left_out() -> None:
    versions = Versions()
    held = versions.add(HELD)
    versions.delete(held)
    done = erase_in([held], versions, lambda _: csv_rewrite("orders", NOW.date(), WANTED))
    assert done == Erasure()


# -- a command --------------------------------------------------------------------------------


def a_request(**changes: Any) -> dict[str, Any]:
    return {
        "erasure_id": "erasure-1",
        "requested_by": "ann",
        "requested_at": "2025-07-08T00:00:00.000Z",
        "user_id": "alice",
        "user_token": TOKEN,
        "pseudonyms": [{"check": "4" * 64, "pseudonym": "1" * 64, "token": "2" * 64}],
        **changes,
    }


def a_command(documents: InMemoryObjectStore, objects: list[ObjectVersion]) -> Message:
    ref = documents.put_json("archive", "erasures/open/erasure-1/user.json", a_request())
    command = EraseFromArchive(
        request_id="erasure-1-0", request=ref, bucket="b", objects=objects, requested_by="ann"
    )
    context = MessageContext("test")
    return unanswered_command(command, context, "s", new_event_id(), "2025-07-08T00:00:00.000Z")


def test_a_command_is_answered_once_and_its_event_names_neither_user_nor_object() -> None:
    versions, documents = Versions(), InMemoryObjectStore()
    versions.add(HELD)
    store = InMemoryEventStore(lambda: NOW, new_event_id, {})
    ports = ErasurePorts(store, documents, lambda _: versions, lambda: NOW)
    message = a_command(documents, versions.listed())
    for _ in range(2):
        carry_out(
            message,
            "archive/erasure-1-0",
            lambda request: lambda _: csv_rewrite("orders", NOW.date(), replacement_of(request)),
            lambda counts: UserErasedFromArchive(**counts),
            ports,
            "test",
        )
    [event] = store.read("archive/erasure-1-0")
    assert (event.data.rows, event.data.rewritten_objects) == (1, 1)
    said = event.to_json()
    assert not [word for word in ("alice", TOKEN, KEY) if word in said]
    assert not [word for word in ("alice", TOKEN) if word in message.to_json()]


def test_a_request_that_does_not_say_whom_erases_nobody() -> None:
    request = ErasureRequest(**a_request(user_id=None, user_token=None))
    with pytest.raises(ContractViolation, match="does not say whom"):
        replacement_of(request)


# -- on S3 -------------------------------------------------------------------------------------


@pytest.fixture
def s3() -> Iterator[Any]:
    with versioned_buckets("data") as client:
        yield client


def test_a_new_version_keeps_type_and_metadata_and_the_old_one_goes(s3: Any) -> None:
    described = {"ContentType": "text/csv", "Metadata": {"source-version-id": "v7"}}
    old = s3.put_object(Bucket="data", Key=KEY, Body=HELD.encode(), **described)["VersionId"]
    version = ObjectVersion(key=KEY, version_id=old, is_current=True)

    done = erase_in(
        [version], S3Versions(s3, "data"), lambda _: csv_rewrite("orders", NOW.date(), WANTED)
    )

    assert done.rewritten_objects == 1
    [left] = s3.list_object_versions(Bucket="data")["Versions"]
    standing = s3.get_object(Bucket="data", Key=KEY)
    assert left["VersionId"] == standing["VersionId"] != old
    assert standing["Body"].read().decode() == HELD.replace("alice", TOKEN)
    assert (standing["ContentType"], standing["Metadata"]) == tuple(described.values())
    with pytest.raises(VersionGone), S3Versions(s3, "data").open(version):
        pass


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (refused("SlowDown"), Transient),
        (EndpointConnectionError(endpoint_url="x"), Transient),
        (refused("AccessDenied"), PipelineError),
    ],
)
def test_faults_of_s3_are_told_apart(fault: Exception, expected: type[Exception]) -> None:
    versions = S3Versions(Refusing(fault), "data")
    version = ObjectVersion(key=KEY, version_id="v1", is_current=True)
    with pytest.raises(expected, match="version v1"), versions.open(version):
        pass
    with pytest.raises(expected, match="version v1"):
        versions.delete(version)
