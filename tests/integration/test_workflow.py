"""The main job end to end on the local cloud: what people see of it, through boto3 alone."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.support.pipeline import ARCHIVE_BUCKET, DATA_BUCKET, Pipeline, eventually
from tests.support.shop import (
    a_product,
    an_item,
    an_order,
    items_csv,
    orders_csv,
    products_csv,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def name() -> str:
    """Keys and ids of a test are its own: the cloud is shared."""
    return uuid.uuid4().hex[:8]


def a_set(name: str, day: str) -> dict[str, str]:
    return {
        f"orders/{name}.csv": orders_csv(
            an_order(f"{name}-1", "u1", day, "20.00", "completed"),
            an_order(f"{name}-2", "u2", day, "5.50", "returned"),
        ),
        f"order_items/{name}.csv": items_csv(
            an_item(f"{name}-1", f"{name}-p", "2", "10.00"),
            an_item(f"{name}-2", f"{name}-p", "1", "5.50"),
        ),
        f"products/{name}.csv": products_csv(a_product(f"{name}-p", f"Books {name}")),
    }


def test_files_with_a_manifest_become_kpis_and_go_to_the_archive(
    pipeline: Pipeline, name: str
) -> None:
    files = a_set(name, "2001-01-01")
    pipeline.upload_set(name, files)

    batch = pipeline.batch_of(f"orders/{name}.csv")

    assert batch["status"] == "COMPLETED", batch
    kpi = pipeline.order_kpis()["2001-01-01"]
    assert kpi["total_orders"] == 2
    assert kpi["total_revenue"] == Decimal("25.50")
    assert kpi["total_items_sold"] == 3
    assert kpi["return_rate"] == Decimal("0.5")
    assert kpi["unique_customers"] == 2
    category = pipeline.category_kpis()[(f"Books {name}", "2001-01-01")]
    assert category["daily_revenue"] == Decimal("25.50")
    assert category["avg_order_value"] == Decimal("12.75")
    assert category["avg_return_rate"] == Decimal("0.5")
    archived = pipeline.keys(ARCHIVE_BUCKET, f"archive/{batch['batch_id']}/")
    for key, text in files.items():
        copy = f"archive/{batch['batch_id']}/{key}"
        assert copy in archived
        body = pipeline.client("s3").get_object(Bucket=ARCHIVE_BUCKET, Key=copy)["Body"].read()
        assert body.decode() == text
        assert key not in pipeline.keys(DATA_BUCKET, key)
    assert any("_audit/" in key for key in archived)
    eventually(lambda: pipeline.lock()["currentlockcount"] == 0)


def test_plain_uploads_one_by_one_make_one_batch_after_the_settle_time(
    pipeline: Pipeline, name: str
) -> None:
    files = a_set(name, "2001-01-02")
    for key in reversed(files):
        pipeline.upload(key, files[key])

    batch = pipeline.batch_of(f"products/{name}.csv")

    assert batch["status"] == "COMPLETED", batch
    assert sorted(pipeline.keys_of(batch["batch_id"])) == sorted(files)


def test_duplicated_notifications_change_nothing(pipeline: Pipeline, name: str) -> None:
    files = a_set(name, "2001-01-03")
    for key, text in files.items():
        version = pipeline.upload(key, text)
        for _ in range(3):
            notify_again(pipeline, key, version)

    batch = pipeline.batch_of(f"orders/{name}.csv")

    assert batch["status"] == "COMPLETED", batch
    assert sorted(pipeline.keys_of(batch["batch_id"])) == sorted(files)
    assert pipeline.order_kpis()["2001-01-03"]["total_orders"] == 2


def notify_again(pipeline: Pipeline, key: str, version: str) -> None:
    sqs = pipeline.client("sqs")
    url = sqs.get_queue_url(QueueName="aggregator-files")["QueueUrl"]
    notification = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": DATA_BUCKET},
            "object": {"key": key, "version-id": version, "size": 1, "etag": "x"},
        },
    }
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(notification))


def test_a_manual_start_seals_what_is_pending(pipeline: Pipeline, name: str) -> None:
    pipeline.upload(f"orders/{name}.csv", orders_csv(an_order(f"{name}-1", "u", "2001-01-04")))
    eventually(lambda: detected(pipeline, f"orders/{name}.csv"))

    execution = start_by_hand(pipeline, f"manual-execution-{name}")

    assert execution["status"] == "SUCCEEDED", execution
    batch = pipeline.batch_of(f"orders/{name}.csv")
    assert batch["status"] == "COMPLETED"
    assert batch["execution_id"] == execution["executionArn"]
    assert pipeline.order_kpis()["2001-01-04"]["total_orders"] == 1


def test_a_manual_start_with_nothing_pending_succeeds_and_says_so(
    pipeline: Pipeline, name: str
) -> None:
    execution = start_by_hand(pipeline, f"manual-execution-{name}")

    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"])["outcome"] == "NOTHING_PENDING"


def start_by_hand(pipeline: Pipeline, execution_name: str) -> dict[str, str]:
    """As the seed's README has it: any name, an empty fileKey."""
    client = pipeline.client("stepfunctions")
    [machine] = [
        machine["stateMachineArn"]
        for machine in client.list_state_machines()["stateMachines"]
        if machine["name"] == "ecsJob"
    ]
    arn = client.start_execution(
        stateMachineArn=machine,
        name=execution_name,
        input=json.dumps({"fileKey": "", "bucket": DATA_BUCKET}),
    )["executionArn"]

    def ended() -> dict[str, str] | None:
        execution = client.describe_execution(executionArn=arn)
        return None if execution["status"] == "RUNNING" else execution

    return eventually(ended)


def detected(pipeline: Pipeline, key: str) -> bool:
    """Whether the aggregator has recorded the file."""
    items = pipeline.table("EventStore").scan(ConsistentRead=True)["Items"]
    return any(
        item["event_type"] == "FileDetected" and json.loads(item["data"])["key"] == key
        for item in items
    )


def test_a_bad_row_is_quarantined_and_the_rest_is_published(pipeline: Pipeline, name: str) -> None:
    files = a_set(name, "2001-01-05")
    rows = [an_order(f"{name}-x{n}", "u3", "2001-01-05", "1.00") for n in range(8)]
    files[f"orders/{name}.csv"] += "\n".join(rows) + "\n"
    files[f"orders/{name}.csv"] += an_order(f"{name}-3", "u3", "2001-02-30", "1.00") + "\n"
    pipeline.upload_set(name, files)

    batch = pipeline.batch_of(f"orders/{name}.csv")

    assert batch["status"] == "COMPLETED", batch
    [orders] = [
        file for file in pipeline.result(batch["batch_id"])["files"] if file["kind"] == "orders"
    ]
    assert (orders["rows_in"], orders["accepted"], orders["quarantined"]) == (11, 10, 1)
    assert orders["rows_in"] == orders["accepted"] + orders["quarantined"] + orders["duplicates"]
    [row] = quarantined_rows(pipeline, batch["batch_id"])
    assert (row["key"], row["line"], row["column"]) == (f"orders/{name}.csv", 12, "order_date")
    assert row["rule"] == "order_date.format"
    assert "2001-02-30" in row["message"]
    assert row["raw"] == an_order(f"{name}-3", "u3", "2001-02-30", "1.00")
    assert pipeline.order_kpis()["2001-01-05"]["total_orders"] == 10


def quarantined_rows(pipeline: Pipeline, batch_id: str) -> list[dict[str, object]]:
    import io

    import pyarrow.parquet

    rows: list[dict[str, object]] = []
    for key in pipeline.keys(DATA_BUCKET, f"quarantine/{batch_id}/rows/"):
        body = pipeline.client("s3").get_object(Bucket=DATA_BUCKET, Key=key)["Body"].read()
        rows += pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()
    return rows


@pytest.mark.thorough
def test_what_is_rejected_in_any_slice_of_many_files_is_told_and_the_rest_is_published_with_it(
    pipeline: Pipeline, name: str
) -> None:
    """The saga validates fifty files at a time: here the first, the 51st and the last are wrong."""
    files = {
        f"orders/{name}-{number:03d}.csv": orders_csv(
            an_order(f"{name}-{number}", "u", "2001-02-06", "1.00")
        )
        for number in range(104)
    }
    keys = sorted(files)
    good = {key: files[key] for key in (keys[0], keys[50], keys[-1])}
    files |= {key: text.replace("order_date", "day", 1) for key, text in good.items()}
    pipeline.upload_set(name, files)

    rejected = pipeline.batch_of(keys[1])

    assert rejected["status"] == "REJECTED", rejected
    validated = [one for one in pipeline.events(rejected["batch_id"]) if is_verdict(one)]
    assert len(validated) == len(files)
    [closed] = [
        one for one in pipeline.events(rejected["batch_id"]) if one["event_type"] == "BatchRejected"
    ]
    told = json.loads(closed["data"])["rejected_files"]
    assert sorted(one["key"] for one in told) == sorted(good)

    for key, text in good.items():
        pipeline.upload(key, text)
    completed = pipeline.batch_of(keys[1], after=1)

    assert completed["status"] == "COMPLETED", completed
    assert pipeline.order_kpis()["2001-02-06"]["total_orders"] == len(files)


def is_verdict(event: dict[str, Any]) -> bool:
    return event["event_type"] in ("FileValidated", "FileRejected")


def test_a_wrong_header_rejects_the_batch_and_the_corrected_file_completes_the_set(
    pipeline: Pipeline, name: str
) -> None:
    files = a_set(name, "2001-01-06")
    good = files[f"orders/{name}.csv"]
    bad = good.replace("order_date", "day", 1)
    files[f"orders/{name}.csv"] = bad
    pipeline.upload_set(name, files)

    rejected = pipeline.batch_of(f"orders/{name}.csv")

    assert rejected["status"] == "REJECTED", rejected
    assert "2001-01-06" not in pipeline.order_kpis()
    eventually(lambda: pipeline.lock()["currentlockcount"] == 0)
    kept = f"quarantine/{rejected['batch_id']}/files/orders/{name}.csv"
    body = pipeline.client("s3").get_object(Bucket=DATA_BUCKET, Key=kept)["Body"].read()
    assert body.decode() == bad
    assert f"order_items/{name}.csv" in pipeline.keys(DATA_BUCKET, "order_items/")

    pipeline.upload(f"orders/{name}.csv", good)
    completed = pipeline.batch_of(f"orders/{name}.csv", after=1)

    assert completed["status"] == "COMPLETED", completed
    assert sorted(pipeline.keys_of(completed["batch_id"])) == sorted(files)
    assert pipeline.order_kpis()["2001-01-06"]["total_orders"] == 2


def test_people_are_told_how_a_batch_ended(pipeline: Pipeline, name: str) -> None:
    sqs, url = pipeline.client("sqs"), pipeline.mailbox(f"inbox-{name}")
    pipeline.upload_set(name, a_set(name, "2001-01-07"))
    batch = pipeline.batch_of(f"orders/{name}.csv")

    def told() -> list[str]:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        bodies = [message["Body"] for message in answer.get("Messages", [])]
        return [body for body in bodies if batch["batch_id"] in body]

    [body] = eventually(told)
    assert "completed" in body


def test_the_event_store_and_the_saga_leave_no_dead_letters(pipeline: Pipeline) -> None:
    assert pipeline.dead_letters() == {}
