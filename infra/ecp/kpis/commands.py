"""`ecp kpis`: the published daily figures."""

from typing import Annotated

import typer

from contracts.clock import system_clock
from infra.ecp.kpis.queries import (
    CATEGORY_FIELDS,
    ORDER_FIELDS,
    Kpi,
    Period,
    category_kpis,
    for_people,
    order_kpis,
)
from infra.ecp.kpis.queries import categories as all_categories
from infra.ecp.kpis.waiting import unknown_products
from infra.ecp.target import current_target
from infra.ecp.terminal.days import FORMS, day
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.near_names import nearest
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_note, print_table

UNKNOWN = "Unknown"
"""The category of lines whose product has not come (docs/design.md, Facts and KPIs)."""
app = typer.Typer(help="The published daily KPIs: of all orders, or by category.")

From = Annotated[
    str | None, typer.Option("--from", metavar="DAY", help=f"First day: {FORMS} (UTC).")
]
To = Annotated[str | None, typer.Option("--to", metavar="DAY", help=f"Last day: {FORMS} (UTC).")]


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
    target = current_target()
    dynamodb = target.client("dynamodb")
    found = category_kpis(dynamodb, wanted, category)
    if category is not None and not found:
        _say_what_was_meant(category, all_categories(dynamodb))
    _print("CategoryKPIs", found, CATEGORY_FIELDS, as_json=as_json)
    if not as_json and any(kpi["category"] == UNKNOWN for kpi in found):
        print_line(unknown_products(target))


def did_you_mean(category: str, names: set[str]) -> str:
    """` (did you mean Books?)`, empty when no name is like it."""
    meant = nearest(category, names)
    return f" (did you mean {meant}?)" if meant else ""


def _say_what_was_meant(category: str, names: set[str]) -> None:
    """Beside the empty answer, where there is no such category at all."""
    if category not in names:
        print_note(
            f"there is no category {category}{did_you_mean(category, names)}; "
            "`ecp kpis categories` shows those that there are"
        )


def period(first: str | None, last: str | None) -> Period:
    """The period between two days as text; raises WrongUsage for what is no day."""
    today = system_clock().date()
    span = Period(
        None if first is None else day("--from", first, today),
        None if last is None else day("--to", last, today),
    )
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
