"""`ecp freshness`: days and sources, and exit code 1 when daily numbers are not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.clock import to_rfc3339
from infra.ecp import target
from infra.ecp.app import app
from infra.ecp.kpis import freshness
from infra.ecp.kpis.arrivals import recent_arrivals
from services.api.adapters import ViewsTable
from services.api.views.domain import BATCHES, SOURCES, SPAN, ViewItem, partition_of
from tests.unit.infra.accounts import Account
from tests.unit.infra.ecp.kpis.test_kpi_queries import a_day
from tests.unit.infra.tables import put_items

NOW = datetime(2025, 7, 31, 12, tzinfo=UTC)


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    monkeypatch.setattr(freshness, "system_clock", lambda: NOW)
    return Account(aws)


def ecp(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["freshness", *arguments])


def days(account: Account, *order_dates: str) -> None:
    put_items(account.client("dynamodb"), "OrderKPIs", map(a_day, order_dates))
    register = ViewItem(SPAN, "last-day", max(order_dates), {"last_day": max(order_dates)})
    views(account).put([register])


def arrivals(account: Account, source: str, *days_ago: float) -> None:
    """A batch with a file of the source on each of these days."""
    put = []
    for number, ago in enumerate(sorted(days_ago, reverse=True)):
        at, batch_id = to_rfc3339(NOW - timedelta(days=ago)), f"{source}{number}"
        pk = partition_of(batch_id)
        file = {"source": source, "validated_at": at}
        put += [
            ViewItem(pk, "view", "1", {"batch_id": batch_id}, BATCHES, f"{at}#{batch_id}"),
            ViewItem(pk, "file#00000", "1", file),
            ViewItem(
                SOURCES, f"{source}#arrived", at,
                {"source": source, "arrived_at": at, "arrived_key": f"{source}/a.csv"},
            ),
        ]  # fmt: skip
    views(account).put(put)


def views(account: Account) -> ViewsTable:
    return ViewsTable(account.client("dynamodb"), "PipelineViews")


def test_daily_numbers_that_are_there_end_with_0(account: Account) -> None:
    days(account, "2025-07-29", "2025-07-30")
    arrivals(account, "orders", 3.5, 2.5, 1.5, 0.5)
    said = ecp("--expect", "daily")
    assert (said.exit_code, said.stderr) == (0, "")
    assert "2 of 30 days have KPIs; the newest day is 2025-07-30, yesterday" in said.stdout
    assert "every 1 day" in said.stdout


def test_a_missing_yesterday_ends_with_1_and_says_so(account: Account) -> None:
    days(account, "2025-07-28", "2025-07-31")
    said = ecp("--expect", "daily")
    assert said.exit_code == 1
    assert said.stderr == "error: 2025-07-30 (yesterday, UTC) has no KPIs\n"
    without = ecp()
    assert (without.exit_code, without.stderr) == (0, "")
    assert "2025-07-30 (yesterday, UTC) has no KPIs" in without.stdout


def test_a_late_source_ends_with_1_by_its_own_rhythm_or_by_late_after(account: Account) -> None:
    days(account, "2025-07-30")
    arrivals(account, "orders", 5.5, 4.5, 3.5, 2.5)
    arrivals(account, "weekly-shop", 19, 12, 5)
    arrivals(account, "new-shop", 6)
    said = ecp("--expect", "daily")
    assert said.exit_code == 1
    assert said.stderr == (
        "error: orders is late: its last file came 2.5 days ago; files come every day, so 2 are "
        "allowed\n"
    )
    assert ecp("--expect", "daily", "--source", "weekly-shop").exit_code == 0
    assert ecp("--expect", "daily", "--source", "new-shop").exit_code == 0
    strict = ecp("--expect", "daily", "--source", "new-shop", "--late-after", "5")
    assert "new-shop is late" in strict.stderr
    unknown = ecp("--source", "old-shop")
    assert (unknown.exit_code, unknown.stdout) == (2, "")


def test_programs_get_every_day_and_what_is_known_of_sources(account: Account) -> None:
    days(account, "2025-07-29")
    arrivals(account, "orders", 4.5, 3.5, 2.5)
    found = json.loads(ecp("--from", "2025-07-29", "--to", "2025-07-30", "--json").stdout)
    assert [(day["order_date"], day["state"]) for day in found["days"]] == [
        ("2025-07-29", "published"), ("2025-07-30", "missing"),
    ]  # fmt: skip
    [source] = found["sources"]
    assert (source["source"], source["usual_gap_days"], source["is_late"]) == ("orders", 1.0, True)
    assert (found["last_day"], found["yesterday"]) == ("2025-07-29", "2025-07-30")
    assert len(found["missing"]) == 2
    text = ecp("--from", "2025-07-29", "--to", "2025-07-30", "--format", "csv").stdout
    assert text.splitlines()[2] == "2025-07-30,missing,,,"


def test_sources_and_files_of_every_page_are_looked_at(account: Account) -> None:
    days(account, "2025-07-30")
    padding = "x" * 300_000  # DynamoDB answers with 1 MB at most
    at = to_rfc3339(NOW - timedelta(days=9))
    pk = partition_of("a")
    put = [ViewItem(pk, "view", "1", {"batch_id": "a"}, BATCHES, at)]
    for number in range(5):
        name = f"shop-{number}"
        file = {"source": name, "validated_at": at, "padding": padding}
        arrived = {"source": name, "arrived_at": at, "padding": padding}
        put += [
            ViewItem(pk, f"file#{number:05d}", "1", file),
            ViewItem(SOURCES, f"{name}#arrived", at, arrived),
        ]
    views(account).put(put)
    found = json.loads(ecp("--from", "2025-07-30", "--json").stdout)["sources"]
    assert [(source["source"], source["is_late"]) for source in found] == [
        (f"shop-{number}", True) for number in range(5)
    ]
    assert set(recent_arrivals(views(account))) == {f"shop-{number}" for number in range(5)}


def test_many_days_of_one_kind_are_one_line(account: Account) -> None:
    days(account, "2025-06-01", "2025-07-01", "2025-07-02")
    shown = ecp("--from", "2025-06-01").stdout
    assert "2025-06-02 to 2025-06-30  missing, 29 days" in shown
    assert "2025-07-01 to " not in shown


def test_before_anything_is_published_it_says_that(account: Account) -> None:
    assert account
    said = ecp("--expect", "daily")
    assert said.exit_code == 1
    assert "no batch has published a day yet" in said.stdout
    assert "Sources: no file has come yet" in said.stdout
