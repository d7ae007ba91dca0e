"""`ecp` from submit to KPIs: the JSON that others rely on, exit codes, one clear line."""

import csv
import json
import os
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from ecommerce_pipeline import connect
from infra.ecp.demo.sample_shop import write_sample_shop
from infra.local.cloud import RunningCloud
from tests.model import ShopModel
from tests.support.ecp import Said, ecp
from tests.support.kpi_items import BESIDE_MEASURES
from tests.support.pipeline import Pipeline, eventually
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.integration

FILE_FIELDS = {
    "key",
    "kind",
    "status",
    "rows_in",
    "accepted",
    "quarantined",
    "duplicates",
    "reason",
}
ROW_FIELDS = {"batch_id", "key", "kind", "line", "column", "rule", "message", "raw"}


def run(cloud: RunningCloud, *arguments: object) -> Said:
    return ecp(*arguments, directory=cloud.directory)


def write_set(folder: Path, day: str, *, orders_text: str | None = None) -> Path:
    """A directory with one orders, one order_items and one products file."""
    name = folder.name
    files = {
        "orders": orders_text or orders_csv(an_order(f"{name}-1", "u1", day, "4.00")),
        "order_items": items_csv(an_item(f"{name}-1", f"{name}-p", "2", "2.00")),
        "products": products_csv(a_product(f"{name}-p", "Garden")),
    }
    for kind, text in files.items():
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"{name}.csv").write_text(text)
    return folder


def test_submit_waits_and_prints_what_became_of_the_batch(
    running_cloud: RunningCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = write_sample_shop(tmp_path / "shop").directory

    said = run(running_cloud, "submit", shop, "--wait", "--json")

    assert said.exit_code == 0, said.err
    outcome = said.document
    assert outcome["status"] == "COMPLETED"
    assert outcome["engine"] == "duckdb"
    assert outcome["duration_seconds"] > 0
    for file in outcome["files"]:
        assert FILE_FIELDS.issubset(file)
        assert file["rows_in"] == file["accepted"] + file["quarantined"] + file["duplicates"]
    orders = run(running_cloud, "kpis", "orders", "--json").document
    assert outcome["published"]["order_kpis"] == len(orders) > 20
    categories = run(running_cloud, "kpis", "categories", "--json").document
    assert outcome["published"]["category_kpis"] == len(categories)
    rows = run(running_cloud, "quarantine", "list", "--json").document
    assert len(rows) == sum(file["quarantined"] for file in outcome["files"]) > 0
    assert all(ROW_FIELDS.issubset(row) for row in rows)
    assert_published_equals_accepted(shop, rows, orders, categories)
    assert_the_api_says_the_same(running_cloud, outcome, orders, categories)
    monkeypatch.chdir(running_cloud.directory)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    assert_analysts_find_the_same(running_cloud, tmp_path, outcome, orders, categories)


def assert_the_api_says_the_same(
    cloud: RunningCloud,
    outcome: dict[str, Any],
    orders: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> None:
    """Also after its views were made anew; unsigned, as this very machine may ask."""
    api = run(cloud, "api", "url").out.strip()
    span = f"from={orders[0]['order_date']}&to={orders[-1]['order_date']}"

    def ask(path: str) -> Any:
        with urllib.request.urlopen(f"{api}{path}") as answer:  # noqa: S310
            return json.load(answer)

    def completed() -> Any:
        batch = ask(f"/batches/{outcome['batch_id']}")["batch"]
        return batch if batch["status"] == "COMPLETED" else None

    said = ask(f"/kpis/orders?{span}")["rows"]
    fields = ("order_date", "total_orders", "total_revenue", "total_items_sold", "return_rate")
    for names, ours, theirs in (
        (fields, said, orders),
        (
            ("category", "order_date", "daily_revenue", "avg_order_value", "avg_return_rate"),
            ask(f"/kpis/categories?{span}")["rows"],
            categories,
        ),
    ):
        assert [[row[name] for name in names] for row in ours] == [
            [row[name] for name in names] for row in theirs
        ]
    batch = eventually(completed)
    assert batch["rows_in"] == sum(file["rows_in"] for file in outcome["files"])
    assert batch["quarantined"] == sum(file["quarantined"] for file in outcome["files"])
    before = ask(f"/batches/{outcome['batch_id']}")
    assert run(cloud, "api", "rebuild", "--json").document["sent_events"] >= batch["events"]
    assert eventually(completed) == batch
    assert ask(f"/batches/{outcome['batch_id']}") == before


def assert_analysts_find_the_same(
    cloud: RunningCloud,
    folder: Path,
    outcome: dict[str, Any],
    orders: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> None:
    """In files, and in DataFrames of the pipeline that is found in this directory."""
    span = orders[0]["order_date"], orders[-1]["order_date"]
    revenue = [Decimal(str(row["total_revenue"])) for row in orders]
    by_category = [Decimal(str(row["daily_revenue"])) for row in categories]
    assert run(cloud, "kpis", "orders", "--output", folder / "orders.parquet").exit_code == 0
    table = parquet.read_table(folder / "orders.parquet")
    assert table["total_revenue"].to_pylist() == revenue
    month = run(cloud, "kpis", "categories", "--by", "month", "--json").document
    assert round(month["total_revenue"] * 100) == sum(by_category) * 100
    for client in (connect(), connect(aws=True)):
        assert list(client.order_kpis(*span)["total_revenue"]) == revenue
        assert list(client.category_kpis(*span)["daily_revenue"]) == by_category
        [batch] = client.batches().to_dict("records")
        assert (batch["batch_id"], batch["status"]) == (outcome["batch_id"], "COMPLETED")
        name, day = categories[0]["category"], categories[0]["order_date"]
        why = client.why(day, name, of="measures").set_index("name")
        assert why["published"]["daily_revenue"] == by_category[0]
        assert why.attrs["equal"] is True
        quarantined = sum(file["quarantined"] for file in outcome["files"])
        assert client.quarantine()["quarantined"].sum() == quarantined
    fresh = run(cloud, "freshness", "--expect", "daily", "--from", span[0], "--to", span[1])
    assert (fresh.exit_code, "yesterday, UTC" in fresh.err) == (1, True)
    assert f"{len(orders)} of {len(orders)} days have KPIs" in fresh.out
    assert {"orders", "order_items", "products"} <= set(fresh.out.split())


def assert_published_equals_accepted(
    shop: Path,
    bad: list[dict[str, Any]],
    orders: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> None:
    """The KPIs are those of all rows but the quarantined ones (each sample row is one line)."""
    model = ShopModel()
    bad_lines = {(row["key"], row["line"]) for row in bad}
    good = {
        kind: [
            row
            for path in sorted((shop / kind).glob("*.csv"))
            for line, row in enumerate(rows_of_lines(path), start=2)
            if (f"{kind}/{path.name}", line) not in bad_lines
        ]
        for kind in ("orders", "order_items", "products")
    }
    model.apply(**good)

    def numbers(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                name: value if isinstance(value, str | int) else float(value)
                for name, value in item.items()
                if name not in BESIDE_MEASURES
            }
            for item in items
        ]

    assert numbers(orders) == numbers(model.order_kpis())
    by_day = sorted(categories, key=lambda item: (item["order_date"], item["category"]))
    assert numbers(by_day) == numbers(model.category_kpis())


def rows_of_lines(path: Path) -> list[dict[str, str]]:
    """One dictionary per physical line after the header; a broken line gives what it can."""
    header, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = [name.strip() for name in header.split(",")]
    rows = []
    for line in lines:
        fields = [field.strip() for field in next(csv.reader([line]))]
        rows.append(dict(zip(names, fields, strict=False)))
    return rows


def test_a_rejected_submission_exits_with_1_and_says_why(
    running_cloud: RunningCloud, tmp_path: Path
) -> None:
    text = orders_csv(an_order("1", "u1", "2003-01-01")).replace("order_date", "day", 1)
    folder = write_set(tmp_path / "wrong", "2003-01-01", orders_text=text)

    said = run(running_cloud, "submit", folder, "--wait", "--json")

    assert said.exit_code == 1, said.err
    assert said.document["status"] == "REJECTED"
    [rejected] = [file for file in said.document["files"] if file["status"] == "rejected"]
    assert rejected["key"] == "orders/wrong.csv"
    assert "order_date" in rejected["reason"]
    status = run(running_cloud, "status", "--json").document
    waiting = {file["key"] for file in status["open_set"]["files"]}
    assert {"order_items/wrong.csv", "products/wrong.csv"} <= waiting
    assert status["lock"]["held"] is False

    corrected = tmp_path / "corrected" / "orders" / "wrong.csv"
    corrected.parent.mkdir(parents=True)
    corrected.write_text(text.replace("day", "order_date", 1))
    assert run(running_cloud, "submit", corrected, "--wait").exit_code == 0


def test_status_json_names_lock_open_set_batches_and_dead_letters(
    running_cloud: RunningCloud,
) -> None:
    status = run(running_cloud, "status", "--json").document
    assert {"lock", "open_set", "running", "last_batches", "dead_letters"} <= status.keys()
    assert set(status["dead_letters"].values()) <= {0}


def test_a_batch_tells_its_story(running_cloud: RunningCloud, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "story", "2003-02-02")
    batch_id = run(running_cloud, "submit", folder, "--wait", "--json").document["batch_id"]

    events = [
        event["event_type"]
        for event in run(running_cloud, "batch", batch_id, "--json").document["events"]
    ]

    for expected in (
        "BatchSealed",
        "BatchStarted",
        "LockGranted",
        "FileValidated",
        "TransformStarted",
        "FactsPublished",
        "KpisPublished",
        "BatchArchived",
        "LockReleased",
        "BatchCompleted",
    ):
        assert expected in events
    assert "COMPLETED" in run(running_cloud, "batch", batch_id).out


@pytest.mark.thorough
def test_the_same_files_sent_again_change_nothing(
    running_cloud: RunningCloud, pipeline: Pipeline, tmp_path: Path
) -> None:
    folder = write_set(tmp_path / "again", "2003-03-03")
    assert run(running_cloud, "submit", folder, "--wait").exit_code == 0
    before = pipeline.order_kpis()["2003-03-03"]

    said = run(running_cloud, "submit", folder, "--wait", "--json")

    assert said.exit_code == 0, said.err
    after = pipeline.order_kpis()["2003-03-03"]
    assert after["total_orders"] == before["total_orders"] == 1
    assert after["total_items_sold"] == before["total_items_sold"] == 2


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "said"),
    [
        (("submit", "."), {}, 2, "no CSV files"),
        (("submit", "nowhere"), {}, 2, "no such file or directory"),
        (("status",), {}, 3, "ecp up"),
        (("status",), {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 3, "credentials"),
        (
            ("status",),
            {
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
            },
            3,
            "cannot reach the cloud",
        ),
        (("batch", "0123456789abcdef"), {}, 3, "ecp up"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_an_exit_code(
    tmp_path: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    exit_code: int,
    said: str,
) -> None:
    answer = ecp(*arguments, directory=tmp_path, environment=environment)

    assert answer.exit_code == exit_code, answer
    [line] = answer.err.strip().splitlines()
    assert line.startswith("error: ")
    assert said in line
