"""`ecp quarantine replay`: corrected rows are an ordinary upload that names what it answers."""

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from contracts.clock import system_clock
from infra.ecp.batches.outcome_view import EXIT_CODES, print_outcome
from infra.ecp.batches.queries import is_running, newest_batches
from infra.ecp.quarantine.corrections import read_corrections
from infra.ecp.quarantine.export_replay import ExportReplay, decide_exports, write_export
from infra.ecp.quarantine.exports import are_exports
from infra.ecp.quarantine.stores import stores_of
from infra.ecp.settings import CliSettings
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.sending import upload
from infra.ecp.submissions.submit import on_its_way, submission_document, wait_for_outcome
from infra.ecp.submissions.upload import Submission
from infra.ecp.submissions.validate import check_settings
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, ExitCode
from infra.ecp.terminal.options import AsJson, Wait
from infra.ecp.terminal.output import (
    joined,
    painted,
    print_json,
    print_line,
    print_table,
    spinner,
    styled,
)
from services.runtime.wording import plural
from services.validator.quarantine.corrected_rows import Checks
from services.validator.quarantine.replay_check import Verdict
from services.validator.quarantine.replay_decision import are_clean, decide
from services.validator.quarantine.replay_links import links
from services.validator.quarantine.replay_plan import Plan
from services.validator.quarantine.replay_upload import put_answers, write_files

SHOWN_ROWS = 50
LOOKED_AT = 100
COLOURS = {"fixed": "green", "wrong": "red", "unchanged": "yellow", "refused": "red"}
SAID = {"fixed": "fixed", "wrong": "still wrong", "unchanged": "unchanged", "refused": "refused"}


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Corrected files of `ecp quarantine export`."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; upload nothing.")
    ] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Bring corrected rows in: they count as if they had been right from the beginning.

    Each row is checked as `ecp validate` does. The fixed ones are uploaded as one batch that is
    linked to the rows it answers; those that are unchanged or still wrong stay in quarantine. What
    was stated after a row is not undone, and a row that is replayed twice counts once.

    A file of a source is corrected as its export wrote it, and found by its header. Its rows answer
    those of the same order (or product): an order of order lines goes in whole, with all rows that
    were quarantined together, or not at all. The version of the source has to be the same still.

    Exit code: 0 done, 1 a row is still wrong or was refused, or the batch was rejected.

    Example: `ecp quarantine replay corrections/orders.csv --dry-run`
    """
    exports = [path for path in files if are_exports(path)]
    corrections = read_corrections([path for path in files if path not in exports])
    target = current_target()
    if not dry_run:
        _let_running_batches_end(target)
    decision = decide(stores_of(target), corrections, todays_checks())
    of_sources = decide_exports(target, exports)
    verdicts = [*decision.verdicts, *(said for one in of_sources for said in one.verdicts)]
    exit_code = ExitCode.DONE if are_clean(verdicts) else ExitCode.DATA_REJECTED
    rows = [as_document(verdict) for verdict in verdicts]
    if not as_json:
        _print_verdicts(verdicts)
    goes_in = any(one.rows for one in decision.plans) or any(one.fixed for one in of_sources)
    if dry_run or not goes_in:
        if as_json:
            print_json({"rows": rows})
        elif not dry_run:
            print_line(styled("[bold yellow]nothing to replay[/]"))
        raise typer.Exit(int(exit_code if dry_run else ExitCode.DATA_REJECTED))
    submission = submit(target, decision.plans, of_sources, as_json=as_json)
    if not wait:
        if as_json:
            print_json(submission_document(submission) | {"rows": rows})
        else:
            print_line(on_its_way(submission.batch_id))
        raise typer.Exit(int(exit_code))
    outcome = wait_for_outcome(target, submission, as_json=as_json)
    if as_json:
        print_json(outcome | {"rows": rows})
    else:
        print_outcome(outcome)
    raise typer.Exit(int(EXIT_CODES[outcome["status"]] or exit_code))


def submit(
    target: Target, plans: Sequence[Plan], of_sources: Sequence[ExportReplay], *, as_json: bool
) -> Submission:
    """Upload the planned rows, one file per kind and source, linked to what they answer.

    The files are checked once more as they go out; raises PipelineError if one has a bad row.
    """
    name = f"{system_clock():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    files: list[InputFile] = []
    with TemporaryDirectory(prefix="replay-") as folder:
        plain = write_files(plans, Path(folder), name, todays_checks())
        files += [InputFile(one.path, one.kind, one.key) for one in plain]
        linked = links([row for one in plain for row in one.rows])
        for export in of_sources:
            if export.fixed:
                file, answered = write_export(export, Path(folder), name)
                files.append(file)
                linked.rows.extend(answered)
        ref = put_answers(target.objects, target.names.data_bucket, name, linked)
        return upload(target, files, as_json=as_json, answers=ref)


def as_document(verdict: Verdict) -> dict[str, Any]:
    """One row for programs."""
    correction = verdict.correction
    return {
        **correction.row_id._asdict(),
        "kind": correction.kind,
        "verdict": verdict.state,
        "changed": list(verdict.changed),
        "message": verdict.message,
    }


def todays_checks() -> Checks:
    """As `ecp validate` checks."""
    return Checks(system_clock().date(), check_settings().currency or None)


def _let_running_batches_end(target: Target) -> None:
    """What stands is asked after the batches that were sealed before, which may restate it."""
    settings = CliSettings()
    deadline = time.monotonic() + settings.wait_seconds
    dynamodb = target.client("dynamodb")
    before = {batch["batch_id"] for batch in _running(dynamodb)}
    if not before:
        return
    with spinner(f"waiting for {plural(len(before), 'batch')} to end"):
        while left := before & {batch["batch_id"] for batch in _running(dynamodb)}:
            if time.monotonic() > deadline:
                raise CommandFailed(
                    f"batch {min(left)} still runs, and may restate what is to be replayed; "
                    "`ecp status` shows it"
                )
            time.sleep(settings.poll_seconds)


def _running(dynamodb: Any) -> list[Mapping[str, Any]]:
    return [batch for batch in newest_batches(dynamodb, LOOKED_AT) if is_running(batch)]


def _print_verdicts(verdicts: Sequence[Verdict]) -> None:
    print_table(
        "Corrected rows",
        ("file", "line", "verdict", "changed", "why"),
        [
            (
                verdict.correction.row_id.key,
                verdict.correction.row_id.line,
                SAID[verdict.state],
                ", ".join(verdict.changed),
                verdict.message or "",
            )
            for verdict in verdicts
        ],
        limit=SHOWN_ROWS,
        more="--json has them all",
    )
    counts = {state: sum(v.state == state for v in verdicts) for state in SAID}
    print_line(
        joined(
            painted(f"{count:,} {SAID[state]}", COLOURS[state])
            for state, count in counts.items()
            if count
        )
    )
