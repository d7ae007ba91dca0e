"""What the views of the api hold of sources: when their files came, and how often they come."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from services.api.adapters import ViewsTable
from services.api.kpis.freshness import days_of_arrival
from services.api.views.domain import BATCHES, SOURCES, SPAN, partition_of, sources_from
from services.api.views.models import SourceView

RECENT_BATCHES = 60
"""Of these the days of arrival are taken: a query of the list, and one of each batch's files."""


def sources(views: ViewsTable) -> list[SourceView]:
    """Every source that has sent a file, by name."""
    return [SourceView(**one) for one in sources_from(_all(views, SOURCES, ""))]


def recent_arrivals(views: ViewsTable) -> dict[str, set[date]]:
    """By source, the days on which files of it came in the newest batches."""
    files: list[dict[str, Any]] = []
    for batch in views.newest(BATCHES, None, RECENT_BATCHES).bodies:
        files += _all(views, partition_of(batch["batch_id"]), "file#")
    return days_of_arrival(files)


def _all(views: ViewsTable, pk: str, beginning: str) -> Iterator[dict[str, Any]]:
    """Every page of a partition."""
    position = None
    while True:
        page = views.page(pk, beginning, position, None)
        yield from page.bodies
        position = page.next
        if position is None:
            return


def newest_day(views: ViewsTable) -> date | None:
    """The newest day that a batch has published."""
    found = views.get(SPAN, "last-day")
    return date.fromisoformat(found["last_day"]) if found else None


def chosen(every: Sequence[SourceView], names: Sequence[str]) -> list[SourceView]:
    """Those that are named, or all; raises KeyError with the first name that there is not."""
    by_name = {one.source: one for one in every}
    return [by_name[name] for name in names] if names else list(every)
