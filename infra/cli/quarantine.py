"""`ecp quarantine list` and `show`: rows and files that were refused, why, and what to do.

Writing them to CSV is in `export.py`, bringing them in corrected in `replay.py`.
"""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from infra.cli.errors import WrongUsage
from infra.cli.options import AsJson
from infra.cli.output import console, print_json, print_line, print_table
from infra.cli.target import Target, current_target
from infra.queries.answers import Answer, Answers, is_open, read_answers, row_id
from infra.queries.explanations import advice, pointed_at, replacement, resubmission
from infra.queries.quarantine import QuarantinedFile, Row, listing, read_rows
from infra.queries.timeline import plural, size

app = typer.Typer(help="Rows and files that were refused: why, and what to do.")

JSON_FIELDS = ("batch_id", "key", "kind", "line", "column", "rule", "message", "raw")
SHOWN_ROWS = 50
EXPLAINED_ROWS = 20


@app.command("list")
def list_rows(
    batch: Annotated[str | None, typer.Option("--batch", help="Only of this batch.")] = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only rows that no completed replay answers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Every quarantined row: where it stood, the rule it broke, its text, who answered it.

    Example: `ecp quarantine list --open`
    """
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    found = listing(s3, bucket, batch)
    answers = answers_in(target)
    rows = [
        row
        for row in read_rows(s3, bucket, found.row_keys)
        if not only_open or is_open(row_id(row), answers)
    ]
    if as_json:
        fields = (*JSON_FIELDS, "version_id")
        print_json(
            [
                {name: row[name] for name in fields} | {"answered_by": _answered_by(row, answers)}
                for row in rows
            ]
        )
        return
    print_rows(rows, limit=SHOWN_ROWS, answers=answers)
    _print_files(found.files)
    if rows:
        print_line("[dim]`ecp quarantine show KEY` explains the rows of one file[/]")


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
    answers = answers_in(target)
    if as_json:
        print_json(
            [
                row | {"advice": advice(row), "answered_by": _answered_by(row, answers)}
                for row in rows
            ]
        )
        return
    explain_rows(rows, answers)
    _print_files(files)
    rejected = {file.batch_id for file in files}
    kinds = {
        row["kind"]
        for row in rows
        if row["batch_id"] not in rejected and is_open(row_id(row), answers)
    }
    if kinds:
        print_line(escape(resubmission(name, kinds)))
    for key in sorted({file.key for file in files}):
        print_line(escape(replacement(key)))


def answers_in(target: Target) -> Answers:
    """Which rows a replay has answered."""
    return read_answers(
        target.client("s3"),
        target.client("dynamodb"),
        target.objects,
        target.names.data_bucket,
    )


def print_rows(rows: Sequence[Row], limit: int | None, answers: Answers | None = None) -> None:
    """Quarantined rows as a table for people, with their replays where any row has one."""
    replays = answers or {}
    has_replays = any(row_id(row) in replays for row in rows)
    print_table(
        "Quarantined rows",
        ("file", "line", "rule", "what is wrong", "text", *(("replay",) if has_replays else ())),
        [
            (
                row["key"],
                row["line"],
                row["rule"],
                _fault_alone(row),
                _short(row["raw"]),
                *((_replayed(replays.get(row_id(row))),) if has_replays else ()),
            )
            for row in rows
        ],
        limit=limit,
        more="--json has them all, --batch narrows",
    )


def explain_rows(rows: Sequence[Row], answers: Answers | None = None) -> None:
    """Each row with its text, carets under what is wrong, and what to do; the first 20."""
    out = console()
    for row in rows[:EXPLAINED_ROWS]:
        raw, carets = pointed_at(row)
        out.print(
            f"[bold]{escape(row['key'])} line {row['line']}[/]: {escape(_said(row))}",
            soft_wrap=True,
        )
        out.print(f"  {escape(raw)}", soft_wrap=True)
        out.print(f"  [red]{carets}[/]", soft_wrap=True)
        answer = answers.get(row_id(row)) if answers else None
        said = f"answered by batch {_replayed(answer)}" if answer else advice(row)
        out.print(f"  [green]{escape(said)}[/]\n", soft_wrap=True)
    if len(rows) > EXPLAINED_ROWS:
        left = plural(len(rows) - EXPLAINED_ROWS, "row")
        print_line(f"[dim]... and {left} more; --json has them all[/]")


def _print_files(files: Sequence[QuarantinedFile]) -> None:
    if not files:
        return

    print_table(
        "Files refused whole (kept byte for byte; `ecp batch BATCH` says why)",
        ("batch", "file", "size", "when (UTC)"),
        [(file.batch_id, file.key, size(file.size_bytes), file.quarantined_at) for file in files],
        limit=SHOWN_ROWS,
        more="--batch narrows",
    )


def _answered_by(row: Row, answers: Answers) -> dict[str, str] | None:
    answer = answers.get(row_id(row))
    return {"batch_id": answer.batch_id, "status": answer.status} if answer else None


def _replayed(answer: Answer | None) -> str:
    return f"{answer.batch_id} {answer.status}" if answer else ""


def _said(row: Row) -> str:
    """The message without the place, which stands beside it."""
    return str(row["message"]).removeprefix(f"{row['key']} line {row['line']}: ")


def _fault_alone(row: Row) -> str:
    """The message without place and rule, which have columns of their own."""
    return _said(row).removesuffix(f" (rule {row['rule']}, {row['contract']})")


def _short(raw: str | None, longest: int = 60) -> str:
    line = (raw or "").replace("\n", "\\n")
    return line if len(line) <= longest else line[: longest - 3] + "..."
