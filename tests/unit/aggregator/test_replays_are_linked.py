"""What an upload answers goes with its batch; what people are told to do about bad rows."""

import json
from typing import Any

import pytest

from contracts.messages import BatchResult, ObjectRef
from services.aggregator import notifications as notices
from services.aggregator.batch import domain as batches
from tests.unit.aggregator.harness import BatchHarness, an_example_document

ANSWERS = ObjectRef(
    bucket="uploads", key="quarantine/answers/1.json", version_id="v1", sha256="9" * 64
)


def put_manifest(harness: BatchHarness, **document: Any) -> None:
    files = [{"key": "orders/replays/1.csv", "version_id": None}]
    harness.notify(harness.put("manifests/1.json", json.dumps({"files": files} | document)))


def test_a_batch_is_sealed_with_what_its_upload_answers(harness: BatchHarness) -> None:
    put_manifest(harness, answers=ANSWERS.model_dump())
    harness.upload("orders/replays/1.csv", manifest_key="manifests/1.json")

    row = harness.the_batch()

    assert row["answers"] == ANSWERS.model_dump()
    assert harness.manifest(row["batch_id"])["answers"] == ANSWERS.model_dump()
    [sealed] = harness.said("BatchSealed")
    assert sealed.answers == ANSWERS


def test_it_goes_along_when_the_set_is_carried_over_and_started_by_hand(
    harness: BatchHarness,
) -> None:
    put_manifest(harness, answers=ANSWERS.model_dump())
    harness.upload("orders/a.csv", "order_items/a.csv", "products/a.csv")
    harness.settle()
    harness.upload("orders/replays/1.csv", manifest_key="manifests/1.json")

    first, second = harness.sealed()

    assert (first["answers"], second["answers"]) == (None, ANSWERS.model_dump())


@pytest.mark.parametrize("answers", ["yes", {"key": "k"}, ANSWERS.model_dump() | {"sha256": "x"}])
def test_a_field_of_that_name_that_is_no_reference_is_its_senders_own(
    harness: BatchHarness, answers: Any
) -> None:
    put_manifest(harness, answers=answers)
    harness.upload("orders/replays/1.csv", manifest_key="manifests/1.json")
    assert harness.the_batch()["answers"] is None


def told(harness: BatchHarness, **changes: Any) -> str:
    put_manifest(harness)
    harness.upload("orders/replays/1.csv", manifest_key="manifests/1.json")
    batch_id = harness.the_batch()["batch_id"]
    stream = harness.store.read(batches.stream_of(batch_id))
    batch = batches.replay(batch_id, stream)
    assert batch is not None
    [example] = an_example_document("BatchResult")
    return notices.completed(batch, BatchResult(**(example | changes))).message


def test_people_are_told_how_to_bring_bad_rows_in_again(harness: BatchHarness) -> None:
    message = told(harness)
    assert f"ecp quarantine export {harness.the_batch()['batch_id']} --to corrections" in message
    assert "ecp quarantine replay corrections/*.csv" in message


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 order line waits for its order and counts when that comes."),
        (2, "2 order lines wait for their orders and count when those come."),
    ],
)
def test_lines_that_wait_are_told_in_their_number(
    harness: BatchHarness, count: int, said: str
) -> None:
    assert said in told(harness, waiting_order_items=count)


def test_totals_that_differ_from_their_lines_are_one_line_with_the_worst(
    harness: BatchHarness,
) -> None:
    worst = {"order_id": "17", "total_amount_cents": 1005, "lines_cents": 800}
    message = told(harness, order_totals={"differing": 3, "worst": [worst]})
    [line] = [line for line in message.splitlines() if "Warning" in line]
    assert "3 orders have totals that are not the sum" in line
    assert "order 17: 10.05, its lines make 8.00" in line


@pytest.mark.parametrize("totals", [None, {"differing": 0, "worst": []}])
def test_totals_that_agree_are_not_mentioned(harness: BatchHarness, totals: Any) -> None:
    assert "Warning" not in told(harness, order_totals=totals)
