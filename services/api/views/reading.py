"""The table PipelineViews as it is read, and what several ask of it."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Protocol

from services.api.views.domain import LOCK, SIGNS, SOURCES, SPAN, sources_from
from services.api.views.models import LockView, Publication, SignOfLife, SourceView

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
    position: Position = None
    while True:
        page = views.page(pk, beginning, position, None)
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
