"""The Iceberg tables (docs/design.md, Facts and KPIs): columns and partitions, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform, MonthTransform, Transform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

_TEXT, _WHOLE, _DAY, _FLAG = StringType(), LongType(), DateType(), BooleanType()
_MONEY, _RATE, _INSTANT = DecimalType(38, 2), DecimalType(5, 4), TimestamptzType()
_PROVENANCE: tuple[tuple[str, IcebergType, bool], ...] = (
    ("batch_id", _TEXT, True),
    ("source_key", _TEXT, True),
    ("source_line", _WHOLE, True),
)


def _schema(
    *columns: tuple[str, IcebergType, bool], later: Sequence[tuple[str, IcebergType]] = ()
) -> Schema:
    """`later` columns came when tables were there already: they stand last, and rows lack them."""
    optional = ((name, kind, False) for name, kind in later)
    return Schema(
        *(
            NestedField(field_id=number, name=name, field_type=kind, required=required)
            for number, (name, kind, required) in enumerate(
                (*columns, *_PROVENANCE, *optional), start=1
            )
        )
    )


def _by_order_date(
    schema: Schema, transform: Transform[Any, Any], name: str = "order_date"
) -> PartitionSpec:
    source = schema.find_field("order_date").field_id
    return PartitionSpec(
        PartitionField(source_id=source, field_id=1000, transform=transform, name=name)
    )


def _kpis(*columns: tuple[str, IcebergType]) -> Schema:
    """Of an item as it is published, with the stamp of its writer."""
    stamp = (("batch_id", _TEXT), ("epoch", _WHOLE), ("updated_at", _INSTANT))
    return Schema(
        *(
            NestedField(field_id=number, name=name, field_type=kind, required=True)
            for number, (name, kind) in enumerate((*columns, *stamp), start=1)
        )
    )


INDEX = "order_days"
"""The table that says on which day each order stands; made of `orders`, and of nothing else."""
SCHEMAS: Mapping[str, Schema] = {
    "orders": _schema(
        ("order_id", _TEXT, True),
        ("user_id", _TEXT, False),
        ("order_date", _DAY, True),
        ("total_amount_cents", _WHOLE, True),
        ("status", _TEXT, True),
        later=(("total_from_lines", _FLAG), ("total_extra_cents", _WHOLE)),
    ),
    "order_items": _schema(
        ("order_id", _TEXT, True),
        ("product_id", _TEXT, True),
        ("quantity", _WHOLE, True),
        ("unit_price_cents", _WHOLE, True),
        ("category", _TEXT, False),
        ("order_date", _DAY, False),
        later=(
            ("line_id", _TEXT),
            ("line_amount_cents", _WHOLE),
            ("added_to_total_cents", _WHOLE),
        ),
    ),
    "products": _schema(
        ("product_id", _TEXT, True),
        ("category", _TEXT, True),
        ("name", _TEXT, True),
        ("price_cents", _WHOLE, True),
    ),
    INDEX: Schema(
        NestedField(1, "order_hash", _WHOLE, required=True),
        NestedField(2, "order_date", _DAY, required=True),
        NestedField(3, "change", _WHOLE, required=True),
    ),
    "order_kpis": _kpis(
        ("order_date", _DAY),
        ("total_orders", _WHOLE),
        ("total_revenue", _MONEY),
        ("total_items_sold", _WHOLE),
        ("return_rate", _RATE),
        ("unique_customers", _WHOLE),
        ("guests", _WHOLE),
        ("returned_orders", _WHOLE),
    ),
    "category_kpis": _kpis(
        ("category", _TEXT),
        ("order_date", _DAY),
        ("daily_revenue", _MONEY),
        ("avg_order_value", _MONEY),
        ("avg_return_rate", _RATE),
        ("orders", _WHOLE),
        ("returned_orders", _WHOLE),
    ),
}
"""The index says by how much the orders of a hash on a day became more or fewer, so that it only
grows; the sum is how many stand there. An order without user_id is a guest's; a line without
line_id is known by its pair alone. With `total_from_lines` an order's total follows its lines
(docs/design.md, Facts and KPIs)."""
KPI_TABLES = ("order_kpis", "category_kpis")
"""What the facts give, as it is published: for whoever asks by SQL. The rest are the facts."""
TABLES = tuple(SCHEMAS)
FACTS = tuple(name for name in TABLES if name not in KPI_TABLES)
Heads = Mapping[str, int]
"""Snapshot id by table."""
LINE_AMOUNT = "coalesce(line_amount_cents, quantity * unit_price_cents)"
READ_AS: Mapping[str, str] = {
    "line_amount_cents": f"{LINE_AMOUNT} as line_amount_cents",
    "added_to_total_cents": "coalesce(added_to_total_cents, 0) as added_to_total_cents",
    "total_from_lines": "coalesce(total_from_lines, false) as total_from_lines",
    "total_extra_cents": "coalesce(total_extra_cents, 0) as total_extra_cents",
}
"""How a column is read, where not by its name: rows that were written, or staged, before lines had
amounts of their own cost quantity x unit_price; an order that does not say that its total follows
its lines states it. Whoever rewrites such a row writes what it was read as."""
PARTITIONS: Mapping[str, PartitionSpec] = {
    "orders": _by_order_date(SCHEMAS["orders"], IdentityTransform()),
    "order_items": _by_order_date(SCHEMAS["order_items"], IdentityTransform()),
    "products": UNPARTITIONED_PARTITION_SPEC,
    INDEX: UNPARTITIONED_PARTITION_SPEC,
    **{name: _by_order_date(SCHEMAS[name], MonthTransform(), "order_month") for name in KPI_TABLES},
}
ORDER_HASH = {
    "duckdb": "cast('0x' || substr(md5({}), 1, 15) as bigint)",
    "spark": "cast(conv(substr(md5({}), 1, 15), 16, 10) as bigint)",
}
"""What `order_hash(an id)` in the SQL stands for by each engine: the same number."""
PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.spark.accept-any-schema": "false",
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.compression-codec": "gzip",
}
"""No commit is ever rebased onto somebody else's: a conflict means that we are stale.

What a batch reads before it begins is bounded: manifests are merged by every twentieth fence, old
metadata files go, and the newest, which lists every snapshot that is kept, is a sixth of its text.
"""

STAGED_COLUMNS: Mapping[str, pa.Schema] = {
    "orders": pa.schema(
        {
            "order_id": pa.string(),
            "user_id": pa.string(),
            "order_date": pa.date32(),
            "total_amount_cents": pa.int64(),
            "status": pa.string(),
            "source_line": pa.int64(),
            "total_from_lines": pa.bool_(),
            "total_extra_cents": pa.int64(),
        }
    ),
    "order_items": pa.schema(
        {
            "order_id": pa.string(),
            "product_id": pa.string(),
            "quantity": pa.int64(),
            "unit_price_cents": pa.int64(),
            "source_line": pa.int64(),
            "line_id": pa.string(),
            "line_amount_cents": pa.int64(),
            "added_to_total_cents": pa.int64(),
        }
    ),
    "products": pa.schema(
        {
            "product_id": pa.string(),
            "category": pa.string(),
            "name": pa.string(),
            "price_cents": pa.int64(),
            "source_line": pa.int64(),
        }
    ),
}
"""What the validator stages, per kind; amounts in cents, user_id pseudonymised, null for a guest.

Files that were staged before there were `line_id` and `line_amount_cents` lack these; only what is
read by a source has `total_from_lines` and `total_extra_cents`, whose `total_amount_cents` is then
null, and `added_to_total_cents`.
"""


@dataclass(frozen=True)
class Everything:
    """All rows of a table."""


@dataclass(frozen=True)
class OnDays:
    """Rows of these days and, with `waiting`, the lines that have no day yet.

    Of the data files `without`, by their paths, none.
    """

    days: frozenset[date]
    waiting: bool = False
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Uncategorised:
    """Order lines whose product was not known when they came."""


Partition = date | None
"""A day of `orders` or `order_items`; None holds the lines that wait for their order."""


@dataclass(frozen=True)
class OfOrders:
    """Rows of the orders that a relation of the session names, where they may stand.

    `reach` is the least and the greatest of their ids by day.
    """

    relation: str
    reach: Mapping[Partition, tuple[str, str]]


@dataclass(frozen=True)
class InFiles:
    """All rows of these data files, by their paths."""

    paths: frozenset[str]


Rows = Everything | OnDays | Uncategorised | OfOrders | InFiles
NOTHING = OnDays(frozenset())
PLACE = ("data_file", "row_in_file")
"""Where a row of `orders` or `order_items` lies: asked for with its columns, of no table."""
FILE_ROWS = 100_000
"""Rows of a data file at most. A row that is replaced costs the writing of so many, a quarter of a
second; a day of a million orders is ten files of orders and thirty of lines to read."""
INDEX_FILE_ROWS = 1_000_000
"""Of the index, which is read whole and of which no row is ever replaced."""
FILE_BYTES = 32 << 20
"""Of a data file's rows in memory: where ids are as long as they may be, files have fewer rows."""


def file_rows(table: str) -> int:
    """How many rows a data file of this table has at most."""
    return INDEX_FILE_ROWS if table == INDEX else FILE_ROWS
