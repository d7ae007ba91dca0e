"""Parameters of the routes, with their bounds, and what each route may answer."""

import re
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from inspect import getdoc
from typing import Annotated, Any, Literal, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BaseModel, BeforeValidator

from services.api.http import formats
from services.api.http.models import Problem
from services.api.http.paging import MAX_CURSOR_CHARACTERS
from services.api.http.problems import PROBLEM_JSON, ProblemFound
from services.api.kpis.periods import Compare

F = TypeVar("F", bound=Callable[..., Any])


def _written_out(value: Any) -> Any:
    """Pydantic takes a number for seconds since 1970: `20250701` would be a day of that year."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise ValueError("a day is written YYYY-MM-DD")
    return value


_WrittenOut = BeforeValidator(_written_out)
From = Annotated[
    date | None,
    _WrittenOut,
    Query(alias="from", description="First day; 29 days before `to`", examples=["2025-07-01"]),
]
To = Annotated[
    date | None,
    _WrittenOut,
    Query(
        description="Last day; the newest that is published, else today (UTC)",
        examples=["2025-07-31"],
    ),
]
Compared = Annotated[Compare | None, Query(description="Beside each row, the one before it")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most items on a page")]
Cursor = Annotated[
    str | None,
    Query(min_length=1, max_length=MAX_CURSOR_CHARACTERS, description="`next` of the page before"),
]
Format = Annotated[
    Literal["json", "csv", "parquet"] | None,
    Query(description="In place of the header Accept", examples=["csv"]),
]
LONGEST_CATEGORY = 256
"""As long as contracts/files/products lets a category be."""
Category = Annotated[
    str | None, Query(min_length=1, max_length=LONGEST_CATEGORY, description="Only this one")
]
AnomalyStatus = Annotated[
    Literal["odd", "resolved"] | None, Query(description="Only those that are this")
]
OnDay = Annotated[date, _WrittenOut, Query(description="The day (UTC)", examples=["2025-07-07"])]
FileIndex = Annotated[int, Path(ge=0, le=9999, description="`file_index` of the file")]
BatchId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Its first 16 hex digits")]

_REFUSED = {
    400: "A parameter that there is not, or a cursor",
    401: "Nobody asks",
    403: "Who asks may not",
    413: "The answer would be too large",
    422: "A parameter that cannot be",
    503: "A table is busy; ask again",
}


def question(
    app: APIGatewayHttpResolver,
    path: str,
    model: type[BaseModel],
    *,
    tables: bool = False,
    missing: str | None = None,
    later: type[BaseModel] | None = None,
) -> Callable[[F], F]:
    """Add a route, which the document describes by its docstring and what it answers.

    `tables`: it is answered as CSV and Parquet too. `missing`: what 404 says. `later`: what 202
    says, where the answer has to be worked out.
    """
    content: dict[str, Any] = {formats.JSON: {"model": model}}
    refused = dict(_REFUSED)
    if tables:
        content[formats.CSV] = {"schema": {"type": "string"}}
        content[formats.PARQUET] = {"schema": {"type": "string", "format": "binary"}}
        refused[406] = "None of JSON, CSV and Parquet would be taken"
    if missing is not None:
        refused[404] = missing
    responses: Any = {
        200: {"description": "The answer", "content": content},
        304: {"description": "What If-None-Match names is still the answer"},
        **{
            status: {"description": why, "content": {PROBLEM_JSON: {"model": Problem}}}
            for status, why in sorted(refused.items())
        },
    }

    if later is not None:
        content = {formats.JSON: {"model": later}}
        responses[202] = {"description": "It is being worked out; ask again", "content": content}

    def add(answer: F) -> F:
        app.get(path, summary=getdoc(answer), responses=responses, middlewares=[know_parameters])(
            answer
        )
        return answer

    return add


def know_parameters(app: APIGatewayHttpResolver, next_middleware: Any) -> Any:
    """A parameter that nobody reads would be a number about something else than was asked."""
    route = app.context["_route"]
    known_here = {one.alias for one in route.dependant.query_params}
    strange = sorted(set(app.current_event.query_string_parameters) - known_here)
    if strange:
        names = ", ".join(sorted(known_here)) or "none"
        detail = f"there is no parameter {strange[0]!r}; there is: {names}"
        raise ProblemFound(HTTPStatus.BAD_REQUEST, detail)
    return next_middleware(app)
