"""What the validator is measured against: the floor in pyarrow, Pandera, and the seed's way."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from contracts.file_contracts import Field, FileContract, file_contract
from services.validator.pseudonyms import Pseudonyms
from services.validator.reading.staged_rows import accepted_schema
from tests.performance.staging import KEY

MONEY = pa.decimal128(18, 2)
READ_AS = {"string": pa.string(), "date": pa.date32(), "number": MONEY, "integer": pa.int64()}


def read_and_write_with_pyarrow(source: Path, target: Path, *, pseudonyms: bool = True) -> None:
    """The floor: all of pyarrow's threads, no check beyond the types, the Parquet that we stage."""
    contract = file_contract(source.stem)
    types = {field.name: READ_AS[field.type] for field in contract.fields if not field.optional}
    convert = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=False)
    table = pa_csv.read_csv(source, convert_options=convert)
    _write_as_staged(contract, table, target, pseudonyms=pseudonyms)


def _write_as_staged(contract: FileContract, table: Any, target: Path, *, pseudonyms: bool) -> None:
    lines = pa.array(np.arange(2, table.num_rows + 2))
    columns = [_in_cents(column) if column.type == MONEY else column for column in table.columns]
    if contract.kind == "order_items":
        _, _, quantities, prices = columns
        amounts = pc.multiply(quantities.combine_chunks(), prices)
        columns += [pa.nulls(table.num_rows, pa.string()), amounts]
    staged = pa.Table.from_arrays([*columns, lines], schema=accepted_schema(contract))
    pq.write_table(
        Pseudonyms(KEY).applied_to(staged) if pseudonyms else staged,
        target,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"source_line": "DELTA_BINARY_PACKED"},
    )


def _in_cents(column: Any) -> Any:
    """A decimal of two places is its cents already: the low half of each 128-bit integer."""
    amounts = column.combine_chunks()
    halves = np.frombuffer(amounts.buffers()[1], dtype="<i8")
    return pa.array(halves[::2][amounts.offset : amounts.offset + len(amounts)])


def schema_of(kind: str) -> Any:
    """The file contract as a Pandera schema over columns of text."""
    return pandera.DataFrameSchema(
        {
            field.name: pandera.Column(str, _checks(field))
            for field in file_contract(kind).fields
            if not field.optional
        }
    )


def check_with_pandera(source: Path, schema: Any) -> int:
    """Read and check every row, and stage nothing; returns how many checks failed."""
    frame = _read_with_pandas(source)
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return len(errors.failure_cases)
    return 0


def stage_with_pandera(source: Path, schema: Any, target: Path) -> None:
    """Read and check every row, then types, cents, pseudonyms and Parquet by the way of the floor.

    `schema` must pass: what Pandera finds is not put anywhere.
    """
    frame = schema.validate(_read_with_pandas(source), lazy=True)
    texts = pa.Table.from_pandas(frame, preserve_index=False)
    contract = file_contract(source.stem)
    read_as = pa.schema(
        [(field.name, READ_AS[field.type]) for field in contract.fields if not field.optional]
    )
    _write_as_staged(contract, texts.cast(read_as), target, pseudonyms=True)


def _read_with_pandas(source: Path) -> Any:
    return pd.read_csv(source, engine="pyarrow", dtype=str, keep_default_na=False)


def _checks(field: Field) -> list[Any]:
    if field.type == "string":
        length = pandera.Check.str_length(field.minimum_length, field.maximum_length)
        return [length, pandera.Check.str_matches(field.pattern)] if field.pattern else [length]
    if field.type == "date":
        latest = pd.Timestamp.now("UTC").tz_localize(None).normalize() + pd.Timedelta(days=1)
        return [pandera.Check(lambda texts: _days(texts).between(field.earliest, latest))]
    decimals = rf"(\.[0-9]{{1,{field.decimal_places}}})?" if field.decimal_places else ""
    limits = [None if v is None else float(v) for v in (field.minimum, field.maximum)]
    return [
        pandera.Check.str_matches(rf"^[0-9]{{1,17}}{decimals}$"),
        pandera.Check(lambda texts: pd.to_numeric(texts, errors="coerce").between(*limits)),
    ]


def _days(texts: Any) -> Any:
    return pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")


def check_the_header_with_pandas(source: Path) -> None:
    """The seed's way: load the file, compare the header, look at no row."""
    frame = pd.read_csv(source)
    assert set(file_contract(source.stem).required_columns) <= set(frame.columns)
