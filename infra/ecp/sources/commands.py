"""`ecp sources detect` and `draft`: which export a file is, and a source for one that nobody knows.

Trying a source is in `trying.py`, keeping sources of one's own in `keeping.py`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.ecp.sources.keeping import own_of_the_cloud
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table, print_verbatim, styled
from services.runtime.wording import listed

if TYPE_CHECKING:
    from contracts.sources.model import Source
    from infra.ecp.sources.detection import Detected, Fit
    from infra.ecp.sources.drafting import Draft
    from infra.ecp.sources.first_rows import FirstRows
    from infra.ecp.sources.lookup_files import LookupOf

    Found = tuple[Path, Detected, LookupOf | None, Draft | None, FirstRows | None]

app = typer.Typer(help="Sources: how any shop's export becomes orders, order lines and products.")

MAX_OTHERS = 3
File = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file, .gz too.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files, .gz too.")]


@app.command()
def detect(files: Files, as_json: AsJson = False) -> None:
    """Which platform's export a file is, told by its whole header; else how it could be read.

    A source is named for sure when every column that it needs is there by its exact name, most of
    the header is that of the platform's export, and no other source fits as well; sources of your
    own are known where a cloud is found. For any other file a source is drafted, by the names of
    its columns and by their values: `ecp sources draft` prints it. How many rows would pass is
    said, and the first ten of each kind are shown as the pipeline would keep them. A file that a
    shipped source looks values up in (Northwind's categories) is named as that lookup of the
    source. Only the first megabyte of a file is read.

    Exit code: 0 looked at, whether known or not; 1 a file is no text, or empty.

    Example: `ecp sources detect orders_export_1.csv`
    """
    own = own_of_the_cloud()
    found = [_found(path, own) for path in files]
    if as_json:
        documents = [_document(*each) for each in found]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    for path, one, lookup, drafted, rows in found:
        if lookup:
            _print_lookup(path, lookup)
        else:
            _print_detected(path, one, drafted)
        if rows:
            _print_rows(rows)


@app.command()
def draft(file: File, as_json: AsJson = False) -> None:
    """Draft a source for a file: YAML with a reason beside each value, to be corrected.

    Encoding, delimiter, quotes, decimal mark and the format of days are measured on the first
    megabyte; columns are told by their names, in several languages, and by whether their values
    can be that. Nothing is asked.

    Example: `ecp sources draft orders.csv > my-shop.yaml`
    """
    from infra.ecp.sources.drafting import draft as drafted
    from infra.ecp.sources.measuring import read_head

    made = drafted(read_head(file))
    if as_json:
        print_json(
            {
                "source": made.name,
                "rows": made.rows,
                "confidence": made.confidence,
                "columns": [vars(column) for column in made.columns],
                "draft": made.text,
            }
        )
        return
    for line in made.text.splitlines():
        print_verbatim(line)


def _found(path: Path, own: "list[Source]") -> "Found":
    """What a file is, or which lookup; with a draft where neither is sure, and its first rows."""
    from contracts.sources.parser import parse_source
    from infra.ecp.sources.detection import detected
    from infra.ecp.sources.drafting import draft as drafted
    from infra.ecp.sources.first_rows import first_rows
    from infra.ecp.sources.lookup_files import lookup_told
    from infra.ecp.sources.measuring import read_head

    head = read_head(path)
    one = detected(head, own)
    if one.sure:
        return path, one, None, None, first_rows(one.sure.source, head)
    if lookup := lookup_told(head):
        return path, one, lookup, None, None
    made = drafted(head)
    return path, one, None, made, first_rows(parse_source(made.text.encode(), made.name), head)


def _document(
    path: Path,
    one: "Detected",
    lookup: "LookupOf | None",
    drafted: "Draft | None",
    rows: "FirstRows | None",
) -> dict[str, Any]:
    """For programs; `source` is null where none is sure, `lookup_of` where it is no lookup."""
    sure = one.sure
    return {
        "file": str(path),
        "source": sure.source.name if sure else None,
        "version": sure.source.version if sure else None,
        "title": sure.source.title if sure else None,
        "export": sure.version_of_export if sure else None,
        "confidence": round(sure.share, 2) if sure else drafted.confidence if drafted else 0,
        "kinds": list(sure.source.kinds) if sure else _kinds(drafted),
        "lookups": list(sure.source.lookups) if sure else [],
        "lookup_of": (
            {"source": lookup.source.name, "lookup": lookup.lookup.name, "key": lookup.key}
            if lookup
            else None
        ),
        "nearest": (
            {"source": one.nearest.source.name, "missing": list(one.nearest.missing)}
            if one.nearest
            else None
        ),
        "others": [fit.source.name for fit in one.fits if fit is not sure],
        "draft": drafted.text if drafted else None,
        "first_rows": vars(rows) if rows else None,
    }


def _kinds(drafted: "Draft | None") -> list[str]:
    return list(dict.fromkeys(column.kind for column in drafted.columns)) if drafted else []


def _print_detected(path: Path, one: "Detected", drafted: "Draft | None") -> None:
    if one.sure:
        _print_sure(path, one.sure)
        return
    said = _likely(one)
    print_line(styled("[bold]{}[/]: {}; drafted by its columns:", path, said))
    if drafted:
        rows: Sequence[Sequence[object]] = [
            (column.kind, column.column, f"{column.confidence:.2f}", column.expression, column.why)
            for column in drafted.columns
        ]
        print_table(f"A row is one of {drafted.rows}", _COLUMNS, rows)
    print_line(
        styled(
            "`ecp sources draft {}` prints it as YAML: correct it, then `ecp sources test`", path
        )
    )


def _print_lookup(path: Path, found: "LookupOf") -> None:
    option = f"--lookup {found.lookup.name}={path}"
    print_line(
        styled(
            "[bold]{}[/]: lookup [bold green]{}[/] of {} ({}); send it with its files: `{}`",
            path, found.lookup.name, found.source.label, found.source.title,
            f"ecp submit FILES --source {found.source.name} {option}",
        )
    )  # fmt: skip


def _print_rows(found: "FirstRows") -> None:
    """How many rows would pass, and the first as the pipeline would keep them."""
    left_out = sum(found.left_out.values())
    parts = [f"{found.accepted:,} of {found.rows_in:,} rows that were read would pass"]
    parts += [f"{left_out:,} left out"] if left_out else []
    parts += [f"{found.quarantined:,} quarantined"] if found.quarantined else []
    print_line(found.reason or ", ".join(parts))
    if found.first_fault and not found.reason:
        print_line(f"  the first bad one: {found.first_fault}")
    for kind, rows in found.rows.items():
        if rows:
            names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
            print_table(kind, names, [[row[name] for name in names] for row in rows])


def _likely(one: "Detected") -> str:
    """What a file could be that is nothing for sure."""
    if one.fits:
        return f"it could be {' or '.join(fit.source.name for fit in one.fits[:MAX_OTHERS])}"
    if one.nearest:
        columns = listed([f'"{name}"' for name in one.nearest.missing], MAX_OTHERS)
        return (
            f"most of its header is that of {one.nearest.source.name}, but it does not have "
            f"{columns} once, by that name"
        )
    return "no known export"


_COLUMNS = ("kind", "column", "sure", "given by", "why")


def _print_sure(path: Path, fit: "Fit") -> None:
    source = fit.source
    version = f", {fit.version_of_export}" if fit.version_of_export else ""
    if fit.export and fit.share < 1:
        version = f", {fit.share:.0%} of its header is that of the export"
    print_line(
        styled(
            "[bold]{}[/]: [bold green]{}[/] ({}{}), which gives {}",
            path, source.label, source.title, version, " and ".join(source.kinds),
        )
    )  # fmt: skip
    for name in source.lookups:
        print_line(
            f"  it needs incoming/{source.name}/lookups/{name}.csv too, by its column "
            f"{source.lookups[name].key}"
        )
