"""Making the KPI tables exactly what the facts give: what is wrong with them, and setting it right.

The KPI tables are a projection of the facts (docs/design.md, Facts and KPIs). Items that are right
are left alone, with the stamp of the batch that set them; the others carry the request's id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any, TypeAlias

from contracts.clock import to_rfc3339
from contracts.messages import DaysRebuilt, KpisRebuilt, RebuildKpis
from services.runtime.event_store import StateWrite
from services.transformer.batch.kpis import DEFAULT_MEASURES, CategoryDay, OrderDay, packed_by_day
from services.transformer.batch.publication import (
    Stamp,
    TableNames,
    deletion_of,
    write_as_newest,
    write_of,
)
from services.transformer.batch.state import Ports
from services.transformer.facts.kpi_tables import (
    TableRepair,
    compare_rows,
    rows_by_key,
    write_kpis,
)
from services.transformer.facts.order_index import index_faults, rebuild_index
from services.transformer.facts.reading import days_with_facts, kpis_at, spans
from services.transformer.facts.tables import INDEX, KPI_TABLES
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
        """The writes, packed by day."""
        set_anew = (*self.missing, *self.wrong)
        by_day = [(key_of(kpi)[0], write_of(kpi, tables, stamp)) for kpi in set_anew]
        by_day += [(stray[0], deletion_of(*stray, tables)) for stray in self.strays]
        return packed_by_day(sorted(by_day, key=itemgetter(0)))


def key_of(item: Kpi | StoredItem) -> StoredKey:
    """Which KPI an item is of."""
    if isinstance(item, Mapping):
        return item["order_date"], item.get("category")
    return item.order_date.isoformat(), item.category


def compare(expected: Iterable[Kpi], stored: Mapping[StoredKey, StoredItem]) -> Repair:
    """What of the stored items has to change to be exactly the expected ones.

    An item is right when its measures are equal, it carries its stamps and nothing else.
    """
    missing, wrong, unchanged = [], [], 0
    standing = set()
    for kpi in expected:
        key, measures = key_of(kpi), {**kpi.item(), **kpi.counts()}
        standing.add(key)
        found = stored.get(key)
        if found is None:
            missing.append(kpi)
            continue
        found = {name: n for name, n in DEFAULT_MEASURES.items() if name in measures} | dict(found)
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
        faults = _index_set_right(writer) if command.index else None
        days = days_with_facts(ports.facts, writer.heads)
        stored, rows = _stored(ports), rows_by_key(ports.facts, writer.heads)
        repair, table_repair = Repair(), TableRepair()
        done = 0
        for span in spans(days):
            of_span = {day.isoformat() for day in span}
            expected = kpis_at(writer.engine, writer.heads, span)
            repair += _set_right(compare(expected, _on_days(stored, of_span)), writer)
            table_repair += compare_rows(expected, _on_days(rows, of_span))
            done += len(span)
            writer.record(_days_rebuilt(writer, span, done, len(days)))
        with_facts = {day.isoformat() for day in days}
        repair += _set_right(compare((), _on_other_days(stored, with_facts)), writer)
        table_repair += compare_rows((), _on_other_days(rows, with_facts))
        _set_tables_right(table_repair, writer)
        elapsed = ports.clock() - began_at
        writer.record(
            KpisRebuilt(
                request_id=command.request_id,
                epoch=writer.epoch,
                days=len(days),
                index_faults=faults,
                table_rows=table_repair.faults,
                duration_seconds=round(elapsed.total_seconds(), 3),
                **repair.counts(),
            )
        )


def _set_tables_right(repair: TableRepair, writer: ExclusiveWriter) -> None:
    """Write the days of the KPI tables that are not right anew, published as a batch is."""
    if not repair.days:
        return
    facts = writer.ports.facts
    facts.fence(writer.heads, writer.epoch, writer.request_id)
    stamp = Stamp(writer.request_id, writer.epoch, to_rfc3339(writer.ports.clock()))
    write_kpis(facts, writer.epoch, repair.kpis, repair.days, stamp)
    made = facts.branch_heads(writer.epoch)
    kpi_rows = facts.total_rows({name: made[name] for name in KPI_TABLES})
    writer.publish("making the KPI tables anew", expected=kpi_rows)


def _index_set_right(writer: ExclusiveWriter) -> int:
    """Make the index anew from the orders, published as a batch is; how much of it was wrong."""
    facts = writer.ports.facts
    faults = index_faults(writer.engine, writer.heads)
    facts.fence(writer.heads, writer.epoch, writer.request_id)
    properties = {"batch_id": writer.request_id, "epoch": str(writer.epoch)}
    rows = rebuild_index(writer.engine, writer.heads, writer.epoch, properties)
    writer.publish("making the index anew", expected={INDEX: rows})
    return faults


def _set_right(repair: Repair, writer: ExclusiveWriter) -> Repair:
    """Raises StaleWriter when a batch has begun: it has the newer facts."""
    ports = writer.ports
    stamp = Stamp(writer.request_id, writer.epoch, to_rfc3339(ports.clock()))
    writes = repair.transactions(ports.tables, stamp)
    stale = f"epoch {writer.epoch} of {writer.request_id} is stale"
    write_as_newest(ports.store, ports.tables, writer.epoch, writes, writer.context, stale)
    return repair


def _stored(ports: Ports) -> dict[StoredKey, StoredItem]:
    tables = ports.tables.order_kpis, ports.tables.category_kpis
    return {key_of(item): item for table in tables for item in ports.store.scan(table)}


def _on_days(stored: Mapping[StoredKey, StoredItem], days: set[str]) -> dict[StoredKey, StoredItem]:
    return {key: item for key, item in stored.items() if key[0] in days}


def _on_other_days(
    stored: Mapping[StoredKey, StoredItem], days: set[str]
) -> dict[StoredKey, StoredItem]:
    return {key: item for key, item in stored.items() if key[0] not in days}


def _days_rebuilt(writer: ExclusiveWriter, span: list[date], done: int, total: int) -> DaysRebuilt:
    return DaysRebuilt(
        request_id=writer.request_id,
        epoch=writer.epoch,
        first_day=span[0].isoformat(),
        last_day=span[-1].isoformat(),
        days_done=done,
        days_total=total,
    )
