"""What the views of the api hold of sources: when their files came, and how often they come."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from services.api.adapters import ViewsTable
from services.api.kpis.freshness import days_of_arrival
from services.api.views.domain import BATCHES, partition_of
from services.api.views.models import SourceView
from services.api.views.reading import every

RECENT_BATCHES = 60
"""Of these the days of arrival are taken: a query of the list, and one of each batch's files."""


def recent_arrivals(views: ViewsTable) -> dict[str, set[date]]:
    """By source, the days on which files of it came in the newest batches."""
    files: list[dict[str, Any]] = []
    for batch in views.newest(BATCHES, None, RECENT_BATCHES).bodies:
        files += every(views, partition_of(batch["batch_id"]), "file#")
    return days_of_arrival(files)


def chosen(every: Sequence[SourceView], names: Sequence[str]) -> list[SourceView]:
    """Those that are named, or all; raises KeyError with the first name that there is not."""
    by_name = {one.source: one for one in every}
    return [by_name[name] for name in names] if names else list(every)
