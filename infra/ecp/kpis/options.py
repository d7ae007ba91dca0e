"""What `ecp kpis` may be asked, as options of its commands, and what contradicts itself."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from infra.ecp.kpis.queries import Period
from infra.ecp.terminal.days import FORMS, day
from infra.ecp.terminal.errors import WrongUsage
from services.api.kpis.bounds import FIRST_DAY, LAST_DAY
from services.api.kpis.periods import By, Compare

F = TypeVar("F", bound=StrEnum)


class Format(StrEnum):
    """How the numbers are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


From = Annotated[
    str | None, typer.Option("--from", metavar="DAY", help=f"First day: {FORMS} (UTC).")
]
To = Annotated[str | None, typer.Option("--to", metavar="DAY", help=f"Last day: {FORMS} (UTC).")]
Periods = Annotated[By, typer.Option("--by", help="How long a row's period is.")]
ComparedWith = Annotated[
    Compare | None,
    typer.Option("--compare", help="Beside each row, the period before it or a year ago."),
]
As = Annotated[
    Format | None,
    typer.Option("--format", help="How to write it; else by the name of --output, else a table."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to this file, whole or not at all."),
]


def period(first: str | None, last: str | None, today: date) -> Period:
    """The period between two days as text; raises WrongUsage for what is no day."""
    span = Period(
        None if first is None else day("--from", first, today),
        None if last is None else day("--to", last, today),
    )
    if span.first and span.last and span.first > span.last:
        raise WrongUsage(f"--from {span.first} is after --to {span.last}")
    return span


def can_be_compared(wanted: Period, compare: Compare | None) -> None:
    """Raises WrongUsage where there is nothing a year before."""
    for option, named in (("--from", wanted.first), ("--to", wanted.last)):
        if compare and named and not FIRST_DAY <= named <= LAST_DAY:
            raise WrongUsage(f"{option} {named}: compared are days from {FIRST_DAY} to {LAST_DAY}")


def refuse_two_formats(format: StrEnum | None, as_json: bool) -> None:
    """Raises WrongUsage where `--json` and another format are asked for."""
    if as_json and format not in (None, Format.JSON):
        raise WrongUsage(f"--json and --format {format}: name one")


def chosen_format(format: Format | None, as_json: bool, output: Path | None) -> Format:
    """The format that is meant; raises WrongUsage where two are, or none can be told."""
    refuse_two_formats(format, as_json)
    return format_for(Format, Format.JSON if as_json else format, output)


def format_for(forms: type[F], format: F | None, output: Path | None) -> F:
    """The one that is named, else that of the file's name, else a table (a member of `forms`).

    Raises WrongUsage where a file would be a table.
    """
    found, table = format, forms("table")
    if found is None and output is not None:
        suffix = output.suffix.lower().removeprefix(".")
        found = next((one for one in forms if one == suffix), None)
    if output is not None and found in (None, table):
        files = ", ".join(one for one in forms if one is not table)
        raise WrongUsage(f"--output {output}: say --format ({files}), or end the name so")
    return found or table
