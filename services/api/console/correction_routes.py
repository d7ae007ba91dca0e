"""Rows corrected in place: the page of a file's rows, the form that is sent, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from services.api.console.asking import PLACE, page_route
from services.api.console.correcting import (
    Field,
    fields_for,
    filled,
    sent_form,
    why_not_here,
)
from services.api.console.records import ShownRow, cells_of
from services.api.console.rendering import HTML, Links, page, rendered, with_headers
from services.api.corrections.asking import replay
from services.api.corrections.forms import NotOurForm, check_form, token_for
from services.api.corrections.states import resolutions_of
from services.api.http.callers import Caller, NotLetIn
from services.api.http.parameters import BatchId, Cursor, FileIndex, know_parameters
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.http.replay_routes import ReplayId, replay_found
from services.api.http.view_routes import batch_body
from services.api.http.why_routes import quarantined_rows, validated_file
from services.api.views.domain import VIEW, partition_of
from services.api.views.models import BatchView, FileView
from services.runtime.quarantine.replays import Replay, RowId
from services.runtime.quarantine.resolutions import Dismissal, Resolution

ROWS_ON_A_PAGE = 50
CORRECTIONS = "corrections"


@dataclass(frozen=True)
class OpenRow:
    """A row on its page: what became of it, and its form where it may be corrected."""

    shown: ShownRow
    state: Resolution
    replay: Replay | None
    dismissal: Dismissal | None
    fields: Sequence[Field]
    token: str


def add_correction_routes(app: APIGatewayHttpResolver, ports: Ports, caller: Caller) -> None:
    """`/console/batches/ID/files/N`, what its forms are sent to, and `/console/replays/ID`."""

    def form_place(batch_id: str, file_index: int) -> str:
        return f"{PLACE}/batches/{batch_id}/files/{file_index}/{CORRECTIONS}"

    def token_of(name: str, file: FileView) -> str:
        place = form_place(file.batch_id, file.file_index)
        return token_for(ports.corrects.form_key, ports.clock().date(), name, place)

    @page_route(app, "/batches/<batch_id>/files/<file_index>")
    def rows(batch_id: BatchId, file_index: FileIndex, cursor: Cursor = None) -> Response[str]:
        file = validated_file(ports, batch_id, file_index)
        found = quarantined_rows(ports, file, ROWS_ON_A_PAGE, cursor)
        name, closed = "", why_not_here(file, BatchView(**batch_body(ports, batch_id)))
        if found.rows and not closed:
            try:
                name = caller.corrector(app.current_event.raw_event)
            except NotLetIn as error:
                closed = f"You may not correct rows here: {error}."
        resolutions = resolutions_of(ports.views, ports.corrects, file) if found.rows else None
        shown = []
        for row in found.rows:
            one = RowId(batch_id, file.key, row.version_id, row.line)
            state: Resolution = resolutions.of(one) if resolutions else "open"
            has_form = bool(name and state == "open" and row.version_id)
            shown.append(
                OpenRow(
                    cells_of(row),
                    state,
                    resolutions.replay_of(one) if resolutions else None,
                    resolutions.dismissal_of(one) if resolutions else None,
                    fields_for(row) if has_form else (),
                    token_of(name, file) if has_form else "",
                )
            )
        return page(
            app,
            "rows.html",
            file=file,
            rows=shown,
            closed=closed,
            next=found.next,
            is_first=cursor is None,
        )

    def correct(batch_id: BatchId, file_index: FileIndex) -> Response[str]:
        """What a form says is asked of the validator, who has some seconds to answer."""
        event = app.current_event
        name = caller.corrector(event.raw_event)
        file = validated_file(ports, batch_id, file_index)
        try:
            form = sent_form(event.decoded_body, file.kind)
            headers = {key.lower(): value for key, value in event.headers.items()}
            key_of, today = ports.corrects.form_key, ports.clock().date()
            place = form_place(batch_id, file_index)
            nonce = check_form(form.token, headers, key_of, today, name, place)
        except NotOurForm as error:
            raise ProblemFound(HTTPStatus.FORBIDDEN, str(error)) from error
        given: dict[str, Any] = {"dry_run": form.is_dry_run, "requested_by": name}
        row = form.row(file)
        replay_id, answer = replay(ports.corrects, [row], nonce, **given)
        answer = answer or ports.corrects.await_answer(replay_id)
        if answer is not None and answer.outcome == "uploaded":
            return seen(event.path, f"console/replays/{replay_id}")
        verdict = answer.rows[0] if answer and answer.rows else None
        wrong = {one for one in form.fields if verdict and (verdict.message or "").startswith(one)}
        # What waits is asked for again by the same form; another try is another form.
        token = form.token if answer is None or answer.outcome == "waits" else token_of(name, file)
        text = rendered(
            event.path,
            "correction.html",
            file=file,
            line=form.line,
            version_id=form.version_id,
            token=token,
            answer=answer,
            verdict=verdict,
            is_dry_run=form.is_dry_run,
            fields=filled(file.kind, form.fields, wrong),
        )
        status = HTTPStatus.ACCEPTED if answer is None else HTTPStatus.OK
        kept = {"Cache-Control": "no-store"}
        return with_headers(Response(int(status), HTML, text, kept, compress=True))

    app.post(
        form_place("<batch_id>", "<file_index>"),  # type: ignore[arg-type]
        include_in_schema=False,
        middlewares=[know_parameters],
        compress=True,
    )(correct)

    @page_route(app, "/replays/<replay_id>")
    def replayed(replay_id: ReplayId) -> Response[str]:
        found = replay_found(ports, replay_id)
        body = None
        if found is not None and found.batch_id is not None:
            body = ports.views.get(partition_of(found.batch_id), VIEW)
        batch = None if body is None else BatchView(**body)
        return page(app, "replay.html", found=found, replay_id=replay_id, batch=batch)


def seen(path: str, place: str) -> Response[str]:
    """Lead on by GET, so that a reload sends nothing again."""
    headers = {"Location": Links(path)(place), "Cache-Control": "no-store"}
    return with_headers(Response(int(HTTPStatus.SEE_OTHER), None, "", headers))
