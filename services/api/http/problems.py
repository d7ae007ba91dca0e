"""Questions that are not answered, as problem+json (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

PROBLEM_JSON = "application/problem+json"


class ProblemFound(Exception):
    """The question cannot be answered; `detail` says why and what to ask instead."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def problem(
    status: HTTPStatus, detail: str, errors: Sequence[Mapping[str, str]] | None = None
) -> Response[str]:
    """The answer that says so."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }
    if errors is not None:
        document["errors"] = list(errors)
    return Response(int(status), PROBLEM_JSON, json.dumps(document), {"Cache-Control": "no-store"})


def wrong_parameters(errors: Sequence[Mapping[str, Any]]) -> Response[str]:
    """422 with each parameter that is wrong, and why."""
    found = [
        {"parameter": str(one["loc"][-1]), "detail": str(one["msg"]).removeprefix("Value error, ")}
        for one in errors
    ]
    detail = "; ".join(f"{one['parameter']}: {one['detail']}" for one in found)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, found)
