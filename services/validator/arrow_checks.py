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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from contracts.csv_files.advice import SHORTENED_ID_PATTERN
from contracts.csv_files.header import Header
from contracts.csv_files.row_checks import (
    CURRENCY,
    LOWER_CASED,
    FieldCheck,
    decimal_places,
    field_check,
    judgement,
    names_something,
    number_limits,
    passed,
)
from contracts.csv_files.texts import BLANKS, FORMULA_START, SPACES
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

    def read_texts(self, text: bytes, width: int) -> "Texts | None":
        """Trimmed string arrays in the contract's order; None unless all rows have that width.

        `text` holds one well-formed record a line; blank lines are skipped. What a row has beyond
        the header's width must be empty.
        """
        if text.startswith(codecs.BOM_UTF8):  # Arrow would drop it, here it is content
            text = b"\n" + text
        names = [f"c{n}" for n in range(width)]
        surplus = names[self.header.width + self.header.spare :]
        wanted = [names[position] for position in self._positions] + surplus
        try:
            table = pa_csv.read_csv(
                pa.BufferReader(text),
                read_options=pa_csv.ReadOptions(column_names=names, block_size=len(text) + 1),
                parse_options=pa_csv.ParseOptions(delimiter=self.header.delimiter),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        is_ascii = text.isascii()
        trimmed = [_trimmed(column.combine_chunks(), is_ascii) for column in table.columns]
        count = len(self._positions)
        are_empty = [pc.equal(column, "") for column in trimmed[count:]]
        return Texts(table.num_rows, trimmed[:count], are_empty)

    def read(self, texts: "Texts", source_lines: Any) -> tuple[Any, Any]:
        """The certain rows as a table of `schema`, and a mask that is true for them."""
        columns = iter(texts.columns)
        masks, values = list(texts.are_fitting), []
        for reader, position, field in zip(
            self.readers, self.header.positions, self.schema, strict=False
        ):
            if position is None:
                values.append(pa.nulls(texts.rows, field.type))
                continue
            mask, read = reader(next(columns))
            masks.append(mask)
            values.append(read)
        certain = reduce(pc.and_, masks)
        lines = pa.array(source_lines, pa.int64())
        table = pa.Table.from_arrays([*values, lines], schema=self.schema)
        return table if _all(certain) else table.filter(certain), certain

    @property
    def _positions(self) -> list[int]:
        return [position for position in self.header.positions if position is not None]


@dataclass(frozen=True)
class Texts:
    """The columns that the file has, in the contract's order, of so many rows.

    `are_fitting`: for each field too many, where it is empty.
    """

    rows: int
    columns: list[Any]
    are_fitting: list[Any]


def arrow_checks(
    contract: FileContract, header: Header, today: date, currency: str | None = None
) -> ArrowChecks:
    """The fast path of a contract for a file with this header; `today` bounds its dates.

    Rows that say another currency than `currency` are not certain.
    """
    readers = tuple(_reader(field, today, currency) for field in contract.fields)
    return ArrowChecks(header, checked_schema(contract), readers)


def checked_schema(contract: FileContract) -> Any:
    """The contract's columns and `source_line`; money is in cents and says so."""
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


def _reader(field: Field, today: date, currency: str | None) -> ReadColumn:
    if field.type == "string":
        only = currency if field.name == CURRENCY else None
        return _text_reader(field, today, only)
    if field.type == "date":
        return _date_reader(field, today)
    return _number_reader(field)


def _text_reader(field: Field, today: date, only: str | None) -> ReadColumn:
    """Lengths in characters; a pattern is only trusted on ASCII, where RE2 and Python agree.

    What is not ASCII is read by the check of the slow path, each distinct text once.
    """
    shortest = max(field.minimum_length or 0, 1)
    is_lower_cased = field.name in LOWER_CASED
    allows_printable = field.pattern is not None and _allows_printable_ascii(field.pattern)
    missing = None if field.required else _Missing(field.missing_values)
    is_id, is_currency = names_something(field), field.name == CURRENCY
    check = field_check(field, today)

    def read(texts: Any) -> tuple[Any, Any]:
        characters = _characters(texts)
        if FORMULA_START.encode() in characters:
            texts = _without_formulas(texts)
            characters = _characters(texts)
        lengths = pc.binary_length(texts)
        certain = pc.greater_equal(lengths, shortest)
        if field.maximum_length is not None:
            certain = pc.and_(certain, pc.less_equal(lengths, field.maximum_length))
        is_ascii = characters.isascii()
        if allows_printable:
            certain = pc.and_(certain, pc.ascii_is_printable(texts))
        elif field.pattern:
            certain = pc.and_(certain, pc.match_substring_regex(texts, field.pattern))
        if not is_ascii:
            certain = pc.and_(certain, pc.string_is_ascii(texts))
        if is_id and any(mark in characters for mark in (b".", b",", b"+")):
            shortened = pc.match_substring_regex(texts, SHORTENED_ID_PATTERN)
            certain = pc.and_not(certain, shortened)
        if FORMULA_START.encode() in characters:
            certain = pc.and_not(certain, pc.starts_with(texts, FORMULA_START))
        values = _lower(texts) if is_lower_cased else texts
        if is_currency:
            values = pc.ascii_upper(texts)
        if missing:
            certain, values = missing.told(texts, lengths, certain, values)
        if not is_ascii:
            certain, values = _read_each(check, texts, certain, values)
        if only:
            is_ours = pc.or_(pc.is_null(values), pc.fill_null(pc.equal(values, only), False))
            certain = pc.and_(certain, is_ours)
        return certain, values

    return read


@dataclass(frozen=True)
class _Missing:
    """The words for "nothing" in a column that takes it for an answer."""

    words: tuple[str, ...]

    def told(self, texts: Any, lengths: Any, certain: Any, values: Any) -> tuple[Any, Any]:
        """Nulls for these words, which are certain."""
        longest = max(map(len, self.words))
        if not len(texts) or (pc.min(lengths).as_py() or 0) > longest:
            return certain, values
        says_nothing = pc.is_in(texts, value_set=pa.array(self.words, pa.string()))
        nothing = pa.scalar(None, values.type)
        return pc.or_(certain, says_nothing), pc.if_else(says_nothing, nothing, values)


def _characters(texts: Any) -> bytes:
    """All texts of an array that was just made, one after the other."""
    _, offsets, characters = texts.buffers()
    if characters is None or not len(texts):
        return b""
    edges = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(characters.slice(int(edges[0]), int(edges[-1] - edges[0])).to_pybytes())


_SPACE = f"[{SPACES}]"


def _trimmed(texts: Any, is_ascii: bool) -> Any:
    """Every space a space, none of them around the text."""
    if not is_ascii:
        texts = pc.replace_substring_regex(texts, _SPACE, " ")
    return pc.ascii_trim(texts, BLANKS)


def _without_formulas(texts: Any) -> Any:
    """`="0001"` as `0001`, where nothing inside needs thought."""
    bare = pc.replace_substring_regex(texts, '^="([ !#-~]*)"$', "\\1")
    return pc.ascii_trim(bare, BLANKS)


def _read_each(check: FieldCheck, texts: Any, certain: Any, values: Any) -> tuple[Any, Any]:
    """The check of the slow path on each distinct text that is not certain and not ASCII."""
    doubtful = pc.and_not(pc.invert(certain), pc.string_is_ascii(texts))
    encoded = pc.dictionary_encode(texts.filter(doubtful))
    judged = [judgement(check, text) for text in encoded.dictionary.to_pylist()]
    is_right = pa.array([right for right, _ in judged], pa.bool_())
    read = pa.array([value for _, value in judged], values.type)
    certain = pc.replace_with_mask(certain, doubtful, pc.take(is_right, encoded.indices))
    return certain, pc.replace_with_mask(values, doubtful, pc.take(read, encoded.indices))


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
    missing = None if field.required else _Missing(field.missing_values)

    def read(texts: Any) -> tuple[Any, Any]:
        certain, values = plain_numbers(texts, places)
        if limits.lowest is not None:
            certain = pc.and_(certain, pc.greater_equal(values, limits.lowest))
        if limits.highest is not None:
            certain = pc.and_(certain, pc.less_equal(values, limits.highest))
        if missing:
            certain, values = missing.told(texts, pc.binary_length(texts), certain, values)
        return certain, values

    return read


def _all(mask: Any) -> bool:
    return pc.all(mask, min_count=0).as_py() is True
