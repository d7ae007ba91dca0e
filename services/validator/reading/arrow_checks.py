"""The fast path: columns of whole blocks in Arrow, and which rows are certainly right.

It never decides that a row is bad. Rows that it is not sure of go to `row_checks.py`, so both
paths agree by construction as long as every row that passes here passes there with equal values.
"""

import codecs
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from contracts.file_contracts import Field, FileContract
from services.runtime.csv_files.header import Header
from services.runtime.csv_files.row_checks import (
    CURRENCY,
    decimal_places,
    field_check,
    number_limits,
    passed,
)
from services.validator.reading.arrow_numbers import plain_numbers
from services.validator.reading.arrow_texts import (
    Held,
    Missing,
    ReadColumn,
    all_of,
    read_each,
    text_reader,
    trimmed,
)
from services.validator.reading.record_shapes import RETURN_MARK

SOURCE_LINE = "source_line"


@dataclass(frozen=True)
class ArrowChecks:
    """The columns of one file, in the contract's order."""

    header: Header
    schema: Any
    readers: tuple[ReadColumn, ...]

    def read_texts(
        self,
        text: bytes,
        width: int,
        *,
        hold_line_ends: bool = False,
        are_returns_marked: bool = False,
    ) -> "Texts | None":
        """Trimmed string arrays in the contract's order; None unless all rows have that width.

        `text` holds one well-formed record a line, or fields that `hold_line_ends`, made for Arrow;
        blank lines are skipped. What a row has beyond the header's width must be empty.
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
                parse_options=pa_csv.ParseOptions(
                    delimiter=self.header.delimiter, newlines_in_values=hold_line_ends
                ),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        held = Held.by(text, hold_line_ends=hold_line_ends)
        columns = [trimmed(column.combine_chunks(), held) for column in table.columns]
        if are_returns_marked:
            mark = RETURN_MARK.decode()
            columns = [pc.replace_substring(column, mark, "\r") for column in columns]
        count = len(self._positions)
        are_empty = [pc.equal(column, "") for column in columns[count:]]
        return Texts(table.num_rows, width, columns[:count], are_empty, held)

    def read(self, texts: "Texts", source_lines: Any) -> tuple[Any, "Doubts | None"]:
        """The certain rows as a table of `schema`, and the other rows where there are any."""
        columns = iter(texts.columns)
        masks: list[Any] = []
        values: list[Any] = []
        for reader, position, field in zip(
            self.readers, self.header.positions, self.schema, strict=False
        ):
            if position is None:
                values.append(pa.nulls(texts.rows, field.type))
                continue
            mask, read = reader(next(columns), texts.held)
            masks.append(mask)
            values.append(read)
        certain = all_of([*texts.are_fitting, *masks])
        lines = pa.array(source_lines, pa.int64())
        table = pa.Table.from_arrays([*values, lines], schema=self.schema)
        if certain is None:
            return table, None
        return table.filter(certain), Doubts.of(certain, all_of(texts.are_fitting), masks)

    @property
    def _positions(self) -> list[int]:
        return [position for position in self.header.positions if position is not None]


@dataclass(frozen=True)
class Texts:
    """The columns that the file has, in the contract's order, of so many rows of that width.

    `are_fitting`: for each field too many, where it is empty.
    """

    rows: int
    width: int
    columns: list[Any]
    are_fitting: list[Any]
    held: Held


@dataclass(frozen=True)
class Doubts:
    """The rows that are not certain, by their numbers, and what of each is certain.

    `certain` is true for all others; `are_right[n]` is true for each of these rows whose n-th
    column is (None: all are), `are_fitting` for those that are not too wide.
    """

    certain: Any
    rows: Any
    are_fitting: Any
    are_right: list[Any]

    @classmethod
    def of(cls, certain: Any, are_fitting: Any, masks: list[Any]) -> "Doubts":
        """By masks of all rows, None where all are true."""
        rows = np.flatnonzero(~certain.to_numpy(zero_copy_only=False))

        def of_rows(mask: Any) -> Any:
            return None if mask is None else mask.to_numpy(zero_copy_only=False)[rows]

        return cls(certain, rows, of_rows(are_fitting), [of_rows(mask) for mask in masks])


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
        return text_reader(field, today, only)
    if field.type == "date":
        return _date_reader(field, today)
    return _number_reader(field, today)


def _date_reader(field: Field, today: date) -> ReadColumn:
    """Days repeat, so each distinct text is read once, by the check of the slow path."""
    check = field_check(field, today)

    def read(texts: Any, _held: Held) -> tuple[Any, Any]:
        encoded = pc.dictionary_encode(texts)
        days = [passed(check, text) for text in encoded.dictionary.to_pylist()]
        values = pc.take(pa.array(days, pa.date32()), encoded.indices)
        return pc.is_valid(values), values

    return read


def _number_reader(field: Field, today: date) -> ReadColumn:
    """Numbers within the contract's limits, as an integer of cents or pieces.

    Each distinct text that is no plain number is read by the check of the slow path.
    """
    check = field_check(field, today)
    places, limits = decimal_places(field), number_limits(field)
    missing = None if field.required else Missing(field.missing_values)

    def read(texts: Any, _held: Held) -> tuple[Any, Any]:
        certain, values = plain_numbers(texts, places)
        found = pc.min_max(values).as_py() if len(values) else {"min": None, "max": None}
        if limits.lowest is not None and (found["min"] or 0) < limits.lowest:
            certain = pc.and_(certain, pc.greater_equal(values, limits.lowest))
        if limits.highest is not None and (found["max"] or 0) > limits.highest:
            certain = pc.and_(certain, pc.less_equal(values, limits.highest))
        if missing:
            certain, values = missing.as_nulls(texts, pc.binary_length(texts), certain, values)
        if pc.all(certain, min_count=0).as_py():
            return certain, values
        return read_each(check, texts, pc.invert(certain), certain, values)

    return read
