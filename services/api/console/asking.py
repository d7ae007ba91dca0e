"""Routes of pages: which parameters they take, and blank fields of a form as not given."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from services.api.http.parameters import From, To, know_parameters
from services.api.kpis.periods import By, Compare

F = TypeVar("F", bound=Callable[..., Any])
PLACE = "/console"


def _given(value: Any) -> Any:
    """A form sends every field, also those that nobody filled in."""
    return value or None


_Given = BeforeValidator(_given)
FirstDay = Annotated[From, _Given]
LastDay = Annotated[To, _Given]
ChosenBy = Annotated[By | None, _Given, Query(alias="by")]
ChosenComparison = Annotated[Compare | None, _Given, Query(alias="compare")]
ChosenCategory = Annotated[str | None, _Given, Query(alias="category", max_length=2048)]
"""DynamoDB takes no longer key; what a page shows, a link of it leads to."""


def page_route(app: APIGatewayHttpResolver, path: str) -> Callable[[F], F]:
    """Add a page, which is no part of the API's document."""
    whole = f"{PLACE}{path}"

    def add(answer: F) -> F:
        app.get(whole, include_in_schema=False, middlewares=[know_parameters], compress=True)(
            answer
        )
        return answer

    return add
