"""Files that are lost, overtaken, deleted, doubled or rejected, through the whole local cloud."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
import requests
from boto3.dynamodb.conditions import Key

from infra.local.cloud import RunningCloud
from tests.support.ecp import ecp
from tests.support.pipeline import DATA_BUCKET, Pipeline, eventually
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.integration

NO_ORDERS = "order_id;user_id\n1;u1\n"


def healthy(day: str, *ids: str) -> dict[str, str]:
    """A set of one order each for these ids, by key."""
    return {
        f"orders/{ids[0]}.csv": orders_csv(*(an_order(order_id=i, order_date=day) for i in ids)),
        f"order_items/{ids[0]}.csv": items_csv(*(an_item(order_id=i) for i in ids)),
        f"products/{ids[0]}.csv": products_csv(a_product()),
    }


def sweep(pipeline: Pipeline) -> None:
    """What the rule `aggregator-sweep` sends once a minute."""
    sqs = pipeline.client("sqs")
    url = sqs.get_queue_url(QueueName="aggregator-events")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"sweep": DATA_BUCKET}))


def left_out(cloud: RunningCloud) -> dict[str, dict[str, Any]]:
    said = ecp("ignored", "--all", "--json", directory=cloud.directory)
    assert said.exit_code == 0, said.err
    return {row["key"]: row for row in said.document}


def test_a_rejected_batch_goes_with_its_corrected_key_and_with_nothing_else(
    pipeline: Pipeline,
) -> None:
    pipeline, day = pipeline, "2024-03-01"
    pipeline.upload_set("bad", healthy(day, "a1") | {"orders/bad.csv": NO_ORDERS})
    assert pipeline.batch_of("orders/bad.csv")["status"] == "REJECTED"
    pipeline.upload_set("other", {"orders/other.csv": orders_csv(an_order(order_id="other"))})
    assert pipeline.batch_of("orders/other.csv")["file_count"] == 1
    assert day not in pipeline.order_kpis()
    fixed = orders_csv(an_order(order_id="a2", order_date=day))
    pipeline.upload_set("fix", {"orders/bad.csv": fixed})
    batch = pipeline.batch_of("orders/bad.csv", after=1)
    assert (batch["status"], batch["file_count"]) == ("COMPLETED", 4)
    assert pipeline.order_kpis()[day]["total_orders"] == 2


def test_a_person_releases_what_will_never_be_corrected(
    running_cloud: RunningCloud, pipeline: Pipeline
) -> None:
    pipeline, day = pipeline, "2024-03-02"
    pipeline.upload_set("never", healthy(day, "b1") | {"orders/never.csv": NO_ORDERS})
    rejected = pipeline.batch_of("orders/never.csv")["batch_id"]
    said = ecp(
        "release", rejected, "--reason", "closed", "--json", directory=running_cloud.directory
    )
    assert said.exit_code == 0, said.err
    assert said.document["without"] == ["orders/never.csv"]
    batch = pipeline.batch_of("orders/b1.csv", after=1)
    assert batch["batch_id"] == said.document["released_as"]
    assert (batch["status"], pipeline.order_kpis()[day]["total_orders"]) == ("COMPLETED", 1)
    again = ecp("release", rejected, "--reason", "closed", directory=running_cloud.directory)
    assert (again.exit_code, "no files wait with batch" in again.err) == (2, True)


def test_what_no_notification_told_of_is_found_and_what_is_no_input_is_named(
    running_cloud: RunningCloud, pipeline: Pipeline
) -> None:
    pipeline, day = pipeline, "2024-03-03"
    events = pipeline.client("events")
    events.disable_rule(Name="aggregator-uploads")
    try:
        for key, text in healthy(day, "c1").items():
            pipeline.upload(key, "overtaken\n")
            pipeline.upload(key, text)
        pipeline.upload("orders/c.txt", "x")
        pipeline.upload("orders/\x1b[2J&\x07 +.txt", "x")  # no listing may stumble over it
        pipeline.upload("manifests/deep.json", "[" * 100_000)
    finally:
        events.enable_rule(Name="aggregator-uploads")
    sweep(pipeline)
    assert pipeline.batch_of("orders/c1.csv")["status"] == "COMPLETED"
    rows = eventually(lambda: left_out(running_cloud) if len(left_out(running_cloud)) > 5 else None)
    assert rows["orders/\x1b[2J&\x07 +.txt"]["what"] == "ignored"
    assert rows["orders/c1.csv"]["what"] == "superseded"
    assert rows["orders/c.txt"]["did_you_mean"] == "orders/c.csv"
    assert "nested deeper" in rows["manifests/deep.json"]["reason"]


def test_a_version_that_is_deleted_after_its_seal_does_not_stop_the_others(
    running_cloud: RunningCloud, pipeline: Pipeline
) -> None:
    pipeline, day = pipeline, "2024-03-04"
    many = orders_csv(*(an_order(order_id=f"m{n}") for n in range(100_000)))
    pipeline.upload_set("long", {"orders/long.csv": many})
    pipeline.upload_set("gone", healthy(day, "d1") | {"orders/gone.csv": orders_csv(an_order())})

    def sealed() -> str | None:
        found = [b["batch_id"] for b in pipeline.batches() if b["file_count"] == 4]
        keys = {batch_id: pipeline.manifest(batch_id)["files"] for batch_id in found}
        return next(
            (
                file["version_id"]
                for files in keys.values()
                for file in files
                if file["key"] == "orders/gone.csv"
            ),
            None,
        )

    version_id = eventually(sealed)
    pipeline.client("s3").delete_object(
        Bucket=DATA_BUCKET, Key="orders/gone.csv", VersionId=version_id
    )
    stopped = pipeline.batch_of("orders/gone.csv")
    assert stopped["status"] == "REJECTED"
    [named] = stopped["rejected_files"]
    assert (named["key"], named["gone"]) == ("orders/gone.csv", True)
    batch = pipeline.batch_of("orders/d1.csv", after=1)
    assert (batch["status"], batch["file_count"]) == ("COMPLETED", 3)
    assert pipeline.order_kpis()[day]["total_orders"] == 1
    assert left_out(running_cloud)["orders/gone.csv"]["what"] == "gone"


USUAL_DAYS = [date(2025, 8, 4) + timedelta(days=n) for n in range(84)]
DOUBLED = USUAL_DAYS[-1] + timedelta(days=1)
"""No day of another test comes after it: a day without numbers between two with some is odd too."""
ORDERS_A_DAY = 40


def some_days(name: str, *days: date) -> dict[str, str]:
    """Forty orders of a line each on every day, under ids that are of this name alone."""
    ids = [(f"{name}-{day}-{n}", str(day)) for day in days for n in range(ORDERS_A_DAY)]
    return {
        f"orders/{name}.csv": orders_csv(*(an_order(one, order_date=day) for one, day in ids)),
        f"order_items/{name}.csv": items_csv(*(an_item(one) for one, _ in ids)),
        f"products/{name}.csv": products_csv(a_product()),
    }


@pytest.mark.thorough
def test_a_day_that_counts_twice_is_published_and_told_of_as_odd(
    running_cloud: RunningCloud, pipeline: Pipeline
) -> None:
    pipeline.upload_set("usual", some_days("usual", *USUAL_DAYS))
    assert pipeline.batch_of("orders/usual.csv")["status"] == "COMPLETED"
    pipeline.upload_set("day", some_days("day", DOUBLED))
    assert pipeline.batch_of("orders/day.csv")["status"] == "COMPLETED"
    pipeline.upload_set("again", some_days("again", DOUBLED))
    batch = pipeline.batch_of("orders/again.csv")
    twice, day = 2 * ORDERS_A_DAY, str(DOUBLED)
    assert batch["status"] == "COMPLETED"
    assert pipeline.order_kpis()[day]["total_orders"] == twice

    api = ecp("api", "url", directory=running_cloud.directory).out.strip()
    span = {"from": str(USUAL_DAYS[0]), "to": str(DOUBLED)}

    def shown() -> list[dict[str, Any]] | None:
        answer = requests.get(f"{api}/kpis/anomalies", params=span, timeout=30)
        found = answer.json()["rows"]
        return found if len(found) > 3 else None

    found = {row["series"]: row for row in eventually(shown)}
    assert found.keys() == {"orders", "revenue", "items", "category_revenue"}
    for row in found.values():
        assert (row["order_date"], row["status"]) == (day, "odd")
        assert row["published_by"] == batch["batch_id"]
        assert row["value"] == 2 * row["expected"]
        assert row["lowest"] < row["expected"] < row["highest"] < row["value"]
    assert (found["orders"]["value"], found["category_revenue"]["category"]) == (twice, "Books")
    stream = Key("stream_id").eq(f"kpi-anomaly/{day}")
    events = pipeline.table("EventStore").query(KeyConditionExpression=stream)["Items"]
    assert [event["event_type"] for event in events] == ["KpiAnomalyDetected"] * 4
    said = ecp("kpis", "anomalies", "--json", directory=running_cloud.directory)
    assert sorted(row["series"] for row in said.document) == sorted(found)
