"""A person breaks the lock while its holder works: the next goes on, the old holder loses."""

import json
from typing import Any

import psutil
import pytest

from infra.local.cloud import RunningCloud
from infra.local.cloud import find as find_cloud
from tests.support.ecp import Said, ecp
from tests.support.pipeline import Pipeline, eventually
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.integration
LATE_SECONDS = 20
"""How late the first batch's command reaches the transformer: the second is done by then."""


def upload(pipeline: Pipeline, name: str, day: str, amount: str) -> str:
    """One complete set of its own, an order of one line; returns the key of its orders file."""
    pipeline.upload_set(
        name,
        {
            f"orders/{name}.csv": orders_csv(an_order(name, "u1", day, amount)),
            f"order_items/{name}.csv": items_csv(an_item(name, "shared", "1", amount)),
            f"products/{name}.csv": products_csv(a_product("shared", "Games")),
        },
    )
    return f"orders/{name}.csv"


def delay_commands_to_the_transformer(pipeline: Pipeline, seconds: int) -> str:
    sqs = pipeline.client("sqs")
    url = str(sqs.get_queue_url(QueueName="transformer-commands")["QueueUrl"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": str(seconds)})
    return url


def on_its_way(pipeline: Pipeline, url: str) -> bool:
    name = "ApproximateNumberOfMessagesDelayed"
    answer = pipeline.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name]) == 1


def told(pipeline: Pipeline, url: str) -> list[str]:
    answer = pipeline.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [json.loads(message["Body"])["Subject"] for message in answer.get("Messages", ())]


def story(pipeline: Pipeline, batch_id: str, event_type: str) -> list[dict[str, Any]]:
    """What the events of one type say of a batch."""
    events = pipeline.events(batch_id)
    return [json.loads(each["data"]) for each in events if each["event_type"] == event_type]


def revenue(pipeline: Pipeline) -> dict[str, str]:
    return {day: str(kpi["total_revenue"]) for day, kpi in pipeline.order_kpis().items()}


@pytest.mark.thorough
def test_a_late_command_of_a_broken_holder_is_refused_and_a_redrive_completes_its_batch(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    def run_ecp(*arguments: str) -> Said:
        return ecp(*arguments, directory=running_cloud.directory)

    mail = pipeline.mailbox("told-about-the-broken-lock")
    queue = delay_commands_to_the_transformer(pipeline, LATE_SECONDS)
    first = upload(pipeline, "first", "2002-05-05", "3.00")
    eventually(lambda: on_its_way(pipeline, queue))
    delay_commands_to_the_transformer(pipeline, 0)
    second = upload(pipeline, "second", "2002-06-06", "4.00")
    eventually(lambda: pipeline.lock()["waiters"])
    old = pipeline.lock()["execution_metadata"]

    broken = run_ecp("lock", "break", "--reason", "its container is gone", "--yes", "--json")

    assert broken.exit_code == 0, broken.err
    assert broken.document["broken"], broken.document
    assert "its container is gone" in broken.document["said"]
    next_in_line = pipeline.batch_of(second)
    assert next_in_line["status"] == "COMPLETED", next_in_line
    assert pipeline.order_kpis().keys() == {"2002-06-06"}

    late = pipeline.batch_of(first)

    assert (late["batch_id"], late["status"]) == (old["batch_id"], "FAILED")
    [failed] = story(pipeline, late["batch_id"], "BatchFailed")
    assert failed["reason"].startswith("TransformBatch failed with StaleWriter")
    assert "undoing it failed too with StaleWriter" in failed["reason"]
    assert pipeline.order_kpis().keys() == {"2002-06-06"}
    eventually(lambda: any(late["batch_id"] in subject for subject in told(pipeline, mail)))
    assert pipeline.lock()["currentlockcount"] == 0

    redriven = run_ecp("redrive", late["batch_id"], "--wait", "--json")

    assert redriven.document["status"] == "COMPLETED", redriven.document
    assert revenue(pipeline) == {"2002-05-05": "3", "2002-06-06": "4"}
    fences = [each["fence"] for each in story(pipeline, late["batch_id"], "LockGranted")]
    assert len(fences) == 2
    assert min(fences) == old["fence"]


def test_workers_that_were_frozen_while_the_lock_was_broken_leave_no_half_batch(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    current = find_cloud(running_cloud.directory)
    assert current is not None
    frozen = [psutil.Process(pid) for pid in current.workers.values()]
    for process in frozen:
        process.suspend()
    try:
        first = upload(pipeline, "frozen", "2002-07-07", "5.00")
        eventually(lambda: pipeline.lock()["currentlockcount"] == 1)
        second = upload(pipeline, "next", "2002-08-08", "6.00")
        eventually(lambda: pipeline.lock()["waiters"])
        old = pipeline.lock()["execution_metadata"]
        shown = ecp("lock", "show", "--json", directory=running_cloud.directory).document
        broken = ecp(
            "lock", "break", "--reason", "it hangs", "--yes", directory=running_cloud.directory
        )
        new = pipeline.lock()["execution_metadata"]
    finally:
        for process in frozen:
            process.resume()

    assert (shown["doing"]["step"], shown["batch_id"]) == ("Validate", old["batch_id"])
    assert [waiter["batch_id"] for waiter in shown["waiters"]] == [new["batch_id"]]
    assert broken.exit_code == 0, broken.err
    assert f"held by batch {new['batch_id']}" in broken.out
    assert new["fence"] > old["fence"]
    assert pipeline.batch_of(second)["status"] == "COMPLETED"
    overruled = pipeline.batch_of(first)
    days = {"2002-07-07": "5", "2002-08-08": "6"}
    if overruled["status"] == "FAILED":
        assert "2002-07-07" not in pipeline.order_kpis()
        again = ecp("redrive", overruled["batch_id"], "--wait", directory=running_cloud.directory)
        assert again.exit_code == 0, again.err
    assert days.items() <= revenue(pipeline).items()
    eventually(lambda: pipeline.lock()["currentlockcount"] == 0)
