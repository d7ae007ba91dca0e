"""The routes of what happened: batches, their files, quarantine, what was left out."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.http.answering import viewed
from services.api.http.models import (
    BatchDetail,
    BatchPage,
    FilePage,
    Health,
    IgnoredPage,
    TimelineEntry,
)
from services.api.http.paging import cursor_of, position_of
from services.api.http.parameters import BatchId, Cursor, Limit, question
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.views.domain import BATCHES, IGNORED, QUARANTINE, VIEW, partition_of
from services.api.views.models import BatchView, FileView, LeftOutFile
from services.api.views.reading import PageRead

NO_BATCH = "There is no such batch"


def add_view_routes(app: APIGatewayHttpResolver, ports: Ports) -> None:
    """`/batches`, `/quarantine`, `/ignored` and `/health`."""

    @question(app, "/batches", BatchPage)
    def batches(limit: Limit = 50, cursor: Cursor = None) -> Response[str]:
        """Batches, the one that was sealed last first."""
        page = ports.views.newest(BATCHES, list_position(cursor, BATCHES), limit)
        found = [BatchView(**body) for body in page.bodies]
        return viewed(app, BatchPage(batches=found, next=cursor_of(page.next)))

    @question(app, "/batches/<batch_id>", BatchDetail, missing=NO_BATCH)
    def batch(batch_id: BatchId, limit: Limit = 1000, cursor: Cursor = None) -> Response[str]:
        """A batch, and its events in order of time."""
        body = batch_body(ports, batch_id)
        pk = partition_of(batch_id)
        position = position_of(cursor, pk=pk, sk="event#")
        page = ports.views.page(pk, "event#", position, limit)
        timeline = [TimelineEntry.model_validate(event) for event in page.bodies]
        return viewed(
            app, BatchDetail(batch=BatchView(**body), timeline=timeline, next=cursor_of(page.next))
        )

    @question(app, "/batches/<batch_id>/files", FilePage, missing=NO_BATCH)
    def files(batch_id: BatchId, limit: Limit = 100, cursor: Cursor = None) -> Response[str]:
        """The batch's files that are validated, and what became of their rows."""
        batch_body(ports, batch_id)
        pk = partition_of(batch_id)
        page = ports.views.page(pk, "file#", position_of(cursor, pk=pk, sk="file#"), limit)
        return viewed(app, _files(page))

    @question(app, "/quarantine", FilePage)
    def quarantine(limit: Limit = 100, cursor: Cursor = None) -> Response[str]:
        """Files that were rejected, or of which rows are in quarantine, the newest first."""
        page = ports.views.newest(QUARANTINE, list_position(cursor, QUARANTINE), limit)
        return viewed(app, _files(page))

    @question(app, "/ignored", IgnoredPage)
    def ignored(limit: Limit = 100, cursor: Cursor = None) -> Response[str]:
        """Versions of objects of which no row counts, why, and the nearest right name."""
        page = ports.views.newest(IGNORED, list_position(cursor, IGNORED), limit)
        found = [LeftOutFile(**body) for body in page.bodies]
        return viewed(app, IgnoredPage(ignored=found, next=cursor_of(page.next)))

    @question(app, "/health", Health)
    def health() -> Response[str]:
        """That it answers, and how far the views have come."""
        newest = ports.views.get("health", "newest-event") or {}
        return viewed(app, Health(status="ok", newest_event_at=newest.get("newest_event_at")))


def batch_body(ports: Ports, batch_id: str) -> dict[str, Any]:
    """The view of a batch; raises ProblemFound (404) where there is none."""
    body = ports.views.get(partition_of(batch_id), VIEW)
    if body is None:
        raise ProblemFound(HTTPStatus.NOT_FOUND, f"there is no batch {batch_id}")
    return body


def list_position(cursor: str | None, listed: str) -> dict[str, str] | None:
    """Where a page of a list begins; raises ProblemFound (400) for a cursor of another list."""
    found = position_of(cursor, "pk", "sk", "at", list=listed)
    if found is not None and found["list"] != listed:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, "cursor: it is of another list")
    return found


def _files(page: PageRead) -> FilePage:
    found = [FileView(**body) for body in page.bodies]
    return FilePage(files=found, next=cursor_of(page.next))
