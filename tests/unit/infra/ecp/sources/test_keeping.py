"""`ecp sources add`, `list`, `show` and `remove`: versions of sources of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from contracts.sources.faults import InvalidSource
from contracts.sources.shipped import ROOT, shipped_sources
from infra.ecp import target
from infra.ecp.app import app
from infra.ecp.sources.keeping import read_source
from infra.ecp.terminal.errors import CommandFailed
from tests.support.sources import a_document
from tests.unit.infra.accounts import BUCKET, Account

KEY = "sources/my-shop/v{}.yaml"


def ecp(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sources", *map(str, arguments)])


@pytest.fixture
def s3(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    Account(aws)
    return aws("s3")


@pytest.fixture
def document(tmp_path: Path) -> Any:
    def written(**changes: Any) -> Path:
        path = tmp_path / "my.yaml"
        path.write_text(yaml.safe_dump(a_document(**changes), sort_keys=False))
        return path

    return written


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_what_differs_is_the_next_version_and_none_is_overwritten(s3: Any, document: Any) -> None:
    first = json.loads(ecp("add", document(), "--json").stdout)
    assert (first["key"], first["version"], first["added"]) == (KEY.format(1), 1, True)
    again = json.loads(ecp("add", document(), "--json").stdout)
    assert (again["key"], again["added"]) == (KEY.format(1), False)
    changed = json.loads(ecp("add", document(title="Other"), "--json").stdout)
    assert (changed["key"], changed["version"]) == (KEY.format(2), 2)
    assert keys(s3) == [KEY.format(1), KEY.format(2)]
    text = s3.get_object(Bucket=BUCKET, Key=KEY.format(2))["Body"].read().decode()
    assert yaml.safe_load(text) == a_document(title="Other", version=2)


def test_a_source_that_was_removed_goes_on_after_its_last_number(s3: Any, document: Any) -> None:
    for title in ("One", "Two"):
        ecp("add", document(title=title))
    assert ecp("remove", "my-shop", "--yes").exit_code == 0
    assert keys(s3) == []
    assert json.loads(ecp("add", document(), "--json").stdout)["key"] == KEY.format(3)


def test_what_is_no_source_is_not_added(s3: Any, document: Any) -> None:
    said = ecp("add", document(orders={"order_id": "now()"}))
    assert (said.exit_code, "order_date is missing" in said.stderr) == (1, True)
    said = ecp("add", document(title=None))
    assert (said.exit_code, "title is missing" in said.stderr) == (1, True)
    said = ecp("add", document(leave_out={"draft": "select 1"}))
    assert said.exit_code == 1
    assert keys(s3) == []


def test_names_that_ship_are_taken(s3: Any, document: Any) -> None:
    said = ecp("add", document(source="shopify-orders"))
    assert (said.exit_code, "comes with the pipeline" in said.stderr) == (2, True)
    assert ecp("remove", "shopify-orders", "--yes").exit_code == 2
    assert keys(s3) == []


def test_a_version_in_one_line_with_others_is_refused_rather_than_misnumbered(
    s3: Any, document: Any, tmp_path: Path
) -> None:
    ecp("add", document())
    path = tmp_path / "flow.yaml"
    path.write_text(json.dumps(a_document(title="Other")))
    said = ecp("add", path)
    assert (said.exit_code, "write `version:` on a line of its own" in said.stderr) == (1, True)


def test_list_and_show_know_both_sorts(s3: Any, document: Any) -> None:
    ecp("add", document())
    listed = {one["source"]: one for one in json.loads(ecp("list", "--json").stdout)}
    assert listed.keys() == {*shipped_sources(), "my-shop"}
    assert (listed["my-shop"]["origin"], listed["my-shop"]["columns"]) == (
        "own",
        ["id", "bought", "total"],
    )
    assert listed["northwind-products"]["lookups"] == ["categories"]
    assert "my-shop" in ecp("list").stdout
    assert ecp("show", "my-shop").stdout == document().read_text()
    shown = json.loads(ecp("show", "my-shop", "--json").stdout)
    assert (shown["version"], shown["text"]) == (1, document().read_text())


def test_what_ships_is_shown_without_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_cloud(*_: Any) -> Any:
        raise CommandFailed("no cloud")

    monkeypatch.setattr(target, "choose", no_cloud)
    said = ecp("show", "shopify-orders")
    assert said.stdout == (ROOT / "shopify-orders/v1.yaml").read_text()
    listed = ecp("list", "--json")
    assert {one["origin"] for one in json.loads(listed.stdout)} == {"shipped"}
    assert "only what ships is known here: no cloud" in listed.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("show", "shopfy-orders"), 'did you mean "shopify-orders"?'),
        (("show", "shopify-orders", "--version", "9"), "the newest is v1"),
        (("show", "my-shop", "--version", "9"), "the newest is v1"),
        (("remove", "your-shop", "--yes"), "no source your-shop of your own"),
        (("add", "none.yaml"), "there is no such file"),
    ],
)
def test_what_is_not_there_is_wrong_usage(
    arguments: tuple[str, ...], why: str, s3: Any, document: Any
) -> None:
    ecp("add", document())
    said = ecp(*arguments)
    assert (said.exit_code, why in said.stderr) == (2, True), said.stderr


def test_a_broken_version_is_listed_with_its_fault_and_the_one_before_goes_on(
    s3: Any, document: Any
) -> None:
    ecp("add", document())
    broken = document(version=2, rows="orderz").read_bytes()
    s3.put_object(Bucket=BUCKET, Key=KEY.format(2), Body=broken)
    s3.put_object(Bucket=BUCKET, Key="sources/your-shop/v1.yaml", Body=b"[]")
    said = json.loads(ecp("list", "--json").stdout)
    own = [one for one in said if one["origin"] == "own"]
    assert [(one["source"], one["version"], bool(one["fault"])) for one in own] == [
        ("my-shop", 2, True), ("my-shop", 1, False), ("your-shop", 1, True),
    ]  # fmt: skip
    listed = ecp("list")
    assert listed.exit_code == 0
    assert "my-shop v2 cannot be used:" in listed.stdout
    assert '"orderz" is none of' in listed.stdout
    assert read_source("my-shop").version == 1
    with pytest.raises(InvalidSource, match="this is no source"):
        read_source("your-shop")
    shown = ecp("show", "my-shop")
    assert shown.stdout == broken.decode()
    assert '"orderz" is none of' in shown.stderr
    assert json.loads(ecp("add", document(), "--json").stdout)["key"] == KEY.format(3)


def test_a_corrected_source_says_how_the_files_that_it_refused_come_in_again(
    s3: Any, document: Any
) -> None:
    assert json.loads(ecp("add", document(), "--json").stdout)["refused_files"] == []
    for key in ("incoming/my-shop/b1.csv", "incoming/your-shop/a.csv"):
        s3.put_object(Bucket=BUCKET, Key=f"quarantine/b1/files/{key}", Body=b"x")
    said = ecp("add", document(title="Other"))
    assert "1 file of it is still refused" in said.stdout
    assert "ecp quarantine export incoming/my-shop/b1.csv --to again/b1.csv" in said.stdout
    assert "ecp submit again/b1.csv --source my-shop --wait" in said.stdout
    assert "your-shop" not in said.stdout
