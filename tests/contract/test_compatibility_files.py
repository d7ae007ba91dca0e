"""The gate for file contracts: whoever sends files today must be able to send them tomorrow."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compatibility_project import ORDERS, ContractProject, Edit

ITEMS = "files/order_items/v1.json"
NEWEST_ORDERS = "files/orders/v2.json"
WORDS = ["", "NULL", "null", "\\N", "NaN", "nan", "None", "N/A"]


@pytest.fixture
def project(tmp_path: Path) -> ContractProject:
    made = ContractProject(tmp_path)
    made.release()
    return made


def column(document: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in document["fields"] if one["name"] == name]
    return dict(found)


def limit(name: str, **limits: Any) -> Edit:
    """Change the limits of a column; None takes one away."""

    def edit(document: dict[str, Any]) -> None:
        for field in document["fields"]:
            if field["name"] == name:
                merged = field["constraints"] | limits
                field["constraints"] = {k: v for k, v in merged.items() if v is not None}

    return edit


def put(name: str, **keywords: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        for field in document["fields"]:
            if field["name"] == name:
                field.update(keywords)

    return edit


def add(name: str, *, required: bool) -> Edit:
    return lambda document: document["fields"].append(
        {"name": name, "type": "string", "constraints": {"required": required}}
    )


def optional(name: str, *, required: bool = False) -> Edit:
    column = {"name": name, "type": "string", "optional": True}
    return lambda document: document["fields"].append(
        column | {"constraints": {"required": required}}
    )


def remove(name: str) -> Edit:
    return lambda document: document["fields"].remove(column(document, name))


BREAKING: list[tuple[Edit, str, str, str]] = [
    (limit("total_amount", maximum=1000), "/fields/3/constraints/maximum", "maximum", "is 1000"),
    (limit("total_amount", minimum=1), "/fields/3/constraints/minimum", "minimum", "was 0, is 1"),
    (limit("order_id", maxLength=32), "/fields/0/constraints/maxLength", "maxLength", "was 64"),
    (limit("order_id", minLength=2), "/fields/0/constraints/minLength", "minLength", "is 2"),
    (limit("order_id", pattern="^[0-9]+$"), "/fields/0/constraints/pattern", "pattern", "[0-9]"),
    (limit("status", enum=["paid"]), "/fields/4/constraints/enum", "enum", "not set"),
    (
        limit("order_date", minimum="2020-01-01"),
        "/fields/2/constraints/minimum",
        "minimum",
        "was '1970-01-01'",
    ),
    (
        limit("order_date", maximumDaysFromToday=0),
        "/fields/2/constraints/maximumDaysFromToday",
        "maximumDaysFromToday",
        "was 1, is 0",
    ),
    (add("currency", required=True), "/fields/5", "new", "files without it are rejected"),
    (add("note", required=False), "/fields/5", "new", "files without it are rejected"),
    (remove("status"), "/fields", "removed", "`status` is gone"),
    (put("total_amount", type="integer"), "/fields/3/type", "type", "was number, is integer"),
    (put("total_amount", decimalPlaces=0), "/fields/3/decimalPlaces", "decimalPlaces", "has 0"),
    (put("order_date", format="%d.%m.%Y"), "/fields/2/format", "format", "is %d.%m.%Y"),
    (lambda document: document.update(primaryKey=["user_id"]), "/primaryKey", "primaryKey", "was"),
    (
        lambda document: document.update(missingValues=["", "NA"]),
        "/missingValues",
        "missingValues",
        "was ['']",
    ),
]


@pytest.mark.parametrize(
    ("edit", "pointer", "rule", "reason"),
    BREAKING,
    ids=[f"{case[2]} {case[1]}" for case in BREAKING],
)
def test_what_would_refuse_a_file_of_today_is_found(
    project: ContractProject, edit: Edit, pointer: str, rule: str, reason: str
) -> None:
    project.edit(ORDERS, edit)
    [found] = project.findings()
    assert (found["contract"], found["direction"]) == ("files/orders v1", "files")
    assert (found["pointer"], found["rule"]) == (pointer, rule)
    assert reason in found["reason"]
    assert found["breaks_for"] == ["senders of orders files"]


def test_a_limit_of_zero_is_a_limit(project: ContractProject) -> None:
    project.edit(ITEMS, limit("unit_price", minimum=-5))
    project.release()
    project.edit(ITEMS, limit("unit_price", minimum=0))
    assert {one["release"] for one in project.findings()} == {"v2"}


COMPATIBLE: list[Edit] = [
    limit("total_amount", maximum=99_999_999_999),
    limit("order_id", maxLength=128),
    limit("order_id", minLength=None, pattern=None),
    limit("order_date", minimum="1900-01-01", maximumDaysFromToday=7),
    limit("status", required=False),
    put("total_amount", decimalPlaces=4, description="Total, with tax"),
    lambda document: document["fields"].reverse(),
    lambda document: document.update(title="Orders"),
]


@pytest.mark.parametrize("edit", COMPATIBLE)
def test_what_takes_every_file_of_today_passes(project: ContractProject, edit: Edit) -> None:
    before = project.path(ORDERS).read_bytes()
    project.edit(ORDERS, edit)
    assert project.path(ORDERS).read_bytes() != before
    assert project.findings() == []


def test_a_newer_version_is_no_way_around(project: ContractProject) -> None:
    """A CSV names no version of its contract."""
    document = json.loads(project.path(NEWEST_ORDERS).read_text()) | {"version": 3}
    project.write("files/orders/v3.json", document)
    assert project.findings() == []
    limit("total_amount", maximum=1000)(document)
    project.write("files/orders/v3.json", document)
    found = project.findings()
    assert {one["contract"] for one in found} == {"files/orders v3"}
    assert {one["rule"] for one in found} == {"maximum"}


NEW_VERSIONS: list[tuple[str, Edit, set[str]]] = [
    ("a column that files may lack", optional("channel"), set()),
    ("one that must say something", optional("channel", required=True), {"new"}),
    ("one that is no longer optional", put("currency", optional=False), {"optional", "new"}),
    (
        "another word for nothing",
        put("user_id", missingValues=["", "NULL", "-"]),
        {"missingValues"},
    ),
    ("more words for nothing", put("user_id", missingValues=[*WORDS, "-"]), set()),
    ("words for nothing in ids", put("order_id", missingValues=["", "-"]), {"missingValues"}),
    ("a key of old columns", lambda d: d.update(uniqueKeys=[["status"]]), {"uniqueKeys"}),
    ("a wider class of characters", limit("order_id", pattern="^[^\u0000-\u001f]+$"), set()),
    ("a narrower class", limit("order_id", pattern="^[^\u0000-\u00ff]+$"), {"pattern"}),
]


@pytest.mark.parametrize(
    ("edit", "rules"), [c[1:] for c in NEW_VERSIONS], ids=[c[0] for c in NEW_VERSIONS]
)
def test_a_new_version_may_take_more_and_never_less(
    project: ContractProject, edit: Edit, rules: set[str]
) -> None:
    document = json.loads(project.path(NEWEST_ORDERS).read_text()) | {"version": 3}
    edit(document)
    project.write("files/orders/v3.json", document)
    assert {one["rule"] for one in project.findings()} == rules


def test_a_key_may_hold_a_column_that_no_file_has_yet(project: ContractProject) -> None:
    document = json.loads(project.path(NEWEST_ORDERS).read_text()) | {"version": 3}
    optional("part")(document)
    document["uniqueKeys"] = [["order_id", "part"]]
    project.write("files/orders/v3.json", document)
    assert project.findings() == []
