"""`ecp quarantine export`: bad rows as CSV to correct, and refused files as they came."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from contracts.layout import KINDS
from infra.ecp.quarantine.corrections import columns_of, exported
from infra.ecp.quarantine.explanations import ONCE_GIVEN_BACK
from infra.ecp.quarantine.originals import Headers
from infra.ecp.quarantine.spreadsheets import write_cells
from infra.ecp.quarantine.stores import resolutions_in
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.landing import create, landing_places, refuse_what_is_there
from infra.ecp.terminal.output import print_line
from services.runtime.quarantine.replays import row_id
from services.runtime.quarantine.resolutions import Resolutions
from services.runtime.wording import plural
from services.validator.quarantine.export_rows import ExportFormat, as_export, records
from services.validator.quarantine.rows import Listing, QuarantinedFile, Row
from services.validator.quarantine.stored import listing, read_rows


def export(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[BATCH|KEY]", help="A batch id, or an input's key; else all."),
    ] = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE.csv|DIR", help="Where to write.")
    ] = Path("corrections"),
    every: Annotated[
        bool, typer.Option("--all", help="What was answered or dismissed, too.")
    ] = False,
) -> None:
    """Write quarantined rows to CSV, one file per kind, to be corrected and replayed.

    The columns of the contract come first, as far as the text could be split; those that begin
    with `_` say where a row came from and why it is there: leave them as they are. Cells that a
    spreadsheet could run get an apostrophe before them, which a replay takes away. Rows of a source
    are written as their export had them, an order with all of its rows. A file that was refused
    whole is given back byte for byte.

    Example: `ecp quarantine export 3f2a9c0d1e4b5a67 --to corrections`
    """
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    is_key = name is not None and "/" in name
    found = listing(s3, bucket, None if is_key else name)
    resolutions = resolutions_in(target)
    files = [file for file in found.files if name in (file.key, file.batch_id)]
    if is_key and files and files[-1].batch_id == _newest_batch(found, str(name), target):
        _give_back(files[-1:], to, target)
        return
    rows = _rows(found, name if is_key else None, resolutions, target, every=every)
    if rows:
        _write(rows, to, target)
    elif files:
        _give_back(files, to, target)
    else:
        raise WrongUsage(
            f"nothing {'' if every else 'open '}of {name or 'any batch'} is in quarantine; "
            "`ecp quarantine list` has it all"
        )


def _rows(
    found: Listing, key: str | None, resolutions: Resolutions, target: Target, *, every: bool
) -> list[Row]:
    """Rows that a replay could answer: those of a rejected batch come again with its files."""
    rejected = {file.batch_id for file in found.files}
    return [
        row
        for row in read_rows(target.client("s3"), target.names.data_bucket, found.row_keys)
        if key in (None, row["key"])
        and row["batch_id"] not in rejected
        and (every or resolutions.of(row_id(row)) == "open")
    ]


def _newest_batch(found: Listing, key: str, target: Target) -> str:
    """The batch that has put something of this key into quarantine last."""
    s3, bucket = target.client("s3"), target.names.data_bucket
    rows = [row for row in read_rows(s3, bucket, found.row_keys) if row["key"] == key]
    order = {batch_id: position for position, batch_id in enumerate(found.batches)}
    held = {row["batch_id"] for row in rows}
    held |= {file.batch_id for file in found.files if file.key == key}
    return str(max(held, key=order.__getitem__))


def _write(rows: Sequence[Row], to: Path, target: Target) -> None:
    """A file for each kind of plain rows, and one for each source in the format of its exports."""
    kinds = [kind for kind in KINDS if any(_is_plain(row, kind) for row in rows)]
    sources = {form.source: form for row in rows if (form := ExportFormat.of(row))}
    names = [*kinds, *sources]
    if to.suffix == ".csv" and len(names) > 1:
        raise WrongUsage(f"{to}: there are rows of {' and '.join(names)}; name a directory")
    paths = {name: to if to.suffix == ".csv" else to / f"{name}.csv" for name in names}
    refuse_what_is_there(list(paths.values()))
    for kind in kinds:
        _write_kind(kind, [row for row in rows if _is_plain(row, kind)], paths[kind], target)
    if kinds:
        files = " ".join(str(paths[kind]) for kind in kinds)
        print_line(f"correct them, then `ecp quarantine replay {files} --dry-run`")
    for name, form in sources.items():
        of_source = records([row for row in rows if ExportFormat.of(row) == form])
        with create(paths[name].parent, PurePosixPath(paths[name].name)) as file:
            file.write(as_export(form, of_source))
        print_line(f"{plural(len(of_source), 'row')} to {paths[name]}, as the export had them")
        print_line(
            f"correct them, then `ecp quarantine replay {paths[name]} --dry-run`; keep all rows "
            "of an order"
        )


def _is_plain(row: Row, kind: str) -> bool:
    return bool(row["kind"] == kind and ExportFormat.of(row) is None)


def _write_kind(kind: str, rows: Sequence[Row], path: Path, target: Target) -> None:
    names = target.names
    headers = Headers(target.client("s3"), names.data_bucket, names.archive_bucket)
    cells = (
        exported(row, headers.of(row["batch_id"], row["key"], row["version_id"])) for row in rows
    )
    with create(path.parent, PurePosixPath(path.name)) as file:
        write_cells(file, columns_of(kind), cells)
    print_line(f"{plural(len(rows), 'row')} to {path}")


def _give_back(files: Sequence[QuarantinedFile], to: Path, target: Target) -> None:
    """Refused files as they came, under their keys where there is a directory to put them in.

    A key that is no plain path is written under a name that is one, inside the directory.
    """
    is_one_file = bool(to.suffix) and not to.is_dir()
    if is_one_file and len(files) > 1:
        raise WrongUsage(f"{to}: {len(files)} files were refused; name a directory")
    if is_one_file:
        directory, places = to.parent, {files[0].key: PurePosixPath(to.name)}
    else:
        directory, places = to, dict(landing_places([file.key for file in files]))
    refuse_what_is_there([directory / place for place in places.values()])
    for file in files:
        place = places[file.key]
        with create(directory, place) as copy:
            target.client("s3").download_fileobj(
                target.names.data_bucket, file.quarantine_key, copy
            )
        print_line(f"{file.key} to {directory / place}, byte for byte: {ONCE_GIVEN_BACK}")
