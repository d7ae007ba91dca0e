"""Whatever is asked, right or wrong: no fault of ours, and answers as the OpenAPI document says."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pytest
from werkzeug.wrappers import Request

from services.api.http.frozen import frozen_openapi
from tests.support.examples import examples
from tests.unit.api.harness import ApiHarness, a_life, a_question
from tests.unit.api.kpi_items import Order, published

CONFIG = {
    "base-url": "http://localhost",
    "continue-on-failure": True,
    "generation": {"max-examples": examples(20)},
    # A span may be too long, and a cursor is of one list only.
    "checks": {"positive_data_acceptance": {"enabled": False}},
}


class Gateway:
    """The HTTP API in this process, as WSGI; it counts what it answered."""

    def __init__(self) -> None:
        self._api = ApiHarness()
        self._api.hear(*a_life())
        days = [date(2000, 1, 1), date(2025, 7, 1), date(2025, 7, 2)]
        orders = [Order(day, "u", is_returned=False, lines=(("=1+1", 1250),)) for day in days]
        self._api.kpis.order_items, self._api.kpis.category_items = published(orders)
        self.answered: Counter[tuple[str, int]] = Counter()

    def __call__(self, environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        event = a_question(request.path, dict(request.headers)) | {
            "rawQueryString": request.query_string.decode(),
            "queryStringParameters": {
                name: ",".join(values) for name, values in request.args.lists()
            },
        }
        event["requestContext"]["http"]["method"] = request.method
        event["body"] = request.get_data(as_text=True)
        answer = self._api.handle(event)
        self.answered[answer.headers.get("Content-Type", ""), answer.status] += 1
        start_response(f"{answer.status} ", list(answer.headers.items()))
        return [answer.content]


@pytest.mark.medium
def test_every_answer_is_one_that_the_document_tells_of() -> None:
    """Schemathesis's own run: values at their bounds, values beyond them, and random ones."""
    import schemathesis  # half a second, which processes that do not run this test save
    from schemathesis import engine
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine.events import NonFatalError, ScenarioFinished

    gateway = Gateway()
    schema = schemathesis.openapi.from_dict(
        json.loads(frozen_openapi()), config=SchemathesisConfig.from_dict(CONFIG)
    )
    schema.app = gateway
    found = []
    for event in engine.from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            found.append(str(event.info))
        elif isinstance(event, ScenarioFinished):
            found += [
                f"{check.name}: {check.failure_info.failure} {check.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.failure_info
            ]
    assert found == []
    problem = "application/problem+json"
    answers = [("application/json", 200), (problem, 400), (problem, 405), (problem, 422)]
    assert all(gateway.answered[one] >= 20 for one in answers), gateway.answered
    assert gateway.answered["text/csv; charset=utf-8; header=present", 200]
