"""Forms that are sent: from our own pages only, by callers who may, and then a page to look at."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.console.asking import PLACE
from services.api.console.rendering import Links, with_headers
from services.api.http.callers import is_signed
from services.api.http.parameters import know_parameters
from services.api.http.problems import ProblemFound

F = TypeVar("F", bound=Callable[..., Any])
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 1_000


def form_route(app: APIGatewayHttpResolver, path: str) -> Callable[[F], F]:
    """Add what a form is sent to; it is no part of the API's document."""

    def add(answer: F) -> F:
        app.post(
            f"{PLACE}{path}",
            include_in_schema=False,
            middlewares=[know_parameters, from_our_own_page],
        )(answer)
        return answer

    return add


def from_our_own_page(app: APIGatewayHttpResolver, next_middleware: Any) -> Any:
    """Refuse what another site made a browser send; who signs the request is no browser.

    Raises ProblemFound (403).
    """
    event = app.current_event
    headers = {name.lower(): value for name, value in event.headers.items()}
    if not is_signed(event.raw_event) and not _is_same_origin(headers):
        detail = "this form is sent from its own page only"
        raise ProblemFound(HTTPStatus.FORBIDDEN, detail)
    return next_middleware(app)


def _is_same_origin(headers: Mapping[str, str]) -> bool:
    """By what browsers say of themselves; one that says nothing is not believed."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin, host = headers.get("origin"), headers.get("host")
    return origin is not None and host is not None and urlsplit(origin).netloc == host


def form_of(app: APIGatewayHttpResolver) -> dict[str, str]:
    """Its fields; raises ProblemFound for what is no form (415), or a broken one (400)."""
    event = app.current_event
    if (event.headers.get("content-type") or "").partition(";")[0].strip().lower() != FORM:
        raise ProblemFound(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send a form ({FORM})")
    try:
        text = event.decoded_body or ""
        fields = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, f"the form cannot be read: {error}") from error
    return dict(fields)


def seen_at(app: APIGatewayHttpResolver, place: str, **query: Any) -> Response[str]:
    """The page to look at next, so that loading it again sends nothing again."""
    location = Links(app.current_event.path)(place, **query)
    headers = {"Location": location, "Cache-Control": "no-store"}
    return with_headers(Response(int(HTTPStatus.SEE_OTHER), None, "", headers))
