"""The facts behind the figures, for reading: where they stand, and one number with its evidence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from contracts.envelope import Message
from contracts.layout import archive_prefix
from infra.ecp.kpis.queries import CATEGORY_FIELDS, ORDER_FIELDS
from infra.ecp.names import CATEGORY_KPIS_TABLE, FACTS_DATABASE, ORDER_KPIS_TABLE
from services.runtime.event_store import EventStore
from services.runtime.storage import items
from services.transformer.batch.domain import STATE_ID, TransformerState, as_text
from services.transformer.batch.kpis import DEFAULT_MEASURES, CategoryDay, OrderDay
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts.catalog import tag_of
from services.transformer.facts.data_files import data_files, partition_of
from services.transformer.facts.order_index import index_faults
from services.transformer.facts.reading import ReadOnlyFacts, days_with_facts, kpis_at, spans
from services.transformer.history.provenance import Contribution, Evidence, evidence_of
from services.transformer.maintenance.erasure import holding_snapshots, trace
from services.transformer.maintenance.rebuild import compare, key_of
from services.transformer.maintenance.rewriting import TABLE
from services.transformer.maintenance.upkeep import path_of, plan_upkeep, stored_files

TRANSFORMER_STATE_TABLE = "TransformerState"
LOOKS = 3


class PublishedFacts:
    """The facts as they were last published; `catalog` is a pyiceberg catalog.

    Raises PipelineError when nothing was ever published.
    """

    def __init__(self, catalog: Any, dynamodb: Any) -> None:
        self.dynamodb = dynamodb
        self.facts = ReadOnlyFacts(catalog, FACTS_DATABASE)
        self.state = self.read_state()
        self.heads = self.state.standing(self.facts.load(-1))

    @cached_property
    def engine(self) -> DuckDBEngine:
        """The engine that every batch uses, over these tables."""
        return DuckDBEngine(self.facts)

    def read_state(self) -> TransformerState:
        """Who may write now, and what is published."""
        key = {"StateId": STATE_ID}
        found = items.get_item(self.dynamodb, TRANSFORMER_STATE_TABLE, key)
        return TransformerState.from_item(found)

    def snapshot_ids(self, tables: Iterable[str]) -> dict[str, str]:
        """The published snapshot of these tables, as text."""
        return as_text({table: self.heads[table] for table in tables})

    def tagged(self, batch_id: str, table: str) -> str | None:
        """The snapshot that a batch's tag names; None when the tag is kept no longer."""
        ref = self.facts.table(table).refs().get(tag_of(batch_id))
        return None if ref is None else str(ref.snapshot_id)


@dataclass(frozen=True)
class Explained:
    """A published item beside the same number from the facts; an absent one is None."""

    order_date: date
    category: str | None
    published: Mapping[str, Any] | None
    evidence: Evidence
    facts: PublishedFacts

    @property
    def recomputed(self) -> dict[str, Any] | None:
        """The item that the facts give."""
        return None if self.evidence.kpi is None else self.evidence.kpi.item()

    @property
    def is_equal(self) -> bool:
        """Whether what is published is what the facts give."""
        fields = ORDER_FIELDS if self.category is None else CATEGORY_FIELDS
        shown = self.published and {
            name: self.published.get(name, DEFAULT_MEASURES.get(name)) for name in fields
        }
        return shown == self.recomputed


def explain(
    catalog: Any, dynamodb: Any, day: date, category: str | None, *, with_rows: bool
) -> Explained:
    """Read the item and the facts under one and the same writer epoch, looking again if need be.

    Between two looks a batch may publish; after three the last is given as it is.
    """
    for _ in range(LOOKS):
        published = PublishedFacts(catalog, dynamodb)
        evidence = evidence_of(
            published.engine, published.heads, day, category, with_rows=with_rows
        )
        explained = Explained(day, category, read_kpi(dynamodb, day, category), evidence, published)
        if published.read_state() == published.state or explained.is_equal:
            break
    return explained


def read_kpi(dynamodb: Any, day: date, category: str | None) -> dict[str, Any] | None:
    """The published item of a day, or of a category on it."""
    key = {"order_date": day.isoformat()}
    if category is None:
        return items.get_item(dynamodb, ORDER_KPIS_TABLE, key)
    return items.get_item(dynamodb, CATEGORY_KPIS_TABLE, {"category": category, **key})


def locations(
    contributions: Sequence[Contribution],
    store: EventStore,
    archive_bucket: str,
    data_bucket: str,
) -> dict[tuple[str, str], str]:
    """Where the file of each (batch_id, source_key) lies now, as an S3 address."""
    events: dict[str, list[Message]] = {}
    found = {}
    for each in contributions:
        if each.batch_id not in events:
            events[each.batch_id] = store.read_correlated(each.batch_id)
        archived = any(e.event_type == "BatchArchived" for e in events[each.batch_id])
        found[each.batch_id, each.source_key] = (
            f"s3://{archive_bucket}/{archive_prefix(each.batch_id)}{each.source_key}"
            if archived
            else f"s3://{data_bucket}/{each.source_key}"
        )
    return found


def as_document(explained: Explained, places: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """What `ecp why --json` prints; amounts in units of the currency."""
    facts, item = explained.facts, explained.published
    fields = ORDER_FIELDS if explained.category is None else CATEGORY_FIELDS
    flight = facts.state.in_flight
    return {
        "order_date": explained.order_date.isoformat(),
        "category": explained.category,
        "published": item and {name: item.get(name, DEFAULT_MEASURES.get(name)) for name in fields},
        "published_by": item
        and {name: item.get(name) for name in ("batch_id", "epoch", "updated_at")},
        "recomputed": explained.recomputed,
        "equal": explained.is_equal,
        "in_work": flight.batch_id if flight else None,
        "snapshots": facts.snapshot_ids(("orders", "order_items")),
        "contributions": [
            {
                "kind": each.kind,
                "batch_id": each.batch_id,
                "key": each.source_key,
                "rows": each.rows,
                "orders": each.orders,
                "quantity": each.quantity,
                "amount": amount(each.cents),
                "returned_orders": each.returned_orders,
                "snapshot": facts.tagged(each.batch_id, each.kind),
                "location": places[each.batch_id, each.source_key],
            }
            for each in explained.evidence.contributions
        ],
        "rows": [_row(row) for row in explained.evidence.rows],
    }


def amount(cents: int) -> Decimal:
    """Cents in units of the currency."""
    return (Decimal(cents) / 100).quantize(Decimal("0.01"))


def kpi_item(kpi: OrderDay | CategoryDay | None) -> dict[str, Any] | None:
    """The measures of a KPI as they are published."""
    return None if kpi is None else kpi.item()


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    cents = ("unit_price_cents", "line_amount_cents", "added_to_total_cents")
    shown = {name: value for name, value in row.items() if name not in cents}
    renamed = {"key": shown.pop("source_key"), "line": shown.pop("source_line")}
    amounts = {name.removesuffix("_cents"): amount(row[name]) for name in cents}
    return {**renamed, **shown, **amounts}


def compare_all(published: PublishedFacts) -> dict[str, Any]:
    """What `ecp rebuild` would do to every KPI item; `items` names each that is not right."""
    tables = ORDER_KPIS_TABLE, CATEGORY_KPIS_TABLE
    stored = {
        key_of(item): item for table in tables for item in items.scan(published.dynamodb, table)
    }
    days = days_with_facts(published.facts, published.heads)
    expected = (
        kpi for span in spans(days) for kpi in kpis_at(published.engine, published.heads, span)
    )
    repair = compare(expected, stored)
    faults = [
        *((key_of(kpi), "missing") for kpi in repair.missing),
        *((key_of(kpi), "not what the facts give") for kpi in repair.wrong),
        *((key, "nothing in the facts gives it") for key in repair.strays),
    ]
    return {
        "days": len(days),
        "index_faults": index_faults(published.engine, published.heads),
        **repair.counts(),
        "items": [
            {"order_date": key[0], "category": key[1], "fault": fault}
            for key, fault in sorted(faults, key=lambda each: (each[0][0], each[0][1] or ""))
        ],
    }


def plan_all(published: PublishedFacts, now: datetime) -> list[dict[str, Any]]:
    """What `ecp maintain` would do to each facts table, as TableUpkeep."""
    planned = []
    for name, head in published.heads.items():
        table = published.facts.table(name)
        plan = plan_upkeep(table, head, now)
        gone = plan.expiry.snapshot_ids
        planned.append(
            {
                "table": name,
                "compacted_partitions": len(plan.crowded),
                "compacted_files": sum(map(len, plan.crowded.values())),
                "expired_snapshots": len(gone),
                "dropped_tags": len(plan.expiry.tags),
                "deleted_files": len(plan.unused),
                "deleted_bytes": sum(file.size_bytes for file in plan.unused),
                "kept_snapshots": len(table.metadata.snapshots) - len(gone),
            }
        )
    return planned


def plan_erasure(published: PublishedFacts, pseudonym: str) -> dict[str, int]:
    """Where a pseudonym is in the facts: rows and days that stand, and snapshots that hold it."""
    table = published.facts.table(TABLE)
    found = trace(table, list(stored_files(table)), pseudonym)
    standing = data_files(table, published.heads[TABLE])
    return {
        "days": len(found.days(standing)),
        "rows": sum(found.rows.get(path_of(file.file_path), 0) for file in standing),
        "snapshots": len(holding_snapshots(table, found)),
    }


def plan_rekeying(published: PublishedFacts) -> dict[str, int]:
    """What new pseudonyms would touch: rows and days that stand, and snapshots of orders."""
    table = published.facts.table(TABLE)
    standing = data_files(table, published.heads[TABLE])
    return {
        "days": len({partition_of(file) for file in standing}),
        "rows": sum(file.record_count for file in standing),
        "snapshots": len(table.metadata.snapshots),
    }
