"""`ecp kpis` by period, compared, in files: what people and programs get, what is refused."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from contracts.printable import is_shown
from infra.ecp import target
from infra.ecp.app import app
from infra.ecp.kpis import formats, queries, workbook
from infra.ecp.kpis.queries import PublishedKpis
from infra.ecp.terminal.sparklines import BARS
from services.api.kpis.periods import Span
from tests.unit.infra.accounts import Account
from tests.unit.infra.ecp.kpis.test_kpi_queries import a_category, a_day
from tests.unit.infra.tables import put_items

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("few_days")]

JULY = ("--from", "2025-07-01", "--to", "2025-07-31")
FIRST_DAY = queries.FIRST_DAY
"""Of all that a file may hold; most tests ask for few (`few_days`)."""
HOSTILE = "=cmd()\x1b[2J\u202e[red]x[/]"


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    return Account(aws)


def publish(account: Account, **revenue: int) -> None:
    """Order and category KPIs of days in 2025, written `d0701`."""
    days = {f"2025-{name[1:3]}-{name[3:]}": amount for name, amount in revenue.items()}
    dynamodb = account.client("dynamodb")
    put_items(
        dynamodb, "OrderKPIs",
        [a_day(day, total_revenue=amount, returned_orders=1) for day, amount in days.items()],
    )  # fmt: skip
    put_items(
        dynamodb, "CategoryKPIs",
        [
            a_category(name, day, daily_revenue=amount * part, orders=2, returned_orders=1)
            for day, amount in days.items()
            for name, part in (("Books", 2), ("Games", 1), ("Toys", 3))
        ],
    )  # fmt: skip


def ecp(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["kpis", *arguments])


def calls_of(account: Account) -> set[str]:
    called: set[str] = set()
    account.client("dynamodb").meta.events.register(
        "before-call.dynamodb", lambda model, **_: called.add(model.name)
    )
    return called


def test_no_question_scans_a_table(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "FIRST_DAY", FIRST_DAY)
    publish(account, d0701=10, d0702=20)
    dynamodb = account.client("dynamodb")
    called = calls_of(account)
    monkeypatch.setattr(target.Target, "client", lambda *_: dynamodb)
    for what in (["orders"], ["categories"], ["categories", "--category", "bokks"]):
        assert ecp(*what, "--json").exit_code == 0
    long = ("--from", "2000-01-01", "--to", "2025-12-31")
    assert len(json.loads(ecp("categories", *long, "--json").stdout)) == 6
    assert called == {"BatchGetItem", "Query"}


def test_categories_of_many_years_are_asked_for_on_days_that_have_some(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FIRST_DAY", FIRST_DAY)
    publish(account, d0701=10, d0702=20)
    dynamodb = account.client("dynamodb")
    asked: list[str] = []
    dynamodb.meta.events.register(
        "before-call.dynamodb", lambda model, **_: asked.append(model.name)
    )
    kpis = PublishedKpis(dynamodb, date(2025, 8, 1))
    found = kpis.categories(Span(date(2020, 1, 1), date(2025, 12, 31)).dates())
    assert len(found) == 6
    assert (asked.count("Query"), asked.count("BatchGetItem")) == (2, 21)
    kpis.orders(Span(date(2020, 1, 1), date(2025, 12, 31)).dates())
    assert asked.count("BatchGetItem") == 21


def test_the_plain_json_of_days_is_as_it_was(account: Account) -> None:
    publish(account, d0701=10)
    [kpi] = json.loads(ecp("orders", "--json").stdout)
    assert list(kpi) == [
        "order_date", "total_orders", "total_revenue", "total_items_sold", "return_rate",
        "unique_customers", "guests", "batch_id", "epoch", "updated_at",
    ]  # fmt: skip
    kpis = json.loads(ecp("categories", "--json").stdout)
    assert [list(kpi) for kpi in kpis] == 3 * [
        [
            "category", "order_date", "daily_revenue", "avg_order_value", "avg_return_rate",
            "batch_id", "epoch", "updated_at",
        ]
    ]  # fmt: skip
    assert ecp("orders", "--format", "json").stdout == ecp("orders", "--json").stdout


def test_weeks_are_a_table_with_a_total_and_how_they_went(account: Account) -> None:
    publish(account, d0701=10, d0702=20, d0708=60)
    shown = ecp("orders", "--from", "2025-06-30", "--to", "2025-07-14", "--by", "week",
                "--compare", "previous").stdout  # fmt: skip
    lines = [line.split() for line in shown.splitlines()]
    assert [
        "2025-W28",
        "7",
        "2",
        "60.00",
        "3",
        "50.00",
        "%",
        "0",
        "-50.0",
        "%",
        "+100.0",
        "%",
    ] in lines
    [total] = [line for line in lines if line[:1] == ["total"]]
    assert total[1:4] == ["15", "6", "90.00"]
    assert f"{BARS[4]}{BARS[7]}·  30.00 to 60.00 by week" in shown
    assert "rows are beside the week before" in shown


def test_categories_have_totals_with_their_share_and_those_left_out_are_counted(
    account: Account,
) -> None:
    publish(account, d0701=10, d0731=20)
    shown = ecp("categories", *JULY, "--by", "month", "--top", "2").stdout
    totals = shown[shown.index("Totals of 2025-07-01 to 2025-07-31") :]
    assert [line.split()[:4] for line in totals.splitlines()[2:4]] == [
        ["Toys", "90.00", "50.0", "%"], ["Books", "60.00", "33.3", "%"],
    ]  # fmt: skip
    assert "Games" not in shown
    assert "150.00 in 2 categories of 3, which are 83.3 % of 180.00" in totals


def test_programs_get_what_the_api_answers(account: Account) -> None:
    publish(account, d0630=10, d0701=20)
    found = json.loads(
        ecp("orders", *JULY, "--by", "month", "--compare", "previous", "--json").stdout
    )
    assert list(found) == ["first", "last", "by", "rows", "totals"]
    [row] = found["rows"]
    assert (row["period"], row["total_revenue"]) == ("2025-07", 20)
    assert row["compared"]["total_revenue"] == 10
    assert found["totals"]["compared"]["period"] == "2025-06-01/2025-06-30"
    nothing = json.loads(ecp("categories", "--by", "week", "--json", "--from", "2026-01-01").stdout)
    assert nothing == {
        "first": None, "last": None, "by": "week", "rows": [], "totals": [], "total_revenue": 0,
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet", "xlsx"])
def test_a_file_is_written_in_the_format_that_its_name_ends_with(
    suffix: str, account: Account, tmp_path: Path
) -> None:
    publish(account, d0701=10)
    file = tmp_path / f"kpis.{suffix.upper()}"
    said = ecp("orders", "--output", str(file))
    assert (said.exit_code, said.stdout, said.stderr) == (0, "", f"{file}: 1 row\n")
    assert file.read_bytes() == ecp("orders", "--format", suffix).stdout_bytes or suffix == "xlsx"
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_parquet_has_types_that_keep_every_cent_also_without_rows(
    account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "kpis.parquet"
    expected = {
        "category": "string", "period": "string", "order_date": "date32[day]",
        "last_date": "date32[day]", "daily_revenue": "decimal128(18, 2)",
        "avg_order_value": "decimal128(18, 2)", "avg_return_rate": "decimal128(5, 4)",
        "updated_at": "timestamp[ms, tz=UTC]",
    }  # fmt: skip
    for rows in (0, 3):
        assert ecp("categories", *JULY, "--output", str(file)).exit_code == 0
        table = parquet.read_table(file)
        assert {field.name: str(field.type) for field in table.schema} == expected
        assert table.num_rows == rows
        publish(account, d0701=10)


def test_more_rows_than_a_sheet_has_are_refused_and_nothing_is_written(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(account, d0701=10, d0702=10)
    monkeypatch.setattr(workbook, "MOST_ROWS", 5)
    said = ecp("categories", *JULY, "--output", str(tmp_path / "k.xlsx"))
    assert said.exit_code == 3
    assert "6 rows, and a sheet has 5: ask for less, or for Parquet" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_found_is_a_header_and_a_note(account: Account) -> None:
    assert account
    said = ecp("orders", *JULY, "--format", "csv")
    assert said.exit_code == 0
    assert said.stdout.startswith("period,order_date,")
    assert said.stdout.count("\n") == 1
    assert said.stderr.startswith("note: there are no KPIs in this period")


def test_a_fault_amid_writing_leaves_the_old_file(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(account, d0701=10)
    file = tmp_path / "kpis.csv"
    file.write_text("old")

    def full(sink: Any, *_: Any) -> None:
        sink.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formats, "_write", full)
    said = ecp("orders", "--output", str(file))
    assert said.exit_code == 3
    assert [one.name for one in tmp_path.iterdir()] == ["kpis.csv"]
    assert file.read_text() == "old"


def test_a_terminal_gets_no_bytes_and_no_name_acts_on_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_items(account.client("dynamodb"), "OrderKPIs", [a_day("2025-07-01")])
    put_items(account.client("dynamodb"), "CategoryKPIs", [a_category(HOSTILE, "2025-07-01")])
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True)
    for format in ("parquet", "xlsx"):
        said = ecp("categories", *JULY, "--format", format)
        assert said.exit_code == 2
        assert f"--output kpis.{format}" in said.stderr
    shown = ecp("categories", *JULY, "--format", "csv").stdout
    assert "=cmd()\\x1b[2J" in shown
    assert all(map(is_shown, shown.replace("\n", "")))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("orders", "--json", "--format", "csv"), "--json and --format csv: name one"),
        (("orders", "--output", "kpis.doc"), "say --format (json, csv, parquet, xlsx)"),
        (("orders", "--output", "kpis"), "say --format (json, csv, parquet, xlsx)"),
        (("orders", "--output", "k.csv", "--format", "table"), "say --format"),
        (("categories", "--top", "3", "--category", "Books"), "--category and --top"),
        (("categories", "--category", ""), "--category: name one"),
        (("orders", "--from", "1971-01-01", "--compare", "last_year"), "days from 1972-01-01"),
        (("orders", "--output", "nowhere/k.csv"), "there is no folder"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(
    arguments: tuple[str, ...], said: str, account: Account, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert account
    monkeypatch.chdir(tmp_path)
    answer = ecp(*arguments)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["--top=0", "--by=year", "--compare=before", "--format=xls"])
def test_what_there_is_not_is_wrong_usage(wrong: str) -> None:
    assert ecp("categories", wrong).exit_code == 2
