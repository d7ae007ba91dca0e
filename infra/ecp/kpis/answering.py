"""What `ecp kpis` found, in one shape for every format; the arithmetic is the api's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from infra.ecp.kpis.queries import (
    CATEGORY_FIELDS,
    ORDER_FIELDS,
    Period,
    PublishedKpis,
    choose,
)
from services.api.http.models import CategoryKpis, OrderKpis
from services.api.kpis.answers import (
    Answered,
    Question,
    category_answer,
    order_answer,
    revenue_within,
    top,
)
from services.api.kpis.periods import By, Compare, Span
from services.api.kpis.tables import category_columns, flat, order_columns


@dataclass(frozen=True)
class Asked:
    """What is asked; `top` is how many categories, `category` the only one."""

    period: Period
    by: By = By.DAY
    compare: Compare | None = None
    category: str | None = None
    top: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is days as they are published, which programs get as a list of items."""
        return self.by is By.DAY and self.compare is None


@dataclass(frozen=True)
class Found:
    """The answer: `rows` and `totals` in one piece each, `document` for programs.

    `categories`: how many there are, of which `top` may have left some out; 0 over all orders.
    `revenue`: of all of them in the span, which is None when nothing is published.
    """

    asked: Asked
    span: Span | None
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    totals: Sequence[Mapping[str, Any]]
    document: Any
    categories: int = 0
    revenue: Any = None


def orders_found(asked: Asked, kpis: PublishedKpis) -> Found:
    """KPIs over all orders."""
    span = kpis.span(asked.period)
    answered = Answered([], [], [])
    if span is not None:
        answered = order_answer(Question(span, asked.by, asked.compare), kpis)
    document: Any = choose(answered.items, ORDER_FIELDS, asked.period)
    if not asked.is_plain:
        document = _document(
            asked, span, OrderKpis, answered.rows, next(iter(answered.totals), None)
        )
    columns = order_columns(asked.compare)
    return Found(asked, span, columns, flat(answered.rows), flat(answered.totals), document)


def categories_found(asked: Asked, kpis: PublishedKpis) -> Found:
    """KPIs by category."""
    span = kpis.span(asked.period, asked.category)
    whole = Answered([], [], [])
    if span is not None:
        whole = category_answer(Question(span, asked.by, asked.compare, asked.category), kpis)
    shown = whole if asked.top is None else top(whole, asked.top)
    names = {row["category"] for row in shown.totals}
    revenue = None if span is None else revenue_within(whole.items, span)
    items = [item for item in whole.items if item["category"] in names]
    document: Any = choose(items, CATEGORY_FIELDS, asked.period)
    if not asked.is_plain:
        document = _document(
            asked, span, CategoryKpis, shown.rows, shown.totals, total_revenue=revenue or 0
        )
    columns = category_columns(asked.compare)
    rows, totals = flat(shown.rows), flat(shown.totals)
    return Found(asked, span, columns, rows, totals, document, len(whole.totals), revenue)


def _document(
    asked: Asked, span: Span | None, model: type[BaseModel], rows: Any, totals: Any, **more: Any
) -> dict[str, Any]:
    """As the API answers it; where nothing is published there are no days to name."""
    answer = {"by": asked.by.value, "rows": rows, "totals": totals, **more}
    if span is None:
        return {"first": None, "last": None, **answer}
    whole = model.model_validate({"first": str(span.first), "last": str(span.last), **answer})
    return whole.model_dump(mode="json", exclude={"next"})
