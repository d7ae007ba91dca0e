"""The routes of KPIs: by period, by category, and how new they are."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.http import formats
from services.api.http.answering import header, known, viewed
from services.api.http.models import (
    CategoryKpis,
    CategoryRow,
    Day,
    Freshness,
    OrderKpis,
    OrderRow,
)
from services.api.http.paging import cursor_of, position_of
from services.api.http.parameters import (
    Category,
    Compared,
    Cursor,
    Format,
    From,
    Limit,
    To,
    question,
)
from services.api.http.ports import Ports
from services.api.http.spans import span_of
from services.api.kpis.answers import (
    Answered,
    Question,
    category_answer,
    order_answer,
    revenue_within,
)
from services.api.kpis.bounds import MAX_DAYS, MAX_DAYS_OF_ALL_CATEGORIES
from services.api.kpis.freshness import days_of
from services.api.kpis.periods import By
from services.api.kpis.tables import category_columns, flat, order_columns
from services.api.views.reading import newest_day, sources_of

MOST_REGISTERS = 1000


def add_kpi_routes(app: APIGatewayHttpResolver, ports: Ports) -> None:
    """`/kpis/orders`, `/kpis/categories` and `/freshness`."""

    @question(app, "/kpis/orders", OrderKpis, tables=True)
    def kpis_of_orders(
        first: From = None,
        to: To = None,
        by: By = By.DAY,
        compare: Compared = None,
        limit: Limit = 1000,
        cursor: Cursor = None,
        format: Format = None,
    ) -> Response[str]:
        """KPIs over all orders, by day, week or month."""
        media = formats.media_type(header(app, "accept"), format)
        question = Question(span_of(ports, first, to, MAX_DAYS), by, compare)
        found = order_answer(question, ports.kpis)
        rows, more = _page(found.rows, cursor, limit)
        etag = formats.etag_of(vars(question), media, limit, cursor, _stamps(found))
        if known(app, etag):
            return formats.not_modified(etag)
        if media != formats.JSON:
            return formats.as_table(media, order_columns(compare), flat(rows), etag, more)
        body = OrderKpis(
            **_asked(question),
            rows=[OrderRow.model_validate(row) for row in rows],
            totals=OrderRow.model_validate(found.totals[0]),
            next=more,
        )
        return formats.as_json(body, etag)

    @question(app, "/kpis/categories", CategoryKpis, tables=True)
    def kpis_of_categories(
        first: From = None,
        to: To = None,
        by: By = By.DAY,
        category: Category = None,
        compare: Compared = None,
        limit: Limit = 1000,
        cursor: Cursor = None,
        format: Format = None,
    ) -> Response[str]:
        """KPIs by category, by day, week or month."""
        media = formats.media_type(header(app, "accept"), format)
        most = MAX_DAYS if category else MAX_DAYS_OF_ALL_CATEGORIES
        question = Question(span_of(ports, first, to, most), by, compare, category)
        found = category_answer(question, ports.kpis)
        rows, more = _page(found.rows, cursor, limit)
        etag = formats.etag_of(vars(question), media, limit, cursor, _stamps(found))
        if known(app, etag):
            return formats.not_modified(etag)
        if media != formats.JSON:
            return formats.as_table(media, category_columns(compare), flat(rows), etag, more)
        body = CategoryKpis(
            **_asked(question),
            rows=[CategoryRow.model_validate(row) for row in rows],
            totals=[CategoryRow.model_validate(row) for row in found.totals],
            total_revenue=revenue_within(found.items, question.span),
            next=more,
        )
        return formats.as_json(body, etag)

    @question(app, "/freshness", Freshness)
    def freshness(first: From = None, to: To = None) -> Response[str]:
        """Which days have KPIs, since when, and when each source's files came last."""
        span = span_of(ports, first, to, MAX_DAYS)
        newest = newest_day(ports.views)
        body = Freshness(
            first=str(span.first),
            last=str(span.last),
            last_day=None if newest is None else str(newest),
            days=[Day(**day) for day in days_of(span, ports.kpis.orders(span.dates()))],
            sources=sources_of(ports.views, MOST_REGISTERS),
        )
        return viewed(app, body)


def _page(
    rows: list[dict[str, Any]], cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """The rows after the cursor's; a row is known by category and first day."""
    after = position_of(cursor, "order_date", "category")
    if after is not None:
        place = after["category"][1:], after["order_date"]
        rows = [row for row in rows if _place(row) > place]
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    category, order_date = _place(page[-1])
    return page, cursor_of({"category": f"={category}", "order_date": order_date})


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return row.get("category", ""), row["order_date"]


def _asked(question: Question) -> dict[str, str]:
    span = question.span
    return {"first": str(span.first), "last": str(span.last), "by": question.by.value}


def _stamps(found: Answered) -> list[Any]:
    """Who set what: any other number has another one (docs/design.md, Facts and KPIs)."""
    return [
        (item.get("category"), item["order_date"], item["epoch"], item["updated_at"])
        for item in found.items
    ]
