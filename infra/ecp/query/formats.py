"""An answer as people and programs take it: written as it comes, never held whole.

Amounts and other decimals are exact in every format.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from contracts.printable import printable_json
from infra.ecp.kpis.options import format_for
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.landing import replacing
from infra.ecp.terminal.output import (
    is_on_a_terminal,
    print_beside,
    print_note,
    print_table,
    write_bytes,
    write_text,
)
from services.api.kpis.tables import csv_lines
from services.runtime.wording import plural

SHOWN_ROWS = 500


@dataclass(frozen=True)
class Answer:
    """The columns, and the rows as they come; `batches` are read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class QueryFormat(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class _Whole(int):
    """A whole number as SQL gives it: 2025 may be a year, and gets no separator."""

    def __format__(self, _: str) -> str:
        return str(int(self))


def chosen(format: QueryFormat | None, output: Path | None) -> QueryFormat:
    """The format that is meant; raises WrongUsage where none can be told."""
    found = format_for(QueryFormat, format, output)
    if found is QueryFormat.PARQUET and output is None and is_on_a_terminal():
        raise WrongUsage("--format parquet is no text: name a file, `--output answer.parquet`")
    return found


def deliver(answer: Answer, format: QueryFormat, output: Path | None) -> None:
    """To the file, which is whole or not there, or to standard output."""
    names = answer.schema.names
    if format is not QueryFormat.TABLE and (twice := _twice(names)):
        raise WrongUsage(f"two columns are called {twice}: name them with `as`")
    if format is QueryFormat.TABLE:
        _show(answer)
    elif output is None:
        _write(_StandardOutput(), answer, format)
    else:
        with replacing(output) as file:
            rows = _write(file, answer, format)
        print_beside(f"{output}: {plural(rows, 'row')}")


class _StandardOutput:
    """Bytes for programs; where people read, text with escapes."""

    def write(self, content: bytes) -> int:
        if is_on_a_terminal():
            write_text(bytes(content).decode())
        else:
            write_bytes(content)
        return len(content)

    def flush(self) -> None:
        """Every write is flushed."""

    def close(self) -> None:
        """Standard output stays open."""

    closed = False


def _show(answer: Answer) -> None:
    rows: list[Sequence[Any]] = []
    for batch in answer.batches:
        rows.extend(_rows(batch))
        if len(rows) > SHOWN_ROWS:
            break
    cells = ([_shown(value) for value in row] for row in rows[:SHOWN_ROWS])
    print_table("Answer", answer.schema.names, cells, empty="no rows")
    if len(rows) > SHOWN_ROWS:
        print_note(
            f"these are the first {SHOWN_ROWS:,} rows; --format csv, json or parquet has all"
        )


def _write(sink: Any, answer: Answer, format: QueryFormat) -> int:
    """How many rows there were."""
    match format:
        case QueryFormat.CSV:
            return _write_csv(sink, answer)
        case QueryFormat.JSON:
            return _write_json(sink, answer)
        case _:
            return _write_parquet(sink, answer)


def _write_csv(sink: BinaryIO, answer: Answer) -> int:
    count = 0
    sink.write(csv_lines([answer.schema.names], "\n").encode())
    for batch in answer.batches:
        told = ([_in_csv(value) for value in row] for row in _rows(batch))
        sink.write(csv_lines(told, "\n").encode())
        count += batch.num_rows
    return count


def _write_json(sink: BinaryIO, answer: Answer) -> int:
    names = [json.dumps(name, ensure_ascii=False) for name in answer.schema.names]
    count = 0
    for batch in answer.batches:
        for row in _rows(batch):
            pairs = (f"{name}: {json_of(value)}" for name, value in zip(names, row, strict=True))
            text = f"{',' if count else '['}\n  {{{', '.join(pairs)}}}"
            sink.write(printable_json(text).encode())
            count += 1
    sink.write(b"\n]\n" if count else b"[]\n")
    return count


def _write_parquet(sink: Any, answer: Answer) -> int:
    count = 0
    with parquet.ParquetWriter(sink, answer.schema, compression="zstd") as writer:
        for batch in answer.batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _rows(batch: pa.RecordBatch) -> Iterable[Sequence[Any]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _twice(names: Sequence[str]) -> str | None:
    return next((name for at, name in enumerate(names) if name in names[:at]), None)


def _shown(value: Any) -> Any:
    match value:
        case bool() | None | Decimal():
            return value
        case int():
            return _Whole(value)
        case float() if math.isfinite(value):
            return Decimal(repr(value))
    return _plain(value)


def _in_csv(value: Any) -> Any:
    return value if isinstance(value, Decimal) or value is None else _plain(value)


def _plain(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bytes():
            return value.hex()
        case list() | dict():
            return json_of(value)
    return str(value)


def json_of(value: Any) -> str:
    """A value as JSON; a decimal is an exact number, a float that is none is null."""
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case Decimal():
            return f"{value:f}"
        case float():
            return repr(value) if math.isfinite(value) else "null"
        case list():
            return f"[{', '.join(map(json_of, value))}]"
        case dict():
            pairs = (f"{json_of(str(name))}: {json_of(each)}" for name, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        case str():
            return json.dumps(value, ensure_ascii=False)
    return json.dumps(_plain(value), ensure_ascii=False)
