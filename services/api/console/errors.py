"""What people are told in place of a page: the same words as programs, as a page."""

import json
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.console.asking import PLACE
from services.api.console.rendering import HTML, rendered, with_headers

ADVICE = {
    HTTPStatus.BAD_REQUEST: "Change the address or the form, and ask again.",
    HTTPStatus.UNAUTHORIZED: "On AWS, `ecp console` opens the console in your name.",
    HTTPStatus.FORBIDDEN: "Ask whoever gives out rights here.",
    HTTPStatus.NOT_FOUND: "What you look for may be on one of the pages above.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Change the address or the form, and ask again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Reload the page in a moment.",
}


def is_page(path: str) -> bool:
    """Whether a page is asked for there, be there one or not."""
    return path == PLACE or path.startswith(f"{PLACE}/")


def for_people(app: APIGatewayHttpResolver, answer: Response[str]) -> Response[str]:
    """A problem as a page, where a page was asked for; else as it is."""
    path = app.current_event.path
    if not is_page(path):
        return answer
    told = json.loads(str(answer.body))
    status = HTTPStatus(answer.status_code)
    text = rendered(
        path,
        "problem.html",
        title=told["title"],
        detail=told["detail"],
        advice=ADVICE.get(status, ""),
    )
    kept = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
    return with_headers(Response(int(status), HTML, text, kept))
