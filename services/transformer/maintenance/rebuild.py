"""Making the KPI tables exactly what the facts give: what is wrong with them, and setting it right.

The KPI tables are a projection of the facts (docs/design.md, Facts and KPIs). Items that are right
are left alone, with the stamp of the batch that set them; the others carry the request's id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, TypeAlias

from contracts.clock import to_rfc3339
from contracts.errors import ConcurrencyConflict, StaleWriter
from contracts.messages import DaysRebuilt, KpisRebuilt, RebuildKpis
from services.runtime.event_store import CheckItem, DeleteItem, PutItem, StateWrite
from services.transformer.batch.domain import STATE_ID
from services.transformer.batch.kpis import MAX_TRANSACTION_ITEMS, UNSAID, CategoryDay, OrderDay
from services.transformer.batch.publication import Stamp, TableNames
from services.transformer.batch.state import Ports
from services.transformer.facts.reading import days_with_facts, kpis_at, spans
from services.transformer.maintenance.exclusive_writer import ExclusiveWriter, exclusive_epoch

Kpi: TypeAlias = OrderDay | CategoryDay
StoredItem: TypeAlias = Mapping[str, Any]
StoredKey: TypeAlias = tuple[str, str | None]
"""order_date as it is stored, whatever that says, and the category; None: the day's own item."""

STAMPS = frozenset(("batch_id", "epoch", "updated_at"))


@dataclass(frozen=True)
class Repair:
    """What differs from the facts: `missing` and `wrong` items are set, `strays` deleted."""

    missing: tuple[Kpi, ...] = ()
    wrong: tuple[Kpi, ...] = ()
    strays: tuple[StoredKey, ...] = ()
    unchanged: int = 0

    def __add__(self, other: "Repair") -> "Repair":
        return Repair(
            self.missing + other.missing,
            self.wrong + other.wrong,
            self.strays + other.strays,
            self.unchanged + other.unchanged,
        )

    def counts(self) -> dict[str, int]:
        """Items set by table, deleted, and left alone."""
        set_anew = (*self.missing, *self.wrong)
        return {
            "order_kpis": sum(isinstance(kpi, OrderDay) for kpi in set_anew),
            "category_kpis": sum(isinstance(kpi, CategoryDay) for kpi in set_anew),
            "deleted": len(self.strays),
            "unchanged": self.unchanged,
        }

    def transactions(self, tables: TableNames, stamp: Stamp) -> Iterator[list[StateWrite]]:
        """The writes, whole days packed together; only a day of more than 99 writes is cut."""
        by_day: list[tuple[str, StateWrite]] = []
        for kpi in (*self.missing, *self.wrong):
            table = tables.order_kpis if isinstance(kpi, OrderDay) else tables.category_kpis
            put = PutItem(table, {**kpi.item(), **stamp.attributes()})
            by_day.append((kpi.order_date.isoformat(), put))
        by_day += [(stray[0], _deletion(stray, tables)) for stray in self.strays]
        packed: list[StateWrite] = []
        for _, group in groupby(sorted(by_day, key=_day_of), key=_day_of):
            writes = [write for _, write in group]
            if packed and len(packed) + len(writes) > MAX_TRANSACTION_ITEMS:
                yield packed
                packed = []
            packed += writes
            while len(packed) > MAX_TRANSACTION_ITEMS:
                yield packed[:MAX_TRANSACTION_ITEMS]
                packed = packed[MAX_TRANSACTION_ITEMS:]
        if packed:
            yield packed


def key_of(item: Kpi | StoredItem) -> StoredKey:
    """Which KPI an item is of."""
    match item:
        case OrderDay():
            return item.order_date.isoformat(), None
        case CategoryDay():
            return item.order_date.isoformat(), item.category
    return item["order_date"], item.get("category")


def compare(expected: Iterable[Kpi], stored: Mapping[StoredKey, StoredItem]) -> Repair:
    """What of the stored items has to change to be exactly the expected ones.

    An item is right when its measures are equal, it carries its stamps and nothing else.
    """
    missing, wrong, unchanged = [], [], 0
    standing = set()
    for kpi in expected:
        key, measures = key_of(kpi), kpi.item()
        standing.add(key)
        found = stored.get(key)
        if found is None:
            missing.append(kpi)
            continue
        found = {**{name: UNSAID[name] for name in UNSAID.keys() & measures.keys()}, **found}
        if found.keys() != measures.keys() | STAMPS or not measures.items() <= found.items():
            wrong.append(kpi)
        else:
            unchanged += 1
    strays = sorted((key for key in stored if key not in standing), key=str)
    return Repair(tuple(missing), tuple(wrong), tuple(strays), unchanged)


def rebuild_kpis(command: RebuildKpis, ports: Ports) -> None:
    """Recompute every day from the facts; set and delete what differs, under an epoch of its own.

    A batch that is in work, or begins meanwhile, wins: then UpkeepRefused says so.
    """
    began_at = ports.clock()
    with exclusive_epoch(command.request_id, ports) as writer:
        if writer is None:
            return
        days = days_with_facts(ports.facts, writer.heads)
        stored = _stored(ports)
        repair = Repair()
        done = 0
        for span in spans(days):
            theirs = _on_days(stored, {day.isoformat() for day in span})
            repair += _set_right(
                compare(kpis_at(writer.engine, writer.heads, span), theirs), writer
            )
            done += len(span)
            writer.record(_days_rebuilt(writer, span, done, len(days)))
        without_facts = stored.keys() - _on_days(stored, {day.isoformat() for day in days}).keys()
        repair += _set_right(compare((), {key: stored[key] for key in without_facts}), writer)
        elapsed = ports.clock() - began_at
        writer.record(
            KpisRebuilt(
                request_id=command.request_id,
                epoch=writer.epoch,
                days=len(days),
                duration_seconds=round(elapsed.total_seconds(), 3),
                **repair.counts(),
            )
        )


def _set_right(repair: Repair, writer: ExclusiveWriter) -> Repair:
    """Raises StaleWriter when a batch has begun: it has the newer facts."""
    ports = writer.ports
    stamp = Stamp(writer.request_id, writer.epoch, to_rfc3339(ports.clock()))
    mine = CheckItem(ports.tables.state, {"StateId": STATE_ID}, {"epoch": writer.epoch})
    for writes in repair.transactions(ports.tables, stamp):
        try:
            ports.store.append(context=writer.context, writes=[mine, *writes])
        except ConcurrencyConflict as error:
            raise StaleWriter(f"epoch {writer.epoch} of {writer.request_id} is stale") from error
    return repair


def _stored(ports: Ports) -> dict[StoredKey, StoredItem]:
    tables = ports.tables.order_kpis, ports.tables.category_kpis
    return {key_of(item): item for table in tables for item in ports.store.scan(table)}


def _on_days(stored: Mapping[StoredKey, StoredItem], days: set[str]) -> dict[StoredKey, StoredItem]:
    return {key: item for key, item in stored.items() if key[0] in days}


def _days_rebuilt(writer: ExclusiveWriter, span: list[date], done: int, total: int) -> DaysRebuilt:
    return DaysRebuilt(
        request_id=writer.request_id,
        epoch=writer.epoch,
        first_day=span[0].isoformat(),
        last_day=span[-1].isoformat(),
        days_done=done,
        days_total=total,
    )


def _day_of(write: tuple[str, StateWrite]) -> str:
    return write[0]


def _deletion(key: StoredKey, tables: TableNames) -> DeleteItem:
    order_date, category = key
    if category is None:
        return DeleteItem(tables.order_kpis, {"order_date": order_date})
    return DeleteItem(tables.category_kpis, {"category": category, "order_date": order_date})
