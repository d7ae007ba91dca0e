"""`ecp kpis anomalies`: published numbers that are far from what the days before let expect."""

import shlex
from typing import Annotated

import typer

from contracts.clock import system_clock
from infra.ecp.kpis.options import From, To, period
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table
from services.api.adapters import ViewsTable
from services.api.console.odd import odd_number
from services.api.kpis.bounds import FIRST_DAY, LAST_DAY
from services.api.kpis.periods import Span
from services.api.views.models import AnomalyView
from services.api.views.reading import anomalies_of

COLUMNS = ("day", "what", "published", "expected", "not odd would be", "")
SHOWN = 100


def anomalies(
    first: From = None,
    last: To = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that are odd no longer: a day was mended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Published numbers that are far from what the days before let expect.

    The guard judges a day when it is over and has stood for a while; a number that is right may be
    odd (a sale). `ecp why` shows what a number is made of. What the guard finds and misses is in
    docs/watching.md.

    Example: `ecp kpis anomalies --from 2025-07-01`
    """
    asked = period(first, last, system_clock().date())
    span = Span(asked.first or FIRST_DAY, asked.last or LAST_DAY)
    found = [one for one in _found(current_target(), span) if every or one.status == "odd"]
    if as_json:
        print_json([one.model_dump() for one in found])
        return
    rows = [_row(one) for one in found[::-1]]
    print_table("Odd numbers", COLUMNS, rows, limit=SHOWN, empty="none in this period")
    if standing := [one for one in found if one.status == "odd"]:
        newest = standing[-1]
        name = "orders" if newest.category is None else shlex.quote(newest.category)
        print_line(f"They are published all the same. Why: `ecp why {name} {newest.order_date}`")


def _found(target: Target, span: Span) -> list[AnomalyView]:
    table = target.names.get("api", "views-table")
    return list(anomalies_of(ViewsTable(target.client("dynamodb"), table), span))


def _row(anomaly: AnomalyView) -> tuple[str, str, str, str, str, str]:
    shown = odd_number(anomaly)
    what = shown.label if shown.category is None else f"{shown.label} of {shown.category}"
    state = f"{shown.sign} {shown.way}" if anomaly.status == "odd" else "odd no longer"
    return shown.order_date, what, shown.value, shown.expected, shown.bounds, state
