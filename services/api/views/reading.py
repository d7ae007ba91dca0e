"""The table PipelineViews as it is read, and what several ask of it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Protocol

from services.api.kpis.periods import Span
from services.api.views.domain import ANOMALIES, LOCK, SIGNS, SOURCES, SPAN, sources_from
from services.api.views.models import (
    AnomalyView,
    LockView,
    Publication,
    SignOfLife,
    SourceView,
)

Position = Mapping[str, str] | None


class PageRead(Protocol):
    """Some bodies of the views, and where the next page begins; None after the last."""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """Each as it was put."""

    @property
    def next(self) -> Position:
        """A key of the table or of its index."""


class ViewsRead(Protocol):
    """The table PipelineViews, as it is read."""

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """The body under a key."""

    def page(self, pk: str, beginning: str, position: Position, limit: int | None) -> PageRead:
        """Items of a partition whose sort key begins so."""

    def between(
        self, pk: str, first: str, last: str, position: Position, limit: int | None
    ) -> PageRead:
        """Items of a partition from one sort key to another, in order."""

    def newest(self, listed: str, position: Position, limit: int) -> PageRead:
        """A list, newest first."""


def newest_day(views: ViewsRead) -> date | None:
    """The newest day that a batch has published; None where none has said."""
    found = views.get(SPAN, "last-day")
    return date.fromisoformat(found["last_day"]) if found else None


def newest_publication(views: ViewsRead) -> Publication | None:
    """Of all batches; None before the first."""
    found = views.get(SPAN, "newest-publication")
    return Publication(**found) if found else None


def sources_of(views: ViewsRead, most: int | None = None) -> list[SourceView]:
    """Sources that have sent a file, by name; of `most` registers (two a source) where given."""
    if most is not None:
        registers: Any = views.page(SOURCES, "", None, most).bodies
    else:
        registers = every(views, SOURCES, "")
    return [SourceView(**one) for one in sources_from(registers)]


def every(views: ViewsRead, pk: str, beginning: str) -> Iterator[dict[str, Any]]:
    """All pages of a partition."""
    return _through(lambda position: views.page(pk, beginning, position, None))


def _through(read: Callable[[Position], PageRead]) -> Iterator[dict[str, Any]]:
    """The bodies of one page after the other."""
    position: Position = None
    while True:
        page = read(position)
        yield from page.bodies
        position = page.next
        if position is None:
            return


def lock_of(views: ViewsRead) -> LockView:
    """The lock; one that nobody ever took is free."""
    holder, lease = views.get(LOCK, "holder") or {}, views.get(LOCK, "lease") or {}
    is_extended = holder.get("is_held") and lease.get("fence") == holder["fence"]
    return LockView(**holder | ({"lease_until": lease["lease_until"]} if is_extended else {}))


def signs_of(views: ViewsRead) -> list[SignOfLife]:
    """Each service that an event has come from, by name."""
    return [SignOfLife(**body) for body in every(views, SIGNS, "")]


def day_bounds(span: Span) -> tuple[str, str]:
    """The sort keys that all items of these days lie between: each begins with its day and `#`."""
    return str(span.first), f"{span.last}$"


def anomalies_of(views: ViewsRead, span: Span) -> Iterator[AnomalyView]:
    """What the guard said of numbers of these days, by day; also what was taken back."""
    first, last = day_bounds(span)
    found = _through(lambda position: views.between(ANOMALIES, first, last, position, None))
    return (AnomalyView(**body) for body in found)


def odd_numbers(views: ViewsRead, span: Span) -> list[AnomalyView]:
    """Numbers of these days that are odd still."""
    return [one for one in anomalies_of(views, span) if one.status == "odd"]
