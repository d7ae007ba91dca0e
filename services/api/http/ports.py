"""What the routes reach the world with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from contracts.clock import Clock
from services.api.kpis.answers import Kpis
from services.api.questions.ports import AsksOthers

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


@dataclass(frozen=True)
class Ports:
    """What answers are made of."""

    views: ViewsRead
    kpis: Kpis
    clock: Clock
    openapi: Callable[[], str]
    others: AsksOthers
