"""What a submission completes: the aggregator's own rule, asked before it has noticed anything."""

from dataclasses import replace
from datetime import UTC, datetime

from contracts.identities import FileIdentity, batch_id_of
from contracts.messages import AwaitedFile, DetectedFile
from infra.ecp.submissions.batch_of_submission import what_is_missing, what_it_completes
from infra.ecp.submissions.completion import completion, is_noticed
from services.aggregator.open_set.domain import FileSet, Hold, PendingFile

BUCKET = "ecommerce-data-bucket"
NOON = datetime(2025, 7, 7, 12, 0, tzinfo=UTC)
REJECTED, OTHER = "3f2a9c0d1e4b5a67", "0123456789abcdef"
MANIFEST = "manifests/20250707T120000Z-a1b2c3.json"


def version(key: str, version_id: str = "v1") -> FileIdentity:
    return FileIdentity(BUCKET, key, version_id)


def held(key: str, by: str = REJECTED) -> PendingFile:
    file = DetectedFile(
        bucket=BUCKET,
        key=key,
        version_id="v1",
        kind="orders" if key.startswith("orders/") else "order_items",
        size_bytes=10,
        etag="e",
        last_modified="2025-07-07T11:00:00.000Z",
        returned=True,
        held_by=by,
    )
    return PendingFile(file, NOON)


def waiting(*files: PendingFile, **awaited: tuple[str, ...] | None) -> FileSet:
    """An open set in which these files wait for the keys of each batch."""
    holds = {
        f"{batch_id}": Hold(batch_id, None if keys is None else {k: late(k) for k in keys})
        for batch_id, keys in awaited.items()
    }
    return FileSet(BUCKET, 2, files={one.identity: one for one in files}, holds=holds)


def late(key: str) -> AwaitedFile:
    """A key whose rejected version was taken when our clock says that it is still to come."""
    return AwaitedFile(key=key, newer_than="2025-07-07T13:00:00.000Z")


def rejected(*files: PendingFile, keys: tuple[str, ...] | None) -> FileSet:
    return waiting(*files, **{REJECTED: keys})


def test_a_corrected_key_takes_the_healthy_files_along_in_one_batch() -> None:
    items = held("order_items/a.csv")
    sent = [version("orders/a.csv", "v2")]
    found = completion(rejected(items, keys=("orders/a.csv",)), MANIFEST, sent, NOON)
    assert found is not None
    assert found.batch_id == batch_id_of([*sent, items.identity])
    assert (found.rejected, found.healthy, found.missing) == ((REJECTED,), 1, ())
    assert what_it_completes(found) == (
        f"completes what waits since batch {REJECTED} was rejected: 1 healthy file goes along"
    )


def test_a_healthy_file_that_is_sent_again_counts_in_its_newest_version() -> None:
    items = held("order_items/a.csv")
    sent = [version("orders/a.csv", "v2"), version("order_items/a.csv", "v2")]
    found = completion(rejected(items, keys=("orders/a.csv",)), MANIFEST, sent, NOON)
    assert found is not None
    assert (found.batch_id, found.healthy) == (batch_id_of(sent), 0)


def test_other_rejected_keys_are_still_missing_and_the_way_without_them_is_said() -> None:
    items = held("order_items/a.csv")
    keys = ("orders/a.csv", "orders/b.csv")
    found = completion(rejected(items, keys=keys), MANIFEST, [version("orders/a.csv", "v2")], NOON)
    assert found is not None
    assert [(one.batch_id, one.keys) for one in found.missing] == [(REJECTED, ("orders/b.csv",))]
    assert what_is_missing(found) == (
        f"rejected batch {REJECTED} still needs a corrected orders/b.csv: submit it too, or "
        f"`ecp release {REJECTED} --reason WHY` lets the rest go without it"
    )


def test_files_that_correct_nothing_complete_nothing() -> None:
    items = held("order_items/a.csv")
    file_set = rejected(items, keys=("orders/a.csv",))
    assert completion(file_set, MANIFEST, [version("orders/z.csv")], NOON) is None
    assert completion(FileSet(BUCKET, 1), MANIFEST, [version("orders/a.csv")], NOON) is None


def test_one_submission_may_complete_two_batches_at_once() -> None:
    items, others = held("order_items/a.csv"), held("order_items/b.csv", by=OTHER)
    file_set = waiting(items, others, **{REJECTED: ("orders/a.csv",), OTHER: ("orders/b.csv",)})
    sent = [version("orders/a.csv", "v2"), version("orders/b.csv", "v2")]
    found = completion(file_set, MANIFEST, sent, NOON)
    assert found is not None
    assert (set(found.rejected), found.healthy, found.missing) == ({REJECTED, OTHER}, 2, ())


def test_keys_that_nobody_knows_can_only_be_released() -> None:
    """A batch that the code of before has returned says no keys, so nothing can be joined to it."""
    items = held("order_items/a.csv")
    file_set = rejected(items, keys=None)
    for sent in (version("order_items/a.csv", "v1"), version("orders/a.csv", "v2")):
        assert completion(file_set, MANIFEST, [sent], NOON) is None


def test_files_count_as_noticed_once_they_and_their_manifest_wait() -> None:
    items = held("order_items/a.csv")
    sent = [items.identity]
    file_set = FileSet(BUCKET, 2, files={items.identity: items})
    assert not is_noticed(file_set, MANIFEST, sent)
    noticed = replace(file_set, manifests={MANIFEST: object()})
    assert is_noticed(noticed, MANIFEST, sent)
    assert not is_noticed(noticed, MANIFEST, [version("orders/a.csv")])
