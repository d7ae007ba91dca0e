"""The route of numbers that the guard found odd."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.http import formats
from services.api.http.answering import header, known
from services.api.http.models import AnomalyPage
from services.api.http.paging import cursor_of, position_of
from services.api.http.parameters import (
    AnomalyStatus,
    Cursor,
    Format,
    From,
    Limit,
    To,
    question,
)
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.http.spans import span_of
from services.api.kpis.bounds import MAX_DAYS
from services.api.kpis.tables import ANOMALY_COLUMNS
from services.api.views.domain import ANOMALIES
from services.api.views.models import AnomalyView
from services.api.views.reading import day_bounds


def add_anomaly_routes(app: APIGatewayHttpResolver, ports: Ports) -> None:
    """`/kpis/anomalies`."""

    @question(app, "/kpis/anomalies", AnomalyPage, tables=True)
    def anomalies(
        first: From = None,
        to: To = None,
        status: AnomalyStatus = None,
        limit: Limit = 1000,
        cursor: Cursor = None,
        format: Format = None,
    ) -> Response[str]:
        """Published numbers that are far from what the days before let expect, by day."""
        media = formats.media_type(header(app, "accept"), format)
        span = span_of(ports, first, to, MAX_DAYS)
        begin, end = day_bounds(span)
        position = position_of(cursor, "sk", pk=ANOMALIES)
        if position is not None and not begin <= position["sk"] <= end:
            raise ProblemFound(HTTPStatus.BAD_REQUEST, "cursor: it is of other days")
        page = ports.views.between(ANOMALIES, begin, end, position, limit)
        rows = [AnomalyView(**one) for one in page.bodies if status in (None, one["status"])]
        body = AnomalyPage(
            first=str(span.first), last=str(span.last), rows=rows, next=cursor_of(page.next)
        )
        etag = formats.etag_of(body.model_dump(mode="json"), media)
        if known(app, etag):
            return formats.not_modified(etag)
        if media != formats.JSON:
            told = [row.model_dump() for row in rows]
            return formats.as_table(media, ANOMALY_COLUMNS, told, etag, body.next)
        return formats.as_json(body, etag)
