"""The same files make the same batch, in whatever order, and however often, they are announced."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.open_set.detection import Notification
from tests.support.examples import examples
from tests.unit.aggregator.harness import FILES, BatchHarness, object_created

KEYS = [f"{kind}/{n}.csv" for kind in ("orders", "order_items", "products") for n in range(3)]


def batch_from(
    harness: BatchHarness,
    notifications: Sequence[Notification],
    order: Sequence[int],
    per_call: int,
) -> tuple[str, list[dict[str, object]]]:
    """Announce files in an order of indexes, `per_call` at a time; the batch they make."""
    for start in range(0, len(order), per_call):
        now = [notifications[index] for index in order[start : start + per_call]]
        assert (
            harness.deliver(FILES, *(object_created(one.key, one.version_id) for one in now)) == []
        )
    harness.settle()
    [row] = harness.sealed()
    return row["batch_id"], harness.manifest(row["batch_id"])["files"]


ORDERS = st.lists(st.integers(0, len(KEYS) - 1), max_size=12).flatmap(
    lambda again: st.permutations([*range(len(KEYS)), *again])
)


@settings(max_examples=examples(60))
@given(order=ORDERS, per_call=st.integers(1, 10))
def test_plain_uploads(order: list[int], per_call: int) -> None:
    expected = batch_from(
        (harness := BatchHarness()), [harness.put(key) for key in KEYS], range(len(KEYS)), 1
    )
    actual = batch_from(
        (other := BatchHarness()), [other.put(key) for key in KEYS], order, per_call
    )
    assert actual == expected


@settings(max_examples=examples(60))
@given(
    order=st.lists(st.integers(0, len(KEYS)), max_size=12).flatmap(
        lambda again: st.permutations([*range(len(KEYS) + 1), *again])
    ),
    per_call=st.integers(1, 10),
)
def test_uploads_with_a_manifest(order: list[int], per_call: int) -> None:
    def announced(harness: BatchHarness) -> list[Notification]:
        files = [harness.put(key, manifest_key="manifests/july.json") for key in KEYS]
        entries = [{"key": one.key, "version_id": one.version_id} for one in files]
        return [*files, harness.put_manifest("july", entries)]

    expected = batch_from((harness := BatchHarness()), announced(harness), range(len(KEYS) + 1), 1)
    actual = batch_from((other := BatchHarness()), announced(other), order, per_call)
    assert actual == expected
