"""The KPIs as Iceberg tables: the items that DynamoDB gets, as rows on the writer's branch.

One file a month; the months of the days that change are written again. What moves main is the
catalog's (catalog.py, `publish_kpis`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.clock import from_rfc3339
from services.transformer.batch.kpis import CategoryDay, OrderDay, cents
from services.transformer.batch.publication import Stamp, stored_item
from services.transformer.engines.port import side_by_side
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.data_files import (
    data_files,
    month_of,
    rows_in,
    write_data_files,
)
from services.transformer.facts.tables import KPI_TABLES, SCHEMAS, Heads

Kpi = OrderDay | CategoryDay
Row = Mapping[str, Any]
RowKey = tuple[str, str | None]
ALL_DAYS = None


def are_in_step(facts: FactsCatalog, heads: Heads) -> bool:
    """Whether the KPI tables are of these facts.

    Every publication moves all tables to snapshots of one epoch. KPI tables that are new, or that
    somebody left behind who did not know of them yet, are of another.
    """
    return len({facts.writer_of(name, heads[name]) for name in ("orders", *KPI_TABLES)}) == 1


def write_kpis(
    facts: FactsCatalog,
    epoch: int,
    kpis: Iterable[Kpi],
    days: Collection[date] | None,
    stamp: Stamp,
) -> list[Kpi]:
    """Commit to branch `e<epoch>`: these are all KPIs of those days, or (ALL_DAYS) all there are.

    A day without any loses its rows. The tables are written side by side. Gives what the rows of
    the days were before.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in KPI_TABLES}
    for kpi in kpis:
        rows[table_of(kpi)].append(row_of(kpi, stamp))
    if days is ALL_DAYS or days:
        calls: list[Callable[[], list[Row]]] = [
            partial(_replace, facts, name, epoch, rows[name], days, stamp) for name in KPI_TABLES
        ]
        before = dict(zip(KPI_TABLES, side_by_side(calls), strict=True))
        return [kpi_of(name, row) for name, of_table in before.items() for row in of_table]
    return []


def table_of(kpi: Kpi) -> str:
    """The table that an item is a row of."""
    return "order_kpis" if isinstance(kpi, OrderDay) else "category_kpis"


def row_of(kpi: Kpi, stamp: Stamp) -> dict[str, Any]:
    """The published item, with its day and instant as such."""
    item = stored_item(kpi, stamp)
    return {**item, "order_date": kpi.order_date, "updated_at": from_rfc3339(item["updated_at"])}


def kpi_of(name: str, row: Row) -> Kpi:
    """The KPI that a row of a table is."""
    if name == "order_kpis":
        whole = (
            *("total_items_sold", "returned_orders", "unique_customers", "guests"),
            "total_orders",
        )
        return OrderDay(
            order_date=row["order_date"],
            total_revenue_cents=cents(row["total_revenue"]),
            **{measure: row[measure] for measure in whole},
        )
    return CategoryDay(
        order_date=row["order_date"],
        category=row["category"],
        daily_revenue_cents=cents(row["daily_revenue"]),
        orders_with_category=row["orders"],
        returned_orders=row["returned_orders"],
    )


@dataclass(frozen=True)
class TableRepair:
    """What differs from the facts: `days` whose rows are to be these `kpis`, for so many faults."""

    days: frozenset[date] = frozenset()
    kpis: tuple[Kpi, ...] = ()
    faults: int = 0

    def __add__(self, other: "TableRepair") -> "TableRepair":
        return TableRepair(
            self.days | other.days, self.kpis + other.kpis, self.faults + other.faults
        )


def compare_rows(expected: Iterable[Kpi], rows: Mapping[RowKey, Row]) -> TableRepair:
    """The days on which the rows are not what the facts give, and all KPIs of those days."""
    standing = {(kpi.order_date.isoformat(), kpi.category): kpi for kpi in expected}
    faults = [key for key in standing.keys() | rows.keys() if not _is_right(key, standing, rows)]
    days = {day for day, _ in faults}
    kpis = tuple(kpi for (day, _), kpi in standing.items() if day in days)
    return TableRepair(frozenset(map(date.fromisoformat, days)), kpis, len(faults))


def _is_right(key: RowKey, standing: Mapping[RowKey, Kpi], rows: Mapping[RowKey, Row]) -> bool:
    kpi, row = standing.get(key), rows.get(key)
    if kpi is None or row is None:
        return False
    measures = {**kpi.item(), **kpi.counts(), "order_date": kpi.order_date}
    return measures.items() <= row.items()


def rows_by_key(facts: FactsCatalog, heads: Heads) -> dict[RowKey, Row]:
    """All rows of both KPI tables by day and category (None: of the day); none where none are."""
    return {
        (row["order_date"].isoformat(), row.get("category")): row
        for name in KPI_TABLES
        if name in heads
        for row in read_kpis(facts, name, heads[name])
    }


def read_kpis(facts: FactsCatalog, name: str, head: int) -> list[dict[str, Any]]:
    """All rows of a KPI table at a snapshot."""
    table = facts.table(name)
    files = data_files(table, head)
    rows: list[dict[str, Any]] = rows_in(table, files).to_pylist()
    return rows


def _replace(
    facts: FactsCatalog,
    name: str,
    epoch: int,
    rows: Sequence[Mapping[str, Any]],
    days: Collection[date] | None,
    stamp: Stamp,
) -> list[Row]:
    """Gives the rows that are replaced, of these days."""
    table, head = facts.table(name), facts.branch_heads(epoch)[name]
    schema = SCHEMAS[name].as_arrow()
    removed, replaced = data_files(table, head), []
    new = pa.Table.from_pylist(list(rows), schema=schema)
    if days is not None:
        months = {(day.year, day.month) for day in days}
        removed = [file for file in removed if month_of(file) in months]
        standing = rows_in(table, removed)
        gone = pc.is_in(standing["order_date"], pa.array(days, pa.date32()))
        replaced = standing.filter(gone).to_pylist()
        new = pa.concat_tables([standing.filter(pc.invert(gone)), new])
    if not removed and not new.num_rows:
        return replaced
    order = [name for name in ("order_date", "category") if name in schema.names]
    sorted_rows = new.sort_by([(name, "ascending") for name in order])
    added = list(write_data_files(table, sorted_rows))
    properties = {"batch_id": stamp.batch_id, "epoch": str(epoch)}
    facts.replace(name, epoch, removed, added, properties)
    return replaced
