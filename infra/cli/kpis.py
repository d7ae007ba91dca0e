"""`ecp kpis`: the published daily figures."""

from datetime import date, datetime
from typing import Annotated

import typer

from infra.cli.errors import WrongUsage
from infra.cli.options import AsJson
from infra.cli.output import print_json, print_table
from infra.cli.target import current_target
from infra.queries.kpis import (
    CATEGORY_FIELDS,
    ORDER_FIELDS,
    Kpi,
    Period,
    category_kpis,
    for_people,
    order_kpis,
)

app = typer.Typer(help="The published daily KPIs: of all orders, or by category.")

From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day.")]
To = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day.")]


@app.command()
def orders(first: From = None, last: To = None, as_json: AsJson = False) -> None:
    """KPIs per day over all orders: number, revenue, items, return rate, customers.

    Example: `ecp kpis orders --from 2025-07-01 --to 2025-07-31`
    """
    wanted = period(first, last)
    found = order_kpis(current_target().client("dynamodb"), wanted)
    _print("OrderKPIs", found, ORDER_FIELDS, as_json=as_json)


@app.command()
def categories(
    first: From = None,
    last: To = None,
    category: Annotated[str | None, typer.Option("--category", help="Only this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """KPIs per category and day: revenue, average order value, average return rate.

    Example: `ecp kpis categories --category Electronics --json`
    """
    wanted = period(first, last)
    found = category_kpis(current_target().client("dynamodb"), wanted, category)
    _print("CategoryKPIs", found, CATEGORY_FIELDS, as_json=as_json)


def period(first: str | None, last: str | None) -> Period:
    """The period between two days as text; raises WrongUsage for what is no day."""
    span = Period(_day("--from", first), _day("--to", last))
    if span.first and span.last and span.first > span.last:
        raise WrongUsage(f"--from {span.first} is after --to {span.last}")
    return span


def print_kpis(
    title: str,
    found: list[Kpi],
    fields: tuple[str, ...],
    *,
    limit: int | None = None,
    more: str = "",
) -> None:
    """A table of KPIs for people; with a limit its first rows, and in `more` where the rest is."""
    print_table(
        title,
        fields,
        (for_people(kpi, fields) for kpi in found),
        limit=limit,
        empty="none in this period; `ecp status` shows what runs",
        more=more,
    )


def _print(title: str, found: list[Kpi], fields: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_kpis(title, found, fields)


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 (a day has no zone)
    except ValueError as error:
        raise WrongUsage(f"{option} {text}: not a day; write it as YYYY-MM-DD") from error
