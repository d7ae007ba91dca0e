"""`ecp submit`: uploads files as one batch and, if asked, waits for what becomes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.ecp.batches.follow import (
    Waiting,
    execution_watch,
    follow,
    no_longer_than_wanted,
    view_for,
)
from infra.ecp.batches.outcome import Outcome, read_outcome
from infra.ecp.batches.outcome_view import EXIT_CODES, print_outcome
from infra.ecp.kpis import waiting
from infra.ecp.settings import CliSettings
from infra.ecp.sources.keeping import read_source
from infra.ecp.submissions.batch_of_submission import (
    BatchOfSubmission,
    StillWaiting,
    completion_document,
    open_set_of,
    what_is_missing,
    what_it_completes,
)
from infra.ecp.submissions.directories import Gathered, InputFile
from infra.ecp.submissions.exports import export_files, source_by_header
from infra.ecp.submissions.first_look import about_columns_of, about_statuses_of
from infra.ecp.submissions.intake import distinct, gather
from infra.ecp.submissions.lookups import (
    MissingLookup,
    how_to_send,
    lookup_files,
    lookup_files_of_any,
    missing_lookups,
    upload_lookups,
)
from infra.ecp.submissions.sender_view import (
    left_out_document,
    print_hints,
    print_left_out,
    why_incomplete,
)
from infra.ecp.submissions.sending import upload
from infra.ecp.submissions.upload import Submission
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, ExitCode, WrongUsage
from infra.ecp.terminal.options import AsJson, Lookups, SourceName, Wait
from infra.ecp.terminal.output import (
    print_beside,
    print_json,
    print_line,
    spinner,
    styled,
)

if TYPE_CHECKING:
    from rich.text import Text

NOT_SENT: dict[str, Any] = {"batch_id": None, "status": "NOT_SENT", "files": []}
WAITING: dict[str, Any] = {"batch_id": None, "status": "WAITING"}


def submit(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR|FILES",
            help="A directory with `orders/`, `order_items/` and `products/`; or CSV files.",
        ),
    ],
    source: SourceName = None,
    lookup: Lookups = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="The files are parts of one export: one statement.")
    ] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Upload CSV files as one batch.

    The kind of a file is the name of its folder, else what its header says. All files are one
    batch, held together by a manifest; if anything fails half way, nothing stays uploaded.

    A file is a statement: where two files name the same order, the newer one replaces what the
    older one said of it. `--parts` says that the files are parts of one export (`part-0001.csv`,
    `part-0002.csv`), which may name an order in several files: together they are one statement,
    as if they had been one file.

    What a directory holds and is not sent is listed with the reason and the nearest right name:
    other folders, files that do not end in .csv or .csv.gz, hidden files. When that leaves nothing
    of a kind to send, or a file cannot be read, nothing is sent at all.

    A file whose whole header is that of a source is read by it, and that is said. With
    `--source` the files are exports of another shape, which the source of that name reads
    (`ecp submit orders_export.csv --source shopify-orders`). `--lookup` sends what it looks values
    up in; that stays for all files of the source until a newer one is sent. What is still to come
    is said, and the files wait for it; with `--source` nothing is sent before.

    After a rejection, the corrected file under its name takes along what waits for it: one batch.
    When that batch needs other corrected files, too, the files wait, and it is said for which.

    Exit code: 1 nothing was sent for what was left out. With --wait: 0 completed, 1 the data was
    rejected or the files wait for others, 3 the system failed.

    Example: `ecp submit shop/ --wait`
    """
    gathered, lookups, lacking = _gathered(paths, source, lookup or [])
    left_out = left_out_document(gathered)
    if not as_json:
        print_left_out(gathered)
        for file in gathered.files if source is None else ():
            if file.source is not None:
                print_beside(f"{file.path}: read by source {file.source}, by its header")
        for missing in lacking:
            sending = how_to_send(missing, current_target().names.data_bucket)
            print_beside(f"{sending}; until it is there, the files wait")
    if (incomplete := why_incomplete(gathered)) is not None:
        if as_json:
            print_json(NOT_SENT | {"left_out": left_out, "reason": incomplete})
        raise CommandFailed(f"nothing was sent: {incomplete}", ExitCode.DATA_REJECTED)
    target = current_target()
    upload_lookups(lookups, target)
    before = open_set_of(target)
    submission = upload(target, gathered.files, as_json=as_json, one_statement=parts)
    batch = BatchOfSubmission(target, submission, before)
    completes = batch.completes
    if completes is not None and not as_json:
        print_beside(what_it_completes(completes))
    with no_longer_than_wanted(batch.batch_id):
        hints = _hints(gathered.files, columns=not wait)  # else the outcome has the columns
        beside = {"left_out": left_out, "hints": hints} | completion_document(completes)
        beside["missing_lookups"] = [vars(one) for missing in lacking for one in missing]
        if not wait:
            _print_submission(batch, beside, as_json=as_json)
            return
        try:
            outcome = wait_for_outcome(target, submission, as_json=as_json, batch=batch)
        except StillWaiting as waits:
            if as_json:
                beside |= completion_document(waits.completion)
                print_json(submission_document(submission) | WAITING | beside)
            raise
        if outcome["waiting_order_items"]:
            hints += waiting.warnings(target, outcome["batch_id"])
    if as_json:
        print_json(outcome | beside)
    else:
        print_outcome(outcome, {file.key: file.path for file in gathered.files})
        print_hints(hints)
    raise typer.Exit(int(EXIT_CODES[outcome["status"]]))


def _gathered(
    paths: Sequence[Path], name: str | None, given: Sequence[str]
) -> tuple[Gathered, dict[str, Path], list[list[MissingLookup]]]:
    """What is sent, the lookups with it by key, and by source those that still lack.

    Raises WrongUsage for what cannot be read, and where a source was named and a lookup lacks.
    """
    if name is None:
        gathered = gather(paths, source_by_header(current_target))
        told = dict.fromkeys(file.source for file in gathered.files if file.source is not None)
        sources = [read_source(each) for each in told]
        lookups = lookup_files_of_any(given, sources)
        asking = [source for source in sources if source.lookups]
        lacking = [missing_lookups(each, lookups, current_target()) for each in asking]
        return gathered, lookups, [missing for missing in lacking if missing]
    target, source = current_target(), read_source(name)
    files, lookups = distinct(export_files(paths, name)), lookup_files(given, source)
    if missing := missing_lookups(source, lookups, target):
        raise WrongUsage(how_to_send(missing, target.names.data_bucket))
    return Gathered(files), lookups, []


def wait_for_outcome(
    target: Target,
    submission: Submission,
    *,
    as_json: bool,
    batch: BatchOfSubmission | None = None,
) -> Outcome:
    """Follow the batch of a submission until it is closed.

    Raises StillWaiting when it waits for more than these files, CommandFailed when it is not
    closed in time.
    """
    settings = CliSettings()
    waiting = Waiting(settings.poll_seconds, settings.wait_seconds)
    batch = batch or BatchOfSubmission(target, submission)
    with view_for(as_json=as_json) as view:
        batch.say = view.hint
        events = follow(
            batch.read,
            view,
            waiting,
            execution_over=execution_watch(target.client("stepfunctions")),
        )
    outcome = read_outcome(events, target.objects, submission.started_at)
    if outcome is None:
        raise CommandFailed(f"batch {batch.batch_id} has no outcome; `ecp status` may tell why")
    return outcome


def submission_document(submission: Submission) -> dict[str, Any]:
    """What was uploaded, for programs."""
    return {
        "batch_id": submission.batch_id,
        "bucket": submission.bucket,
        "manifest": submission.manifest_key,
        "files": [{"key": file.key, "version_id": file.version_id} for file in submission.files],
    }


def _hints(files: Sequence[InputFile], *, columns: bool) -> list[str]:
    """What the files say that nobody will refuse; read while the pipeline is at work already."""
    with spinner("looking for what nobody will refuse"):
        unread = [line for file in files for line in about_columns_of(file)] if columns else []
        return unread + about_statuses_of(files)


def _print_submission(batch: BatchOfSubmission, beside: dict[str, Any], *, as_json: bool) -> None:
    completes = batch.completes
    waits = completes is not None and bool(completes.missing)
    if as_json:
        batch_id = None if waits else batch.batch_id
        print_json(submission_document(batch.submission) | {"batch_id": batch_id} | beside)
        return
    print_hints(beside["hints"])
    if completes is not None and waits:
        print_line(f"the files wait: {what_is_missing(completes)}")
    else:
        print_line(on_its_way(batch.batch_id))


def on_its_way(batch_id: str) -> "Text":
    """What is said to people who do not wait."""
    return styled("batch [bold]{}[/] is on its way; see it with `ecp batch {}`", batch_id, batch_id)
