"""The pages of operations: lock, workers, dead letters, and what to do about each."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from services.api.console.asking import page_route
from services.api.console.forms import form_of, form_route, seen_at
from services.api.console.rendering import page
from services.api.console.running import running, step_of
from services.api.http.callers import name_of
from services.api.http.problems import ProblemFound
from services.api.operations.advice import advice_for
from services.api.operations.domain import dead_letters, lock_advice, work
from services.api.operations.letters import (
    DEAD_LETTER_SUFFIX,
    LONGEST_REASON,
)
from services.api.operations.ports import OperationsPorts
from services.api.views.domain import BATCHES, VIEW, is_batch_id, partition_of
from services.api.views.models import BatchView
from services.api.views.reading import lock_of, signs_of
from services.runtime.observability.logs import logger
from services.runtime.wording import plural

LOOKED_AT = 50
SHOWN_LETTERS = 50
SHOWN_CHARACTERS = 4_000
LETTERS = "/operations/dead-letters/<queue>"
PLACE_OF = "console/operations/dead-letters/{}"
Done = Annotated[int | None, Query(ge=0, le=10**9)]


def add_operations_routes(app: APIGatewayHttpResolver, ports: OperationsPorts) -> None:
    """`/console/operations` and what is below it."""

    @page_route(app, "/operations/")
    @page_route(app, "/operations")
    def operations() -> Response[str]:
        lock, depths = lock_of(ports.views), ports.queues.depths()
        newest = ports.views.newest(BATCHES, None, LOOKED_AT).bodies
        now_running = running([BatchView(**body) for body in newest])
        return page(
            app,
            "operations.html",
            lock=lock,
            lock_advice=lock_advice(lock, len(now_running.waiting), ports.clock()),
            waiting=now_running.waiting,
            work=work(depths, signs_of(ports.views)),
            dead=dead_letters(depths),
            step_of=step_of,
        )

    @page_route(app, LETTERS)
    def letters(
        queue: str, sent: Done = None, left: Done = None, dropped: Done = None
    ) -> Response[str]:
        found = ports.queues.letters(queue)
        if found is None:
            raise nowhere(queue)
        named = {one.batch_id for one in found if one.batch_id and is_batch_id(one.batch_id)}
        return page(
            app,
            "letters.html",
            queue=queue,
            batches={one for one in named if ports.views.get(partition_of(one), VIEW)},
            letters=found[:SHOWN_LETTERS],
            more=len(found) - len(found[:SHOWN_LETTERS]),
            most_characters=SHOWN_CHARACTERS,
            advice=advice_for(queue),
            can_send_back=ports.queues.can_send_back(queue),
            source=queue.removesuffix(DEAD_LETTER_SUFFIX),
            done=done(sent or 0, left or 0, dropped or 0),
            most_reason=LONGEST_REASON,
        )

    @form_route(app, f"{LETTERS}/send-back")
    def send_back(queue: str) -> Response[str]:
        form = form_of(app)
        one = form.get("message_id")
        if not ports.queues.is_there(queue):
            raise nowhere(queue)
        sent, left = ports.queues.send_back(queue, one)
        if not sent and not left:
            if one:
                raise gone(one, queue)
            detail = f"{queue} has nothing that could be sent back"
            raise ProblemFound(HTTPStatus.CONFLICT, detail)
        record("sent back", queue, [letter.message_id for letter in sent])
        return seen_at(app, PLACE_OF.format(queue), sent=len(sent), left=len(left))

    @form_route(app, f"{LETTERS}/drop")
    def drop(queue: str) -> Response[str]:
        form = form_of(app)
        one, why = form.get("message_id", ""), form.get("reason", "").strip()
        if not why or len(why) > LONGEST_REASON:
            detail = f"reason: say why, in at most {LONGEST_REASON:,} characters"
            raise ProblemFound(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        if not ports.queues.is_there(queue):
            raise nowhere(queue)
        key = ports.queues.drop(queue, one, name_of(app.current_event.raw_event), why)
        if key is None:
            raise gone(one, queue)
        record("dropped", queue, [one])
        return seen_at(app, PLACE_OF.format(queue), dropped=1)

    def record(what: str, queue: str, ids: list[str]) -> None:
        who = name_of(app.current_event.raw_event)
        logger.info("dead letters %s", what, extra={"queue": queue, "ids": ids, "by": who})


def nowhere(queue: str) -> ProblemFound:
    """404: it is none of the pipeline's, or not there."""
    return ProblemFound(HTTPStatus.NOT_FOUND, f"there is no dead-letter queue {queue}")


def gone(message_id: str, queue: str) -> ProblemFound:
    """409: somebody else has dealt with it."""
    return ProblemFound(HTTPStatus.CONFLICT, f"the letter {message_id} is no longer in {queue}")


def done(sent: int, left: int, dropped: int) -> str:
    """What was just done, in words; empty where nothing was."""
    said = [f"{plural(sent, 'message')} sent back."] * bool(sent)
    if left:
        said.append(f"{plural(left, 'message')} stayed: SQS does not take their characters.")
    if dropped:
        said.append(f"{plural(dropped, 'message')} dropped; the archive bucket has a record.")
    return " ".join(said)
