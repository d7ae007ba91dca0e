"""AWS requests and answers as they pass by: what is asked, and how each protocol says no."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "AWSStepFunctions": "states",
    "AWSEvents": "events",
    "AWSGlue": "glue",
}
"""X-Amz-Target says the service before the dot and the operation after it."""
S3_OPERATIONS = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
READS = ("Get", "Head", "Query", "Scan", "Describe", "List", "Receive")
THROTTLED = {
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "s3": (503, "SlowDown"),
}
BROKEN = {
    "dynamodb": (500, "InternalServerError"),
    "s3": (500, "InternalError"),
    "sqs": (500, "InternalFailure"),
    "events": (500, "InternalException"),
    "glue": (500, "InternalServiceException"),
    "states": (500, "InternalFailure"),
}


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` with its query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @cached_property
    def operation(self) -> str:
        """`service:Operation`; `s3:GetObject` and the like for REST, `other:` for what is left."""
        target = self.header("X-Amz-Target")
        if target is not None:
            prefix, _, name = target.partition(".")
            return f"{SERVICES.get(prefix, prefix)}:{name}"
        if b"Action=" in self.body and self.path == "/":
            return f"query:{parse_qs(self.body.decode()).get('Action', [''])[0]}"
        if len(self.url_path.strip("/").split("/")) > 1:
            return f"s3:{S3_OPERATIONS.get(self.method, self.method)}"
        return f"other:{self.method}"

    @property
    def service(self) -> str:
        return self.operation.partition(":")[0]

    @property
    def is_read(self) -> bool:
        """Whether it only looks."""
        return self.operation.partition(":")[2].startswith(READS)

    @property
    def url_path(self) -> str:
        return urlsplit(self.path).path

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The JSON body; empty for other protocols."""
        if self.header("X-Amz-Target") is None:
            return {}
        return dict(json.loads(self.body or b"{}"))

    def with_parameters(self, parameters: Mapping[str, Any]) -> "Request":
        """The same request with another JSON body."""
        return replace(self, body=json.dumps(parameters).encode())


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON body; empty when it is none."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def with_document(self, document: Mapping[str, Any]) -> "Answer":
        """The same answer with another JSON body; checksums of the old one are left out."""
        kept = tuple(one for one in self.headers if one[0].lower() != "x-amz-crc32")
        return Answer(self.status, kept, json.dumps(document).encode())


def throttling(request: Request) -> Answer:
    """How the service says that it is asked too often."""
    return error(request, *THROTTLED.get(request.service, (400, "ThrottlingException")))


def breakdown(request: Request) -> Answer:
    """How the service says that something within it broke."""
    return error(request, *BROKEN.get(request.service, (500, "InternalFailure")))


def cancelled(request: Request, code: str, position: int = -1) -> Answer:
    """TransactionCanceledException for one of a transaction's items (DynamoDB API reference)."""
    reasons = [{"Code": "None"} for _ in request.parameters["TransactItems"]]
    reasons[position] = {"Code": code, "Message": "injected"}
    document = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    }
    return _json(400, document)


def error(request: Request, status: int, code: str) -> Answer:
    """An error as the request's protocol puts it; HEAD has no body to say it in."""
    if request.method == "HEAD":
        return Answer(status, (("Content-Type", "application/xml"),))
    if request.service == "s3":
        text = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
        return Answer(status, (("Content-Type", "application/xml"),), text.encode())
    return _json(status, {"__type": code, "message": "injected"})


def json_answer(document: Mapping[str, Any]) -> Answer:
    """A success with this JSON body."""
    return _json(200, document)


def _json(status: int, document: Mapping[str, Any]) -> Answer:
    headers = (("Content-Type", "application/x-amz-json-1.0"),)
    return Answer(status, headers, json.dumps(document).encode())
