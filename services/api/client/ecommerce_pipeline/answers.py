"""What the client asks, wherever it is answered: by the HTTP API, or from the tables themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from services.api.kpis.periods import By, Compare, Span

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """KPIs of a span (None: the thirty newest days) by periods, beside others, of one category."""

    span: Span | None
    by: By
    compare: Compare | None = None
    category: str | None = None


class Answers(Protocol):
    """Rows as the API's JSON has them, amounts exact, until there are no more; raise ApiError."""

    def order_kpis(self, asked: Asked) -> Iterator[Row]:
        """KPIs over all orders, by period."""

    def category_kpis(self, asked: Asked) -> Iterator[Row]:
        """KPIs by category and period."""

    def anomalies(self, span: Span | None, status: str | None) -> Iterator[Row]:
        """Numbers that the guard found odd, by day; None: of the thirty newest days, of any status.

        Numbers as the view has them.
        """

    def last_day(self) -> date | None:
        """The newest day that a batch has published."""

    def batches(self) -> Iterator[Row]:
        """Batches, the one that was sealed last first."""

    def why(self, order_date: date, category: str | None) -> Row | None:
        """What a day's number is made of (the API's `/kpis/why`); None while it is worked out.

        Raises NotFound when there is no such number.
        """

    def quarantine(self) -> Iterator[Row]:
        """Files that were rejected, or of which rows are in quarantine, the newest first."""
