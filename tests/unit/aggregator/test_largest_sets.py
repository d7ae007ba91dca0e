"""Sets and keys as large as may be: what is written of them fits into what DynamoDB takes.

The store refuses what AWS refuses (services/runtime/event_store/port.py), so that a set that does
not fit would never be sealed here either.
"""

import json
from collections.abc import Iterator

import pytest

from contracts.layout import MAX_INPUT_NAME_BYTES, name_bytes
from services.aggregator.open_set.domain import MAX_BATCH_FILES
from tests.unit.aggregator.harness import BatchHarness, a_report

MAX_SFN_BYTES = 262_144
"""Of an answer to Step Functions (Step Functions developer guide, Quotas)."""
SHAPES = {
    "plain": "",
    "two bytes": "é" * 450,
    "escaped in JSON": '"' * 400,
    "control": "\x01" * 100,
}


@pytest.fixture
def bench() -> BatchHarness:
    return BatchHarness()


def longest_keys(folder: str, count: int, fill: str = "") -> Iterator[str]:
    """Different keys, as long as may be."""
    for number in range(count):
        head = f"{folder}/{number:05d}{fill}"
        yield head + "x" * (MAX_INPUT_NAME_BYTES - name_bytes(f"{head}.csv")) + ".csv"


def upload_at_once(bench: BatchHarness, *keys: str) -> None:
    """All of them in one call, as after a restart of everything; nothing settles meanwhile."""
    bench.notify(*[bench.put(key) for key in keys])


@pytest.mark.medium
def test_a_set_that_is_carried_over_in_part_is_completed_by_whoever_loads_it_next(
    bench: BatchHarness,
) -> None:
    """A process that dies after the transaction loses no file, and none is there twice."""
    keys = list(longest_keys("orders", 2900))
    upload_at_once(bench, *keys, "order_items/i.csv", "products/p.csv")
    bench.wait(30)
    told = bench.seal_by_hand()
    bench.restart()
    batch = bench.keys_of(told["batch_id"])
    assert len(batch) == MAX_BATCH_FILES
    left = {*keys, "order_items/i.csv", "products/p.csv"} - set(batch)
    assert bench.pending() == sorted(left)
    carried = [e for e in bench.events() if e.event_type == "FilesCarriedOver"]
    assert sum(len(event.data.files) for event in carried) == len(left)
    assert [event.data.continued_in is None for event in carried].index(True) == len(carried) - 1
    bench.settle()
    sealed = [bench.keys_of(row["batch_id"]) for row in bench.sealed()]
    assert [len(one) for one in sealed] == [1000, 1000, 902]
    assert {key for one in sealed for key in one} == {*batch, *left}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("fill", "rejected"),
    [(SHAPES["plain"], 1), (SHAPES["plain"], 999), *((fill, 500) for fill in SHAPES.values())],
)
def test_a_largest_batch_can_be_rejected(bench: BatchHarness, fill: str, rejected: int) -> None:
    keys = [*longest_keys("orders", 500, fill), *longest_keys("order_items", 499, fill)]
    upload_at_once(bench, *keys, "products/p.csv")
    bench.settle()
    bench.relay()
    batch_id = bench.the_batch()["batch_id"]
    for index in range(rejected):
        bench.reports.reports[index] = a_report(index, reason="é" * 5_000)
    answer = bench.close(batch_id, "REJECTED", rejected=range(rejected))
    assert answer["status"] == "REJECTED"
    assert len(json.dumps(answer)) < MAX_SFN_BYTES
    assert len(bench.pending()) == 1000 - rejected


@pytest.mark.medium
@pytest.mark.parametrize("fill", [SHAPES["escaped in JSON"]])
def test_corrections_of_a_largest_batch_answer_it(bench: BatchHarness, fill: str) -> None:
    """All rejected keys come again and are published: the rejected batch is told of each."""
    keys = [*longest_keys("orders", 500, fill), *longest_keys("order_items", 499, fill)]
    upload_at_once(bench, *keys, "products/p.csv")
    bench.settle()
    bench.relay()
    first = bench.the_batch()["batch_id"]
    wrong = bench.keys_of(first)[:300]
    for index in range(300):
        bench.reports.reports[index] = a_report(index, reason="é" * 5_000)
    bench.close(first, "REJECTED", rejected=range(300))
    upload_at_once(bench, *wrong)
    bench.settle()
    bench.relay()
    again = bench.sealed()[-1]["batch_id"]
    assert again != first
    assert bench.close(again, "COMPLETED")["status"] == "COMPLETED"
    told = [e.data for e in bench.events() if e.event_type == "RejectionAnswered"]
    answered = [key for one in told if one.batch_id == first for key in one.keys]
    assert set(answered) == set(wrong)


@pytest.mark.medium
@pytest.mark.parametrize("fill", SHAPES.values(), ids=SHAPES)
def test_a_seal_names_what_fits_of_what_it_overtakes(bench: BatchHarness, fill: str) -> None:
    """Files of a rejected batch come again with equal content under other names."""
    first = [*longest_keys("orders", 120, fill), "order_items/i.csv", "products/p.csv"]
    notifications = [bench.put(key, f"content {key}") for key in first]
    bench.notify(*notifications)
    bench.settle()
    bench.relay()
    batch_id = bench.the_batch()["batch_id"]
    index = bench.keys_of(batch_id).index("products/p.csv")
    bench.reports.reports[index] = a_report(index)
    bench.close(batch_id, "REJECTED", rejected=[index])
    again = list(longest_keys("orders/again", 120, fill))
    bench.notify(
        *[bench.put(new, f"content {old}") for new, old in zip(again, first, strict=False)]
    )
    bench.notify(bench.put("order_items/j.csv"), bench.put("products/q.csv"))
    bench.settle()
    assert len(bench.sealed()) == 2
    [_, seal] = [e.data for e in bench.events() if e.event_type == "FileSetSealed"]
    assert seal.superseded
    told = [e for e in bench.events() if e.event_type == "FileSuperseded"]
    assert len(told) == 120, "each has an event of its own"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("orders/" + '"' * 200 + "x" * 800 + ".csv", "its name takes 1211 bytes, control"),
        ("orders/" + "\x01" * 1000 + ".csv", "its name takes 6011 bytes, control"),
        ("orders/" + "x" * 970 + ".csv", "its name takes 981 bytes, control"),
        ("manifests/" + "n" * 300 + ".json", "may have 256 bytes, and this one has 315"),
    ],
    ids=["quotes", "control", "plain", "manifest"],
)
def test_a_name_that_would_burst_messages_is_ignored(
    bench: BatchHarness, key: str, why: str
) -> None:
    bench.upload(key)
    assert bench.pending() == []
    [ignored] = [e.data for e in bench.events() if e.event_type == "FileIgnored"]
    assert (ignored.key, why in ignored.reason) == (key, True)
