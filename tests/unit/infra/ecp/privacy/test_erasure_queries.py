"""What is in the way of an erasure, what can be deleted, and what its receipt says and hides."""

from typing import Any

import pytest

from contracts.clock import new_event_id, system_clock
from contracts.envelope import MessageContext
from contracts.identities import FileIdentity
from contracts.messages import (
    ErasedFacts,
    ErasedPlace,
    ErasureRequest,
    ObjectVersion,
    PseudonymErasure,
    UpkeepRefused,
)
from infra.ecp.privacy import erasure
from infra.ecp.privacy.erasure import (
    NOT_CHANGED,
    Batches,
    in_work,
    judge_archived,
    judge_uploads,
    portions,
    receipt_of,
    wait_for_all,
)
from services.runtime.event_store import InMemoryEventStore, StreamAppend
from services.runtime.privacy.pseudonyms import check_of, pseudonym_of

BUCKET, BATCH = "ecommerce-data-bucket", "3f2a9c0d1e4b5a67"
NOTHING = ErasedFacts(
    epoch=1, days=0, rows=0, expired_snapshots=0, dropped_tags=0, deleted_files=0, deleted_bytes=0
)
REQUEST = ErasureRequest(
    erasure_id="erasure-1",
    requested_by="ann",
    requested_at="2025-07-08T00:00:00.000Z",
    user_id="alice",
    user_token="erased-1",
    pseudonyms=[PseudonymErasure(check="4" * 64, pseudonym="1" * 64, token="2" * 64)],
)


def a_version(key: str = "orders/a.csv", *, is_current: bool = True) -> ObjectVersion:
    return ObjectVersion(key=key, version_id="v1", is_current=is_current)


def judged(version: ObjectVersion, **where: Any) -> erasure.Uploads:
    known = {"pending": (), "failed": {}, "known": ()} | where
    return judge_uploads(BUCKET, [version], **known)


def identity(version: ObjectVersion) -> FileIdentity:
    return FileIdentity(BUCKET, version.key, version.version_id)


def test_a_file_that_waits_is_in_the_way() -> None:
    version = a_version()
    found = judged(version, pending={identity(version)}, known={identity(version)})
    [said] = found.obstacles
    assert "orders/a.csv waits in the open set and holds the user" in said
    assert found.leftovers == ()


def test_an_input_of_a_failed_batch_is_in_the_way_current_or_not() -> None:
    for is_current in (True, False):
        version = a_version(is_current=is_current)
        failed = {BATCH: frozenset({identity(version)})}
        found = judged(version, failed=failed, known={identity(version)})
        [said] = found.obstacles
        assert f"`ecp redrive {BATCH} --wait` first" in said
        assert found.leftovers == ()


def test_a_failed_batch_without_the_user_is_not_in_the_way() -> None:
    version = a_version()
    others = {BATCH: frozenset({FileIdentity(BUCKET, "orders/b.csv", "v1")})}
    found = judged(version, failed=others, known={identity(version)})
    assert (found.obstacles, found.leftovers) == ((), (version,))


def test_a_file_that_nobody_has_taken_in_yet_is_in_the_way() -> None:
    [said] = judged(a_version()).obstacles
    assert "has just arrived" in said


@pytest.mark.parametrize(
    "version", [a_version(is_current=False), a_version("orders/notes.txt")], ids=["old", "no input"]
)
def test_what_nobody_will_read_is_left_over(version: ObjectVersion) -> None:
    assert judged(version).leftovers == (version,)


def test_a_batch_in_work_or_half_archived_is_in_the_way() -> None:
    [said] = in_work(Batches((BATCH,), {}))
    assert f"batch {BATCH} is in work" in said
    assert judge_archived(BATCH, []) == []
    [said] = judge_archived(BATCH, [a_version("archive/x/orders/a.csv")])
    assert f"batch {BATCH} is FAILED" in said


def test_a_command_names_a_hundred_objects_at_most() -> None:
    objects = [a_version(str(number)) for number in range(201)]
    found = list(portions(objects))
    assert list(map(len, found)) == [100, 100, 1]
    assert sum(found, []) == objects  # noqa: RUF017


def a_place(**counts: int) -> ErasedPlace:
    none = dict.fromkeys(erasure.COUNTS, 0)
    return ErasedPlace(place="archive", **{**none, **counts})


def a_receipt(place: ErasedPlace, facts: ErasedFacts = NOTHING) -> Any:
    return receipt_of(REQUEST, "3" * 64, "2025-07-08T00:01:00.000Z", [place], facts, [])


def test_a_receipt_names_neither_the_user_nor_the_token() -> None:
    said = a_receipt(a_place(rows=1)).model_dump_json()
    hidden = ("alice", "erased-1", "1" * 64, "2" * 64)
    assert not [word for word in hidden if word in said]
    assert all(reason in said for reason in NOT_CHANGED)


@pytest.mark.parametrize(
    ("place", "facts", "changed"),
    [
        (a_place(versions=9), NOTHING, False),
        (a_place(versions=9, rows=1), NOTHING, True),
        (a_place(uncertain_rows=1), NOTHING, True),
        (a_place(deleted_versions=1), NOTHING, True),
        (a_place(), NOTHING.model_copy(update={"rows": 1}), True),
        (a_place(), NOTHING.model_copy(update={"deleted_files": 1}), True),
    ],
)
def test_a_receipt_says_whether_anything_was_found(
    place: ErasedPlace, facts: ErasedFacts, *, changed: bool
) -> None:
    assert a_receipt(place, facts).changed is changed


def test_counts_of_several_commands_are_added_up() -> None:
    parts = [a_place(rows=1, versions=2), a_place(rows=3)]
    assert erasure.place_of("archive", parts) == a_place(rows=4, versions=2)


def test_all_streams_are_waited_for_and_those_that_are_late_are_left_out() -> None:
    store = InMemoryEventStore(system_clock, new_event_id)
    event = UpkeepRefused(request_id="x", reason="busy")
    store.append(StreamAppend("transformation/x", 0, [event]), context=MessageContext("test"))
    seen: list[Any] = []
    ended = wait_for_all(
        store, ["transformation/x", "archive/x"], seen.append, poll_seconds=0.01, wait_seconds=0.05
    )
    assert ended.keys() == {"transformation/x"}
    assert [message.data for message in seen] == [event]


def test_the_pseudonyms_of_every_generation_are_looked_for() -> None:
    keys = (b"k1", b"k2")
    first, newest = erasure.pseudonyms_of("alice", "erased-1", keys)
    assert (first.check, newest.check) == (check_of(keys[:1]), check_of(keys))
    for found, chain in ((first, keys[:1]), (newest, keys)):
        assert found.pseudonym == pseudonym_of("alice", chain)
        assert found.token == pseudonym_of("erased-1", chain)
