"""One generated shop, and the same numbers to the cent wherever they are looked at."""

import csv
import io
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import openpyxl
import pytest
import requests
from openpyxl.utils.escape import unescape
from pyarrow import parquet
from typer.testing import CliRunner

from contracts.clock import system_clock
from ecommerce_pipeline import connect
from infra.ecp import target
from infra.ecp.app import app
from infra.ecp.kpis import facts
from services.api.adapters import KpiTables, ViewsTable
from services.api.http.app import make_app
from services.api.http.callers import Caller
from services.api.http.ports import Ports
from services.api.use_cases import Intake
from services.transformer.facts.published import PublishedFacts
from tests.support.examples import thorough
from tests.support.served_api import Served, served
from tests.support.transforming import Workbench, a_batch, line, local_workbench, order, product
from tests.unit.api.harness import InMemoryCorrects, InMemoryOthers, an_event
from tests.unit.api.kpi_items import Order, of, plain_category, plain_orders, published
from tests.unit.infra.accounts import Account
from tests.unit.infra.tables import put_items

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("few_days")]

HOSTILE = [
    "=1+1", "@SUM(A1)", "Bücher, \"neu\"; 100%", "a\r\nb\tc", "\x01\x1b[2J\x7f", "_x0041_",
    "x" * 1024, "🛒 עברית \u202e", " spaces ",
]  # fmt: skip
CATEGORIES = ["Books", "Games", *HOSTILE]
FIRST, DAYS = date(2025, 5, 29), 40
SPAN = ("--from", "2025-05-20", "--to", "2025-07-31")
LABELS = {
    "day": lambda one: str(one.day),
    "week": lambda one: "{}-W{:02d}".format(*one.day.isocalendar()[:2]),
    "month": lambda one: f"{one.day:%Y-%m}",
}
PERIODS = {
    "day": "strftime(order_date, '%Y-%m-%d')",
    "week": "strftime(order_date, '%G-W%V')",
    "month": "strftime(order_date, '%Y-%m')",
}
RATE = "((20000 * sum({0}) + sum({1})) // (2 * sum({1}))) * 0.0001"
"""Half up, in whole numbers: a division would be a float."""
ORDERS_BY_SQL = f"""
select {{period}} as period, sum(total_orders) as total_orders, sum(total_revenue) as total_revenue,
       sum(total_items_sold) as total_items_sold,
       {RATE.format("returned_orders", "total_orders")} as return_rate, sum(guests) as guests
from order_kpis group by 1
"""
CATEGORIES_BY_SQL = f"""
select category, {{period}} as period, sum(daily_revenue) as daily_revenue,
       ((cast(200 * sum(daily_revenue) as bigint) + sum(orders)) // (2 * sum(orders))) * 0.01
           as avg_order_value,
       {RATE.format("returned_orders", "orders")} as avg_return_rate
from category_kpis group by all
"""
Numbers = Mapping[tuple[str, str], Mapping[str, Any]]


def a_shop() -> list[Order]:
    drawn = random.Random(20250707)
    return [
        Order(
            FIRST + timedelta(days=drawn.randrange(DAYS)),
            drawn.choice(["anna", "ben", "cleo", ""]),
            drawn.random() < 0.2,
            tuple(
                (drawn.choice(CATEGORIES), drawn.randrange(1_000_000))
                for _ in range(drawn.randint(1, 3))
            ),
        )
        for _ in range(160)
    ]


SHOP = a_shop()


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    account = Account(aws)
    orders, categories = published(SHOP)
    put_items(aws("dynamodb"), "OrderKPIs", orders.values())
    put_items(aws("dynamodb"), "CategoryKPIs", categories)
    for kind in ("order", "category"):
        aws("ssm").put_parameter(
            Name=f"/ecommerce-pipeline/transformer/{kind}-kpis-table",
            Value=f"{kind.title()}KPIs",
            Type="String",
        )
    return account


@pytest.fixture
def api(account: Account) -> Iterator[Served]:
    dynamodb = account.client("dynamodb")
    kpis = KpiTables(dynamodb, "OrderKPIs", "CategoryKPIs")
    ports = Ports(
        ViewsTable(dynamodb, "PipelineViews"),
        kpis,
        system_clock,
        lambda: "{}",
        InMemoryOthers(),
        InMemoryCorrects(),
    )
    with served(make_app(ports, Caller("", "http://127.0.0.1")).resolve) as found:
        yield found


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The shop went through the transformer: its Iceberg tables, on the local disk."""
    bench = local_workbench(tmp_path_factory.mktemp("tables"))
    numbered = [(str(number), one) for number, one in enumerate(SHOP)]
    bench.transform(
        a_batch(
            [
                order(
                    number,
                    str(one.day),
                    user_id=one.user,
                    total_amount=f"{Decimal(one.cents) / 100:.2f}",
                    status="returned" if one.is_returned else "completed",
                )
                for number, one in numbered
            ],
            [
                line(number, f"p{CATEGORIES.index(name)}", 1, f"{Decimal(cents) / 100:.2f}")
                for number, one in numbered
                for name, cents in one.lines
            ],
            [product(f"p{number}", name) for number, name in enumerate(CATEGORIES)],
        )
    )
    return bench


def by_sql(tables: Workbench, sql: str, measures: Sequence[str]) -> Numbers:
    """As `ecp query` answers it in JSON."""
    catalog = tables.ports.facts._catalog
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            facts, "PublishedFacts", lambda *_: PublishedFacts(catalog, "ecommerce", tables.state)
        )
        said = CliRunner().invoke(app, ["query", sql, "--format", "json"])
    assert said.exit_code == 0, said.output
    return numbers(json.loads(said.stdout, parse_float=Decimal), measures)


def ecp(*arguments: str) -> bytes:
    said = CliRunner().invoke(app, ["kpis", *arguments])
    assert said.exit_code == 0, said.output
    return said.stdout_bytes


def expected_orders(by: str) -> Numbers:
    return {("", period): exact(plain_orders(x)) for period, x in of(SHOP, LABELS[by]).items()}


def expected_categories(by: str) -> Numbers:
    return {
        (name, period): exact(plain_category(within, name))
        for name in CATEGORIES
        for period, within in of(SHOP, LABELS[by]).items()
        if any(name == category for one in within for category, _ in one.lines)
    }


def exact(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Floats of the model as the decimals that they were made of."""
    return {name: Decimal(str(value)) for name, value in measures.items()}


def clients_of(api: Served) -> dict[str, Any]:
    session = boto3.Session(region_name="us-east-1")
    return {
        "DataFrame, API": connect(api.url),
        "DataFrame, floats": connect(api.url, numbers="float"),
        "DataFrame, tables": connect(aws=True, session=session),
    }


def numbers(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> Numbers:
    return {
        (row.get("category", ""), row["period"]): {
            name: Decimal(str(row[name])) for name in measures
        }
        for row in rows
    }


def sheet(content: bytes) -> list[dict[str, Any]]:
    """As Excel reads it: texts unescaped, and none of them a formula."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    header, *rows = book[book.sheetnames[0]].iter_rows()
    for row in rows:
        assert {cell.data_type for cell in row} <= {"s", "n", "d"}
    names = [cell.value for cell in header]
    return [
        {
            name: unescape(cell.value) if cell.data_type == "s" else cell.value
            for name, cell in zip(names, row, strict=True)
        }
        for row in rows
    ]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("what", "by"),
    [
        thorough(pytest.param("orders", "day")),
        ("orders", "week"),
        thorough(pytest.param("orders", "month")),
        ("categories", "day"),
        thorough(pytest.param("categories", "week")),
        thorough(pytest.param("categories", "month")),
    ],
)
def test_the_same_numbers_everywhere(
    what: str, by: str, account: Account, api: Served, tables: Workbench, tmp_path: Path
) -> None:
    expected = expected_orders(by) if what == "orders" else expected_categories(by)
    measures = list(next(iter(expected.values())))
    asked = (what, "--by", by, *SPAN)
    question = {"from": SPAN[1], "to": SPAN[3], "by": by}
    answer = requests.get(f"{api.url}/kpis/{what}", params=question, timeout=30)
    as_csv = {"Accept": "text/csv"}
    text = requests.get(f"{api.url}/kpis/{what}", params=question, headers=as_csv, timeout=30)
    found = {
        "API, JSON": numbers(answer.json(parse_float=Decimal)["rows"], measures),
        "API, CSV": numbers(read_csv(text.content.decode()), measures),
        "ecp, CSV": numbers(read_csv(ecp(*asked, "--format", "csv").decode()), measures),
        "ecp, xlsx": numbers(sheet(ecp(*asked, "--format", "xlsx")), measures),
    }
    columns = requests.get(
        f"{api.url}/kpis/{what}", params={**question, "format": "parquet"}, timeout=30
    )
    table = parquet.read_table(io.BytesIO(columns.content))
    found["API, Parquet"] = numbers(table.to_pylist(), measures)
    file = tmp_path / "kpis.parquet"
    ecp(*asked, "--output", str(file))
    found["ecp, Parquet"] = numbers(parquet.read_table(file).to_pylist(), measures)
    document = json.loads(ecp(*asked, "--json"), parse_float=Decimal)
    rows = document if by == "day" else document["rows"]
    found["ecp, JSON"] = numbers([{"period": row["order_date"], **row} for row in rows], measures)
    for where, client in clients_of(api).items():
        ask = client.order_kpis if what == "orders" else client.category_kpis
        frame = ask(SPAN[1], SPAN[3], by=by)
        found[where] = numbers(frame.to_dict("records"), measures)
    sql = ORDERS_BY_SQL if what == "orders" else CATEGORIES_BY_SQL
    found["ecp query"] = by_sql(tables, sql.format(period=PERIODS[by]), measures)
    assert {where: found[where] == expected for where in found} == dict.fromkeys(found, True)


ODD = {
    ("2025-06-02", "orders", None): ("odd", "40", "4.12"),
    ("2025-06-02", "revenue", None): ("odd", "0.1", "123456789012.34"),
    ("2025-06-03", "return_rate", None): ("resolved", "0.0712", "0.0001"),
    **{
        (f"2025-06-{n:02d}", "category_revenue", name): ("odd", f"{n}.07", "0.7")
        for n, name in enumerate((name for name in CATEGORIES if len(name) <= 256), start=4)
    },
}
"""By day, series and category: status, what is published, what was expected."""


def hear_odd_numbers(account: Account) -> None:
    intake = Intake(ViewsTable(account.client("dynamodb"), "PipelineViews"))
    for version, ((day, series, category), told) in enumerate(ODD.items(), start=1):
        status, value, expected = told
        kind = {"odd": "KpiAnomalyDetected", "resolved": "KpiAnomalyResolved"}[status]
        of = {"order_date": day, "series": series, "category": category, "lowest": 0, "highest": 9}
        numbers = {"value": json.loads(value), "expected": json.loads(expected)}
        intake.take(an_event(kind, f"kpi-anomaly/{day}", version, **of, **numbers))
    intake.show()


def odd_of(rows: Sequence[Mapping[str, Any]]) -> dict[Any, tuple[str, Decimal, Decimal]]:
    return {
        (str(row["order_date"])[:10], row["series"], row["category"] or None): (
            row["status"],
            *(Decimal(str(row[name])) for name in ("value", "expected")),
        )
        for row in rows
    }


def test_the_same_odd_numbers_everywhere(account: Account, api: Served) -> None:
    hear_odd_numbers(account)
    question: dict[str, str] = {"from": SPAN[1], "to": SPAN[3]}
    url = f"{api.url}/kpis/anomalies"
    answer = requests.get(url, params=question, timeout=30)
    text = requests.get(url, params=question | {"format": "csv"}, timeout=30)
    columns = requests.get(url, params=question | {"format": "parquet"}, timeout=30)
    found = {
        "API, JSON": odd_of(answer.json(parse_float=Decimal)["rows"]),
        "API, CSV": odd_of(read_csv(text.content.decode())),
        "API, Parquet": odd_of(parquet.read_table(io.BytesIO(columns.content)).to_pylist()),
        "ecp, JSON": odd_of(json.loads(ecp("anomalies", "--all", *SPAN, "--json"))),
    }
    for where, client in clients_of(api).items():
        frame = client.anomalies(SPAN[1], SPAN[3])
        named = frame["category"].astype("object").where(frame["category"].notna(), None)
        found[where] = odd_of(frame.assign(category=named).to_dict("records"))
    expected = {
        place: (status, Decimal(value), Decimal(usual))
        for place, (status, value, usual) in ODD.items()
    }
    assert {where: found[where] == expected for where in found} == dict.fromkeys(found, True)


def test_items_in_the_tables_are_those_of_the_days(account: Account) -> None:
    pages = account.client("dynamodb").get_paginator("scan").paginate(TableName="OrderKPIs")
    revenue = {
        item["order_date"]["S"]: Decimal(item["total_revenue"]["N"])
        for page in pages
        for item in page["Items"]
    }
    assert revenue == {
        period: measures["total_revenue"]
        for (_, period), measures in expected_orders("day").items()
    }


def test_rows_of_the_tables_are_the_items_of_the_days(tables: Workbench) -> None:
    """As they are published, also what no sum of days tells."""
    orders, categories = published(SHOP)
    beside = {"batch_id", "epoch", "updated_at"}
    found = tables.facts()
    for name, items in (("order_kpis", list(orders.values())), ("category_kpis", categories)):
        rows = [{**row, "order_date": str(row["order_date"])} for row in found[name]]
        told, expected = (
            {(one["order_date"], one.get("category")): {k: one[k] for k in one.keys() - beside}
             for one in each}
            for each in (rows, items)
        )  # fmt: skip
        assert told == expected


def test_totals_are_those_of_all_orders(account: Account) -> None:
    assert account
    whole = json.loads(ecp("orders", "--by", "month", *SPAN, "--json"), parse_float=Decimal)
    expected = exact(plain_orders(SHOP))
    assert {name: whole["totals"][name] for name in expected} == expected
    sheets = openpyxl.load_workbook(io.BytesIO(ecp("orders", *SPAN, "--format", "xlsx")))
    names, values = ([cell.value for cell in row] for row in sheets["totals"].iter_rows())
    totals = dict(zip(names, values, strict=True))
    assert {name: Decimal(str(totals[name])) for name in expected} == expected
    shown = ecp("orders", *SPAN).decode().splitlines()
    [total] = [line.split() for line in shown if line.startswith("total ")]
    assert total[1:3] == [f"{len(SHOP):,}", f"{expected['total_revenue']:,.2f}"]


def test_the_categories_that_sold_most_are_those_of_the_orders(
    account: Account, api: Served
) -> None:
    assert account
    revenue = {name: plain_category(SHOP, name)["daily_revenue"] for name in CATEGORIES}
    expected = set(sorted(revenue, key=lambda name: (-revenue[name], name))[:3])
    of_csv = read_csv(ecp("categories", *SPAN, "--top", "3", "--format", "csv").decode())
    assert {row["category"] for row in of_csv} == expected
    frame = connect(api.url).category_kpis(SPAN[1], SPAN[3], by="week", top=3)
    assert set(frame["category"]) == expected
    document = json.loads(ecp("categories", *SPAN, "--by", "week", "--top", "3", "--json"))
    assert {row["category"] for row in document["totals"]} == expected
    assert round(document["total_revenue"] * 100) == sum(one.cents for one in SHOP)
