"""Publishes KPI items: every transaction also checks that the writer's epoch is the newest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.envelope import MessageContext
from contracts.errors import ConcurrencyConflict, StaleWriter
from services.runtime.event_store import CheckItem, DeleteItem, EventStore, PutItem, StateWrite
from services.transformer.batch.domain import STATE_ID
from services.transformer.batch.kpis import CategoryDay, KpiChange, KpiKey, OrderDay


@dataclass(frozen=True)
class TableNames:
    """The DynamoDB tables of this service."""

    state: str
    order_kpis: str
    category_kpis: str


@dataclass(frozen=True)
class Stamp:
    """What every published item says of its writer; `updated_at` is RFC 3339."""

    batch_id: str
    epoch: int
    updated_at: str

    def attributes(self) -> Mapping[str, Any]:
        """The attributes by name."""
        return {"batch_id": self.batch_id, "epoch": self.epoch, "updated_at": self.updated_at}


def publish_kpis(
    store: EventStore, tables: TableNames, change: KpiChange, stamp: Stamp, context: MessageContext
) -> None:
    """Set and delete the items, whole days at a time, one transaction after the other.

    Transactions that check one item exclude each other, so running them side by side would only
    make them fail (TransactionConflict). Setting is idempotent: a crash is cured by publishing
    again. Raises StaleWriter when a newer epoch has begun.
    """
    writes = ([write_of(each, tables, stamp) for each in day] for day in change.transactions())
    stale = f"epoch {stamp.epoch} of batch {stamp.batch_id} is stale: a newer one has begun; "
    write_as_newest(store, tables, stamp.epoch, writes, context, f"{stale}the KPIs are left to it")


def write_as_newest(
    store: EventStore,
    tables: TableNames,
    epoch: int,
    transactions: Iterable[Sequence[StateWrite]],
    context: MessageContext,
    stale: str,
) -> None:
    """Each transaction on condition of the epoch; raises StaleWriter, which says `stale`."""
    newest = CheckItem(tables.state, {"StateId": STATE_ID}, {"epoch": epoch})
    for writes in transactions:
        try:
            store.append(context=context, writes=[newest, *writes])
        except ConcurrencyConflict as error:
            raise StaleWriter(stale) from error


def write_of(
    change: OrderDay | CategoryDay | KpiKey, tables: TableNames, stamp: Stamp
) -> StateWrite:
    """The item that is set, with its stamp, or deleted."""
    match change:
        case OrderDay():
            return PutItem(tables.order_kpis, stored_item(change, stamp))
        case CategoryDay():
            return PutItem(tables.category_kpis, stored_item(change, stamp))
        case KpiKey(order_date, category):
            return deletion_of(order_date.isoformat(), category, tables)


def stored_item(day: OrderDay | CategoryDay, stamp: Stamp) -> dict[str, Any]:
    """All attributes of an item in its table."""
    return {**day.item(), **day.counts(), **stamp.attributes()}


def deletion_of(order_date: str, category: str | None, tables: TableNames) -> DeleteItem:
    """Of the item of a category on a day, or (category None) of the day's own."""
    if category is None:
        return DeleteItem(tables.order_kpis, {"order_date": order_date})
    return DeleteItem(tables.category_kpis, {"category": category, "order_date": order_date})
