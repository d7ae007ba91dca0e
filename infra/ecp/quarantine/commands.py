"""`ecp quarantine list` and `show`: rows and files that were refused, why, and what to do.

Writing them to CSV is in `export.py`, bringing them in corrected in `replay.py`, giving them up in
`dismiss.py`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from infra.ecp.quarantine.explanations import advice, replacement, resubmission
from infra.ecp.quarantine.stores import resolutions_in
from infra.ecp.quarantine.view import counted, explain_files, explain_rows, print_files, print_rows
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, styled
from services.runtime.quarantine.replays import row_id
from services.runtime.quarantine.resolutions import Resolution, Resolutions
from services.validator.quarantine.rows import QuarantinedFile, Row
from services.validator.quarantine.stored import listing, read_rows

app = typer.Typer(help="Rows and files that were refused: why, and what to do.")

JSON_FIELDS = ("batch_id", "key", "kind", "line", "column", "rule", "message", "raw")


@app.command("list")
def list_rows(
    batch: Annotated[str | None, typer.Option("--batch", help="Only of this batch.")] = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only what nobody has answered or dismissed.")
    ] = False,
    only_dismissed: Annotated[
        bool, typer.Option("--dismissed", help="Only what will never be corrected.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="What was dismissed, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Quarantined rows: where each stood, the rule it broke, its text, what became of it.

    Rows and files that somebody has dismissed are left out, unless they are asked for.

    Example: `ecp quarantine list --open`
    """
    if only_open + only_dismissed + every > 1:
        raise WrongUsage("--open, --dismissed and --all exclude each other: give one")
    wanted = resolutions_shown(only_open=only_open, only_dismissed=only_dismissed, every=every)
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    found = listing(s3, bucket, batch)
    resolutions = resolutions_in(target)
    rows: list[Row] = []
    counts: Counter[Resolution] = Counter()
    for row in read_rows(s3, bucket, found.row_keys):
        resolution = resolutions.of(row_id(row))
        counts[resolution] += 1
        if resolution in wanted:
            rows.append(row)
    if as_json:
        fields = (*JSON_FIELDS, "version_id")
        print_json(
            [{name: row[name] for name in fields} | _since(row, resolutions) for row in rows]
        )
        return
    print_rows(rows, resolutions)
    of_files = {file: resolutions.of_file(file.batch_id, file.key) for file in found.files}
    print_files(
        [file for file, resolution in of_files.items() if resolution in wanted], resolutions
    )
    if counts or of_files:
        print_line(counted(counts, Counter(of_files.values())))
    if rows or of_files:
        print_line(styled("[dim]`ecp quarantine show KEY` says what is wrong in one file[/]"))


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="KEY|BATCH", help="An input's key, or a batch id.")
    ],
    as_json: AsJson = False,
) -> None:
    """Each refused row with its text, what is wrong in it and what to do.

    Example: `ecp quarantine show orders/2025-07.csv`
    """
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    is_key = "/" in name
    found = listing(s3, bucket, None if is_key else name)
    rows = [
        row
        for row in read_rows(s3, bucket, found.row_keys)
        if name in (row["key"], row["batch_id"])
    ]
    files = tuple(file for file in found.files if name in (file.key, file.batch_id))
    if not rows and not files:
        raise WrongUsage(
            f"{name}: nothing of it is in quarantine; `ecp quarantine list` has it all"
        )
    resolutions = resolutions_in(target)
    if as_json:
        print_json([row | {"advice": advice(row)} | _since(row, resolutions) for row in rows])
        return
    explain_rows(rows, resolutions)
    print_files(files, resolutions)
    explain_files(_reasons(target, files))
    for line in _what_to_do(name, rows, files, resolutions):
        print_line(line)


def _reasons(target: Target, files: Sequence[QuarantinedFile]) -> dict[QuarantinedFile, str | None]:
    """Why files were refused, from the events of their batches; None where they do not tell."""
    events = {
        (batch_id, event.data.key): f"{event.data.reason} (rule {event.data.rule})"
        for batch_id in sorted({file.batch_id for file in files})
        for event in target.event_store.read_correlated(batch_id)
        if event.event_type == "FileRejected"
    }
    return {file: events.get((file.batch_id, file.key)) for file in files}


def resolutions_shown(
    *, only_open: bool, only_dismissed: bool, every: bool
) -> frozenset[Resolution]:
    """What a list shows: all that is not dismissed, unless it is told otherwise."""
    if only_open:
        return frozenset(("open",))
    if only_dismissed:
        return frozenset(("dismissed",))
    return frozenset(("open", "answered", "dismissed") if every else ("open", "answered"))


def _what_to_do(
    name: str, rows: Sequence[Row], files: Sequence[QuarantinedFile], resolutions: Resolutions
) -> list[str]:
    """How rows and files that are open get in; those of a rejected batch come with its files."""
    rejected = {file.batch_id for file in files}
    kinds = {
        row["kind"]
        for row in rows
        if row["batch_id"] not in rejected and resolutions.of(row_id(row)) == "open"
    }
    keys = {file.key for file in files if resolutions.of_file(file.batch_id, file.key) == "open"}
    return [
        *([resubmission(name, kinds)] if kinds else []),
        *(replacement(key) for key in sorted(keys)),
    ]


def _since(row: Row, resolutions: Resolutions) -> dict[str, Any]:
    """What became of a row, for programs."""
    found = row_id(row)
    answer = resolutions.replay_of(found)
    dismissal = resolutions.dismissal_of(found) if resolutions.of(found) == "dismissed" else None
    said = ("requested_by", "reason", "dismissed_at")
    return {
        "answered_by": {"batch_id": answer.batch_id, "status": answer.status} if answer else None,
        "dismissed": {name: getattr(dismissal, name) for name in said} if dismissal else None,
        "repeated_in": resolutions.repeated_in(found.batch_id, found.key),
    }
