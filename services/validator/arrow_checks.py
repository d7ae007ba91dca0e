"""The fast path: columns of whole blocks in Arrow, and which rows are certainly right.

It never decides that a row is bad. Rows that it is not sure of go to `row_checks.py`, so both
paths agree by construction as long as every row that passes here passes there with equal values.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from contracts.csv_files.csv_records import BLANKS
from contracts.csv_files.header import Header
from contracts.csv_files.row_checks import (
    LOWER_CASED,
    decimal_places,
    field_check,
    number_limits,
    passed,
)
from contracts.file_contracts import Field, FileContract
from services.validator.arrow_numbers import plain_numbers

SOURCE_LINE = "source_line"


ReadColumn: TypeAlias = Callable[[Any], tuple[Any, Any]]
"""Trimmed texts to (certain, values): booleans, and values that hold where they are true."""


@dataclass(frozen=True)
class ArrowChecks:
    """The columns of one file, in the contract's order."""

    header: Header
    schema: Any
    readers: tuple[ReadColumn, ...]

    def read_texts(self, text: bytes) -> list[Any] | None:
        """Trimmed string arrays in the contract's order; None unless all rows have the width.

        `text` holds one well-formed record a line; blank lines are skipped.
        """
        if text.startswith(codecs.BOM_UTF8):  # Arrow would drop it, here it is content
            text = b"\n" + text
        names = [f"c{n}" for n in range(self.header.width)]
        wanted = [names[position] for position in self.header.positions]
        try:
            table = pa_csv.read_csv(
                pa.BufferReader(text),
                read_options=pa_csv.ReadOptions(column_names=names, block_size=len(text) + 1),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        return [pc.ascii_trim(column.combine_chunks(), BLANKS) for column in table.columns]

    def read(self, texts: list[Any], source_lines: Any) -> tuple[Any, Any]:
        """The certain rows as a table of `schema`, and a mask that is true for them."""
        masks, values = zip(
            *(reader(column) for reader, column in zip(self.readers, texts, strict=True)),
            strict=True,
        )
        certain = reduce(pc.and_, masks)
        lines = pa.array(source_lines, pa.int64())
        table = pa.Table.from_arrays([*values, lines], schema=self.schema)
        return table if _all(certain) else table.filter(certain), certain


def arrow_checks(contract: FileContract, header: Header, today: date) -> ArrowChecks:
    """The fast path of a contract for a file with this header; `today` bounds its dates."""
    readers = tuple(_reader(field, today) for field in contract.fields)
    return ArrowChecks(header, accepted_schema(contract), readers)


def accepted_schema(contract: FileContract) -> Any:
    """The columns of accepted rows, `source_line` last; money is in cents and says so."""
    types = {
        "string": pa.string(),
        "date": pa.date32(),
        "number": pa.int64(),
        "integer": pa.int64(),
    }
    fields = [
        pa.field(
            f"{field.name}_cents" if field.type == "number" else field.name,
            types[field.type],
        )
        for field in contract.fields
    ]
    return pa.schema([*fields, pa.field(SOURCE_LINE, pa.int64())])


def _reader(field: Field, today: date) -> ReadColumn:
    if field.type == "string":
        return _text_reader(field)
    if field.type == "date":
        return _date_reader(field, today)
    return _number_reader(field)


def _text_reader(field: Field) -> ReadColumn:
    """Lengths in characters; a pattern is only trusted on ASCII, where RE2 and Python agree."""
    shortest = max(field.minimum_length or 0, 1)
    is_lower_cased = field.name in LOWER_CASED
    allows_printable = field.pattern is not None and _allows_printable_ascii(field.pattern)

    def read(texts: Any) -> tuple[Any, Any]:
        # A text that is not ASCII is left to the slow path anyway where there is a pattern.
        lengths = pc.binary_length(texts) if field.pattern else pc.utf8_length(texts)
        certain = pc.greater_equal(lengths, shortest)
        if field.maximum_length is not None:
            certain = pc.and_(certain, pc.less_equal(lengths, field.maximum_length))
        if allows_printable:
            certain = pc.and_(certain, pc.ascii_is_printable(texts))
        elif field.pattern:
            matches = pc.match_substring_regex(texts, field.pattern)
            certain = pc.and_(certain, pc.and_(pc.string_is_ascii(texts), matches))
        return certain, _lower(texts) if is_lower_cased else texts

    return read


def _allows_printable_ascii(pattern: str) -> bool:
    """Of ASCII, exactly texts of printable characters match: then no regex needs to run.

    Only claimed of a pattern that is one class of characters, which judges each for itself.
    """
    if not re.fullmatch(r"\^\[[^\[\]\\]+\]\+\$", pattern):
        return False
    characters = map(chr, range(128))
    return all(bool(re.match(pattern, each)) == each.isprintable() for each in characters)


def _lower(texts: Any) -> Any:
    """Python's own lower-casing, once for each distinct text."""
    encoded = pc.dictionary_encode(texts)
    lowered = [text.lower() for text in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(lowered, pa.string()), encoded.indices)


def _date_reader(field: Field, today: date) -> ReadColumn:
    """Days repeat, so each distinct text is read once, by the check of the slow path."""
    check = field_check(field, today)

    def read(texts: Any) -> tuple[Any, Any]:
        encoded = pc.dictionary_encode(texts)
        days = [passed(check, text) for text in encoded.dictionary.to_pylist()]
        values = pc.take(pa.array(days, pa.date32()), encoded.indices)
        return pc.is_valid(values), values

    return read


def _number_reader(field: Field) -> ReadColumn:
    """Plain numbers within the contract's limits, as an integer of cents or pieces."""
    places, limits = decimal_places(field), number_limits(field)

    def read(texts: Any) -> tuple[Any, Any]:
        certain, values = plain_numbers(texts, places)
        if limits.lowest is not None:
            certain = pc.and_(certain, pc.greater_equal(values, limits.lowest))
        if limits.highest is not None:
            certain = pc.and_(certain, pc.less_equal(values, limits.highest))
        return certain, values

    return read


def _all(mask: Any) -> bool:
    return pc.all(mask, min_count=0).as_py() is True
