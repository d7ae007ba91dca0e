"""`ecp verify`: what differs is said with the command that mends it, and by the exit code."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.ecp.app import app
from infra.ecp.maintenance import commands

RIGHT = {
    "days": 2,
    "index_faults": 0,
    "table_rows": 0,
    "order_kpis": 0,
    "category_kpis": 0,
    "deleted": 0,
    "unchanged": 5,
    "items": [],
}
GONE = {"order_date": "2025-07-07", "category": "Books", "fault": "missing"}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = dict(RIGHT)
    monkeypatch.setattr(commands, "current_target", lambda: None)
    monkeypatch.setattr(commands, "_compared", lambda _: found)
    return found


def test_where_all_is_right_it_says_so_and_ends_with_0(found: dict[str, Any]) -> None:
    said = CliRunner().invoke(app, ["verify"])
    assert said.exit_code == 0, said.stderr
    assert "5 are right, of 2 days" in said.stdout
    assert json.loads(CliRunner().invoke(app, ["verify", "--json"]).stdout) == RIGHT


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            {"items": [GONE], "category_kpis": 1},
            "1 KPI not what the facts give: `ecp rebuild` makes it right",
        ),
        (
            {"table_rows": 2},
            "2 rows wrong in the KPI tables for SQL: `ecp rebuild` makes it right",
        ),
        (
            {"index_faults": 1_200},
            "1,200 faults in the index of orders by day: `ecp rebuild --index` makes it right",
        ),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_each_kind_of_fault_ends_with_1_and_says_what_mends_it(
    found: dict[str, Any], fault: dict[str, Any], sentence: str, options: list[str]
) -> None:
    found.update(fault)
    said = CliRunner().invoke(app, ["verify", *options])
    assert said.exit_code == 1
    assert sentence in said.stderr.replace("\n", " ")
    if options:
        assert json.loads(said.stdout) == found
