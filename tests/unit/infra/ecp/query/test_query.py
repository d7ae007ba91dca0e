"""`ecp query`: read-only SQL over what is published, and nothing else within reach."""

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from signal import SIGINT
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from contracts.messages import RebuildKpis
from infra.ecp.app import app
from infra.ecp.kpis import facts as kpis_facts
from infra.ecp.query import commands, engine
from infra.ecp.query.statement import TABLES, read_statement
from infra.ecp.terminal.errors import WrongUsage
from services.transformer.facts.published import PublishedFacts
from services.transformer.facts.tables import SCHEMAS
from services.transformer.maintenance.rebuild import rebuild_kpis
from tests.model import ShopModel
from tests.support.mortality import Process, ProcessDied
from tests.support.pipeline import PATIENCE_SECONDS, eventually
from tests.support.transforming import (
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
    transform_batch,
)
from tests.unit.transformer.test_kpi_tables import without_kpi_tables

pytestmark = pytest.mark.medium

SECONDS_TO_START = 4
"""More CPU than `ecp query` takes until its statement runs, which takes it without end."""
HOSTILE = "=1+1\x1b[2J\u202e"
SHOP = a_batch(
    [
        order("1", total_amount="12.34"),
        order("2", "2025-07-08", user_id="u2", total_amount="0.10", status="returned"),
        order("3", "2025-08-01", user_id="", total_amount="9999999999.99"),
    ],
    [
        line("1", "p1", 3, "4.11"),
        line("2", "p2", unit_price="0.10"),
        line("3", "p1", unit_price="9999999999.99"),
        line("late", "p1"),
    ],
    [product("p1", "Books"), product("p2", HOSTILE)],
)
Ecp = Callable[..., Result]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = local_workbench(tmp_path)
    bench.transform(SHOP)
    return bench


@pytest.fixture
def ecp(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Ecp:
    return asking(bench, monkeypatch)


def asking(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Ecp:
    """`ecp query` of a pipeline."""
    target = SimpleNamespace(facts=None, client=lambda _: None)
    monkeypatch.setattr(commands, "current_target", lambda: target)
    monkeypatch.setattr(
        kpis_facts,
        "PublishedFacts",
        lambda *_: PublishedFacts(bench.ports.facts._catalog, "ecommerce", bench.state),
    )
    return lambda *arguments: CliRunner().invoke(app, ["query", *arguments])


def rows(ecp: Ecp, *arguments: str) -> list[dict[str, Any]]:
    said = ecp(*arguments, "--format", "json")
    assert said.exit_code == 0, said.output
    found: list[dict[str, Any]] = json.loads(said.stdout, parse_float=Decimal)
    return found


def model() -> ShopModel:
    return SHOP.told_to(ShopModel())


def test_the_kpis_are_those_of_the_model_to_the_cent(ecp: Ecp) -> None:
    columns = ", ".join(model().order_kpis()[0])
    found = rows(ecp, f"select {columns} from order_kpis order by order_date")
    assert found == model().order_kpis()
    columns = ", ".join(model().category_kpis()[0])
    found = rows(ecp, f"select {columns} from category_kpis order by order_date, category")
    assert found == model().category_kpis()


def test_the_facts_give_what_the_kpis_say(ecp: Ecp) -> None:
    [found] = rows(
        ecp,
        "select cast(sum(o.total_amount_cents) as decimal(38, 2)) / 100 as orders, "
        "(select sum(total_revenue) from order_kpis) as kpis, "
        "(select sum(line_amount_cents) from order_items where order_date is not null) as lines, "
        "(select sum(daily_revenue) * 100 from category_kpis) as by_category from orders o",
    )
    assert Decimal(str(found["orders"])) == found["kpis"] == Decimal("10000000012.43")
    assert found["lines"] == found["by_category"]


def test_every_table_can_be_read_whole(ecp: Ecp) -> None:
    for table in TABLES:
        assert list(rows(ecp, f"from {table}")[0]) == SCHEMAS[table].column_names
    assert [r["n"] for r in rows(ecp, "select count(*) as n from order_items")] == [4]


def test_a_table_may_be_read_twice_and_by_any_case(ecp: Ecp) -> None:
    sql = (
        'with a as (select * from Orders) select count(*) n from a join "ORDERS" b using (ORDER_ID)'
    )
    assert rows(ecp, sql) == [{"n": 3}]


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("select total_revenue from order_kpis", {"order_kpis": ("total_revenue",)}),
        ("select count(*) from orders", {"orders": ("order_id",)}),
        ("select o.USER_ID from orders o", {"orders": ("user_id",)}),
        ("from products", {"products": tuple(SCHEMAS["products"].column_names)}),
        ("select orders from orders", {"orders": tuple(SCHEMAS["orders"].column_names)}),
        ("with orders as (select 1 as x) select * from orders", {}),
    ],
)
def test_only_what_the_query_names_is_read(sql: str, read: Mapping[str, Any]) -> None:
    assert read_statement(sql).columns == read


def test_the_columns_that_are_read_are_no_more(
    bench: Workbench, ecp: Ecp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench
    seen: list[tuple[str, list[str], int]] = []
    read = engine.read_rows

    def noted(table: Any, columns: Any, files: Any) -> Any:
        seen.append((table.name()[-1], list(columns), len(files)))
        return read(table, columns, files)

    monkeypatch.setattr(engine, "read_rows", noted)
    assert rows(ecp, "select sum(total_amount_cents) s from orders", "--from", "2025-07-08",
                "--to", "2025-07-31") == [{"s": 10}]  # fmt: skip
    assert seen == [("orders", ["order_date", "total_amount_cents"], 1)]


@pytest.mark.parametrize("table", ["orders", "order_items", "order_kpis", "category_kpis"])
def test_days_bound_what_is_seen(ecp: Ecp, table: str) -> None:
    days = rows(
        ecp, f"select distinct order_date d from {table} order by 1", "--from", "2025-07-08"
    )
    assert [one["d"] for one in days] == ["2025-07-08", "2025-08-01"]
    days = rows(ecp, f"select distinct order_date d from {table} order by 1", "--to", "2025-07-07")
    assert [one["d"] for one in days] == ["2025-07-07"]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("drop table orders", "changes nothing"),
        ("delete from orders", "changes nothing"),
        ("copy orders to 'x.csv'", "changes nothing"),
        ("attach 'x.db'", "changes nothing"),
        ("set memory_limit = '9GB'", "changes nothing"),
        ("install httpfs", "changes nothing"),
        ("select 1; select 2", "one query at a time"),
        ("/* nothing */", "no query"),
        ("selec 1", 'syntax error at or near "selec"'),
        ("select nope from orders", '"nope" not found'),
        ("select * from order_kpi", "did you mean order_kpis?"),
        ("select * from order_days", "no table order_days"),
        ("select * from information_schema.tables", "no table tables"),
        ("select * from memory.main.orders", "no table orders"),
        ("select * from '/etc/passwd'", "no table /etc/passwd"),
        ("select * from read_csv('/etc/passwd')", "read_csv() is not for"),
        ("select (from read_text('/etc/passwd'))", "read_text() is not for"),
        ("select 1 where 1 in (select 1 from glob('*'))", "glob() is not for"),
        ("select * from duckdb_settings()", "duckdb_settings() is not for"),
        ("from query('drop table x')", "query() is not for"),
        ("show tables", "ecp query --tables"),
        ("select ?", "parameter"),
        ("select cast('x' as integer)", "Could not convert"),
        ("select 'x" + "y" * 100_000 + "'", "100,000 at most"),
    ],
)
def test_what_is_at_fault_is_said_and_ends_in_2(ecp: Ecp, sql: str, said: str) -> None:
    answer = ecp(sql)
    assert said in " ".join(answer.stderr.split())
    assert (answer.exit_code, answer.stdout) == (2, "")


def test_files_are_out_of_reach_where_the_parser_is_deceived(tmp_path: Path) -> None:
    """The second door: DuckDB itself opens nothing, and cannot be told to."""
    (tmp_path / "x.csv").write_text("a\n1\n")
    for sql in (f"from '{tmp_path}/x.csv'", f"from read_csv('{tmp_path}/x.csv')",
                "set enable_external_access = true"):  # fmt: skip
        statement = engine.Statement(sql, {})
        with (
            pytest.raises(WrongUsage),
            engine.answered(statement, None, engine.Limits(9, 100)) as r,
        ):
            r.read_all()


def test_a_name_of_a_query_hides_a_table_and_no_file(ecp: Ecp, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("secret\n1\n")
    said = ecp(f"select (with \"{file}\" as (select 1) select 1), * from '{file}'")
    assert said.exit_code == 2
    assert "secret" not in said.output.replace(str(file), "")


def test_a_query_without_end_is_stopped(ecp: Ecp) -> None:
    began = time.monotonic()
    said = ecp("select sum(a.range * b.range) from range(9999999) a, range(9999999) b",
               "--timeout", "0.5")  # fmt: skip
    assert (said.exit_code, "stopped after 0.5 s" in said.stderr) == (3, True)
    assert time.monotonic() - began < 20


def test_a_query_without_bound_finds_one(ecp: Ecp) -> None:
    said = ecp("select list(range) from range(100000000)", "--memory-mb", "64")
    assert said.exit_code == 3
    assert "needs more than 64 MB" in " ".join(said.stderr.split())


def test_ctrl_c_stops_a_query() -> None:
    sql = "select sum(a.range * b.range) from range(9999999) a, range(9999999) b"
    command = [sys.executable, "-m", "infra.ecp.main", "query", sql]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        process = psutil.Process(running.pid)
        eventually(lambda: process.cpu_times().user > SECONDS_TO_START)
        running.send_signal(SIGINT)
        _, said = running.communicate(timeout=PATIENCE_SECONDS)
    assert (running.returncode, said) == (130, "error: interrupted\n")


def test_a_table_shows_texts_as_texts(ecp: Ecp) -> None:
    said = ecp("select category, 2025 as year, 0.125::double as part from category_kpis "
               "where daily_revenue = 0.10")  # fmt: skip
    assert said.stdout.splitlines()[1].split() == ["category", "year", "part"]
    assert said.stdout.splitlines()[2].split() == ["=1+1\\x1b[2J\\u202e", "2025", "0.125"]


def test_a_long_answer_is_shown_in_part_and_says_so(ecp: Ecp) -> None:
    said = ecp("select range as n from range(501)")
    assert len(said.stdout.splitlines()) == 502
    assert "first 500 rows" in said.stderr


def test_csv_is_written_as_kpis_are(ecp: Ecp) -> None:
    said = ecp("select category, daily_revenue, null as nothing, true as yes, order_date "
               "from category_kpis order by daily_revenue limit 1", "--format", "csv")  # fmt: skip
    [header, row] = csv.reader(io.StringIO(said.stdout, newline=""))
    assert header == ["category", "daily_revenue", "nothing", "yes", "order_date"]
    assert row == [HOSTILE, "0.10", "", "true", "2025-07-08"]


def test_parquet_keeps_the_types(ecp: Ecp, tmp_path: Path) -> None:
    file = tmp_path / "answer.parquet"
    said = ecp("select order_date, total_revenue from order_kpis order by 1", "-o", str(file))
    assert (said.exit_code, said.stdout) == (0, "")
    assert parquet.read_table(file).to_pylist() == [
        {"order_date": date.fromisoformat(day["order_date"]), "total_revenue": day["total_revenue"]}
        for day in model().order_kpis()
    ]


def test_json_is_exact_and_one_row_an_object(ecp: Ecp) -> None:
    said = ecp("select 99999999999999999999.99 as a, [1, null] as b, {'x': 'y\u202e'} as c, "
               "'nan'::double as d, timestamp '2025-07-07 01:02:03' as e",
               "--format", "json")  # fmt: skip
    assert json.loads(said.stdout, parse_float=str) == [
        {"a": "99999999999999999999.99", "b": [1, None], "c": {"x": "y\u202e"}, "d": None,
         "e": "2025-07-07T01:02:03"}
    ]  # fmt: skip
    assert "\u202e" not in said.stdout
    assert json.loads(ecp("select 1 as a where false", "--format", "json").stdout) == []


def test_two_columns_of_one_name_are_refused_where_names_count(ecp: Ecp, tmp_path: Path) -> None:
    said = ecp("select 1 as a, 2 as a", "-o", str(tmp_path / "x.json"))
    assert (said.exit_code, "two columns are called a" in said.stderr) == (2, True)
    assert not (tmp_path / "x.json").exists()


def test_a_file_is_whole_or_not_there(ecp: Ecp, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("before")
    said = ecp("select 1 / (range - 60000) as n, cast(if(range > 60000, 'x', '1') as int) "
               "from range(99999)", "-o", str(file))  # fmt: skip
    assert (said.exit_code, file.read_text()) == (2, "before")


def test_a_batch_in_work_is_not_seen(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mains have moved, it is not published: all tables are still of the epoch before."""
    command = bench.stage(a_batch([order("9", "2025-09-01")], [line("9")]))
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=18)).ports)
    ecp = asking(bench, monkeypatch)
    for table in ("orders", "order_kpis", "category_kpis"):
        found = rows(ecp, f"select max(order_date) as d from {table}")
        assert found == [{"d": "2025-08-01"}]


def test_a_batch_past_the_point_of_no_return_is_seen_whole(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = bench.stage(a_batch([order("9", "2025-09-01")], [line("9")]))
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=21)).ports)
    ecp = asking(bench, monkeypatch)
    for table in ("orders", "order_kpis", "category_kpis"):
        found = rows(ecp, f"select max(order_date) as d from {table}")
        assert found == [{"d": "2025-09-01"}]


def test_a_pipeline_of_before_there_were_kpi_tables_says_so(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = without_kpi_tables(bench)
    ecp = asking(old, monkeypatch)
    assert rows(ecp, "select count(*) as n from orders") == [{"n": 3}]
    said = ecp("from order_kpis")
    assert (said.exit_code, "`ecp rebuild`" in said.stderr) == (2, True)
    rebuild_kpis(RebuildKpis(request_id="rebuild-1", requested_by="t"), old.ports)
    assert len(rows(ecp, "from order_kpis")) == 3


def test_the_tables_are_listed(ecp: Ecp) -> None:
    said = ecp("--tables")
    assert said.exit_code == 0
    for words in (
        ["order_kpis", "total_revenue", "decimal(38,", "2)"],
        ["orders", "user_id", "string"],
    ):
        assert words in [line.split() for line in said.stdout.splitlines()]


def test_a_query_may_come_from_standard_input() -> None:
    said = CliRunner().invoke(app, ["query", "-", "--format", "csv"], input="select 1 as one\n")
    assert (said.exit_code, said.stdout) == (0, "one\n1\n")
