"""`ecp validate`: the pipeline's own checks on local files, without AWS and without an upload."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

from contracts.clock import system_clock
from contracts.file_contracts import file_contract
from contracts.layout import source_of
from infra.ecp.quarantine.commands import JSON_FIELDS
from infra.ecp.quarantine.view import explain_rows
from infra.ecp.submissions.directories import Gathered, InputFile
from infra.ecp.submissions.exports import export_files
from infra.ecp.submissions.first_look import Statuses
from infra.ecp.submissions.hints import about_columns, about_guests, about_repeats, about_returns
from infra.ecp.submissions.intake import distinct, gather
from infra.ecp.submissions.sender_view import (
    left_out_document,
    print_hints,
    print_left_out,
    why_incomplete,
)
from infra.ecp.submissions.source_reading import SourceReading, source_reading
from infra.ecp.submissions.watched_file import Say, WatchedFile
from infra.ecp.terminal.errors import ExitCode, WrongUsage
from infra.ecp.terminal.options import AsJson, Lookups, SourceName
from infra.ecp.terminal.output import print_json, print_line, print_table, spinner, styled
from services.runtime.wording import plural

CONTRADICTED = ".contradicted"
ROWS_FOR_PEOPLE = 1000
"""Bad rows of a file that are kept to be shown; --json keeps all."""

_FORMS = {
    "MAX_REJECTED_FRACTION": "a number from 0 to 1",
    "CURRENCY": "an ISO 4217 code in capitals, such as EUR",
}

Row = dict[str, Any]


class CheckSettings(BaseSettings):
    """`MAX_REJECTED_FRACTION`, 0 to 1, and `CURRENCY` (ISO 4217), as for the pipeline."""

    max_rejected_fraction: float = Field(default=0.2, ge=0, le=1)
    currency: str | None = Field(default=None, pattern="^([A-Z]{3})?$")


@dataclass(frozen=True)
class CheckedFile:
    """What the checks say of one file; `rows` are its bad ones."""

    summary: dict[str, Any]
    rows: Sequence[Row]
    contradicted: Sequence[int] = ()
    """Lines that a later one of the file contradicts."""

    @property
    def is_rejected(self) -> bool:
        return bool(self.summary["status"] == "rejected")


def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR|FILES",
            help="A directory with `orders/`, `order_items/` and `products/`; or CSV files.",
        ),
    ],
    source: SourceName = None,
    lookup: Lookups = None,
    as_json: AsJson = False,
) -> None:
    """Check CSV files as the pipeline would, without uploading anything.

    Each file is checked by itself. With `--source` the files are exports of another shape, which
    the source of that name reads; `ecp sources test` says besides what they come to.
    MAX_REJECTED_FRACTION (0.2) and CURRENCY (none) are honoured.

    What a directory holds and is not sent is listed with the reason and the nearest right name:
    other folders, files that do not end in .csv or .csv.gz, hidden files.

    Exit code: 0 every file would be accepted (bad rows alone reject none), 1 one would be rejected,
    or nothing of a kind is left to send though something of it is there.

    Example: `ecp validate shop/`
    """
    by_source = source_reading(source, lookup or []) if source else None
    gathered = Gathered(distinct(export_files(paths, source))) if source else gather(paths)
    files, limit = gathered.files, _limit()
    with spinner(f"checking {plural(len(files), 'file')}") as say:
        statuses = Statuses()
        most = None if as_json else ROWS_FOR_PEOPLE
        checked = [check(file, limit, most, say, statuses, by_source) for file in files]
    incomplete = None if source else why_incomplete(gathered)
    hints = about_returns(statuses.seen)
    if as_json:
        beside = {"hints": hints, "left_out": left_out_document(gathered)}
        print_json(as_document(checked) | beside)
    else:
        print_left_out(gathered)
        _print(checked, incomplete)
        print_hints(hints)
    if incomplete or any(one.is_rejected for one in checked):
        raise typer.Exit(int(ExitCode.DATA_REJECTED))


def check(
    file: InputFile,
    max_rejected_fraction: float,
    most_rows: int | None,
    say: Say,
    statuses: Statuses | None = None,
    by_source: SourceReading | None = None,
) -> CheckedFile:
    """Run the validator's checks on a local file, keeping at most so many of its bad rows.

    `statuses` takes in those of accepted orders; `by_source` reads an export.
    """
    from services.validator.reading.file_check import check_file
    from services.validator.reading.quarantined_rows import QuarantinedRows

    kind = by_source.kind if by_source else file.kind
    label = by_source.source.label if by_source else file_contract(kind).label
    rows: list[Row] = []
    contradicted: list[int] = []

    def keep(found: QuarantinedRows) -> None:
        contradicted.extend(row.line for row in found if row.rule.endswith(CONTRADICTED))
        room = len(found) if most_rows is None else most_rows - len(rows)
        rows.extend(
            row._asdict() | {"batch_id": None, "key": file.key, "kind": kind, "contract": label}
            for row in found[:room]
        )

    @contextmanager
    def opened() -> Iterator[WatchedFile]:
        with file.path.open("rb", buffering=0) as content:
            yield WatchedFile(content, file, say)

    given: dict[str, Any] = {
        "name": file.key,
        "today": system_clock().date(),
        "max_rejected_fraction": max_rejected_fraction,
        "on_quarantined": keep,
        "currency": check_settings().currency or None,
    }
    take = statuses.take if statuses else lambda _: None

    def accept(kind: str, rows: Any) -> None:
        if kind == "orders":
            take(rows)

    if by_source:
        result = by_source.check(opened, on_accepted=accept, **given)
    else:
        contract = file_contract(kind)
        result = check_file(opened, contract, on_accepted=partial(accept, kind), **given)
    rows.sort(key=itemgetter("line"))
    summary = {
        "key": file.key,
        "kind": kind,
        "status": "rejected" if result.is_rejected else "accepted",
        "rows_in": result.rows_in,
        "accepted": result.accepted,
        "quarantined": result.quarantined,
        "duplicates": result.duplicates,
        "reason": result.reason,
        "unknown_columns": list(result.unknown_columns),
        "guests": result.guests,
        "currency": result.currency,
    }
    if by_source:
        summary["left_out"] = dict(result.left_out)
    return CheckedFile(summary, rows, contradicted)


def _limit() -> float:
    return check_settings().max_rejected_fraction


def check_settings() -> CheckSettings:
    """What the environment says of the checks; raises WrongUsage for what it may not say."""
    try:
        return CheckSettings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]).upper()
        raise WrongUsage(f"{name}={fault['input']}: give it as {_FORMS[name]}") from error


def as_document(checked: Sequence[CheckedFile]) -> dict[str, Any]:
    """The JSON that programs may rely on (docs/design.md, Command line)."""
    return {
        "files": [one.summary for one in checked],
        "rows": [{name: row[name] for name in JSON_FIELDS} for one in checked for row in one.rows],
    }


def _remarks(one: CheckedFile) -> list[str]:
    """What nobody refuses and the sender should know."""
    key, kind = one.summary["key"], one.summary["kind"]
    left_out = one.summary.get("left_out", {}).items()
    return [
        *([] if source_of(key) else about_columns(key, kind, one.summary["unknown_columns"])),
        *(f"{key}: {plural(rows, 'row')} left out as {reason}" for reason, rows in left_out),
        *about_repeats(key, one.summary["duplicates"], one.contradicted),
        *about_guests(key, one.summary.get("guests", 0)),
    ]


def _print(checked: Sequence[CheckedFile], incomplete: str | None) -> None:
    print_table(
        "Files",
        ("file", "status", "rows", "accepted", "quarantined", "reason"),
        [
            tuple(
                one.summary[name]
                for name in ("key", "status", "rows_in", "accepted", "quarantined", "reason")
            )
            for one in checked
        ],
    )
    explain_rows([row for one in checked for row in one.rows])
    for one in checked:
        for line in _remarks(one):
            print_line(line)
    rejected = sum(one.is_rejected for one in checked)
    if rejected:
        print_line(
            styled(
                "[bold yellow]{} would be rejected[/], and nothing published",
                plural(rejected, "file"),
            )
        )
    if incomplete:
        print_line(styled("[bold yellow]`ecp submit` would send nothing[/]: {}", incomplete))
    if rejected or incomplete:
        return
    bad = sum(one.summary["quarantined"] for one in checked)
    left_out = f"; {plural(bad, 'bad row')} would go to quarantine" if bad else ""
    print_line(styled("[bold green]every file would be accepted[/]{}", left_out))
