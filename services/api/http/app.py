"""The API: its routes, who is let in, and what is said of a question that is wrong."""

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import ValidationError

from contracts.errors import Transient
from services.api.console.errors import for_people, is_page
from services.api.console.operations import add_operations_routes
from services.api.console.routes import add_console_routes
from services.api.http import formats
from services.api.http.anomaly_routes import add_anomaly_routes
from services.api.http.answering import known
from services.api.http.callers import Caller, NotLetIn
from services.api.http.kpi_routes import add_kpi_routes
from services.api.http.parameters import know_parameters
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound, problem, wrong_parameters
from services.api.http.replay_routes import add_replay_routes, add_request_body, posted
from services.api.http.view_routes import add_view_routes
from services.api.http.why_routes import add_why_routes
from services.api.operations.ports import OperationsPorts
from services.runtime.observability.logs import logger

TITLE, VERSION = "E-commerce pipeline: numbers and what made them", "1"


def make_app(ports: Ports, caller: Caller) -> APIGatewayHttpResolver:
    """The API on any implementation of its ports."""
    app = _an_app(caller)
    add_kpi_routes(app, ports)
    add_anomaly_routes(app, ports)
    add_view_routes(app, ports)
    add_why_routes(app, ports)
    add_replay_routes(app, ports, caller)
    add_console_routes(app, ports, caller)

    @app.get("/openapi.json", include_in_schema=False, middlewares=[know_parameters])
    def openapi() -> Response[str]:
        text = ports.openapi()
        etag = formats.etag_of(text)
        if known(app, etag):
            return formats.not_modified(etag)
        return Response(200, formats.JSON, text, {"ETag": etag, **formats.VARY})

    return app


def make_operations_app(
    ports: OperationsPorts, caller: Caller, operate_scope: str
) -> APIGatewayHttpResolver:
    """The pages of operations, whose function has rights of its own.

    `operate_scope`: what a token has to have for what changes something.
    """
    app = _an_app(caller)

    def act(app: APIGatewayHttpResolver, next_middleware: Any) -> Any:
        if app.current_event.http_method != "GET":
            caller.let_act(app.current_event.raw_event, operate_scope)
        return next_middleware(app)

    app.use([act])
    add_operations_routes(app, ports)
    return app


def _an_app(caller: Caller) -> APIGatewayHttpResolver:
    """Who is let in, and what is said of a question that is wrong."""
    app = APIGatewayHttpResolver(enable_validation=True)

    def not_found(_error: NotFoundError) -> Response[str]:
        return for_people(app, nothing_there())

    def nothing_there() -> Response[str]:
        path, method = app.current_event.path, app.current_event.http_method
        right = "POST" if posted(path) else "GET"
        if method != right and (method != "GET" or right == "POST"):
            answer = problem(HTTPStatus.METHOD_NOT_ALLOWED, f"ask by {right}, and not by {method}")
            answer.headers["Allow"] = right
            return answer
        if is_page(path):
            return problem(HTTPStatus.NOT_FOUND, f"there is no page {path}")
        return problem(HTTPStatus.NOT_FOUND, f"there is no GET {path}; /openapi.json says what is")

    def let_in(app: APIGatewayHttpResolver, next_middleware: Any) -> Any:
        caller.let_in(app.current_event.raw_event)
        return next_middleware(app)

    app.not_found(not_found)
    for error, said in _SAID.items():
        app.exception_handler(error)(_told_to(app, said))
    app.use([let_in])
    return app


def _told_to(app: APIGatewayHttpResolver, said: Any) -> Any:
    return lambda error: for_people(app, said(error))


def openapi_of(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the code."""
    text = app.get_openapi_json_schema(title=TITLE, version=VERSION)
    document: dict[str, Any] = json.loads(text)
    add_request_body(document)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].get("304", {}).pop("content", None)
    used = _used_schemas(document)
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}
    return document


def _used_schemas(document: dict[str, Any]) -> set[str]:
    """Those that the paths refer to, and those that these refer to."""
    prefix = "#/components/schemas/"
    schemas, used, left = document["components"]["schemas"], set(), [document["paths"]]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix(prefix)
            if name in schemas and name not in used:
                used.add(name)
                left.append(schemas[name])
            left += node.values()
        elif isinstance(node, list):
            left += node
    return used


def _wrong(error: RequestValidationError) -> Response[str]:
    return wrong_parameters(error.errors())


def _wrong_body(error: ValidationError) -> Response[str]:
    found = [{"loc": ("body", *one["loc"]), "msg": one["msg"]} for one in error.errors()]
    return wrong_parameters(found)


def _problem(error: ProblemFound) -> Response[str]:
    return problem(error.status, error.detail)


def _not_let_in(error: NotLetIn) -> Response[str]:
    return problem(error.status, str(error))


def _busy(_error: Transient) -> Response[str]:
    logger.exception("not answered: a table is busy")
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "a table is busy: ask again in a moment")


def _fault(_error: Exception) -> Response[str]:
    logger.exception("not answered")
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our fault; it is in the log")


_SAID: dict[type[Exception], Any] = {
    RequestValidationError: _wrong,
    ValidationError: _wrong_body,
    ProblemFound: _problem,
    NotLetIn: _not_let_in,
    Transient: _busy,
    Exception: _fault,
}
