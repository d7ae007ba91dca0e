"""`ecp sources test`: what files come to, offline, by the pipeline's own checks and SQL."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.sources.shipped import ROOT, shipped_sources
from infra.ecp.app import app
from infra.environments import PROJECT
from tests.unit.runtime.sources.test_shipped_data_sets import (
    SUPERSTORE,
    SUPERSTORE_RETURNS,
    UCI,
)
from tests.unit.runtime.sources.test_shipped_shops import MAGENTO_ITEMS, WOOCOMMERCE
from tests.unit.runtime.sources.test_shipped_sources import AMAZON


def test_source(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sources", "test", *map(str, arguments)])


test_source.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(name: str, text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return written


@pytest.mark.medium
def test_kpis_of_the_file_alone_and_what_is_bad_or_left_out(write: Any) -> None:
    said = test_source("woocommerce-orders", write("orders.csv", WOOCOMMERCE), "--json")
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    [file] = found["files"]
    counts = ("rows_in", "accepted", "quarantined", "duplicates", "left_out")
    assert [file[name] for name in counts] == [5, 3, 1, 0, {"draft": 1}]
    assert [(kind["kind"], kind["accepted"]) for kind in file["kinds"]] == [
        ("orders", 2),
        ("order_items", 3),
    ]
    [bad] = file["rows"]
    assert (bad["line"], bad["rule"]) == (8, "currency.other")
    [left_out] = file["left_out_examples"]["draft"]
    assert left_out["line"] == 7
    assert left_out["raw"].startswith("73,73,2026-05-03")
    assert found["order_kpis"] == [
        {
            "order_date": "2026-05-02", "total_orders": 2, "total_revenue": 47.6,
            "total_items_sold": 6, "return_rate": 0.5, "unique_customers": 1, "guests": 1,
        }
    ]  # fmt: skip
    assert [(one["category"], one["daily_revenue"]) for one in found["category_kpis"]] == [
        ("Unknown", 40)
    ]


@pytest.mark.medium
def test_a_row_that_is_there_twice_counts_once(write: Any) -> None:
    twice = WOOCOMMERCE + next(line for line in WOOCOMMERCE.splitlines() if line.startswith("72,"))
    said = test_source("woocommerce-orders", write("orders.csv", f"{twice}\n"), "--json")
    found = json.loads(said.stdout)
    assert found["files"][0]["duplicates"] == 1
    assert found["order_kpis"][0]["total_items_sold"] == 6


@pytest.mark.medium
def test_totals_from_lines_and_reasons_of_one_kind(write: Any) -> None:
    said = test_source("amazon-orders", write("report.txt", AMAZON, "cp1252"), "--json")
    found = json.loads(said.stdout)
    assert [(one["order_date"], one["total_revenue"]) for one in found["order_kpis"]] == [
        ("2026-09-01", 160.2),
        ("2026-09-02", 10),
    ]
    assert [
        row["line"] for row in found["files"][0]["left_out_examples"]["zero_quantity_line"]
    ] == [4]


@pytest.mark.medium
def test_a_lookup_is_given_by_its_name(write: Any) -> None:
    path = write("orders.csv", SUPERSTORE, "cp1252")
    lacking = test_source("superstore-orders", path)
    assert (lacking.exit_code, "say --lookup returns=FILE" in lacking.stderr) == (2, True)
    returns = write("returns.csv", SUPERSTORE_RETURNS)
    said = test_source("superstore-orders", path, "--lookup", f"returns={returns}", "--json")
    found = json.loads(said.stdout)
    assert found["order_kpis"][0]["return_rate"] == 0.5
    assert {one["category"] for one in found["category_kpis"]} == {"Furniture", "Technology"}


@pytest.mark.medium
def test_lines_without_their_order_wait(write: Any) -> None:
    said = test_source("magento-order-items", write("items.csv", MAGENTO_ITEMS))
    assert "4 order lines wait for an order that is in none of these files" in said.stdout
    assert "configurable_child" in said.stdout


@pytest.mark.medium
def test_a_document_is_tried_before_it_is_added(write: Any) -> None:
    document = write("my.yaml", (ROOT / "uci-online-retail/v1.yaml").read_text())
    said = test_source(document, write("retail.csv", UCI, "latin-1"), "--json")
    assert json.loads(said.stdout)["files"][0]["left_out"] == {
        "credit_note": 1,
        "ledger_adjustment": 1,
        "negative_quantity": 1,
    }
    document.write_text(document.read_text().replace("amount(", "now("))
    said = test_source(document, write("retail.csv", UCI, "latin-1"))
    assert (said.exit_code, "now is refused" in said.stderr) == (1, True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("order_total", "order_totals"), 'there is no column "order_total"; did you mean'),
        (("order_total", "status"), 'column "status" stands in the header more than once'),
        (("order_id,", ""), 'there is no column "order_id"'),
    ],
)
def test_a_header_that_lacks_renames_or_doubles_a_column_rejects_the_file(
    change: tuple[str, str], why: str, write: Any
) -> None:
    path = write("orders.csv", WOOCOMMERCE.replace(*change, 1))
    said = test_source("woocommerce-orders", path, "--json")
    assert said.exit_code == 1
    [file] = json.loads(said.stdout)["files"]
    assert (file["status"], why in file["reason"]) == ("rejected", True), file["reason"]


@pytest.mark.medium
def test_the_example_of_the_page_gives_what_the_page_says(write: Any) -> None:
    page = (PROJECT / "docs/sources.md").read_text()
    [text] = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    [document] = re.findall(r"```yaml\n(source:.*?)```", page, re.DOTALL)
    said = test_source(write("my.yaml", document), write("orders.csv", text), "--json")
    found = json.loads(said.stdout)
    assert found["files"][0]["left_out"] == {"test_order": 1}
    [day] = found["order_kpis"]
    told = re.search(r"one day, (\d+) orders, ([\d.]+) of revenue, (\d+) pieces", page)
    assert told
    figures = ("total_orders", "total_revenue", "total_items_sold")
    assert [float(each) for each in told.groups()] == [day[name] for name in figures]
    assert (day["return_rate"], day["unique_customers"]) == (0.5, 1)


def test_the_page_lists_every_source_that_ships() -> None:
    page = (PROJECT / "docs/sources.md").read_text()
    assert [name for name in shipped_sources() if f"`{name}`" not in page] == []


def test_unknown_names_and_missing_files_are_wrong_usage(tmp_path: Path) -> None:
    for arguments in (("shopify-orders", "none.csv"), (tmp_path / "none.yaml", "none.csv")):
        assert test_source(*arguments).exit_code == 2
