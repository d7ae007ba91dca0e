"""KPIs as Parquet: days are date32, instants timestamps in UTC, amounts decimals."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from contracts.clock import from_rfc3339
from services.api.kpis.tables import Kind, kind_of

TYPES = {
    Kind.TEXT: pa.string(),
    Kind.DAY: pa.date32(),
    Kind.INSTANT: pa.timestamp("ms", tz="UTC"),
    Kind.COUNT: pa.int64(),
    Kind.MONEY: pa.decimal128(18, 2),
    Kind.RATE: pa.decimal128(5, 4),
}


def write_parquet(
    sink: BinaryIO, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """One row group a million rows; the columns and their types are the same without any row."""
    schema = pa.schema([(name, TYPES[kind_of(name)]) for name in columns])
    arrays = [
        pa.array([typed(kind_of(name), row.get(name)) for row in rows], schema.field(name).type)
        for name in columns
    ]
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")


def typed(kind: Kind, value: Any) -> Any:
    """Days and instants, which rows have as text, as such."""
    if value is None:
        return None
    match kind:
        case Kind.DAY:
            return date.fromisoformat(value)
        case Kind.INSTANT:
            return from_rfc3339(value)
    return value
