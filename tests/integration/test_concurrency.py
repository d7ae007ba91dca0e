"""The lock at work: one writer at a time, first come first served, a dead holder never blocks."""

import json
import signal
import uuid

import psutil
import pytest

from infra.local.cloud import RunningCloud
from infra.local.cloud import find as find_cloud
from tests.support.pipeline import Pipeline, eventually
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.integration


def upload(pipeline: Pipeline, name: str, day: str, orders: int = 1) -> str:
    """One complete set of its own; returns the key of its orders file."""
    pipeline.upload_set(
        name,
        {
            f"orders/{name}.csv": orders_csv(
                *(an_order(f"{name}-{n}", f"u{n}", day, "3.00") for n in range(orders))
            ),
            f"order_items/{name}.csv": items_csv(
                *(an_item(f"{name}-{n}", "shared", "1", "3.00") for n in range(orders))
            ),
            f"products/{name}.csv": products_csv(a_product("shared", "Games")),
        },
    )
    return f"orders/{name}.csv"


def lock_events(pipeline: Pipeline, batch_ids: set[str]) -> list[tuple[int, str, str]]:
    """(stream_version, event_type, batch or execution) of the lock's stream, in order."""
    items = [event for batch_id in batch_ids for event in pipeline.events(batch_id)]
    return sorted(
        (int(item["stream_version"]), str(item["event_type"]), str(item["correlation_id"]))
        for item in items
        if str(item["stream_id"]).startswith("lock/")
    )


@pytest.mark.thorough
def test_sets_uploaded_at_once_run_one_after_the_other(pipeline: Pipeline) -> None:
    keys = [upload(pipeline, f"set{n}", "2002-01-01") for n in range(4)]

    batches = [pipeline.batch_of(key) for key in keys]

    assert {batch["status"] for batch in batches} == {"COMPLETED"}
    history = lock_events(pipeline, {batch["batch_id"] for batch in batches})
    holder = None
    for _, event_type, batch_id in history:
        if event_type == "LockGranted":
            assert holder is None, history
            holder = batch_id
        if event_type == "LockReleased":
            assert holder == batch_id, history
            holder = None
    assert [event for _, event, _ in history].count("LockGranted") == 4
    assert pipeline.order_kpis()["2002-01-01"]["total_orders"] == 4


def test_a_third_execution_waits_its_turn_in_the_order_of_arrival(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    current = find_cloud(running_cloud.directory)
    assert current is not None
    stopped = [psutil.Process(pid) for pid in current.workers.values()]
    for process in stopped:
        process.suspend()
    try:
        first = upload(pipeline, "turn0", "2002-04-04")
        eventually(lambda: pipeline.lock()["currentlockcount"] == 1)
        second = upload(pipeline, "turn1", "2002-04-04")
        eventually(lambda: len(queued(pipeline)) == 1)
        third = upload(pipeline, "turn2", "2002-04-04")
        eventually(lambda: len(queued(pipeline)) == 2)
    finally:
        for process in stopped:
            process.resume()

    batches = [pipeline.batch_of(key)["batch_id"] for key in (first, second, third)]

    history = lock_events(pipeline, set(batches))
    granted = [batch_id for _, event_type, batch_id in history if event_type == "LockGranted"]
    assert granted == batches


def queued(pipeline: Pipeline) -> list[str]:
    """Batches in line, as the item of ProcessingLockTable shows them."""
    return [waiter["batch_id"] for waiter in pipeline.lock()["waiters"]]


def test_a_killed_transformer_leaves_no_half_batch(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    key = upload(pipeline, "killed", "2002-02-02", orders=500)
    eventually(lambda: pipeline.lock()["currentlockcount"] == 1)
    current = find_cloud(running_cloud.directory)
    assert current is not None
    for pid in current.workers.values():
        psutil.Process(pid).send_signal(signal.SIGKILL)

    batch = pipeline.batch_of(key)

    assert batch["status"] == "COMPLETED", batch
    assert pipeline.order_kpis()["2002-02-02"]["total_orders"] == 500
    eventually(lambda: pipeline.lock()["currentlockcount"] == 0)


def test_an_aborted_execution_gives_the_lock_back_and_a_redrive_completes_the_batch(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    current = find_cloud(running_cloud.directory)
    assert current is not None
    stopped = [psutil.Process(pid) for pid in current.workers.values()]
    for process in stopped:
        process.suspend()
    key = upload(pipeline, "aborted", "2002-03-03")
    eventually(lambda: pipeline.lock()["currentlockcount"] == 1)
    client = pipeline.client("stepfunctions")
    holder = pipeline.lock()["execution_metadata"]["execution_id"]

    client.stop_execution(executionArn=holder, error="Test", cause="stopped by hand")

    batch = pipeline.batch_of(key)
    assert batch["status"] == "FAILED", batch
    eventually(lambda: pipeline.lock()["currentlockcount"] == 0)
    assert "2002-03-03" not in pipeline.order_kpis()
    for process in stopped:
        process.resume()

    redrive(pipeline, batch["batch_id"])

    def completed() -> bool:
        found = [b for b in pipeline.batches() if b["batch_id"] == batch["batch_id"]]
        return [b["status"] for b in found] == ["COMPLETED"]

    eventually(completed)
    assert pipeline.order_kpis()["2002-03-03"]["total_orders"] == 1


def redrive(pipeline: Pipeline, batch_id: str) -> None:
    """What `ecp redrive` sends."""
    command = {
        "event_id": str(uuid.uuid4()),
        "event_type": "RedriveBatch",
        "schema_version": 1,
        "source": "ecommerce-pipeline/test",
        "occurred_at": "2025-07-07T12:00:00.000Z",
        "stream_id": f"batch/{batch_id}",
        "stream_version": 0,
        "correlation_id": batch_id,
        "causation_id": None,
        "data": {"batch_id": batch_id, "requested_by": "a test"},
    }
    sqs = pipeline.client("sqs")
    url = sqs.get_queue_url(QueueName="aggregator-commands")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(command))
