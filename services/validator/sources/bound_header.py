"""The header of a source's file: which of its columns the source reads, and what it lacks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from contracts.sources.model import Expression, Source
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import NUL_RULE, FirstLine, Record, read_record
from services.runtime.csv_files.header import MAX_UNKNOWN_COLUMNS, Header, is_separator_line
from services.runtime.sources.compilation import compile_source
from services.runtime.sources.compiled import CompiledSource, InvalidHeader
from services.runtime.sources.numbered import numbered_places
from services.runtime.sources.scope import compared
from services.validator.reading.line_blocks import Block, line_end_after
from services.validator.sources.lines_apart import LinesApart

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class BoundFile:
    """A source bound to a file's columns; rows begin after line `first_line` - 1.

    `apart` takes rows apart that hold several order lines.
    """

    compiled: CompiledSource
    header: Header
    first_line: int
    blocks: Iterator[Block]
    apart: LinesApart | None = None


def bound(source: Source, blocks: Iterator[Block]) -> BoundFile:
    """Read the header: after the lines to be skipped, the first that is not blank.

    Raises BadFile when there is none, or it lacks or repeats a column that the source needs.
    """
    line_number, skipped = 1, 0
    for block in blocks:
        start = 0
        while start < len(block.text):
            end = line_end_after(block.text, start, returns_end_lines=block.returns_end_lines)
            line, start = block.text[start:end], end
            line_number += 1
            if skipped < source.file.skip_lines:
                skipped += 1
                continue
            layout = FirstLine(source.file.delimiter)
            record = read_record([line], 0, layout, is_last_block=True)
            if record and (record.fields or record.problem) and not is_separator_line(record):
                rest = replace(block, text=block.text[start:])
                return _bound(source, record, line_number, chain((rest,), blocks))
    raise BadFile("file.empty", "the file is empty; upload it again with a header and rows")


def priced(source: Source) -> Source:
    """The same, and what a line costs where it says only how many and at what price."""
    mappings = []
    for mapping in source.mappings:
        columns = dict(mapping.columns)
        if mapping.kind == "order_items" and "line_amount" not in columns:
            price = columns["unit_price"]
            text = f"amount({columns['quantity'].text}) * amount({price.text})"
            columns["line_amount"] = Expression(text, price.line, price.key)
        mappings.append(replace(mapping, columns=columns))
    return replace(source, mappings=tuple(mappings))


def _bound(source: Source, record: Record, first_line: int, blocks: Iterator[Block]) -> BoundFile:
    if record.fields is None:
        rule = record.problem.rule if record.problem else ""
        if rule == NUL_RULE:
            raise BadFile(
                "file.binary", "the header holds a NUL byte: this is not CSV text; export it again"
            )
        raise BadFile("file.header", f"the header line is not readable: {record.raw[:200]!r}")
    names = [*map(compared, record.fields)]
    while len(names) > 1 and not names[-1]:
        names.pop()
    try:
        numbered = numbered_places(source.explode.numbered if source.explode else (), names)
        compiled = compile_source(priced(source), [*names, *numbered])
        apart = LinesApart.of(source, names)
    except InvalidHeader as error:
        raise BadFile("file.header", f"{error}{_other_delimiter(source, record)}") from error
    apart_places = apart.places if apart else frozenset()
    used = compiled.used.values()
    taken = {names[place] for place in apart_places}
    unknown = [name for name in compiled.unknown_columns if name not in taken]
    header = Header(
        width=len(names),
        # A source that names no column reads one even so: Arrow takes none for all.
        positions=tuple(sorted({each for each in used if each < len(names)} | apart_places))
        or (0,),
        unknown_columns=tuple(unknown[:MAX_UNKNOWN_COLUMNS]),
        names=tuple(names),
        delimiter=source.file.delimiter,
        spare=len(record.fields) - len(names),
    )
    return BoundFile(compiled, header, first_line, blocks, apart)


def _other_delimiter(source: Source, record: Record) -> str:
    """A hint where the header is one field by the source's delimiter, and several by another."""
    if len(record.fields or ()) > 1:
        return ""
    counts = {each: record.raw.count(each) for each in _DELIMITERS}
    likely = max(counts, key=lambda each: counts[each])
    if not counts[likely] or likely == source.file.delimiter:
        return ""
    return (
        f"; its fields seem to be separated by {_DELIMITERS[likely]}, and the source says "
        f"{_DELIMITERS[source.file.delimiter]}"
    )
