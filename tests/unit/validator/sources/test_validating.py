"""The validator on a file of a source: what it reads, stages, quarantines and reports."""

import io
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractViolation
from contracts.messages import FileReport
from services.runtime.privacy.user_ids import Replacement
from services.validator.erasure import rewrite_quarantined
from tests.unit.validator.harness import BATCH, ValidatorHarness

pytestmark = pytest.mark.medium

OWN = """\
source: my-shop
version: 2
title: Mine
file: {delimiter: ";", quoting: backslash, encoding: cp1252}
rows: order_lines
lookups:
  names: {key: Sku, value: Name}
leave_out:
  draft: state = 'draft'
orders: {order_id: id, user_id: mail, order_date: bought, total_amount: sum_of_lines, status: state}
order_items: {order_id: id, line_id: row_number, product_id: sku, quantity: qty, unit_price: price}
products: {product_id: sku, name: "lookup('names', sku)"}
"""
FILE = """\
id;mail;bought;state;sku;qty;price
1;a@x.example;2025-07-01;paid;A;2;1.50
1;a@x.example;2025-07-01;paid;B;1;3.00
2;b@x.example;2025-07-01;paid;A;"x \\" y";1
2;b@x.example;2025-07-01;paid;B;1;1
3;;2025-07-02;returned;A;1;1
4;;2025-07-02;draft;A;1;1
"""
KEY = "incoming/my-shop/a.csv"
GIVES = ["orders", "order_items", "products"]


class Shop:
    """A file of a source of one's own, its lookup, and the validator."""

    def __init__(self, content: str = FILE, own: str = OWN, **settings: Any) -> None:
        self.harness = ValidatorHarness(**({"max_rejected_fraction": 0.5} | settings))
        bucket = self.harness.bucket
        self.ref = bucket.keep("sources/my-shop/v2.yaml", own.encode())
        lookup = "Sku;Name\nA;Käse\nB;Öl\n".encode("cp1252")
        self.lookup = bucket.keep("incoming/my-shop/lookups/names.csv", lookup)
        self.upload(content)

    def upload(self, content: str, **changes: Any) -> None:
        pinned = {"name": "my-shop", "version": 2, "gives": GIVES} | changes
        pinned.setdefault("ref", self.ref.model_dump())
        lookups = [{"name": "names", "ref": self.lookup.model_dump()}]
        more = {"source": pinned, "lookups": lookups, "kind": "order_items"}
        self.harness.upload(KEY, content.encode("cp1252"), **more)

    def validate(self, **given: Any) -> FileReport:
        self.harness.validate(**given)
        return self.report()

    def report(self) -> FileReport:
        standing = self.harness.bucket.standing[f"processing/{BATCH}/reports/0000.json"]
        return FileReport.model_validate(json.loads(standing))

    def staged(self, kind: str) -> list[dict[str, Any]]:
        return self.harness.bucket.rows(f"processing/{BATCH}/{kind}/0000.parquet")


def test_each_kind_is_staged_and_reported() -> None:
    shop = Shop()
    report = shop.validate()
    assert (report.status, report.kind, report.contract) == (
        "accepted",
        "order_items",
        "my-shop v2",
    )
    counts = (report.rows_in, report.accepted, report.quarantined, report.duplicates)
    assert (*counts, report.left_out, report.guests) == (6, 3, 2, 0, {"draft": 1}, 1)
    assert (report.whole_orders, report.staged) == (True, None)
    by_kind = {
        each.kind: (each.rows_in, each.accepted, each.quarantined, each.duplicates, each.left_out)
        for each in report.kinds
    }
    assert by_kind == {
        "orders": (6, 2, 2, 1, {"draft": 1}),
        "order_items": (6, 3, 2, 0, {"draft": 1}),
        "products": (6, 2, 1, 2, {"draft": 1}),
    }
    assert [(row["order_id"], row["line_id"]) for row in shop.staged("order_items")] == [
        ("1", "1"), ("1", "2"), ("3", "1"),
    ]  # fmt: skip
    names = {row["product_id"]: row["name"] for row in shop.staged("products")}
    assert names == {"A": "Käse", "B": "Öl"}


def test_users_become_pseudonyms_and_the_report_says_by_which_keys() -> None:
    shop = Shop()
    report = shop.validate()
    orders = {row["order_id"]: row["user_id"] for row in shop.staged("orders")}
    assert orders["3"] is None
    assert len(orders["1"]) == 64
    assert report.pseudonym_check


def test_quarantined_rows_are_kept_in_the_export_s_own_format() -> None:
    shop = Shop()
    report = shop.validate()
    assert report.quarantined_rows
    content = shop.harness.bucket.standing[report.quarantined_rows.key]
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    assert [(row["line"], row["rule"], row["contract"]) for row in rows] == [
        (4, "quantity.format", "my-shop v2"), (5, "order.incomplete", "my-shop v2"),
    ]  # fmt: skip
    assert rows[0]["raw"] == FILE.splitlines()[3]
    said = pq.read_metadata(io.BytesIO(content)).metadata
    assert json.loads(said[b"columns"]) == FILE.splitlines()[0].split(";")
    assert (json.loads(said[b"user_columns"]), said[b"quoting"]) == (["mail"], b"backslash")
    assert (said[b"delimiter"], said[b"encoding"], said[b"skip_lines"]) == (b";", b"cp1252", b"0")


def test_a_user_is_erased_from_quarantined_rows_by_the_columns_of_the_source(
    tmp_path: Path,
) -> None:
    content = FILE.replace("price\n", "price;note\n", 1)
    notes = iter(["", *(f";of {n} c:\\x" for n in range(6))])
    content = "\n".join(line + next(notes) for line in content.splitlines()) + "\n"
    shop = Shop(content)
    report = shop.validate()
    assert report.quarantined_rows
    before = shop.harness.bucket.standing[report.quarantined_rows.key]
    wanted, path = Replacement("B@x.example", "erased-1"), tmp_path / "after.parquet"
    found = rewrite_quarantined(lambda: nullcontext(io.BytesIO(before)), path, wanted)
    assert (found.rows, found.replaced, found.uncertain_rows) == (2, 2, 0)
    raws = pq.read_table(path)["raw"].to_pylist()
    assert raws == [
        '2;erased-1;2025-07-01;paid;A;"x \\" y";1;',
        "2;erased-1;2025-07-01;paid;B;1;1;",
    ]


def test_a_shipped_source_is_read_from_the_code() -> None:
    shop = Shop()
    header = "order_id,user_id,order_date,total_amount,status\n"
    shop.harness.files.clear()
    pinned = {"name": "canonical-orders", "version": 1, "gives": ["orders"]}
    content = header + "1,u,2025-07-01,2.50,Paid\n1,u,2025-07-01,2.50,paid\n"
    shop.harness.upload(
        "incoming/canonical-orders/a.csv", content, source=pinned, lookups=[], kind="orders"
    )
    report = shop.validate()
    assert (report.accepted, report.duplicates, report.contract) == (1, 1, "canonical-orders v1")
    assert [row["source_line"] for row in shop.staged("orders")] == [3]


@pytest.mark.parametrize(
    ("own", "rule", "said"),
    [
        (OWN.replace("sum_of_lines", "sum(total)"), "file.source", "orders.total_amount"),
        (OWN.replace("orders:", "order:"), "file.source", "orders"),
        (OWN.replace("names:", "others:").replace("'names'", "'others'"), "file.source", "others"),
        (OWN.replace("value: Name", "value: Title"), "file.source", 'no column "Title"'),
        (OWN.replace("id: sku", "id: sku_"), "file.header", 'no column "sku_"; did you mean "sku"'),
    ],
)
def test_a_source_that_cannot_be_used_rejects_the_file(own: str, rule: str, said: str) -> None:
    shop = Shop(own=own)
    report = shop.validate()
    assert (report.status, report.rule, report.kinds) == ("rejected", rule, [])
    assert said in (report.reason or "")
    assert report.quarantined_file
    assert shop.harness.bucket.keys(f"processing/{BATCH}/order_items/") == []


@pytest.mark.parametrize("gone", ["sources/my-shop/v2.yaml", "incoming/my-shop/lookups/names.csv"])
def test_a_source_or_lookup_that_was_deleted_is_told(gone: str) -> None:
    shop = Shop()
    bucket = shop.harness.bucket
    [version] = [version for key, version in bucket.versions if key == gone]
    bucket.delete(gone, version)
    report = shop.validate()
    assert (report.status, report.rule) == ("rejected", "file.source")
    assert gone in (report.reason or "")
    assert "upload the file again" in (report.reason or "")
    assert report.quarantined_file


def test_what_was_read_before_its_source_was_deleted_stands_in_a_redrive() -> None:
    shop = Shop()
    before = shop.validate()
    shop.harness.bucket.delete(shop.ref.key, shop.ref.version_id)
    assert shop.validate(fence=8) == before
    assert before.status == "accepted"


def test_what_is_not_staged_any_more_is_removed_by_a_redrive() -> None:
    shop = Shop()
    shop.validate()
    bucket = shop.harness.bucket
    prefix = f"processing/{BATCH}/"
    assert [key.split("/")[2] for key in bucket.keys(prefix) if key.endswith(".parquet")] == [
        "order_items", "orders", "products",
    ]  # fmt: skip
    shop.harness.settings["max_rejected_fraction"] = 0.1
    assert shop.validate(fence=8).status == "rejected"
    assert [key for key in bucket.keys(prefix) if key.endswith(".parquet")] == []


def test_a_file_with_too_many_bad_rows_is_kept_with_its_rows() -> None:
    shop = Shop(max_rejected_fraction=0.1)
    report = shop.validate()
    assert (report.status, report.rule) == ("rejected", "file.too_many_bad_rows")
    assert "most often quantity.format (1 row, the first in line 4)" in (report.reason or "")
    assert "(rule" not in (report.reason or "")
    assert report.quarantined == report.rows_in == 6


def test_who_comes_again_puts_back_what_stands_of_each_kind() -> None:
    shop = Shop()
    shop.validate()
    standing = shop.harness.bucket.standing
    before = dict(standing)
    for kind in GIVES:
        del standing[f"processing/{BATCH}/{kind}/0000.parquet"]
    shop.harness.validate()
    assert standing == before


def test_another_document_than_the_manifest_pins_is_not_read() -> None:
    shop = Shop()
    versions = shop.harness.bucket.versions
    place = (shop.ref.key, shop.ref.version_id)
    versions[place] = versions[place].replace(b"Mine", b"Ours")
    with pytest.raises(ContractViolation, match="is not what the manifest pins"):
        shop.validate()
