"""`ecp freshness`: which days have KPIs, which sources are late, and whether daily numbers are."""

from dataclasses import asdict
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import typer

from contracts.clock import system_clock
from infra.ecp.kpis.arrivals import chosen, recent_arrivals
from infra.ecp.kpis.freshness_view import print_days, print_sources
from infra.ecp.kpis.options import From, To, period, refuse_two_formats
from infra.ecp.kpis.queries import PublishedKpis
from infra.ecp.target import current_target
from infra.ecp.terminal.errors import CommandFailed, ExitCode, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, styled, write_text
from services.api.adapters import ViewsTable
from services.api.kpis.bounds import usual_span
from services.api.kpis.freshness import Rhythm, days_of, rhythm_of, what_is_missing
from services.api.kpis.periods import DAY, Span
from services.api.kpis.tables import csv_text
from services.api.views.reading import newest_day, sources_of

LATE_AFTER_DAYS = 7
DAY_COLUMNS = ("order_date", "state", "updated_at", "batch_id", "epoch")


class Expect(StrEnum):
    """What the numbers are expected to be."""

    DAILY = "daily"


class Format(StrEnum):
    """How the days are written; JSON has the sources too."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def freshness(
    first: From = None,
    last: To = None,
    expect: Annotated[
        Expect | None,
        typer.Option(
            "--expect", help="Exit with 1 if yesterday (UTC) has no KPIs or a source is late."
        ),
    ] = None,
    late_after: Annotated[
        int,
        typer.Option(
            "--late-after", min=1, metavar="DAYS", help="For a source whose rhythm is not known."
        ),
    ] = LATE_AFTER_DAYS,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NAME", help="Only this source; may be given again."),
    ] = None,
    format: Annotated[
        Format | None, typer.Option("--format", help="csv has the days only.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How new the numbers are: days with and without KPIs, and when each source's files came.

    A source is late when its last file is older than twice its usual gap: the median of the days
    between the days on which its files came, in the newest 60 batches. Where fewer than three such
    days are known, it is late after --late-after days; products, which no batch needs, are not.

    Example: `ecp freshness --expect daily`
    """
    now = system_clock()
    refuse_two_formats(format, as_json)
    target = current_target()
    dynamodb = target.client("dynamodb")
    views = ViewsTable(dynamodb, target.names.get("api", "views-table"))
    kpis = PublishedKpis(dynamodb, now.date())
    newest, yesterday = newest_day(views), now.date() - DAY
    span = _span(first, last, newest, now.date())
    days = days_of(span, kpis.orders(span.dates()))
    try:
        found = chosen(sources_of(views), source or [])
    except KeyError as error:
        raise WrongUsage(f"--source {error.args[0]}: no file of it has come yet") from error
    came = recent_arrivals(views)
    rhythms = [
        rhythm_of(one.model_dump(), came.get(one.source, ()), now, late_after) for one in found
    ]
    missing = what_is_missing(yesterday, bool(kpis.orders([yesterday])), rhythms, now)
    if as_json or format is Format.JSON:
        print_json(
            {
                "first": str(span.first),
                "last": str(span.last),
                "last_day": newest and str(newest),
                "days": days,
                "sources": [
                    one.model_dump() | _judged(rhythm)
                    for one, rhythm in zip(found, rhythms, strict=True)
                ],
                "yesterday": str(yesterday),
                "missing": missing,
            }
        )
    elif format is Format.CSV:
        write_text(csv_text(DAY_COLUMNS, days, "\n"))
    else:
        print_days(days, newest, now.date())
        print_sources([one.model_dump() for one in found], rhythms)
        if expect is None:
            for sentence in missing:
                print_line(styled("[yellow]{}[/]", sentence))
    if expect is Expect.DAILY and missing:
        raise CommandFailed("; ".join(missing), ExitCode.DATA_REJECTED)


def _span(first: str | None, last: str | None, newest: date | None, today: date) -> Span:
    """The days to show; without any named, the newest thirty and those since."""
    named = period(first, last, today)
    until = named.last or max(newest or today - DAY, today - DAY)
    since = named.first or usual_span(named.last or newest or until).first
    if since > until:
        raise WrongUsage(f"--from {since}: name a day --to {since} or later, or an earlier one")
    return Span(since, until)


def _judged(rhythm: Rhythm) -> dict[str, Any]:
    fields = asdict(rhythm)
    names = {"usual_gap": "usual_gap_days", "late_after": "late_after_days", "is_late": "is_late"}
    return {shown: fields[name] for name, shown in names.items()}
