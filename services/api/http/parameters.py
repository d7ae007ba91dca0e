"""Parameters of the routes, with their bounds, and what each route may answer."""

from collections.abc import Callable
from datetime import date
from inspect import getdoc
from typing import Annotated, Any, Literal, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BaseModel

from services.api.http import formats
from services.api.http.models import Problem
from services.api.http.paging import MAX_CURSOR_CHARACTERS
from services.api.http.problems import PROBLEM_JSON
from services.api.kpis.periods import Compare

F = TypeVar("F", bound=Callable[..., Any])

From = Annotated[date | None, Query(alias="from", description="First day; 29 days before `to`")]
To = Annotated[
    date | None, Query(description="Last day; the newest that is published, else today (UTC)")
]
Compared = Annotated[Compare | None, Query(description="Beside each row, the one before it")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most items on a page")]
Cursor = Annotated[
    str | None,
    Query(min_length=1, max_length=MAX_CURSOR_CHARACTERS, description="`next` of the page before"),
]
Format = Annotated[
    Literal["json", "csv"] | None, Query(description="In place of the header Accept")
]
Category = Annotated[str | None, Query(min_length=1, max_length=200, description="Only this one")]
BatchId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Its first 16 hex digits")]


def question(
    app: APIGatewayHttpResolver, path: str, model: type[BaseModel], *, csv: bool = False
) -> Callable[[F], F]:
    """Add a route, which the document describes by its docstring and what it answers."""
    content: dict[str, Any] = {formats.JSON: {"model": model}}
    if csv:
        content[formats.CSV] = {"schema": {"type": "string"}}
    refused = {PROBLEM_JSON: {"model": Problem}}
    responses: Any = {
        200: {"description": "The answer", "content": content},
        304: {"description": "What If-None-Match names is still the answer"},
        400: {"description": "A parameter that there is not, or a cursor", "content": refused},
        422: {"description": "A parameter that cannot be", "content": refused},
    }

    def add(answer: F) -> F:
        app.get(path, summary=getdoc(answer), responses=responses)(answer)
        return answer

    return add
