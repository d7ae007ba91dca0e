"""`ecp quarantine`: rows and files that were refused, why, and what to do about them."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from infra.cli.errors import WrongUsage
from infra.cli.options import AsJson
from infra.cli.output import console, print_json, print_line, print_table
from infra.cli.target import current_target
from infra.queries.explanations import advice, pointed_at, resubmission
from infra.queries.quarantine import QuarantinedFile, Row, listing, read_rows
from infra.queries.timeline import plural, size

app = typer.Typer(help="Rows and files that were refused: why, and what to do.")

JSON_FIELDS = ("batch_id", "key", "kind", "line", "column", "rule", "message", "raw")
SHOWN_ROWS = 50
EXPLAINED_ROWS = 20


@app.command("list")
def list_rows(
    batch: Annotated[str | None, typer.Option("--batch", help="Only of this batch.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every quarantined row: where it stood, the rule it broke, and its text.

    Example: `ecp quarantine list --batch 3f2a9c0d1e4b5a67`
    """
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    found = listing(s3, bucket, batch)
    rows = list(read_rows(s3, bucket, found.row_keys))
    if as_json:
        print_json([{name: row[name] for name in (*JSON_FIELDS, "version_id")} for row in rows])
        return
    print_rows(rows, limit=SHOWN_ROWS)
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
    if as_json:
        print_json([row | {"advice": advice(row)} for row in rows])
        return
    explain_rows(rows)
    _print_files(files)
    for kind in sorted({row["kind"] for row in rows}):
        print_line(escape(resubmission(kind)))


def print_rows(rows: Sequence[Row], limit: int | None) -> None:
    """Quarantined rows as a table for people."""
    print_table(
        "Quarantined rows",
        ("file", "line", "rule", "what is wrong", "text"),
        [
            (row["key"], row["line"], row["rule"], _fault_alone(row), _short(row["raw"]))
            for row in rows
        ],
        limit=limit,
        more="--json has them all, --batch narrows",
    )


def explain_rows(rows: Sequence[Row]) -> None:
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
        out.print(f"  [green]{escape(advice(row))}[/]\n", soft_wrap=True)
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


def _said(row: Row) -> str:
    """The message without the place, which stands beside it."""
    return str(row["message"]).removeprefix(f"{row['key']} line {row['line']}: ")


def _fault_alone(row: Row) -> str:
    """The message without place and rule, which have columns of their own."""
    return _said(row).removesuffix(f" (rule {row['rule']}, {row['contract']})")


def _short(raw: str | None, longest: int = 60) -> str:
    line = (raw or "").replace("\n", "\\n")
    return line if len(line) <= longest else line[: longest - 3] + "..."
