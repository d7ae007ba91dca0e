"""Exports of shops, from the upload to the KPIs: read by their sources, explained, and erased."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import RunningCloud
from tests.integration.test_privacy import everything, run
from tests.model import File, ShopModel
from tests.support.kpi_items import BESIDE_MEASURES
from tests.support.pipeline import ARCHIVE_BUCKET, Pipeline, eventually
from tests.support.traces import traces

pytestmark = pytest.mark.integration
USER, PERSON = "anna@shop.example", "Anna Quellwasser"
HEADER = (
    "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem sku,Lineitem discount,Payment Method,Billing Name\n"
)
EXPORT = HEADER + (
    f"#1,{USER},paid,EUR,25.00,2025-07-07 23:30:00 +0200,2,Cup,10.00,C1,0.00,card,{PERSON}\n"
    f"#1,{USER},,,,2025-07-07 23:30:00 +0200,1,Tea,5.50,T1,0.50,,\n"
    "#2,bob@shop.example,refunded,EUR,7.00,2025-07-08 09:00:00 +0200,1,Cup,7.00,C1,,card,Bob\n"
    "#3,eve@shop.example,paid,EUR,1.00,2025-07-08 09:00:00 +0200,1,Cup,1.00,C1,,bogus,Eve\n"
    f"#4,{USER},paid,EUR,5.00,soon,1,Tea,5.00,T1,,card,{PERSON}\n"
    + "".join(
        f"#{n},carl@shop.example,paid,EUR,2.00,2025-07-09 09:00:00 +0200,1,Tea,2.00,T1,,card,C\n"
        for n in range(10, 20)
    )
)
PRODUCTS = "product_id,category,name,price\nC1,Cups,Cup,10.00\nT1,Teas,Tea,5.50\n"
OWN = """
source: corner-shop
version: 1
title: The corner shop
file: {delimiter: ";", decimal: ","}
rows: order_lines
lookups: {articles: {key: Article, value: Number}}
orders:
  order_id: '"Bon"'
  order_date: day("Tag", '%d.%m.%Y')
  total_amount: sum_of_lines
order_items:
  order_id: '"Bon"'
  line_id: row_number
  product_id: lookup('articles', "Artikel")
  quantity: '"Menge"'
  unit_price: amount("Preis")
"""
OWN_EXPORT = "Bon;Tag;Artikel;Menge;Preis\nB1;10.07.2025;Tasse;3;1,50\nB1;10.07.2025;Tee;1;0,25\n"
ARTICLES = "Article;Number\nTasse;C1\nTee;T1\n"


def an_order(order_id: str, user: str, day: str, total: str, status: str = "paid") -> Any:
    return {
        "order_id": order_id,
        "user_id": user,
        "order_date": day,
        "total_amount": total,
        "status": status,
    }


def a_line(order_id: str, number: str, product: str, quantity: str, price: str, amount: str) -> Any:
    return {
        "order_id": order_id,
        "line_id": number,
        "product_id": product,
        "quantity": quantity,
        "unit_price": price,
        "line_amount": amount,
    }


CARL = [str(number) for number in range(10, 20)]
ORDERS = [
    an_order("#1", USER, "2025-07-07", "25.00"),
    an_order("#2", "bob", "2025-07-08", "7.00", "returned"),
    *(an_order(f"#{n}", "carl", "2025-07-09", "2.00") for n in CARL),
]
LINES = [
    a_line("#1", "1", "C1", "2", "10.00", "20.00"),
    a_line("#1", "2", "T1", "1", "5.50", "5.00"),
    a_line("#2", "1", "C1", "1", "7.00", "7.00"),
    *(a_line(f"#{n}", "1", "T1", "1", "2.00", "2.00") for n in CARL),
]
OWN_ORDERS = [an_order("B1", "", "2025-07-10", "4.75")]
OWN_LINES = [
    a_line("B1", "1", "C1", "3", "1.50", "4.50"),
    a_line("B1", "2", "T1", "1", "0.25", "0.25"),
]
ITS_PRODUCTS = [
    {"product_id": "C1", "category": "Cups", "name": "Cup", "price": "10.00"},
    {"product_id": "T1", "category": "Teas", "name": "Tea", "price": "5.50"},
]


def kpis(pipeline: Pipeline) -> tuple[list[Any], list[Any]]:
    """As the model says them."""

    def plain(items: Any) -> list[Any]:
        return [{k: v for k, v in item.items() if k not in BESIDE_MEASURES} for item in items]

    return (
        sorted(plain(pipeline.order_kpis().values()), key=lambda one: one["order_date"]),
        sorted(
            plain(pipeline.category_kpis().values()),
            key=lambda one: (one["order_date"], one["category"]),
        ),
    )


def test_an_export_beside_plain_products_is_one_set_and_counts_to_the_cent(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    """Settled without a manifest; the draft is left out and the order without a day quarantined."""
    pipeline.upload("incoming/shopify-orders/july.csv", EXPORT)
    pipeline.upload("products/all.csv", PRODUCTS)
    batch = pipeline.batch_of("incoming/shopify-orders/july.csv")
    assert batch["status"] == "COMPLETED", batch["reason"]
    [file] = [one for one in pipeline.result(batch["batch_id"])["files"] if one["source"]]
    assert (file["source"], file["rows_in"]) == ("shopify-orders v1", 15)
    assert (file["accepted"], file["quarantined"], file["left_out"]) == (13, 1, {"draft": 1})
    model = ShopModel().take(
        [
            File("orders", ORDERS, statement="july", whole=True),
            File("order_items", LINES, statement="july", whole=True),
            File("products", ITS_PRODUCTS),
        ]
    )
    assert kpis(pipeline) == (model.order_kpis(), model.category_kpis())
    archived = f"archive/{batch['batch_id']}/incoming/shopify-orders/july.csv"
    assert archived in pipeline.keys(ARCHIVE_BUCKET)
    why = run(running_cloud, "why", "orders", "2025-07-07", "--rows", "--json")
    assert why.exit_code == 0, why.err
    assert [(row["key"], row["line"]) for row in why.document["rows"]] == [
        ("incoming/shopify-orders/july.csv", 2),
        ("incoming/shopify-orders/july.csv", 3),
    ]
    [row] = run(running_cloud, "quarantine", "list", "--json").document
    assert (row["key"], row["line"]) == ("incoming/shopify-orders/july.csv", 6)
    assert "Created at" in row["message"]


def test_a_file_of_an_unknown_source_waits_and_counts_once_source_and_lookup_are_there(
    pipeline: Pipeline, running_cloud: RunningCloud, tmp_path: Path
) -> None:
    before = kpis(pipeline)
    pipeline.upload_set("corner", {"incoming/corner-shop/bons.csv": OWN_EXPORT})
    eventually(
        lambda: "no source corner-shop" in str(run(running_cloud, "ignored", "--json").document)
    )
    assert kpis(pipeline) == before
    source, articles, export = (tmp_path / name for name in ("own.yaml", "articles.csv", "b.csv"))
    source.write_text(OWN)
    articles.write_text(ARTICLES)
    export.write_text(OWN_EXPORT)
    added = run(running_cloud, "sources", "add", source)
    assert added.exit_code == 0, added.err
    eventually(lambda: "lookups/articles.csv" in run(running_cloud, "status").out)
    refused = run(running_cloud, "submit", export, "--source", "corner-shop")
    assert (refused.exit_code, "--lookup articles=FILE" in refused.err) == (2, True)
    pipeline.upload("incoming/corner-shop/lookups/articles.csv", ARTICLES)
    batch = pipeline.batch_of("incoming/corner-shop/bons.csv")
    assert batch["status"] == "COMPLETED", batch["reason"]
    [file] = pipeline.manifest(batch["batch_id"])["files"]
    assert (file["source"]["name"], file["source"]["version"]) == ("corner-shop", 1)
    assert [lookup["name"] for lookup in file["lookups"]] == ["articles"]
    said = run(
        running_cloud, "submit", export, "--source", "corner-shop",
        "--lookup", f"articles={articles}", "--wait", "--json",
    )  # fmt: skip
    assert said.exit_code == 0, said.err
    assert said.document["files"][0]["source"] == "corner-shop v1"
    model = ShopModel().take(
        [
            File("orders", ORDERS + OWN_ORDERS),
            File("order_items", LINES + OWN_LINES),
            File("products", ITS_PRODUCTS),
        ]
    )
    assert kpis(pipeline) == (model.order_kpis(), model.category_kpis())


def test_a_file_whose_source_was_removed_waits_and_is_read_by_the_one_that_is_added_next(
    pipeline: Pipeline, running_cloud: RunningCloud, tmp_path: Path
) -> None:
    source = tmp_path / "own.yaml"
    source.write_text(OWN)
    removed = run(running_cloud, "sources", "remove", "corner-shop", "--yes")
    assert removed.exit_code == 0, removed.err
    pipeline.upload("incoming/corner-shop/late.csv", OWN_EXPORT.replace("B1", "B2"))
    eventually(lambda: "corner-shop, which was removed" in run(running_cloud, "status").out)
    assert run(running_cloud, "sources", "add", source).exit_code == 0
    batch = pipeline.batch_of("incoming/corner-shop/late.csv")
    assert batch["status"] == "COMPLETED", batch["reason"]
    assert pipeline.manifest(batch["batch_id"])["files"][0]["source"]["version"] == 2


def test_a_corrected_export_is_replayed_and_its_rows_count_as_answered(
    pipeline: Pipeline, running_cloud: RunningCloud, tmp_path: Path
) -> None:
    """The order of two rows goes in whole, once, however often it is replayed."""
    key, day = "incoming/corner-shop/week.csv", "14.07.2025"
    good = "".join(f"W{n};15.07.2025;Tee;1;1,00\n" for n in range(8))
    bad = f"W9;{day};Tasse;many;2,00\nW9;{day};Tee;1;0,50\n"
    pipeline.upload(key, OWN_EXPORT.partition("\n")[0] + "\n" + good + bad)
    batch = pipeline.batch_of(key)
    assert batch["status"] == "COMPLETED", batch["reason"]
    before = kpis(pipeline)
    exported = run(running_cloud, "quarantine", "export", batch["batch_id"], "--to", tmp_path)
    path = tmp_path / "corner-shop.csv"
    assert exported.exit_code == 0, exported.err
    assert f"ecp quarantine replay {path}" in " ".join(exported.out.split())
    content = path.read_text()
    path.write_text("".join(content.splitlines(keepends=True)[:2]).replace("many", "3"))
    fewer = run(running_cloud, "quarantine", "replay", path, "--json")
    assert (fewer.exit_code, [row["verdict"] for row in fewer.document["rows"]]) == (1, ["refused"])
    assert "put the others back" in fewer.document["rows"][0]["message"]
    assert kpis(pipeline) == before
    path.write_text(content.replace("many", "3"))
    tried = run(running_cloud, "quarantine", "replay", path, "--dry-run", "--json")
    assert [(row["line"], row["verdict"]) for row in tried.document["rows"]] == [
        (10, "fixed"),
        (11, "fixed"),
    ]
    for _ in range(2):
        said = run(running_cloud, "quarantine", "replay", path, "--wait", "--json")
        assert (said.exit_code, said.document["status"]) == (0, "COMPLETED"), said.err
        [file] = said.document["files"]
        assert file["key"].startswith("incoming/corner-shop/replays/")
        assert (file["source"], file["accepted"]) == ("corner-shop v2", 2)
        found = pipeline.order_kpis()["2025-07-14"]
        assert (found["total_orders"], found["total_revenue"]) == (1, Decimal("6.50")), found
    still = run(running_cloud, "quarantine", "list", "--open", "--json").document
    assert [row for row in still if row["key"] == key] == []


def test_a_user_of_an_export_is_erased_with_the_person_beside_the_id(
    pipeline: Pipeline, running_cloud: RunningCloud
) -> None:
    before = kpis(pipeline)
    said = run(running_cloud, "privacy", "erase", USER, "--yes", "--json")
    assert said.exit_code == 0, said.err
    places = {place["place"]: place for place in said.document["places"]}
    assert places["archive"]["rewritten_objects"] == 1
    found = [where for where, content in everything(pipeline) if traces(content, USER, PERSON)]
    assert found == []
    assert kpis(pipeline) == before
    assert pipeline.dead_letters() == {}
