"""`ecp dlq`: messages that no service could take; why, and sending them back."""

from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from infra.cli.errors import WrongUsage
from infra.cli.options import AsJson
from infra.cli.output import confirm, print_json, print_line, print_table, styled
from infra.cli.target import current_target
from infra.queries.dead_letters import (
    DEAD_LETTER_SUFFIX,
    Letter,
    dead_letters,
    documents_of,
    is_dead_letter_queue,
    read_letters,
    send_back,
)
from infra.queries.timeline import plural

app = typer.Typer(help="Messages that could not be taken: why, and sending them back.")

SHOWN_LETTERS = 50
SHOWN_REASON_CHARACTERS = 200
FAILED_TOO_OFTEN = "failed five times; the log of its service says why"
Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Such as lock-commands-dlq.")]


@app.command("list")
def list_queues(as_json: AsJson = False) -> None:
    """How many messages lie in each dead-letter queue.

    Example: `ecp dlq list`
    """
    counts = dead_letters(current_target().client("sqs"))
    if as_json:
        print_json(counts)
    else:
        print_table("Dead letters", ("queue", "messages"), list(counts.items()))


@app.command()
def show(queue: Queue, as_json: AsJson = False) -> None:
    """Each message of a dead-letter queue and why it is there; they stay where they are.

    Task tokens are not shown.

    Example: `ecp dlq show lock-commands-dlq`
    """
    sqs = current_target().client("sqs")
    name = _full_name(queue)
    letters = read_letters(sqs, _url_of(sqs, name))
    if as_json:
        print_json(list(documents_of(letters)))
        return
    print_table(
        f"Dead letters in {name}",
        ("since (UTC)", "message", "batch", "why"),
        [_row(letter) for letter in letters],
        limit=SHOWN_LETTERS,
    )
    if letters:
        print_line(
            styled("[dim]`ecp dlq redrive {}` sends them back once the cause is cured[/]", name)
        )


@app.command()
def redrive(
    queue: Queue,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the messages of a dead-letter queue back to the queue they came from.

    Cure the cause first: a message that is refused again comes back here. A command whose batch has
    ended does nothing more; run the batch again with `ecp redrive ID`.

    Example: `ecp dlq redrive aggregator-files-dlq`
    """
    sqs = current_target().client("sqs")
    name = _full_name(queue)
    source = name.removesuffix(DEAD_LETTER_SUFFIX)
    url, source_url = _url_of(sqs, name), _source_url(sqs, name, source)
    if as_json and not yes:
        raise WrongUsage("with --json nobody can be asked: say --yes too")
    count = dead_letters(sqs)[name]
    if not yes and count:
        confirm(f"Send {plural(count, 'message')} back to {source}?")
    sent = send_back(sqs, url, source_url)
    if as_json:
        print_json({"queue": name, "to": source, "sent": [letter.message_id for letter in sent]})
    else:
        print_line(f"{plural(len(sent), 'message')} sent back to {source}")


def _row(letter: Letter) -> tuple[object, ...]:
    why = letter.reason or FAILED_TOO_OFTEN
    return (
        letter.sent_at[:19].replace("T", " "),
        letter.event_type,
        letter.batch_id,
        why[:SHOWN_REASON_CHARACTERS],
    )


def _full_name(queue: str) -> str:
    name = queue if queue.endswith(DEAD_LETTER_SUFFIX) else queue + DEAD_LETTER_SUFFIX
    if not is_dead_letter_queue(name):
        raise WrongUsage(f"{queue} is no queue of the pipeline; `ecp dlq list` names them")
    return name


def _url_of(sqs: Any, name: str) -> str:
    found = _find(sqs, name)
    if found is None:
        raise WrongUsage(f"there is no queue {name}; `ecp dlq list` names those that are there")
    return found


def _source_url(sqs: Any, name: str, source: str) -> str:
    found = _find(sqs, source)
    if found is None:
        raise WrongUsage(
            f"the letters of {name} came from no queue, so they cannot be sent back: they name "
            "places in the event store's stream; see the runbook"
        )
    return found


def _find(sqs: Any, name: str) -> str | None:
    try:
        return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            return None
        raise
