"""`ecp kpis anomalies`: what is odd, as a table for people and as JSON for programs."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.ecp import target
from infra.ecp.app import app
from services.api.adapters import ViewsTable
from services.api.use_cases import Intake
from tests.unit.api.harness import an_event
from tests.unit.infra.accounts import Account

HOSTILE = "=cmd()\x1b[2J\u202e[red]x[/]"
BOUNDS = {"value": 4020, "expected": 8120, "lowest": 6890, "highest": 9570}


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    found = Account(aws)
    intake = Intake(ViewsTable(found.client("dynamodb"), "PipelineViews"))
    days = ("2025-07-01", "2025-07-07", "2025-07-09")
    for day in days:
        told = {"order_date": day, "series": "orders", **BOUNDS}
        intake.take(an_event("KpiAnomalyDetected", f"kpi-anomaly/{day}", 1, **told, score=-4.4))
    intake.take(
        an_event(
            "KpiAnomalyDetected", f"kpi-anomaly/{days[1]}", 2, order_date=days[1], score=-9.0,
            series="category_revenue", category=HOSTILE, **BOUNDS,
        )
    )  # fmt: skip
    told = {"order_date": days[0], "series": "orders", **BOUNDS, "odd_value": 4020}
    intake.take(an_event("KpiAnomalyResolved", f"kpi-anomaly/{days[0]}", 2, **told))
    intake.show()
    return found


def ecp(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["kpis", "anomalies", *arguments])


def days_of(*arguments: str) -> list[str]:
    result = ecp("--json", *arguments)
    assert result.exit_code == 0, result.output
    return [one["order_date"] for one in json.loads(result.stdout)]


def test_what_is_odd_still_by_day_for_programs(account: Account) -> None:
    assert days_of() == ["2025-07-07", "2025-07-07", "2025-07-09"]
    assert days_of("--from", "2025-07-08") == ["2025-07-09"]
    assert days_of("--to", "2025-07-08") == ["2025-07-07", "2025-07-07"]
    assert days_of("--all") == ["2025-07-01", "2025-07-07", "2025-07-07", "2025-07-09"]


def test_people_see_the_newest_first_with_what_was_expected_and_where_to_look(
    account: Account,
) -> None:
    result = ecp()
    assert result.exit_code == 0, result.output
    assert result.stdout.index("2025-07-09") < result.stdout.index("2025-07-07")
    for word in ("4,020", "8,120", "6,890 to 9,570", "below", "ecp why orders 2025-07-09"):
        assert word in result.stdout
    assert "2025-07-01" not in result.stdout
    assert "odd no longer" in ecp("--all").stdout


def test_a_hostile_category_is_shown_as_text(account: Account) -> None:
    shown = ecp("--to", "2025-07-08").stdout
    assert not {"\x1b", "\u202e"} & set(shown)
    assert json.loads(ecp("--json").stdout)[0]["category"] == HOSTILE


def test_nothing_odd_is_said_in_words(account: Account) -> None:
    result = ecp("--from", "2025-07-10")
    assert result.exit_code == 0
    assert "none in this period" in result.stdout


def test_days_that_are_none_are_wrong_usage(account: Account) -> None:
    assert ecp("--from", "yesterdayish").exit_code == 2
    assert ecp("--from", "2025-07-10", "--to", "2025-07-01").exit_code == 2
