"""Every number can be explained, compared and given back: why, diff, rebuild, maintain."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import RunningCloud
from tests.model import ShopModel
from tests.support.ecp import Said, ecp
from tests.support.kpi_items import BESIDE_MEASURES
from tests.support.pipeline import Pipeline
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.integration
FIRST = {
    "orders/one.csv": orders_csv(
        an_order("1", "u1", "2025-07-07", "20.00"), an_order("2", "u2", "2025-07-08", "3.33")
    ),
    "order_items/one.csv": items_csv(an_item("1", "p1", "2"), an_item("2", "p2", "1", "3.33")),
    "products/one.csv": products_csv(a_product("p1", "Books"), a_product("p2", "Garden")),
}
LATE = {
    "orders/two.csv": orders_csv(an_order("2", "u2", "2025-07-07", "3.33", "returned")),
    "order_items/two.csv": items_csv(an_item("1", "p1", "3")),
}


def run(cloud: RunningCloud, *arguments: object) -> Said:
    return ecp(*arguments, directory=cloud.directory)


def submit(cloud: RunningCloud, folder: Path, files: dict[str, str]) -> str:
    for key, text in files.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_text(text)
    said = run(cloud, "submit", folder, "--wait", "--json")
    assert said.exit_code == 0, said.err
    return str(said.document["batch_id"])


def told(model: ShopModel, files: dict[str, str]) -> ShopModel:
    rows: dict[str, list[dict[str, str]]] = {"orders": [], "order_items": [], "products": []}
    for key, text in files.items():
        header, *lines = text.splitlines()
        rows[key.partition("/")[0]] += [
            dict(zip(header.split(","), line.split(","), strict=True)) for line in lines
        ]
    return model.apply(**rows)


def measures(item: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in item.items() if k not in BESIDE_MEASURES}


def assert_published_equals(pipeline: Pipeline, model: ShopModel) -> None:
    orders = sorted(pipeline.order_kpis().items())
    categories = sorted(pipeline.category_kpis().items(), key=lambda each: each[0][::-1])
    assert [measures(item) for _, item in orders] == model.order_kpis()
    assert [measures(item) for _, item in categories] == model.category_kpis()


def test_numbers_are_explained_compared_and_given_back(
    running_cloud: RunningCloud, pipeline: Pipeline, tmp_path: Path
) -> None:
    first = submit(running_cloud, tmp_path / "first", FIRST)
    late = submit(running_cloud, tmp_path / "late", LATE)
    model = told(told(ShopModel(), FIRST), LATE)
    assert_published_equals(pipeline, model)

    explained = run(running_cloud, "why", "Garden", "2025-07-07", "--rows", "--json").document
    assert explained["equal"]
    assert {(c["kind"], c["batch_id"], c["rows"]) for c in explained["contributions"]} == {
        ("order_items", first, 1),
        ("orders", late, 1),
    }
    archived = f"s3://ecommerce-archive-bucket/archive/{late}/orders/two.csv"
    assert archived in {c["location"] for c in explained["contributions"]}
    assert archived.split("/", 3)[3] in pipeline.keys("ecommerce-archive-bucket")
    assert [(row["key"], row["line"]) for row in explained["rows"]] == [("order_items/one.csv", 3)]

    compared = run(running_cloud, "diff", late, "--json").document
    days = {day["order_date"]: day for day in compared["days"]}
    assert days["2025-07-07"]["orders_moved_in"] == days["2025-07-08"]["orders_moved_away"] == 1
    assert days["2025-07-07"]["lines_restated"] == 1
    gone = [kpi["order_date"] for kpi in compared["kpis"] if kpi["after"] is None]
    assert gone == ["2025-07-08", "2025-07-08"]

    spoil(pipeline)
    wrong = run(running_cloud, "why", "orders", "2025-07-07")
    assert wrong.exit_code == 3
    assert "NOT what the facts give" in wrong.err
    verified = run(running_cloud, "verify", "--json")
    assert verified.exit_code == 1
    assert "not what the facts give: `ecp rebuild` makes it right" in verified.err
    planned = run(running_cloud, "rebuild", "--dry-run", "--json").document
    assert planned == verified.document
    assert (planned["order_kpis"], planned["category_kpis"], planned["deleted"]) == (1, 1, 1)
    assert planned["index_faults"] == 0
    rebuilt = run(running_cloud, "rebuild", "--json")
    assert rebuilt.exit_code == 0, rebuilt.err
    assert (rebuilt.document["deleted"], rebuilt.document["index_faults"]) == (1, None)
    assert run(running_cloud, "verify").exit_code == 0
    of_index = run(running_cloud, "rebuild", "--index")
    assert of_index.exit_code == 0, of_index.err
    assert "index of orders by day: 0 faults" in of_index.out
    assert_published_equals(pipeline, model)

    maintained = run(running_cloud, "maintain", "--json")
    assert maintained.exit_code == 0, maintained.err
    assert [each["deleted_files"] for each in maintained.document["tables"]] == [0] * 6
    assert run(running_cloud, "why", "orders", "2025-07-07").exit_code == 0
    assert pipeline.dead_letters() == {}


def spoil(pipeline: Pipeline) -> None:
    """Change one item, delete one, add one that nothing gives."""
    orders, categories = pipeline.table("OrderKPIs"), pipeline.table("CategoryKPIs")
    item = pipeline.order_kpis()["2025-07-07"]
    orders.put_item(Item={**item, "total_revenue": Decimal("1.00")})
    categories.delete_item(Key={"category": "Books", "order_date": "2025-07-07"})
    categories.put_item(Item={"category": "Ghosts", "order_date": "2025-07-07"})


def test_a_batch_that_is_not_published_has_changed_nothing(
    running_cloud: RunningCloud, tmp_path: Path
) -> None:
    files = {"orders/bad.csv": "no,header\n1,2\n", "order_items/bad.csv": items_csv(an_item())}
    for key, text in files.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text(text)
    rejected = run(running_cloud, "submit", tmp_path, "--wait", "--json").document

    said = run(running_cloud, "diff", rejected["batch_id"])

    assert said.exit_code == 2
    assert f"batch {rejected['batch_id']} is REJECTED: it has changed nothing" in said.err
