"""Days and sources as tables for people."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from infra.ecp.terminal.output import print_line, print_table
from services.api.kpis.freshness import Rhythm

ONE_BY_ONE = 2
"""So many days in a row are shown each, more of them as one line."""


def print_days(days: Sequence[dict[str, Any]], newest: date | None, today: date) -> None:
    """A line for each day or run of days, how many have KPIs, and how old the newest is."""
    print_table("Days", ("order_date", "KPIs", "set at (UTC)", "by batch"), list(_rows(days)))
    published = sum(day["state"] == "published" for day in days)
    said = "no batch has published a day yet"
    if newest is not None:
        ago = (today - newest).days
        when = {0: "today", 1: "yesterday"}.get(ago, f"{ago:,} days ago" if ago > 0 else "ahead")
        said = f"the newest day is {newest}, {when}"
    print_line(f"{published:,} of {len(days):,} days have KPIs; {said}")


def _rows(days: Sequence[dict[str, Any]]) -> Iterator[tuple[object, ...]]:
    """A line for a day, or for more than two in a row of which the same is to be said."""
    for state, group in groupby(days, key=lambda day: (day["state"], day["batch_id"])):
        run = list(group)
        if len(run) > ONE_BY_ONE:
            ends = f"{run[0]['order_date']} to {run[-1]['order_date']}"
            latest = max((day["updated_at"] for day in run if day["updated_at"]), default=None)
            yield ends, f"{state[0]}, {len(run):,} days", _instant(latest), state[1]
            continue
        for day in run:
            yield day["order_date"], state[0], _instant(day["updated_at"]), state[1]


def print_sources(found: Sequence[dict[str, Any]], rhythms: Sequence[Rhythm]) -> None:
    """When each source's files came, how often they do, and whether it is late."""
    rows = [
        (
            one["source"],
            _instant(one["arrived_at"]),
            "-" if rhythm.usual_gap is None else f"every {_days(rhythm.usual_gap)}",
            _verdict(rhythm),
            _instant(one["published_at"]),
            one["published_batch"],
        )
        for one, rhythm in zip(found, rhythms, strict=True)
    ]
    columns = ("source", "last file (UTC)", "comes", "late", "published (UTC)", "by batch")
    print_table("Sources", columns, rows, empty="no file has come yet")


def _verdict(rhythm: Rhythm) -> str:
    if rhythm.late_after is None:
        return "not judged"
    return "LATE" if rhythm.is_late else f"no, after {_days(rhythm.late_after)}"


def _days(count: float) -> str:
    return "1 day" if count == 1 else f"{count:g} days"


def _instant(at: str | None) -> str | None:
    return None if at is None else at[:19].replace("T", " ")
