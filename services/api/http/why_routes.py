"""The routes that others are asked for: what a number is made of, and quarantined rows."""

from datetime import date
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import BaseModel

from services.api.http import formats
from services.api.http.answering import viewed
from services.api.http.models import (
    Asked,
    Difference,
    QuarantinedRow,
    RowPage,
    WaitingLines,
    Why,
)
from services.api.http.paging import cursor_of, position_of
from services.api.http.parameters import (
    BatchId,
    Category,
    Cursor,
    FileIndex,
    Limit,
    OnDay,
    question,
)
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.http.view_routes import batch_body
from services.api.questions.asking import NothingPublished, answer_to, explanation_of
from services.api.questions.domain import SOURCE, compare, list_waiting
from services.api.questions.ports import TooLarge
from services.api.views.domain import file_key, partition_of
from services.api.views.models import BatchView, FileView
from services.api.views.reading import newest_publication

ASK_AGAIN_SECONDS = "1"


def add_why_routes(app: APIGatewayHttpResolver, ports: Ports) -> None:
    """What the transformer is asked, and quarantined rows."""

    @question(app, "/kpis/why", Why, missing="Nothing of it is published", later=Asked)
    def why(order_date: OnDay, category: Category = None) -> Response[str]:
        """The files, batches and order lines that a day's number is made of."""
        return told(*explanation(ports, order_date, category))

    @question(
        app, "/batches/<batch_id>/difference", Difference, missing="It changed nothing", later=Asked
    )
    def difference(batch_id: BatchId) -> Response[str]:
        """What a batch changed: rows by day, and each KPI before and after."""
        return told(*batch_difference(ports, batch_id))

    @question(app, "/waiting", WaitingLines, missing="Nothing is published yet", later=Asked)
    def waiting() -> Response[str]:
        """Order lines that wait for their order, and those whose product is not known."""
        return told(*waiting_lines(ports))

    def told(question_id: str, found: BaseModel | None) -> Response[str]:
        if found is not None:
            return viewed(app, found)
        body = Asked(question_id=question_id)
        headers = {"Retry-After": ASK_AGAIN_SECONDS, "Cache-Control": "no-store"}
        return Response(int(HTTPStatus.ACCEPTED), formats.JSON, body.model_dump_json(), headers)

    @question(
        app,
        "/batches/<batch_id>/files/<file_index>/rows",
        RowPage,
        missing="There is no such file, or its rows are kept no longer",
    )
    def rows(
        batch_id: BatchId, file_index: FileIndex, limit: Limit = 100, cursor: Cursor = None
    ) -> Response[str]:
        """A file's quarantined rows by line: what is wrong, and the record as it came."""
        file = validated_file(ports, batch_id, file_index)
        return viewed(app, quarantined_rows(ports, file, limit, cursor))


def explanation(ports: Ports, order_date: date, category: str | None) -> tuple[str, Why | None]:
    """What a number is made of, under the id of its question; None while that is worked out.

    Raises ProblemFound (404) where nothing is published.
    """
    try:
        question_id, found = explanation_of(ports.kpis, ports.others, order_date, category, SOURCE)
    except NothingPublished as error:
        raise ProblemFound(HTTPStatus.NOT_FOUND, str(error)) from error
    return question_id, None if found is None else Why.model_validate(found)


def batch_difference(ports: Ports, batch_id: str) -> tuple[str, Difference | None]:
    """What a batch changed, under the id of its question; None while that is worked out.

    Raises ProblemFound (404) for a batch that there is not, or that has published nothing.
    """
    batch = BatchView(**batch_body(ports, batch_id))
    if batch.published_at is None:
        detail = f"batch {batch_id} has published nothing: it has changed nothing"
        raise ProblemFound(HTTPStatus.NOT_FOUND, detail)
    question_id, found = answer_to(compare(batch, SOURCE), ports.others)
    return question_id, None if found is None else Difference.model_validate(found)


def waiting_lines(ports: Ports) -> tuple[str, WaitingLines | None]:
    """What waits, under the id of its question; None while that is worked out.

    Raises ProblemFound (404) before anything is published.
    """
    newest = newest_publication(ports.views)
    if newest is None:
        raise ProblemFound(HTTPStatus.NOT_FOUND, "nothing is published yet, so nothing waits")
    question_id, found = answer_to(list_waiting(newest, SOURCE), ports.others)
    return question_id, None if found is None else WaitingLines.model_validate(found)


def quarantined_rows(ports: Ports, file: FileView, limit: int, cursor: str | None) -> RowPage:
    """Rows of a file by line; raises ProblemFound for a cursor (400), rows that are gone (404)."""
    first = _first(cursor)
    found = _rows(ports, file, first, limit + 1)
    position = {"row": str(first + limit)} if len(found) > limit else None
    page = [QuarantinedRow.model_validate(row) for row in found[:limit]]
    told = {"batch_id": file.batch_id, "file_index": file.file_index, "key": file.key}
    return RowPage(rows=page, next=cursor_of(position), **told)


def validated_file(ports: Ports, batch_id: str, file_index: int) -> FileView:
    """The view of a file; raises ProblemFound (404) where there is none."""
    body = ports.views.get(partition_of(batch_id), file_key(file_index))
    if body is None:
        detail = f"batch {batch_id} has no validated file {file_index}"
        raise ProblemFound(HTTPStatus.NOT_FOUND, detail)
    return FileView(**body)


def _rows(ports: Ports, file: FileView, first: int, limit: int) -> list[dict[str, object]]:
    """A file that was refused as a whole may have rows too: those that were too many."""
    if file.status == "accepted" and not file.quarantined:
        return []
    try:
        found = ports.others.rows(file.batch_id, file.file_index, first, limit)
    except TooLarge as error:
        detail = f"{error}; `ecp quarantine export {file.batch_id}` has them"
        raise ProblemFound(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail) from error
    if found is None and file.status == "rejected":
        return []
    if found is None:
        detail = f"the quarantined rows of {file.key} are kept no longer"
        raise ProblemFound(HTTPStatus.NOT_FOUND, detail)
    return found


def _first(cursor: str | None) -> int:
    """Where the page begins; raises ProblemFound (400) for what no page ended with."""
    position = position_of(cursor, "row")
    if position is None:
        return 0
    if not (position["row"].isascii() and position["row"].isdigit()) or len(position["row"]) > 12:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, "cursor: it is of another question")
    return int(position["row"])
