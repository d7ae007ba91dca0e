"""`ecp quarantine dismiss`: rows and files that will never be corrected, on a person's word."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import DismissQuarantine
from infra.ecp.names import SOURCE
from infra.ecp.quarantine.stores import resolutions_in
from infra.ecp.requester import requester
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, styled
from infra.ecp.terminal.recorded import until_recorded
from services.api.views.sentences import describe
from services.runtime.quarantine.replays import row_id
from services.runtime.quarantine.resolutions import Resolutions
from services.runtime.wording import plural
from services.validator.quarantine.rows import QuarantinedFile, Row
from services.validator.quarantine.stored import listing, read_rows

LONGEST_REASON = 2000
LINES_PER_COMMAND = 5000
"""Limits of DismissQuarantine."""


@dataclass(frozen=True)
class Dismissed:
    """What is dismissed of one input of one batch; `lines` None: all, and the file itself."""

    batch_id: str
    key: str
    lines: tuple[int, ...] | None
    rows: int
    is_file: bool


def dismiss(
    name: Annotated[
        str, typer.Argument(metavar="BATCH|KEY", help="A batch id, or an input's key.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", help="Why; it is kept with your name for good.")
    ],
    line: Annotated[
        list[int] | None,
        typer.Option("--line", min=1, help="Only this line of the input; may be repeated."),
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Of an input, only what this batch refused.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say that rows, or a refused file, will never be corrected; lists leave them out then.

    Who says so and why goes into the story of their batch. Nothing is deleted and no number
    changes: the rows were never counted. A replay of a dismissed row reopens it.

    Example: `ecp quarantine dismiss orders/2025-07.csv --line 17 --reason "a test order"`
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise WrongUsage(f"--reason: say why, in at most {LONGEST_REASON:,} characters")
    if (line or batch) and "/" not in name:
        raise WrongUsage("--line and --batch go with the key of an input, not with a batch")
    target = current_target()
    wanted = chosen(*_found(target, name, batch), resolutions_in(target), name, line)
    commands = [
        _command(each, lines, reason.strip()) for each in wanted for lines in _pieces(each.lines)
    ]
    for command in commands:
        target.client("sqs").send_message(
            QueueUrl=target.names.aggregator_commands_url, MessageBody=command.to_json()
        )
    events = until_recorded(
        lambda: _recorded(target, commands),
        missing="not all is recorded",
        tells="`ecp quarantine list`",
        queue="aggregator-commands",
    )
    if as_json:
        print_json([vars(each) for each in wanted])
        return
    for event in events:
        print_line(f"batch {event.correlation_id}: {describe(event)}")
    rows, files = sum(each.rows for each in wanted), sum(each.is_file for each in wanted)
    counted = [plural(rows, "row")] * bool(rows) + [plural(files, "refused file")] * bool(files)
    print_line(
        styled(
            "[bold green]{} dismissed[/]; `ecp quarantine list --dismissed` shows them",
            " and ".join(counted),
        )
    )
    if files:
        print_line("the healthy files of its batch still wait for another one: `ecp status`")


def chosen(
    rows: Iterable[Row],
    files: Iterable[QuarantinedFile],
    resolutions: Resolutions,
    name: str,
    lines: Sequence[int] | None,
) -> list[Dismissed]:
    """What is still open of the rows and files found, by batch and input; pure.

    Raises WrongUsage when nothing is, or when a line is not there or not the only one.
    """
    open_rows: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if (not lines or row["line"] in lines) and resolutions.of(row_id(row)) == "open":
            open_rows.setdefault((row["batch_id"], row["key"]), []).append(row["line"])
    open_files = {
        (file.batch_id, file.key)
        for file in files
        if not lines and resolutions.of_file(file.batch_id, file.key) == "open"
    }
    missing = sorted(set(lines or ()) - {n for found in open_rows.values() for n in found})
    if missing or not (open_rows or open_files):
        what = f"line {missing[0]} of {name}" if missing else name
        raise WrongUsage(
            f"nothing of {what} is open in quarantine; `ecp quarantine list --all` has it all"
        )
    if lines and len(open_rows) > 1:
        batches = " and ".join(sorted(batch_id for batch_id, _ in open_rows))
        raise WrongUsage(
            f"batches {batches} both refused such a line of {name}: name one by --batch"
        )
    return [
        Dismissed(
            batch_id,
            key,
            tuple(open_rows[batch_id, key]) if lines else None,
            len(open_rows.get((batch_id, key), ())),
            (batch_id, key) in open_files,
        )
        for batch_id, key in sorted(open_rows.keys() | open_files)
    ]


def _found(target: Target, name: str, batch: str | None) -> tuple[list[Row], list[QuarantinedFile]]:
    s3, bucket = target.client("s3"), target.names.data_bucket
    found = listing(s3, bucket, batch if "/" in name else name)
    rows = read_rows(s3, bucket, found.row_keys)
    return (
        [row for row in rows if name in (row["key"], row["batch_id"])],
        [file for file in found.files if name in (file.key, file.batch_id)],
    )


def _pieces(lines: tuple[int, ...] | None) -> Iterator[tuple[int, ...] | None]:
    if lines is None:
        yield None
        return
    for start in range(0, len(lines), LINES_PER_COMMAND):
        yield lines[start : start + LINES_PER_COMMAND]


def _command(wanted: Dismissed, lines: tuple[int, ...] | None, reason: str) -> Message:
    command = DismissQuarantine(
        batch_id=wanted.batch_id,
        key=wanted.key,
        lines=None if lines is None else list(lines),
        requested_by=requester(),
        reason=reason,
    )
    context = MessageContext(SOURCE, wanted.batch_id)
    now = to_rfc3339(system_clock())
    return unanswered_command(command, context, f"batch/{wanted.batch_id}", new_event_id(), now)


def _recorded(target: Target, commands: Sequence[Message]) -> list[Message] | None:
    """The event that each command led to; None while one is missing."""
    said: dict[Any, Message] = {
        event.causation_id: event
        for stream in dict.fromkeys(command.stream_id for command in commands)
        for event in target.event_store.read(stream)
        if event.event_type == "QuarantineDismissed"
    }
    if any(command.event_id not in said for command in commands):
        return None
    return [said[command.event_id] for command in commands]
