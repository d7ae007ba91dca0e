"""Corrected exports of a source: told from plain corrections, and read as their source reads them.

Reading needs the validator's engine, which is imported when it is asked for.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from contracts.clock import system_clock
from contracts.errors import DataRejected
from contracts.layout import lookup_key
from contracts.sources.model import Source
from infra.ecp.submissions.lookups import stored_lookup
from infra.ecp.submissions.source_reading import SourceReading
from infra.ecp.submissions.validate import check_settings
from infra.ecp.target import Target
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.quarantine.replays import row_id
from services.validator.quarantine.export_rows import (
    ExportFormat,
    as_export,
    label_of,
    records,
    starts_of,
)
from services.validator.quarantine.rows import Row
from services.validator.quarantine.source_replay import HeldRow
from services.validator.quarantine.stored import listing, read_rows

if TYPE_CHECKING:
    from services.validator.quarantine.source_rows import ReadFile

LINK = b"_batch_id"
HEADER_BYTES = 64 << 10


@dataclass(frozen=True)
class Checked:
    """What the checks say of a file: its rows, their faults by line, its products by id.

    A product's values are its category, name and price in cents.
    """

    read: "ReadFile"
    faults: Mapping[int, str]
    products: Mapping[str, tuple[Any, ...]]


def are_exports(path: Path) -> bool:
    """Whether a corrected file has no columns that link it, as those of plain rows have."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES).replace(b"\0", b"").lower()
    return LINK not in start


def held_exports(target: Target) -> list[Row]:
    """All rows of sources' files in quarantine, but those that come again with a refused file."""
    s3, bucket = target.client("s3"), target.names.data_bucket
    found = listing(s3, bucket)
    rejected = {file.batch_id for file in found.files}
    return [
        row
        for row in read_rows(s3, bucket, found.row_keys)
        if ExportFormat.of(row) and row["batch_id"] not in rejected
    ]


def format_of(path: Path, rows: Sequence[Row]) -> ExportFormat:
    """The format that a corrected file is in, by its header; else, or of several, by its name.

    Raises WrongUsage where no row in quarantine has such a header.
    """
    forms = {form: None for row in rows if (form := ExportFormat.of(row))}
    content = path.read_bytes()[:HEADER_BYTES]
    fitting = [form for form in forms if _has_header(content, form)]
    fitting = fitting or [form for form in forms if form.source == path.stem]
    sources = {form.source for form in fitting}
    if len(sources) > 1 and path.stem in sources:
        fitting = [form for form in fitting if form.source == path.stem]
        sources = {path.stem}
    if len(sources) > 1:
        names = " or ".join(f"{name}.csv" for name in sorted(sources))
        raise WrongUsage(f"{path}: rows of several sources have this header; call it {names}")
    if not fitting:
        raise WrongUsage(
            f"{path}: column _batch_id is missing, and no source has rows with this header in "
            "quarantine; start from `ecp quarantine export`"
        )
    return fitting[-1]


def reading_of(target: Target, source: Source) -> SourceReading:
    """A source with the lookups that lie in the bucket: what an upload is read by now."""
    s3, tables = target.client("s3"), {}
    for name in source.lookups:
        key = lookup_key(source.name, name)
        try:
            tables[name] = stored_lookup(s3, target.names.data_bucket, source, name)
        except s3.exceptions.NoSuchKey as error:
            raise WrongUsage(
                f"{source.name} looks values up in {key}, which is not there: upload it again"
            ) from error
        except DataRejected as error:
            raise WrongUsage(f"{key}: {error}") from error
    return SourceReading(source, tables)


def checked(path: Path, reading: SourceReading) -> Checked:
    """Read and check a whole file as the validator would; raises WrongUsage for a bad file."""
    faults: dict[int, str] = {}
    products: dict[str, tuple[Any, ...]] = {}

    def keep(found: Any) -> None:
        for row in found:
            said = row.message.removeprefix(f"{path.name} line {row.line}: ")
            faults.setdefault(row.line, said)

    def accept(kind: str, rows: Any) -> None:
        if kind == "products":
            names = ("product_id", "category", "name", "price_cents")
            for values in zip(*(rows[name].to_pylist() for name in names), strict=True):
                products[values[0]] = values[1:]

    result = reading.check(
        lambda: path.open("rb", buffering=0),
        name=path.name,
        today=system_clock().date(),
        max_rejected_fraction=1.0,
        on_accepted=accept,
        on_quarantined=keep,
        currency=check_settings().currency or None,
    )
    if result.is_rejected:
        raise WrongUsage(f"{path}: {result.reason}")
    return Checked(
        _read(lambda: path.open("rb", buffering=0), reading, path.name), faults, products
    )


def held_rows(rows: Sequence[Row], reading: SourceReading) -> list[HeldRow]:
    """Quarantined rows that this version of the source has read, with what each states."""
    inputs: dict[tuple[ExportFormat, tuple[str, str, str]], list[Row]] = {}
    for row in rows:
        if (form := ExportFormat.of(row)) and label_of(row) == reading.source.label:
            inputs.setdefault((form, row_id(row)[:3]), []).append(row)
    found: list[HeldRow] = []
    for (form, (_, key, _)), lines in inputs.items():
        of_input = records(lines)
        read = _read(partial(io.BytesIO, as_export(form, of_input)), reading, key)
        identities = {row.line: row.identity for row in read.rows}
        found += [
            HeldRow(row_id(row), identities.get(line), row["raw"] or "")
            for row, line in zip(of_input, starts_of(form, of_input), strict=True)
        ]
    return found


def _read(opened: Callable[[], BinaryIO], reading: SourceReading, name: str) -> "ReadFile":
    from services.validator.quarantine.source_rows import read_file

    try:
        return read_file(opened, reading.source, reading.lookups, name=name)
    except DataRejected as error:
        raise WrongUsage(f"{name}: {error}") from error


def _has_header(content: bytes, form: ExportFormat) -> bool:
    """Whether a file begins with these columns, in any order; others may stand beside them."""
    text = content.decode(form.encoding, errors="replace").lstrip("\ufeff")
    lines = text.splitlines()[form.skip_lines :]
    header = next((line for line in lines if line.strip()), "")
    if form.quoting == "none":
        cells = header.split(form.delimiter)
    else:
        cells = next(csv.reader([header], delimiter=form.delimiter), [])
    return {*map(_plain, form.names)} <= {*map(_plain, cells)}


def _plain(name: str) -> str:
    return name.replace("\\", "").strip().lower()
