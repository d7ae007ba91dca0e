"""`ecp dlq`: messages that no service could take; why, sending them back, and dropping them."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contracts.clock import system_clock
from infra.ecp.requester import requester
from infra.ecp.target import current_target
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import (
    confirm,
    print_json,
    print_line,
    print_table,
    print_verbatim,
    styled,
)
from infra.stage import current_stage
from services.api.operations.adapters import url_of
from services.api.operations.advice import advice_for
from services.api.operations.letters import (
    DEAD_LETTER_SUFFIX,
    LONGEST_REASON,
    Letter,
    Told,
    dead_letters,
    document_of,
    documents_of,
    drop_letter,
    held,
    is_dead_letter_queue,
    read_letters,
    send_back,
)
from services.runtime.wording import plural, times

app = typer.Typer(help="Messages that could not be taken: why, and sending them back.")

SHOWN_LETTERS = 50
SHOWN_BODY_CHARACTERS = 2_000
FAILED_TOO_OFTEN = "failed five times; the log of its service says why"
Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Such as lock-commands-dlq.")]
OneLetter = Annotated[
    str | None, typer.Argument(metavar="ID", help="One letter, by its id or how that begins.")
]


@app.command("list")
def list_queues(as_json: AsJson = False) -> None:
    """How many messages lie in each dead-letter queue.

    Example: `ecp dlq list`
    """
    counts = dead_letters(current_target().client("sqs"), current_stage().prefix)
    if as_json:
        print_json(counts)
        return
    print_table("Dead letters", ("queue", "messages"), list(counts.items()))
    for queue in (name for name, count in counts.items() if count):
        print_line(styled("[bold]{}[/]: {}", queue, advice_for(queue)))


@app.command()
def show(queue: Queue, letter_id: OneLetter = None, as_json: AsJson = False) -> None:
    """Each message of a dead-letter queue, why it is there, what to do; they stay where they are.

    With an ID, one of them and all of its body. Task tokens are not shown.

    Example: `ecp dlq show lock-commands-dlq`
    """
    sqs = current_target().client("sqs")
    name = _full_name(queue)
    letters = read_letters(sqs, _url_of(sqs, name))
    if letter_id is not None:
        letters = [_one_of(letters, letter_id, name)]
    if as_json:
        print_json(list(documents_of(letters)))
        return
    if not letters:
        print_line(f"no dead letters in {name}")
        return
    for letter in letters[:SHOWN_LETTERS]:
        _print_letter(letter, None if letter_id else SHOWN_BODY_CHARACTERS)
    if len(letters) > SHOWN_LETTERS:
        print_line(f"... and {len(letters) - SHOWN_LETTERS:,} more; --json has them all")
    print_line(styled("[bold]What to do[/]: {}", advice_for(name)))
    print_line(
        styled(
            "[dim]`ecp dlq redrive {} [ID]` sends back, `ecp dlq drop {} ID --reason WHY` drops[/]",
            name,
            name,
        )
    )


@app.command()
def redrive(
    queue: Queue,
    letter_id: OneLetter = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the messages of a dead-letter queue, or one of them, back to where they came from.

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
    one = None if letter_id is None else _one_of(read_letters(sqs, url), letter_id, name)
    count = dead_letters(sqs, current_stage().prefix)[name] if one is None else 1
    if not yes and count:
        print_line(advice_for(name))
        confirm(f"Send {plural(count, 'message')} back to {source}?")
    sent, left = send_back(sqs, url, source_url, one.message_id if one else None)
    if as_json:
        print_json(
            {
                "queue": name,
                "to": source,
                "sent": [letter.message_id for letter in sent],
                "left": [letter.message_id for letter in left],
            }
        )
    else:
        print_line(f"{plural(len(sent), 'message')} sent back to {source}")
    if left:
        raise CommandFailed(
            f"{plural(len(left), 'message')} stayed: SQS does not take the characters of "
            f"{', '.join(letter.message_id for letter in left)}; `ecp dlq drop {name} ID` drops one"
        )


@app.command()
def drop(
    queue: Queue,
    letter_id: Annotated[
        str, typer.Argument(metavar="ID", help="The letter's id, or how it begins.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", help="Why; it is kept with your name for good.")
    ],
    as_json: AsJson = False,
) -> None:
    """Remove one message from a dead-letter queue, leaving a record of it.

    The record says who, when and why, and has the message's hash and beginning. It is written
    before anything is removed, into the archive bucket under dropped-letters/.

    Example: `ecp dlq drop lock-commands-dlq 5f3c --reason "sent by a script of mine"`
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise WrongUsage(f"--reason: say why, in at most {LONGEST_REASON:,} characters")
    target = current_target()
    sqs, name = target.client("sqs"), _full_name(queue)
    url, bucket = _url_of(sqs, name), target.names.archive_bucket
    with held(sqs, url) as letters:
        letter = _one_of(letters, letter_id, name)
        told = Told(requester(), reason.strip(), system_clock())
        key = drop_letter({"s3": target.client("s3"), "sqs": sqs}, letter, bucket, told)
    if as_json:
        print_json({"dropped": document_of(letter), "record": f"s3://{bucket}/{key}"})
        return
    print_line(f"{letter.message_id} is dropped; s3://{bucket}/{key} says who, when and why")


def _print_letter(letter: Letter, limit: int | None) -> None:
    print_line(
        styled("[bold]{}[/] {}", letter.message_id, letter.event_type or "no message of ours")
    )
    waits = ", its task waited for an answer" if letter.awaits_answer else ""
    print_line(
        f"  since {letter.sent_at[:19].replace('T', ' ')} UTC, received {times(letter.receives)} "
        "(looking counts), "
        f"{'batch ' + letter.batch_id if letter.batch_id else 'no batch'}{waits}"
    )
    print_line(styled("  why: {}", letter.reason or FAILED_TOO_OFTEN))
    for name, value in sorted(letter.attributes.items()):
        if name != "reason":
            print_line(f"  attribute {name}: {value}")
    body = letter.shown_body
    print_verbatim(f"  {body if limit is None else body[:limit]}")
    if limit is not None and len(body) > limit:
        print_line(
            f"  ... {len(body):,} characters; `ecp dlq show {letter.queue} {letter.message_id}` "
            "shows all"
        )


def _one_of(letters: Sequence[Letter], letter_id: str, name: str) -> Letter:
    """The letter of that id, or the only one whose id begins so."""
    found = [letter for letter in letters if letter.message_id.startswith(letter_id)]
    exact = [letter for letter in found if letter.message_id == letter_id]
    if len(exact or found) != 1 or not letter_id:
        said = "several letters" if found else "no letter"
        raise WrongUsage(
            f"{said} of {name} begin with {letter_id!r}; `ecp dlq show {name}` has their ids"
        )
    return (exact or found)[0]


def _full_name(queue: str) -> str:
    queue = current_stage().plain(queue)
    name = queue if queue.endswith(DEAD_LETTER_SUFFIX) else queue + DEAD_LETTER_SUFFIX
    if not is_dead_letter_queue(name):
        raise WrongUsage(f"{queue} is no queue of the pipeline; `ecp dlq list` names them")
    return name


def _url_of(sqs: Any, name: str) -> str:
    found = url_of(sqs, current_stage().named(name))
    if found is None:
        raise WrongUsage(f"there is no queue {name}; `ecp dlq list` names those that are there")
    return found


def _source_url(sqs: Any, name: str, source: str) -> str:
    found = url_of(sqs, current_stage().named(source))
    if found is None:
        raise WrongUsage(
            f"the letters of {name} came from no queue, so they cannot be sent back: they name "
            "places in the event store's stream; see the runbook"
        )
    return found
