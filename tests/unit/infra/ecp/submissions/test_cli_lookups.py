"""A lookup that has not come: what `ecp submit` says of it, and what `--wait` says meanwhile."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.identities import FileIdentity
from contracts.messages import DetectedFile, PinnedSource
from infra.ecp import target
from infra.ecp.main import app
from infra.ecp.submissions import batch_of_submission
from infra.ecp.submissions.batch_of_submission import BatchOfSubmission
from infra.ecp.submissions.upload import Submission
from services.aggregator.open_set.domain import FileSet, PendingFile
from tests.unit.infra.accounts import BUCKET, Account

KEY = "incoming/northwind-products/products.csv"
CATEGORIES = "incoming/northwind-products/lookups/categories.csv"
EXPORT = (
    "ProductID,ProductName,SupplierID,CategoryID,QuantityPerUnit,UnitPrice,UnitsInStock,"
    "UnitsOnOrder,ReorderLevel,Discontinued\n1,Assam,1,1,a box,18.00,1,0,0,0\n"
)
NOON = datetime(2025, 7, 7, 12, 0, tzinfo=UTC)


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    return Account(aws)


@pytest.fixture
def products(tmp_path: Path) -> Path:
    (tmp_path / "products.csv").write_text(EXPORT)
    (tmp_path / "categories.csv").write_text("CategoryID,CategoryName\n1,Tea\n")
    return tmp_path / "products.csv"


def submit(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["submit", *map(str, arguments)])


def test_a_source_told_by_the_header_says_which_lookup_it_still_needs(
    account: Account, products: Path
) -> None:
    said = submit(products)
    assert said.exit_code == 0, said.stderr
    assert said.stderr.splitlines()[:2] == [
        f"{products}: read by source northwind-products, by its header",
        "source northwind-products looks values up in categories: send it with `--lookup "
        f"categories=FILE`, or put it at s3://{BUCKET}/{CATEGORIES}; until it is there, the files "
        "wait",
    ]
    document = json.loads(submit(products, "--json").stdout)
    assert document["missing_lookups"] == [
        {"source": "northwind-products", "lookup": "categories", "key": CATEGORIES}
    ]


def test_a_lookup_goes_with_a_file_whose_header_told_the_source(
    account: Account, products: Path
) -> None:
    given = f"categories={products.with_name('categories.csv')}"
    said = submit(products, "--lookup", given, "--json")
    assert said.exit_code == 0, said.stderr
    assert json.loads(said.stdout)["missing_lookups"] == []
    assert account.client("s3").head_object(Bucket=BUCKET, Key=CATEGORIES)["ContentLength"]
    assert "looks values up" not in submit(products).stderr


def test_with_a_source_that_was_named_nothing_is_sent_before_its_lookups(
    account: Account, products: Path
) -> None:
    said = submit(products, "--source", "northwind-products")
    assert said.exit_code == 2
    assert f"`--lookup categories=FILE`, or put it at s3://{BUCKET}/{CATEGORIES}" in said.stderr
    assert account.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_who_waits_is_told_once_what_the_files_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = FileIdentity(BUCKET, KEY, "v1")
    source = PinnedSource(name="northwind-products", version=1, gives=["products"])
    theirs = PinnedSource(name="superstore-orders", version=1, gives=["orders"])
    ours = DetectedFile(
        bucket=BUCKET, key=KEY, version_id="v1", kind="products", size_bytes=1, etag="e",
        source=source,
    )  # fmt: skip
    other = ours.model_copy(update={"key": "incoming/superstore-orders/a.csv", "source": theirs})
    noticed = [PendingFile(one, NOON) for one in (ours, other)]
    empty = FileSet(BUCKET, 1)
    full = replace(empty, files={one.identity: one for one in noticed})
    now = empty
    monkeypatch.setattr(batch_of_submission, "open_set_of", lambda _: now)
    monkeypatch.setattr(batch_of_submission, "LOOK_EVERY_SECONDS", 0.0)
    here: Any = SimpleNamespace(event_store=SimpleNamespace(read_correlated=lambda _: []))
    said: list[str] = []
    batch = BatchOfSubmission(here, Submission(BUCKET, "manifests/m.json", (sent,), NOON))
    batch.say = said.append
    batch.read()
    assert said == []
    now = full
    for _ in range(3):
        batch.read()
    assert said == [
        f"the files wait for {CATEGORIES}, which source northwind-products looks values up in; "
        "they go on once it is there"
    ]
