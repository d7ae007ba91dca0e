"""`ecp kpis`: the published figures, by day, week or month, for people and for programs."""

from typing import Annotated

import typer

from contracts.clock import system_clock
from infra.ecp.kpis.anomalies import anomalies
from infra.ecp.kpis.answering import Asked, categories_found, orders_found
from infra.ecp.kpis.formats import deliver, refuse_bytes_on_a_terminal
from infra.ecp.kpis.options import (
    As,
    ComparedWith,
    Format,
    From,
    Output,
    Periods,
    To,
    can_be_compared,
    chosen_format,
    period,
)
from infra.ecp.kpis.queries import Kpi, PublishedKpis, for_people
from infra.ecp.kpis.view import print_category_kpis, print_order_kpis
from infra.ecp.kpis.waiting import unknown_products
from infra.ecp.target import current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.near_names import nearest
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_line, print_note, print_table
from services.api.kpis.periods import By

UNKNOWN = "Unknown"
"""The category of lines whose product has not come (docs/design.md, Facts and KPIs)."""
app = typer.Typer(help="The published daily KPIs: of all orders, or by category.")
app.command()(anomalies)


@app.command()
def orders(
    first: From = None,
    last: To = None,
    by: Periods = By.DAY,
    compare: ComparedWith = None,
    format: As = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """KPIs over all orders by day, week or month: number, revenue, items, return rate, customers.

    Without days it is all that is published. A number that days cannot tell of a longer period is
    `-`, and null or empty for programs. `--json` of days is a list of what is published; with
    `--by` or `--compare` it is what the HTTP API answers.

    Example: `ecp kpis orders --from 2025-01-01 --by month --compare previous`

    For a spreadsheet: `ecp kpis orders --from 2025-07-01 --output july.xlsx`
    """
    today = system_clock().date()
    asked = Asked(period(first, last, today), by, compare)
    can_be_compared(asked.period, compare)
    chosen = chosen_format(format, as_json, output)
    refuse_bytes_on_a_terminal(chosen, output)
    found = orders_found(asked, PublishedKpis(current_target().client("dynamodb"), today))
    if chosen is Format.TABLE:
        print_order_kpis(found)
    else:
        deliver("orders", found, chosen, output)


@app.command()
def categories(
    first: From = None,
    last: To = None,
    category: Annotated[str | None, typer.Option("--category", help="Only this one.")] = None,
    by: Periods = By.DAY,
    compare: ComparedWith = None,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, metavar="N", help="Only the N that sold most in these days."),
    ] = None,
    format: As = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """KPIs by category and day, week or month: revenue, average order value and return rate.

    Averages of a longer period are made of its sums and counts, never of daily averages.

    Example: `ecp kpis categories --from 2025-07-01 --to 2025-07-31 --by week --top 5`

    One category for a program: `ecp kpis categories --category Electronics --json`
    """
    today = system_clock().date()
    asked = Asked(period(first, last, today), by, compare, category, top)
    if category == "":
        raise WrongUsage("--category: name one, or leave it out for all")
    if category is not None and top is not None:
        raise WrongUsage("--category and --top: of one category there is no ranking; name one")
    can_be_compared(asked.period, compare)
    chosen = chosen_format(format, as_json, output)
    refuse_bytes_on_a_terminal(chosen, output)
    target = current_target()
    kpis = PublishedKpis(target.client("dynamodb"), today)
    found = categories_found(asked, kpis)
    if category is not None and not found.rows:
        _say_what_was_meant(category, kpis)
    if chosen is not Format.TABLE:
        deliver("categories", found, chosen, output)
        return
    print_category_kpis(found)
    if any(row["category"] == UNKNOWN for row in found.rows):
        print_line(unknown_products(target))


def did_you_mean(category: str, names: set[str]) -> str:
    """` (did you mean Books?)`, empty when no name is like it."""
    meant = nearest(category, names)
    return f" (did you mean {meant}?)" if meant else ""


def _say_what_was_meant(category: str, kpis: PublishedKpis) -> None:
    """Beside the empty answer, where there is no such category at all."""
    if not kpis.has_category(category):
        print_note(
            f"there is no category {category}{did_you_mean(category, kpis.recent_categories())}; "
            "`ecp kpis categories` shows those that there are"
        )


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
