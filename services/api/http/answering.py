"""Answers of views: as JSON, or 304 where who asks has them already."""

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import BaseModel

from services.api.http import formats


def header(app: APIGatewayHttpResolver, name: str) -> str | None:
    """A header of the question; `name` in lower case."""
    return app.current_event.headers.get(name)


def known(app: APIGatewayHttpResolver, etag: str) -> bool:
    """Whether who asks has the answer of this ETag."""
    return formats.is_known(etag, header(app, "if-none-match"))


def viewed(app: APIGatewayHttpResolver, model: BaseModel) -> Response[str]:
    """A model, whose ETag is made of all that it says."""
    etag = formats.etag_of(model.model_dump(mode="json"))
    return formats.not_modified(etag) if known(app, etag) else formats.as_json(model, etag)
