"""The route that changes something: quarantined rows corrected, and what became of them."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from contracts.file_contracts import file_contract
from contracts.messages import CorrectedRow, QuarantineReplay
from services.api.corrections.asking import replay
from services.api.http import formats
from services.api.http.answering import header
from services.api.http.callers import Caller
from services.api.http.models import CorrectionsAsked, Problem, ReplayAsked, Replayed
from services.api.http.parameters import know_parameters, question
from services.api.http.ports import Ports
from services.api.http.problems import PROBLEM_JSON, ProblemFound

PLACE = "/quarantine/replays"
FORMS = re.compile("/console/batches/[^/]+/files/[^/]+/corrections")
ASK_AGAIN_SECONDS = "1"
ReplayId = Annotated[str, Path(pattern="^replay-[0-9a-f]{32}$", description="As it was answered")]
_REFUSED = {
    400: "No JSON, or a parameter that there is not",
    401: "Nobody asks",
    403: "Who asks may not correct rows",
    415: "The body is not application/json",
    422: "A row that cannot be",
    503: "A table is busy; ask again",
}


def posted(path: str) -> bool:
    """Whether POST is what a path takes."""
    return path == PLACE or FORMS.fullmatch(path) is not None


def add_replay_routes(app: APIGatewayHttpResolver, ports: Ports, caller: Caller) -> None:
    """`POST /quarantine/replays`, and `/quarantine/replays/<replay_id>`."""

    def replay_rows() -> Response[str]:
        """Judge corrected rows of quarantine, and bring in those that may come."""
        name = caller.corrector(app.current_event.raw_event)
        asked = _asked(app)
        replay_id, found = replay(
            ports.corrects,
            [known_columns(CorrectedRow(**row.model_dump())) for row in asked.rows],
            asked.request,
            dry_run=asked.dry_run,
            requested_by=name,
        )
        return answered(replay_id, found)

    app.post(
        PLACE,
        summary=replay_rows.__doc__,
        responses=_responses(),
        middlewares=[know_parameters],
    )(replay_rows)

    @question(
        app,
        f"{PLACE}/<replay_id>",
        Replayed,
        missing="It was not asked for, or is kept no longer",
        later=ReplayAsked,
    )
    def replayed(replay_id: ReplayId) -> Response[str]:
        """What became of corrected rows that somebody asked to replay."""
        return answered(replay_id, replay_found(ports, replay_id))


def _asked(app: APIGatewayHttpResolver) -> CorrectionsAsked:
    """The body; raises ProblemFound (400, 403, 415) and pydantic's ValidationError.

    A page of another site can send no JSON unasked.
    """
    if header(app, "sec-fetch-site") not in (None, "same-origin", "none"):
        raise ProblemFound(HTTPStatus.FORBIDDEN, "a page of another site asks")
    media_type = (header(app, "content-type") or "").partition(";")[0].strip().lower()
    if media_type != formats.JSON:
        raise ProblemFound(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {formats.JSON}")
    try:
        body = app.current_event.decoded_body or ""
    except ValueError as error:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, "the body is no text in UTF-8") from error
    return CorrectionsAsked.model_validate_json(body, strict=True)


def add_request_body(document: dict[str, Any]) -> None:
    """Say in the OpenAPI document what the body has to be: it is read after who asks is known."""
    place = "#/components/schemas/{model}"
    schema = CorrectionsAsked.model_json_schema(ref_template=place)
    document["components"]["schemas"] |= schema.pop("$defs") | {CorrectionsAsked.__name__: schema}
    content = {formats.JSON: {"schema": {"$ref": place.format(model=CorrectionsAsked.__name__)}}}
    document["paths"][PLACE]["post"]["requestBody"] = {"required": True, "content": content}


def replay_found(ports: Ports, replay_id: str) -> QuarantineReplay | None:
    """The answer, None while it is worked out; raises ProblemFound (404) for what nobody asked."""
    found = ports.corrects.answer(replay_id)
    if found is None and not ports.corrects.was_asked(replay_id):
        raise ProblemFound(HTTPStatus.NOT_FOUND, f"nobody has asked for {replay_id}")
    return found


def known_columns(row: CorrectedRow) -> CorrectedRow:
    """The row, if its kind has all its columns; raises ProblemFound (422)."""
    strange = sorted(set(row.fields) - set(file_contract(row.kind).columns))
    if strange:
        detail = f"{row.key} line {row.line}: {row.kind} have no column {strange[0]!r}"
        raise ProblemFound(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return row


def answered(replay_id: str, found: QuarantineReplay | None) -> Response[str]:
    """The document, or 202."""
    headers = {"Cache-Control": "no-store"}
    if found is None:
        body = ReplayAsked(replay_id=replay_id).model_dump_json()
        headers["Retry-After"] = ASK_AGAIN_SECONDS
        return Response(int(HTTPStatus.ACCEPTED), formats.JSON, body, headers)
    told = Replayed.model_validate(found.model_dump()).model_dump_json()
    return Response(int(HTTPStatus.OK), formats.JSON, told, headers)


def _responses() -> Any:
    answers = {200: ("The answer", Replayed), 202: ("It is worked out; ask again", ReplayAsked)}
    return {
        **{
            status: {"description": why, "content": {formats.JSON: {"model": model}}}
            for status, (why, model) in answers.items()
        },
        **{
            status: {"description": why, "content": {PROBLEM_JSON: {"model": Problem}}}
            for status, why in _REFUSED.items()
        },
    }
