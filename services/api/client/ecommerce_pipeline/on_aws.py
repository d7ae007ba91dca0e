"""Answers from the tables themselves: no HTTP API, read by key with the caller's own rights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from ecommerce_pipeline.answers import Asked, Row
from ecommerce_pipeline.errors import ApiError, NoAnswer, NotFound, NotLetIn
from services.api.adapters import KpiTables, ViewsTable
from services.api.kpis.answers import Question, category_answer, order_answer
from services.api.kpis.bounds import usual_span
from services.api.kpis.periods import Span
from services.api.questions.asking import NothingPublished, explanation_of
from services.api.questions.ports import AsksOthers
from services.api.views.domain import BATCHES, QUARANTINE
from services.api.views.reading import anomalies_of, newest_day
from services.runtime.storage.aws import client_error_of

PAGE = 100
REQUESTED_BY = "ecommerce-pipeline/client"
REFUSED = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException"),
        *("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"),
    }
)


@contextmanager
def translating() -> Iterator[None]:
    """What AWS says of a wrong caller, a missing table or a fault, as ApiError."""
    from botocore.exceptions import BotoCoreError, ClientError

    from contracts.errors import PipelineError

    try:
        yield
    except (BotoCoreError, ClientError, PipelineError) as error:
        from infra.ecp.terminal.explaining import explain

        cause = client_error_of(error)
        answer = {} if cause is None else cause.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = answer.get("Error", {}).get("Code", "")
        kind: type[ApiError] = NotLetIn if code in REFUSED else NoAnswer
        raise kind(explain(error)[0], status=status, title=code) from error


class TableAnswers:
    """OrderKPIs, CategoryKPIs and PipelineViews, by the same rules as the API's."""

    def __init__(
        self,
        views: ViewsTable,
        kpis: KpiTables,
        clock: Callable[[], datetime],
        others: Callable[[], AsksOthers],
    ) -> None:
        self._views, self._kpis = views, kpis
        self._clock, self._others = clock, others

    def order_kpis(self, asked: Asked) -> Iterator[Row]:
        """KPIs over all orders, by period."""
        question = Question(self._span(asked), asked.by, asked.compare)
        with translating():
            rows = order_answer(question, self._kpis).rows
        yield from rows

    def category_kpis(self, asked: Asked) -> Iterator[Row]:
        """KPIs by category and period."""
        question = Question(self._span(asked), asked.by, asked.compare, asked.category)
        with translating():
            rows = category_answer(question, self._kpis).rows
        yield from rows

    def anomalies(self, span: Span | None, status: str | None) -> Iterator[Row]:
        """Numbers that the guard found odd, by day."""
        with translating():
            found = list(anomalies_of(self._views, span or self._usual_span()))
        yield from (one.model_dump() for one in found if status in (None, one.status))

    def last_day(self) -> date | None:
        """The newest day that a batch has published."""
        with translating():
            return newest_day(self._views)

    def batches(self) -> Iterator[Row]:
        """Batches, the one that was sealed last first."""
        return self._newest(BATCHES)

    def why(self, order_date: date, category: str | None) -> Row | None:
        """What a day's number is made of, asked of the transformer; None before it has said."""
        from services.api.http.models import Why

        with translating():
            try:
                _, found = explanation_of(
                    self._kpis, self._others(), order_date, category, REQUESTED_BY
                )
            except NothingPublished as error:
                raise NotFound(str(error), status=404, title="Not Found") from error
            return None if found is None else Why.model_validate(found).model_dump()

    def quarantine(self) -> Iterator[Row]:
        """Files with rows in quarantine, the newest first."""
        return self._newest(QUARANTINE)

    def _span(self, asked: Asked) -> Span:
        return asked.span or self._usual_span()

    def _usual_span(self) -> Span:
        return usual_span(self.last_day() or self._clock().date())

    def _newest(self, listed: str) -> Iterator[Row]:
        position: Any = None
        while True:
            with translating():
                page = self._views.newest(listed, position, PAGE)
            yield from page.bodies
            position = page.next
            if position is None:
                return
