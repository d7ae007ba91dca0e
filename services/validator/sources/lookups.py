"""A file beside a source's, as a table: what `lookup` and `in_lookup` ask."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.sources.model import Lookup, Source
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import FirstLine, Layout, read_record
from services.runtime.sources.scope import compared
from services.validator.reading.file_text import ByteStream
from services.validator.reading.line_blocks import line_blocks
from services.validator.reading.lines import Lines
from services.validator.sources.source_text import restored_cells, text_reader

MAX_BYTES = 64 << 20
"""A lookup is held in memory."""


@dataclass(frozen=True)
class _Row(FirstLine):
    """A row of a lookup, which may have any text."""

    def may_hold(self, _position: int, _value: str) -> bool:
        return True


def lookup_table(stream: ByteStream, source: Source, name: str) -> pa.Table:
    """A lookup's file, in the format of the source's files, as columns of text by its header.

    Raises BadFile when it cannot be read to its end.
    """
    blocks, size = [], 0
    for block in line_blocks(stream, name, read_text=text_reader(source.file)):
        blocks.append(block)
        size += len(block.text)
        if size > MAX_BYTES:
            raise BadFile("file.lookup", f"{name} has more than {MAX_BYTES:,} bytes")
    text = b"".join(block.text for block in blocks)
    lines = Lines(text, returns_end_lines=blocks[0].returns_end_lines)
    names: list[str] = []
    rows: list[list[str | None]] = []
    layout: Layout = FirstLine(source.file.delimiter)
    number = 0
    while number < len(lines):
        record = read_record(lines, number, layout, is_last_block=True)
        if record is None or record.problem:
            what = record.problem.text if record and record.problem else "it cannot be read"
            raise BadFile("file.lookup", f"{name} line {number + 1}: {what}")
        number += record.line_count
        if record.fields and not names:
            names = [*map(compared, record.fields)]
            layout = _Row(source.file.delimiter, len(names))
        elif record.fields:
            cells: list[str | None] = list(record.fields[: len(names)])
            rows.append(cells + [None] * (len(names) - len(cells)))
    if not names:
        raise BadFile("file.lookup", f"{name} has no header")
    return pa.table(
        [_column([row[place] for row in rows]) for place in range(len(names))], names=names
    )


def no_values(lookup: Lookup) -> pa.Table:
    """In place of a lookup's file that is not there: its columns, without a row."""
    names = [name for name in (lookup.key, lookup.value) if name]
    return pa.table({name: pa.array([], pa.string()) for name in names})


def _column(cells: list[Any]) -> Any:
    return restored_cells(pa.array(cells, pa.string()))
