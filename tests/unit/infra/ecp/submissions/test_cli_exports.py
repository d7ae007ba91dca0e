"""Files of a source and its lookups: what `ecp submit --source` sends, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from contracts.sources.shipped import shipped_source
from infra.ecp.submissions.exports import export_files, source_by_header
from infra.ecp.submissions.intake import gather
from infra.ecp.submissions.lookups import (
    MissingLookup,
    lookup_files,
    lookup_files_of_any,
    missing_lookups,
    upload_lookups,
)
from infra.ecp.terminal.errors import WrongUsage
from tests.support.moto_account import moto_account

BUCKET = "data"
NORTHWIND = shipped_source("northwind-products")
CATEGORIES = "incoming/northwind-products/lookups/categories.csv"
OWN = """
source: my-shop
version: 1
title: My shop
rows: orders
orders: {order_id: '"No."', user_id: '"Buyer"', order_date: '"Bought"', total_amount: '"Paid"'}
"""
OWN_HEADER = "No.,Buyer,Bought,Paid\n1,a,2025-07-07,1.00\n"


def test_files_and_directories_go_under_the_sources_folder_by_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.txt", ".DS_Store"):
        (tmp_path / name).write_text("x")
    found = export_files([tmp_path], "amazon-orders")
    assert [(file.key, file.source) for file in found] == [
        ("incoming/amazon-orders/a.txt", "amazon-orders"),
        ("incoming/amazon-orders/b.csv", "amazon-orders"),
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [("a.xlsx", "spreadsheet"), ("missing.csv", "no such file"), ("a.zip", "unpack it")],
)
def test_what_cannot_be_read_is_refused_before_anything_is_sent(
    tmp_path: Path, name: str, why: str
) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_text("x")
    with pytest.raises(WrongUsage, match=why):
        export_files([tmp_path / name], "amazon-orders")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("categories", "NAME=FILE"),
        ("=a.csv", "NAME=FILE"),
        ("category=a.csv", 'asks no lookup category; did you mean "categories"'),
        ("categories=nowhere.csv", "nowhere.csv"),
    ],
)
def test_a_lookup_that_the_source_does_not_ask_or_nobody_can_read_is_refused(
    given: str, why: str
) -> None:
    with pytest.raises(WrongUsage, match=why):
        lookup_files([given], NORTHWIND)


def test_a_lookup_without_a_source_is_refused() -> None:
    with pytest.raises(WrongUsage, match="--source"):
        lookup_files(["categories=a.csv"], None)


def test_a_lookup_is_that_of_the_one_source_that_asks_it(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("CategoryID,CategoryName\n1,Tea\n")
    sources = [shipped_source("superstore-orders"), NORTHWIND]
    assert lookup_files_of_any([f"categories={path}"], sources) == {CATEGORIES: path}
    with pytest.raises(WrongUsage, match="both ask one: say whose, with --source"):
        lookup_files_of_any([f"categories={path}"], [NORTHWIND, NORTHWIND])
    with pytest.raises(WrongUsage, match="asks no lookup nothing"):
        lookup_files_of_any([f"nothing={path}"], sources)
    with pytest.raises(WrongUsage, match="--source"):
        lookup_files_of_any([f"categories={path}"], [])


@moto_account()
def test_a_lookup_is_missing_until_it_is_given_or_lies_there(tmp_path: Path) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    target: Any = SimpleNamespace(client=lambda _: s3, names=SimpleNamespace(data_bucket=BUCKET))
    path = tmp_path / "c.csv"
    path.write_text("CategoryID,CategoryName\n1,Tea\n")
    given = lookup_files([f"categories={path}"], NORTHWIND)
    assert given == {CATEGORIES: path}
    assert missing_lookups(NORTHWIND, (), target) == [
        MissingLookup("northwind-products", "categories", CATEGORIES)
    ]
    assert missing_lookups(NORTHWIND, given, target) == []
    upload_lookups(given, target)
    assert missing_lookups(NORTHWIND, (), target) == []
    assert s3.get_object(Bucket=BUCKET, Key=CATEGORIES)["Body"].read() == path.read_bytes()


@moto_account()
def test_a_file_is_sent_to_the_source_that_its_whole_header_names(tmp_path: Path) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="sources/my-shop/v1.yaml", Body=OWN)
    s3.put_object(Bucket=BUCKET, Key="sources/broken/v1.yaml", Body="source: [")
    target: Any = SimpleNamespace(client=lambda _: s3, names=SimpleNamespace(data_bucket=BUCKET))
    path = tmp_path / "export.csv"
    path.write_text(OWN_HEADER)
    asked = source_by_header(lambda: target)
    assert [file.key for file in gather([path], asked).files] == ["incoming/my-shop/export.csv"]
    path.write_text("what,is,this\n1,2,3\n")
    with pytest.raises(WrongUsage, match="ecp sources detect"):
        gather([path], asked)
