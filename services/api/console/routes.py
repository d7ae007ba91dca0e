"""The pages of the console; `/` leads to the first one."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.console.asking import (
    ChosenBy,
    ChosenCategory,
    ChosenComparison,
    FirstDay,
    LastDay,
    page_route,
)
from services.api.console.assets import FOREVER, asset_named
from services.api.console.batch_pages import batch_page, duration_of
from services.api.console.calendars import month_of, months_to, whole_months
from services.api.console.correction_routes import add_correction_routes
from services.api.console.differences import changes_of, kpi_tables
from services.api.console.kpi_pages import (
    COMPARISONS,
    categories_page,
    category_page,
    chosen_by,
    orders_page,
    quick_spans,
)
from services.api.console.overview import overview
from services.api.console.rendering import page, with_headers
from services.api.console.running import step_of
from services.api.console.shown import OF_CATEGORIES, OF_ORDERS
from services.api.http.callers import Caller
from services.api.http.kpi_routes import MOST_REGISTERS
from services.api.http.paging import cursor_of, position_of
from services.api.http.parameters import BatchId, Cursor, OnDay, know_parameters
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.http.spans import span_of
from services.api.http.view_routes import batch_body, list_position
from services.api.http.why_routes import batch_difference, explanation, waiting_lines
from services.api.kpis.answers import Question
from services.api.kpis.bounds import MAX_DAYS, MAX_DAYS_OF_ALL_CATEGORIES
from services.api.kpis.periods import Compare
from services.api.views.domain import (
    BATCHES,
    IGNORED,
    QUARANTINE,
    partition_of,
)
from services.api.views.models import BatchView, FileView, LeftOutFile
from services.api.views.reading import newest_publication, sources_of

BATCHES_ON_A_PAGE = 50
FILES_ON_A_PAGE = 100
MONTHS = 6


def add_console_routes(app: APIGatewayHttpResolver, ports: Ports, caller: Caller) -> None:
    """`/console` and what is below it."""
    _add_kpi_pages(app, ports)
    _add_view_pages(app, ports)
    add_correction_routes(app, ports, caller)

    @app.get("/", include_in_schema=False, middlewares=[know_parameters])
    def root() -> Response[str]:
        headers = {"Location": "console", "Cache-Control": "no-store"}
        return with_headers(Response(int(HTTPStatus.FOUND), None, "", headers))

    @page_route(app, "/assets/<name>")
    def asset(name: str) -> Response[str]:
        found = asset_named(name)
        if found is None:
            raise ProblemFound(HTTPStatus.NOT_FOUND, f"there is no {name} here")
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        return with_headers(
            Response(int(HTTPStatus.OK), found.media_type, found.text, headers, compress=True)
        )


def _add_kpi_pages(app: APIGatewayHttpResolver, ports: Ports) -> None:
    @page_route(app, "/")
    @page_route(app, "")
    def first_page() -> Response[str]:
        return page(
            app, "overview.html", found=overview(ports), step_of=step_of, measures=OF_ORDERS
        )

    @page_route(app, "/orders")
    def orders(
        first: FirstDay = None,
        to: LastDay = None,
        by: ChosenBy = None,
        compare: ChosenComparison = None,
    ) -> Response[str]:
        span = span_of(ports, first, to, MAX_DAYS)
        question = Question(span, chosen_by(span, by), compare)
        return page(
            app,
            "orders.html",
            found=orders_page(question, ports),
            quick=quick_spans(span_of(ports, None, None, MAX_DAYS)),
            comparisons=COMPARISONS,
            measures=OF_ORDERS,
        )

    @page_route(app, "/categories")
    def categories(
        first: FirstDay = None,
        to: LastDay = None,
        by: ChosenBy = None,
        category: ChosenCategory = None,
        compare: ChosenComparison = Compare.PREVIOUS,
    ) -> Response[str]:
        most = MAX_DAYS if category else MAX_DAYS_OF_ALL_CATEGORIES
        span = span_of(ports, first, to, most)
        question = Question(span, chosen_by(span, by), compare, category)
        answer = category_page if category else categories_page
        return page(
            app,
            "category.html" if category else "categories.html",
            found=answer(question, ports),
            quick=quick_spans(span_of(ports, None, None, MAX_DAYS)),
            comparisons=COMPARISONS,
            measures=OF_CATEGORIES,
        )

    @page_route(app, "/why")
    def why(order_date: OnDay, category: ChosenCategory = None) -> Response[str]:
        _, found = explanation(ports, order_date, category)
        measures = OF_ORDERS if category is None else OF_CATEGORIES
        return page(
            app,
            "why.html",
            found=found,
            order_date=order_date,
            category=category,
            measures={one.name: one for one in measures},
        )

    @page_route(app, "/freshness")
    def freshness(to: LastDay = None) -> Response[str]:
        span = span_of(ports, None, to, MAX_DAYS)
        firsts = months_to(span.last, MONTHS)
        published = ports.kpis.orders(whole_months(firsts).dates())
        by_day = {item["order_date"]: item for item in published}
        today = ports.clock().date()
        return page(
            app,
            "freshness.html",
            months=[month_of(first, by_day, today) for first in reversed(firsts)],
            sources=sources_of(ports.views, MOST_REGISTERS),
            earlier=months_to(firsts[0], 2)[0],
        )


def _add_view_pages(app: APIGatewayHttpResolver, ports: Ports) -> None:
    def newest(listed: str, most: int, cursor: str | None) -> tuple[list[Any], dict[str, Any]]:
        """Bodies of a list, newest first, and what its page says of where it stands."""
        found = ports.views.newest(listed, list_position(cursor, listed), most)
        return found.bodies, {"next": cursor_of(found.next), "is_first": cursor is None}

    @page_route(app, "/batches")
    def batches(cursor: Cursor = None) -> Response[str]:
        bodies, place = newest(BATCHES, BATCHES_ON_A_PAGE, cursor)
        shown = [BatchView(**body) for body in bodies]
        return page(
            app, "batches.html", batches=shown, duration_of=duration_of, step_of=step_of, **place
        )

    @page_route(app, "/batches/<batch_id>")
    def batch(batch_id: BatchId, cursor: Cursor = None) -> Response[str]:
        body = batch_body(ports, batch_id)
        position = position_of(cursor, pk=partition_of(batch_id), sk="event#")
        found = batch_page(ports, body, position)
        return page(app, "batch.html", found=found, is_first=cursor is None, step_of=step_of)

    @page_route(app, "/batches/<batch_id>/difference")
    def difference(batch_id: BatchId) -> Response[str]:
        _, found = batch_difference(ports, batch_id)
        return page(
            app,
            "difference.html",
            batch_id=batch_id,
            found=found,
            changes=changes_of(found) if found else [],
            tables=kpi_tables(found) if found else [],
        )

    @page_route(app, "/waiting")
    def waiting() -> Response[str]:
        is_anything = newest_publication(ports.views) is not None
        found = waiting_lines(ports)[1] if is_anything else None
        return page(app, "waiting.html", found=found, is_anything=is_anything)

    @page_route(app, "/batches/<batch_id>/files")
    def files(batch_id: BatchId, cursor: Cursor = None) -> Response[str]:
        batch_body(ports, batch_id)
        pk = partition_of(batch_id)
        found = ports.views.page(
            pk, "file#", position_of(cursor, pk=pk, sk="file#"), FILES_ON_A_PAGE
        )
        return page(
            app,
            "files.html",
            batch_id=batch_id,
            files=[FileView(**body) for body in found.bodies],
            next=cursor_of(found.next),
            is_first=cursor is None,
        )

    @page_route(app, "/quarantine")
    def quarantine(cursor: Cursor = None) -> Response[str]:
        bodies, place = newest(QUARANTINE, FILES_ON_A_PAGE, cursor)
        return page(app, "quarantine.html", files=[FileView(**body) for body in bodies], **place)

    @page_route(app, "/ignored")
    def ignored(cursor: Cursor = None) -> Response[str]:
        bodies, place = newest(IGNORED, FILES_ON_A_PAGE, cursor)
        return page(app, "ignored.html", files=[LeftOutFile(**body) for body in bodies], **place)
