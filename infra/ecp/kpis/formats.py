"""KPIs as programs, spreadsheets and notebooks take them, on standard output or in a file."""

import io
from pathlib import Path
from typing import BinaryIO

from infra.ecp.kpis.answering import Found
from infra.ecp.kpis.options import Format
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.landing import replacing
from infra.ecp.terminal.output import (
    is_on_a_terminal,
    json_text,
    print_beside,
    print_note,
    write_bytes,
    write_text,
)
from services.api.kpis.tables import csv_text
from services.runtime.wording import plural

BINARY = frozenset({Format.PARQUET, Format.XLSX})


def refuse_bytes_on_a_terminal(format: Format, output: Path | None) -> None:
    """Raises WrongUsage, before anything is asked."""
    if format in BINARY and output is None and is_on_a_terminal():
        raise WrongUsage(f"--format {format} is no text: name a file, `--output kpis.{format}`")


def deliver(name: str, found: Found, format: Format, output: Path | None) -> None:
    """Write the answer: to the file, which is whole or not there, or to standard output."""
    if not found.rows and found.asked.category is None:
        print_note("there are no KPIs in this period; `ecp freshness` shows which days have some")
    if output is None:
        _to_standard_output(name, found, format)
        return
    with replacing(output) as file:
        _write(file, name, found, format)
    print_beside(f"{output}: {plural(len(found.rows), 'row')}")


def _to_standard_output(name: str, found: Found, format: Format) -> None:
    written = io.BytesIO()
    _write(written, name, found, format)
    if format in BINARY:
        write_bytes(written.getvalue())
    else:
        write_text(written.getvalue().decode())


def _write(sink: BinaryIO, name: str, found: Found, format: Format) -> None:
    match format:
        case Format.JSON:
            sink.write(json_text(found.document).encode())
        case Format.CSV:
            sink.write(csv_text(found.columns, found.rows, "\n").encode())
        case Format.PARQUET:
            from infra.ecp.kpis.parquet import write_parquet

            write_parquet(sink, found.columns, found.rows)
        case Format.XLSX:
            from infra.ecp.kpis.workbook import write_workbook

            sheets = {name: (found.columns, found.rows), "totals": (found.columns, found.totals)}
            write_workbook(sink, sheets)
